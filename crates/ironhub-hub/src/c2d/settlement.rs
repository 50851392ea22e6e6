//! What becomes of a message: one commit removes it and stores the report about it.

use std::future::Future;
use std::sync::Arc;

use ironhub_model::{DeviceId, FeedbackStatus, GenerationId, IdentityId, LockToken};
use tracing::warn;

use super::locks::{Candidate, Settling};
use super::mailbox_key;
use crate::auth::DevicePrincipal;
use crate::core::Core;
use crate::error::HubError;
use crate::feedback;
use crate::ports::{Commit, CommitError, Mail, MailId, MailOp, Ports, StateStore};
use crate::random;
use crate::store::c2d::QueuedMessage;

/// How often a purge is begun anew because the queue changed meanwhile.
const PURGES_MAX: u32 = 16;

impl<P: Ports> Core<P> {
    /// A device's own verdict on a message that it had received. It counts from this call on, as does
    /// [`Self::abandon`]: a connection that ends right after it takes nothing back.
    pub(super) fn settle(
        self: &Arc<Self>,
        caller: &DevicePrincipal,
        token: LockToken,
        status: FeedbackStatus,
    ) -> impl Future<Output = Result<(), HubError>> + use<P> {
        let begun = self.begin_to_settle(caller, token).map(|settling| {
            let core = Arc::clone(self);
            self.to_the_end(async move { core.remove(settling, Some(status)).await })
        });
        async move { begun?.await }
    }

    pub(super) fn abandon(
        self: &Arc<Self>,
        caller: &DevicePrincipal,
        token: LockToken,
    ) -> impl Future<Output = Result<(), HubError>> + use<P> {
        let begun = self.begin_to_settle(caller, token).map(|settling| {
            let (core, device) = (Arc::clone(self), settling.device().clone());
            self.to_the_end(async move {
                core.fail_delivery(settling).await?;
                core.tell_c2d_ready(IdentityId::device(device)).await;
                Ok(())
            })
        });
        async move { begun?.await }
    }

    fn begin_to_settle(&self, caller: &DevicePrincipal, token: LockToken) -> Result<Settling, HubError> {
        self.c2d.settle(queue_of(caller)?, &token).ok_or(HubError::LockLost)
    }

