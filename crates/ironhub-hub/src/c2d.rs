//! Cloud-to-device messages: a queue for each device, delivery under a lock, and what becomes of every message.
//!
//! Azure documentation: "Understand cloud-to-device messaging from an IoT hub". The delivery count is stored with the
//! message and rises with each explicit abandon, each lock time-out and each AMQP delivery that the end of its connection
//! cuts short; an MQTT connection that ends without acknowledging does not count, since MQTT has no way to abandon.

mod delivery;
pub(crate) mod keeper;
mod locks;
mod receiver;
mod settlement;

use std::time::Duration;

use ironhub_model::limits::{C2D_LOCK_DEFAULT, C2D_LOCK_MAX, C2D_MESSAGE_BYTES_MAX};
use ironhub_model::{C2dDelivery, C2dMessage, DeviceId, FeedbackStatus, IdentityId, LockToken, Timestamp};
use tokio::time::Instant;

pub(crate) use crate::store::c2d::mailbox_key;
pub(crate) use locks::{Locks, Receipt};
pub use receiver::C2dReceiver;

use crate::auth::DevicePrincipal;
use crate::connections::Link;
use crate::core::service;
use crate::error::HubError;
use crate::ports::{Commit, CommitError, MailOp, Ports, StateStore};
use crate::store::c2d::QueuedMessage;
use locks::Holder;

service! {
    /// Queues of cloud-to-device messages.
    C2d
}

impl<P: Ports> C2d<P> {
    /// Enqueues a message; it is durable when this returns. A disabled device's queue takes messages too.
    pub async fn send(&self, device: &DeviceId, message: C2dMessage) -> Result<(), HubError> {
        let (core, device) = (std::sync::Arc::clone(&self.core), device.clone());
        let operation = async move {
            let bytes_max = C2D_MESSAGE_BYTES_MAX;
            if message.size_bytes() > bytes_max {
                return Err(HubError::MessageTooLarge { bytes_max });
            }
            let generation_id = core.device_generation(&device).await?;
            let settings = core.settings.current().c2d;
            let now = core.now();
            let expires_at = expiry(&message, now, Duration::from_secs(settings.default_ttl_s))?;
            let queued = QueuedMessage {
                generation_id,
                enqueued_at: now,
                expires_at,
                failed_deliveries: 0,
                message,
            };
            let push = MailOp::Push {
                mailbox: mailbox_key(&device),
                due_at: expires_at,
                content: queued.content()?,
                messages_max: settings.queue_messages_max,
            };
            match core.commit(Commit::new().mail(push)).await {
                Ok(_) => {}
                Err(CommitError::MailboxFull(_)) => return Err(HubError::QueueFull(device)),
                Err(error) => return Err(error.into()),
            }
            metrics::counter!("ironhub_c2d_enqueued_total").increment(1);
            core.tell_c2d_ready(IdentityId::device(device)).await;
            Ok(())
        };
        self.core.to_the_end(operation).await
    }

    /// Locks the oldest message that is free, for an HTTPS receiver.
    pub async fn receive(&self, caller: &DevicePrincipal, lock: Duration) -> Result<Option<C2dDelivery>, HubError> {
        let lock = if lock.is_zero() {
            C2D_LOCK_DEFAULT
        } else {
            lock.min(C2D_LOCK_MAX)
        };
        let holder = Holder::Until(Instant::now() + lock);
        let mut taken = self.core.take(caller, holder, 1).await?;
        Ok(taken.pop())
    }

    /// Locks up to `max` messages, oldest first, for an MQTT connection: until it settles them or ends. Empty when
    /// nothing is free; `LinkEvent::C2dReady` tells when to ask again.
    pub async fn take_for_link(&self, link: &Link<P>, max: usize) -> Result<Vec<C2dDelivery>, HubError> {
        link.check_open()?;
        let holder = Holder::Link(link.epoch());
        let taken = self.core.take(link.principal(), holder, max).await?;
        // A link that was cut meanwhile had nothing to give back yet.
        if let Err(cut) = link.check_open() {
            self.core.c2d.release_link(&link.principal().id.device, link.epoch());
            return Err(cut);
        }
        Ok(taken)
    }

    /// The device has processed the message: it is gone.
    pub async fn complete(&self, caller: &DevicePrincipal, token: &LockToken) -> Result<(), HubError> {
        self.core.settle(caller, *token, FeedbackStatus::Success).await
    }

    /// The device refuses the message: it is dead-lettered.
    pub async fn reject(&self, caller: &DevicePrincipal, token: &LockToken) -> Result<(), HubError> {
        self.core.settle(caller, *token, FeedbackStatus::Rejected).await
    }

    /// The device wants the message later: it is free again, at its place, with one more failed delivery.
    pub async fn abandon(&self, caller: &DevicePrincipal, token: &LockToken) -> Result<(), HubError> {
        self.core.abandon(caller, *token).await
    }

    /// Dead-letters everything in the queue, also what is out for delivery. Returns how many messages that were.
    pub async fn purge(&self, device: &DeviceId) -> Result<u32, HubError> {
        self.core.purge(device.clone()).await
    }

    /// How many messages the queue holds, those out for delivery included.
    pub async fn count(&self, device: &DeviceId) -> Result<u32, HubError> {
        Ok(self.core.state.mailbox_len(&mailbox_key(device)).await?)
    }
}

/// When the message dies: when the sender says, or after the hub's default time.
fn expiry(message: &C2dMessage, now: Timestamp, default_ttl: Duration) -> Result<Timestamp, HubError> {
    match message.expires_at {
        Some(wish) if wish <= now => Err(HubError::InvalidExpiry),
        Some(wish) => Ok(wish),
        None => Ok(now.saturating_add(default_ttl)),
    }
}
