//! Taking messages out of a queue for delivery.

use std::sync::Arc;

use ironhub_model::{C2dDelivery, FeedbackStatus, LockToken, Timestamp};

use super::locks::{Candidate, Holder, Receipt};
use super::mailbox_key;
use crate::auth::DevicePrincipal;
use crate::core::Core;
use crate::error::HubError;
use crate::ports::{Mail, MailId, Ports, StateStore};
use crate::random;
use crate::store::c2d::QueuedMessage;

/// How often a look at a queue is begun anew because messages were removed meanwhile.
const LOOKS_MAX: u32 = 64;

/// A message as it was read, and what is to be done with it.
struct Read {
    id: MailId,
    token: LockToken,
    message: QueuedMessage,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Deliver,
    DeadLetter(FeedbackStatus),
    /// Left over from a deleted device of the same name.
    Drop,
}

impl<P: Ports> Core<P> {
    /// Locks up to `max` messages for `holder`; removes those on the way that may not be delivered any more.
    pub(super) async fn take(
        &self,
        caller: &DevicePrincipal,
        holder: Holder,
        max: usize,
    ) -> Result<Vec<C2dDelivery>, HubError> {
        let mut taken = Vec::new();
        if caller.id.module.is_some() {
            return Ok(taken); // Modules have no queue.
        }
        self.end_timed_out(Some(&caller.id.device)).await?;
        for _ in 0..LOOKS_MAX {
            let left = max.saturating_sub(taken.len());
            if left == 0 || !self.look(caller, holder, left, &mut taken).await? {
                return Ok(taken);
            }
        }
        if taken.is_empty() {
            Err(HubError::Busy)
        } else {
            Ok(taken)
        }
    }

    /// One look. Returns whether another one may find more.
    async fn look(
        &self,
        caller: &DevicePrincipal,
        holder: Holder,
        max: usize,
        taken: &mut Vec<C2dDelivery>,
    ) -> Result<bool, HubError> {
        let device = &caller.id.device;
        let look = self.c2d.look(device);
        let limit = max.saturating_add(look.locked());
        let mails = self.state.mailbox(&mailbox_key(device), None, limit).await?;
        let has_more = mails.len() == limit;
        let mut read = self.read(caller, mails)?;
        let candidates = read.iter().map(Read::candidate).collect();
        let Ok(locked) = look.lock(candidates, holder, max) else {
            return Ok(true);
        };
        for (id, redelivered) in locked.deliverable {
            if let Some(at) = read.iter().position(|read| read.id == id) {
                taken.push(read.swap_remove(at).delivery(redelivered));
            }
        }
        let has_removed = !locked.undeliverable.is_empty();
        for settling in locked.undeliverable {
            let fate = read.iter().find(|read| read.id == settling.id).map(|read| read.fate);
            let status = match fate {
                Some(Fate::DeadLetter(status)) => Some(status),
                Some(Fate::Drop | Fate::Deliver) | None => None,
            };
            self.remove(settling, status).await?;
        }
        Ok(has_removed && has_more)
    }

    fn read(&self, caller: &DevicePrincipal, mails: Vec<Mail>) -> Result<Vec<Read>, HubError> {
        let deliveries_max = self.settings.current().c2d.max_delivery_count;
        let now = self.now();
        let read = |mail: Mail| {
            let message = QueuedMessage::read(&mail)?;
            let fate = if message.generation_id == caller.generation_id {
                message.fate(now, deliveries_max)
            } else {
                Fate::Drop
            };
            Ok(Read {
                id: mail.id,
                token: random::lock_token()?,
                message,
                fate,
            })
        };
        mails.into_iter().map(read).collect()
    }
}

impl QueuedMessage {
    /// A message that has failed as often as it may is dead-lettered at the attempt after that.
    pub(super) fn fate(&self, now: Timestamp, deliveries_max: u32) -> Fate {
        if self.expires_at <= now {
            Fate::DeadLetter(FeedbackStatus::Expired)
        } else if self.failed_deliveries >= deliveries_max {
            Fate::DeadLetter(FeedbackStatus::DeliveryCountExceeded)
        } else {
            Fate::Deliver
        }
    }

    pub(super) fn receipt(&self) -> Arc<Receipt> {
        Arc::new(Receipt {
            ack: self.ack(),
            message_id: self.message.message_id.clone(),
            generation_id: self.generation_id.clone(),
        })
    }
}

impl Read {
    fn candidate(&self) -> Candidate {
        Candidate {
            id: self.id,
            token: self.token,
            receipt: self.message.receipt(),
            is_deliverable: self.fate == Fate::Deliver,
        }
    }

    fn delivery(self, redelivered: bool) -> C2dDelivery {
        C2dDelivery {
            lock_token: self.token,
            sequence: self.id.0,
            enqueued_at: self.message.enqueued_at,
            expires_at: self.message.expires_at,
            delivery_count: self.message.failed_deliveries.saturating_add(1),
            redelivered,
            message: self.message.message,
        }
    }
}