    /// Removes a message; with a status, stores the report that its sender asked for.
    pub(super) async fn remove(&self, settling: Settling, status: Option<FeedbackStatus>) -> Result<(), HubError> {
        let mailbox = mailbox_key(settling.device());
        let removal = Commit::new().mail(MailOp::Remove {
            mailbox,
            id: settling.id,
        });
        let report = match status.filter(|status| settling.receipt.ack.wants(*status)) {
            Some(status) => Some(feedback::report(self, settling.device(), &settling.receipt, status)?),
            None => None,
        };
        let mut committed = match report {
            Some(report) => self.commit(removal.clone().mail(report)).await,
            None => self.commit(removal.clone()).await,
        };
        if let Err(CommitError::MailboxFull(_)) = committed {
            warn!(device_id = %settling.device(), "feedback record dropped: too many wait for a reader");
            committed = self.commit(removal).await;
        }
        match committed {
            Ok(_) => {
                count(status, 1);
                settling.removed();
                Ok(())
            }
            Err(CommitError::NoMail(_)) => {
                settling.removed();
                Err(HubError::LockLost)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A delivery has failed in a way that counts: the message is free again.
    async fn fail_delivery(&self, settling: Settling) -> Result<(), HubError> {
        let mailbox = mailbox_key(settling.device());
        let before = settling.id.0.checked_sub(1).map(MailId);
        let mail = self.state.mailbox(&mailbox, before, 1).await?.pop();
        let Some(mail) = mail.filter(|mail| mail.id == settling.id) else {
            settling.removed();
            return Err(HubError::LockLost);
        };
        let mut message = QueuedMessage::read(&mail)?;
        message.failed_deliveries = message.failed_deliveries.saturating_add(1);
        let update = MailOp::Update {
            mailbox,
            id: mail.id,
            content: message.content()?,
        };
        match self.commit(Commit::new().mail(update)).await {
            Ok(_) => {
                settling.released();
                Ok(())
            }
            Err(CommitError::NoMail(_)) => {
                settling.removed();
                Err(HubError::LockLost)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Frees what receivers let time out: of one device, or of all.
    pub(super) async fn end_timed_out(&self, device: Option<&DeviceId>) -> Result<(), HubError> {
        for settling in self.c2d.settle_timed_out(device) {
            let id = IdentityId::device(settling.device().clone());
            match self.fail_delivery(settling).await {
                Ok(()) => self.tell_c2d_ready(id).await,
                Err(HubError::LockLost) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Dead-letters a message whose time is over. `by_force` takes it from a receiver that has it. Returns whether it
    /// is gone.
    pub(super) async fn expire(&self, device: &DeviceId, mail: &Mail, by_force: bool) -> Result<bool, HubError> {
        let message = QueuedMessage::read(mail)?;
        let candidate = Candidate {
            id: mail.id,
            token: random::lock_token()?,
            receipt: message.receipt(),
            is_deliverable: false,
        };
        let Some(settling) = self.c2d.seize(device, candidate, by_force) else {
            return Ok(false);
        };
        // The report about a message to a device that is no more would reach nobody who knows it.
        let generation = match self.device_generation(device).await {
            Ok(generation) => Some(generation),
            Err(HubError::DeviceNotFound(_)) => None,
            Err(error) => return Err(error),
        };
        let is_current = generation.is_some_and(|generation| generation == message.generation_id);
        let status = is_current.then_some(FeedbackStatus::Expired);
        match self.remove(settling, status).await {
            Ok(()) | Err(HubError::LockLost) => Ok(true),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn purge(self: &Arc<Self>, device: DeviceId) -> Result<u32, HubError> {
        let core = Arc::clone(self);
        self.to_the_end(async move {
            let generation = core.device_generation(&device).await?;
            for _ in 0..PURGES_MAX {
                if let Some(count) = core.purge_once(&device, &generation).await? {
                    core.c2d.forget(&device);
                    return Ok(count);
                }
            }
            Err(HubError::Busy)
        })
        .await
    }

    /// One commit for the whole queue; `None` when a message went meanwhile.
    async fn purge_once(&self, device: &DeviceId, generation: &GenerationId) -> Result<Option<u32>, HubError> {
        let mailbox = mailbox_key(device);
        let mails = self.state.mailbox(&mailbox, None, usize::MAX).await?;
        let mut commit = Commit::new();
        let (mut purged, mut dropped) = (0, 0);
        for mail in mails {
            let receipt = QueuedMessage::read(&mail)?.receipt();
            commit = commit.mail(MailOp::Remove {
                mailbox: mailbox.clone(),
                id: mail.id,
            });
            if receipt.generation_id == *generation {
                purged += 1;
                if receipt.ack.wants(FeedbackStatus::Purged) {
                    commit = commit.mail(feedback::report(self, device, &receipt, FeedbackStatus::Purged)?);
                }
            } else {
                dropped += 1;
            }
        }
        match self.commit(commit).await {
            Ok(_) => {
                count(Some(FeedbackStatus::Purged), purged);
                count(None, dropped);
                Ok(Some(purged))
            }
            Err(CommitError::NoMail(_)) => Ok(None),
            Err(CommitError::MailboxFull(_)) => Err(HubError::Busy),
            Err(error) => Err(error.into()),
        }
    }
}

/// Modules have no queue, so nothing of theirs can be locked.
fn queue_of(caller: &DevicePrincipal) -> Result<&DeviceId, HubError> {
    match caller.id.module {
        None => Ok(&caller.id.device),
        Some(_) => Err(HubError::LockLost),
    }
}

fn count(status: Option<FeedbackStatus>, messages: u32) {
    let outcome = match status {
        Some(FeedbackStatus::Success) => "completed",
        Some(FeedbackStatus::Expired) => "expired",
        Some(FeedbackStatus::DeliveryCountExceeded) => "delivery_count_exceeded",
        Some(FeedbackStatus::Rejected) => "rejected",
        Some(FeedbackStatus::Purged) => "purged",
        None => "dropped",
    };
    metrics::counter!("ironhub_c2d_settled_total", "outcome" => outcome).increment(messages.into());
}
