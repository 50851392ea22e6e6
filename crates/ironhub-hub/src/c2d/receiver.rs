use std::fmt;
use std::future::Future;
use std::sync::Arc;

use ironhub_model::limits::C2D_LOCK_DEFAULT;
use ironhub_model::{C2dDelivery, FeedbackStatus, LockToken};
use tokio::time::Instant;

use super::locks::Holder;
use crate::auth::DevicePrincipal;
use crate::connections::{Gate, Link};
use crate::core::Core;
use crate::error::HubError;
use crate::ports::{Epoch, Ports};

/// The cloud-to-device messages of one AMQP connection: each is its device's for [`C2D_LOCK_DEFAULT`], and a delivery
/// that is not settled by then, or by the end of the link, has failed. Refuses from the moment at which the link is
/// revoked, replaced or expired.
pub struct C2dReceiver<P: Ports> {
    core: Arc<Core<P>>,
    gate: Arc<Gate>,
    principal: Arc<DevicePrincipal>,
    epoch: Epoch,
}

impl<P: Ports> Link<P> {
    /// The receiver of this connection, for protocols that know locks.
    pub fn c2d_receiver(&self) -> C2dReceiver<P> {
        C2dReceiver {
            core: Arc::clone(self.core()),
            gate: Arc::clone(self.gate()),
            principal: Arc::new(self.principal().clone()),
            epoch: self.epoch(),
        }
    }
}

impl<P: Ports> C2dReceiver<P> {
    /// Locks up to `max` messages, oldest first. Empty when nothing is free; `LinkEvent::C2dReady` tells when to ask
    /// again.
    pub async fn take(&self, max: usize) -> Result<Vec<C2dDelivery>, HubError> {
        self.check_open()?;
        let holder = Holder::LinkUntil(self.epoch, Instant::now() + C2D_LOCK_DEFAULT);
        let taken = self.core.take(&self.principal, holder, max).await?;
        // A link that was cut meanwhile had nothing to give back yet.
        if let Err(cut) = self.check_open() {
            self.core.c2d.release_link(&self.principal.id.device, self.epoch);
            return Err(cut);
        }
        Ok(taken)
    }

    /// The device has processed the message: it is gone. This counts from the call on, as do the other verdicts: what
    /// is returned tells how it went, and need not be waited for.
    pub fn complete(&self, token: &LockToken) -> impl Future<Output = Result<(), HubError>> + use<P> {
        self.settle(token, FeedbackStatus::Success)
    }

    /// The device refuses the message: it is dead-lettered.
    pub fn reject(&self, token: &LockToken) -> impl Future<Output = Result<(), HubError>> + use<P> {
        self.settle(token, FeedbackStatus::Rejected)
    }

    /// The device wants the message later, or its receiver is gone: the message is free again, at its place, with one
    /// more failed delivery.
    pub fn abandon(&self, token: &LockToken) -> impl Future<Output = Result<(), HubError>> + use<P> {
        let open = self.check_open();
        let begun = open.map(|()| self.core.abandon(&self.principal, *token));
        async move { begun?.await }
    }

    fn settle(&self, token: &LockToken, status: FeedbackStatus) -> impl Future<Output = Result<(), HubError>> + use<P> {
        let open = self.check_open();
        let begun = open.map(|()| self.core.settle(&self.principal, *token, status));
        async move { begun?.await }
    }

    fn check_open(&self) -> Result<(), HubError> {
        self.gate.pass(self.core.now())
    }
}

impl<P: Ports> Clone for C2dReceiver<P> {
    fn clone(&self) -> Self {
        Self {
            core: Arc::clone(&self.core),
            gate: Arc::clone(&self.gate),
            principal: Arc::clone(&self.principal),
            epoch: self.epoch,
        }
    }
}

impl<P: Ports> fmt::Debug for C2dReceiver<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("C2dReceiver")
            .field("id", &self.principal.id)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}
