//! Which messages are out for delivery, and to whom. Memory of the queue's owner: after a restart every message is
//! enqueued again.
//!
//! Whoever removes a message holds its lock while it does. So a message that was read from the store, and is free when
//! it is locked, is still there unless some removal ended in between; each queue counts those.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ironhub_model::{AckRequest, DeviceId, GenerationId, LockToken};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::ports::{Epoch, MailId};

/// The locks of all queues. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Locks(Arc<Mutex<HashMap<DeviceId, Queue>>>);

#[derive(Debug, Default)]
struct Queue {
    /// Messages that were removed while this entry lived.
    removals: u64,
    /// Those who look at the queue; the entry, and its count, lives as long as they do.
    lookers: u32,
    locks: HashMap<MailId, Lock>,
    /// Messages that an MQTT connection had and did not acknowledge.
    unacknowledged: HashSet<MailId>,
}

#[derive(Debug)]
struct Lock {
    token: LockToken,
    holder: Holder,
    /// Somebody is changing the message in the store.
    is_settling: bool,
    receipt: Arc<Receipt>,
}

/// Who has a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// An MQTT connection, until it acknowledges or ends.
    Link(Epoch),
    /// An AMQP connection, until this moment or until it ends: both are failed deliveries.
    LinkUntil(Epoch, Instant),
    /// An HTTPS receiver, until this moment.
    Until(Instant),
    /// The hub itself, which is about to remove or change it.
    Hub,
}

impl Holder {
    /// Did the receiver let its time pass?
    fn is_over(self, now: Instant) -> bool {
        match self {
            Self::Until(end) | Self::LinkUntil(_, end) => end <= now,
            Self::Link(_) | Self::Hub => false,
        }
    }
}

/// What settling a message needs to know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) ack: AckRequest,
    pub(crate) message_id: Option<String>,
    pub(crate) generation_id: GenerationId,
}

/// A message that may be locked.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) id: MailId,
    pub(super) token: LockToken,
    pub(super) receipt: Arc<Receipt>,
    /// For the receiver, or else for the hub to remove.
    pub(super) is_deliverable: bool,
}

/// What one look has locked.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// In order; with whether a connection had it before and did not acknowledge it.
    pub(super) deliverable: Vec<(MailId, bool)>,
    /// For the hub to remove.
    pub(super) undeliverable: Vec<Settling>,
}

/// Something was removed since the look began: what was read may be gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Changed;

/// A look at one queue, from before its messages are read until some of them are locked.
#[derive(Debug)]
pub(super) struct Look<'a> {
    locks: &'a Locks,
    device: &'a DeviceId,
    removals: u64,
    locked: usize,
}

/// The right to change or remove one message. Dropped without [`Settling::removed`] or [`Settling::released`], the
/// message goes back to whoever had it.
#[derive(Debug)]
pub(super) struct Settling {
    locks: Locks,
    device: DeviceId,
    pub(super) id: MailId,
    pub(super) receipt: Arc<Receipt>,
    is_over: bool,
}

impl Locks {
    pub(super) fn look<'a>(&'a self, device: &'a DeviceId) -> Look<'a> {
        let mut queues = self.0.lock();
        let queue = queues.entry(device.clone()).or_default();
        queue.lookers += 1;
        Look {
            locks: self,
            device,
            removals: queue.removals,
            locked: queue.locks.len(),
        }
    }

    /// Begins to settle what this token locks; `None` when it locks nothing any more.
    pub(super) fn settle(&self, device: &DeviceId, token: &LockToken) -> Option<Settling> {
        let mut queues = self.0.lock();
        let queue = queues.get_mut(device)?;
        let (id, lock) = queue.locks.iter_mut().find(|(_, lock)| lock.token == *token)?;
        if lock.is_settling || lock.holder.is_over(Instant::now()) {
            return None;
        }
        lock.is_settling = true;
        Some(self.settling(device, *id, &lock.receipt))
    }

    /// Takes a message for the hub, from its holder too when `by_force`. `None` when somebody has it.
    pub(super) fn seize(&self, device: &DeviceId, candidate: Candidate, by_force: bool) -> Option<Settling> {
        let mut queues = self.0.lock();
        let queue = queues.entry(device.clone()).or_default();
        if let Some(lock) = queue.locks.get(&candidate.id)
            && (lock.is_settling || !by_force)
        {
            return None;
        }
        let (id, receipt) = (candidate.id, Arc::clone(&candidate.receipt));
        queue.locks.insert(id, Lock::of(candidate, Holder::Hub));
        Some(self.settling(device, id, &receipt))
    }

    /// Begins to settle every message of this device, or of all, whose receiver let its time pass.
    pub(super) fn settle_timed_out(&self, device: Option<&DeviceId>) -> Vec<Settling> {
        let now = Instant::now();
        let mut found = Vec::new();
        let mut queues = self.0.lock();
        let those = queues
            .iter_mut()
            .filter(|(key, _)| device.is_none_or(|device| device == *key));
        for (device, queue) in those {
            for (id, lock) in &mut queue.locks {
                if !lock.is_settling && lock.holder.is_over(now) {
                    lock.is_settling = true;
                    found.push(self.settling(device, *id, &lock.receipt));
                }
            }
        }
        found
    }

    /// The connection has ended. What it had over MQTT is enqueued again and marked as delivered before; what it had
    /// over AMQP counts as timed out, so that whoever looks next counts a failed delivery.
    pub(crate) fn release_link(&self, device: &DeviceId, epoch: Epoch) {
        let now = Instant::now();
        let mut queues = self.0.lock();
        let Some(queue) = queues.get_mut(device) else { return };
        let Queue {
            locks, unacknowledged, ..
        } = queue;
        locks.retain(|id, lock| match lock.holder {
            Holder::Link(holder) if holder == epoch => {
                unacknowledged.insert(*id);
                lock.holder = Holder::Hub;
                lock.is_settling
            }
            Holder::LinkUntil(holder, _) if holder == epoch => {
                lock.holder = Holder::Until(now);
                true
            }
            Holder::Link(_) | Holder::LinkUntil(..) | Holder::Until(_) | Holder::Hub => true,
        });
    }

    /// The queue was emptied, or its device deleted.
    pub(crate) fn forget(&self, device: &DeviceId) {
        self.change(device, |queue| {
            queue.removals += 1;
            queue.locks.retain(|_, lock| lock.is_settling);
            queue.unacknowledged.clear();
        });
    }

    fn settling(&self, device: &DeviceId, id: MailId, receipt: &Arc<Receipt>) -> Settling {
        Settling {
            locks: self.clone(),
            device: device.clone(),
            id,
            receipt: Arc::clone(receipt),
            is_over: false,
        }
    }

    /// Changes a queue and drops its entry when nothing is known of it any more.
    fn change(&self, device: &DeviceId, change: impl FnOnce(&mut Queue)) {
        let mut queues = self.0.lock();
        if let Some(queue) = queues.get_mut(device) {
            change(queue);
            if queue.lookers == 0 && queue.locks.is_empty() && queue.unacknowledged.is_empty() {
                queues.remove(device);
            }
        }
    }
}

impl Look<'_> {
    /// How many messages were locked when the look began: to read beyond them.
    pub(super) fn locked(&self) -> usize {
        self.locked
    }

    /// Locks, in order, at most `max` deliverable ones of the candidates that are free, and all undeliverable ones
    /// before them.
    pub(super) fn lock(self, candidates: Vec<Candidate>, holder: Holder, max: usize) -> Result<Taken, Changed> {
        // Locals are dropped before `self`, whose drop takes the same lock.
        let mut queues = self.locks.0.lock();
        let queue = queues.get_mut(self.device).ok_or(Changed)?;
        if queue.removals != self.removals {
            return Err(Changed);
        }
        let mut taken = Taken::default();
        for candidate in candidates {
            if taken.deliverable.len() == max {
                break;
            }
            let id = candidate.id;
            if queue.locks.contains_key(&id) {
                continue;
            }
            if candidate.is_deliverable {
                taken.deliverable.push((id, queue.unacknowledged.contains(&id)));
                queue.locks.insert(id, Lock::of(candidate, holder));
            } else {
                let settling = self.locks.settling(self.device, id, &candidate.receipt);
                taken.undeliverable.push(settling);
                queue.locks.insert(id, Lock::of(candidate, Holder::Hub));
            }
        }
        drop(queues);
        Ok(taken)
    }
}

impl Drop for Look<'_> {
    fn drop(&mut self) {
        self.locks
            .change(self.device, |queue| queue.lookers = queue.lookers.saturating_sub(1));
    }
}

impl Lock {
    fn of(candidate: Candidate, holder: Holder) -> Self {
        Self {
            token: candidate.token,
            holder,
            is_settling: holder == Holder::Hub,
            receipt: candidate.receipt,
        }
    }
}

impl Settling {
    pub(super) fn device(&self) -> &DeviceId {
        &self.device
    }

    /// The message is gone from the store.
    pub(super) fn removed(mut self) {
        self.is_over = true;
        self.locks.change(&self.device, |queue| {
            queue.removals += 1;
            queue.locks.remove(&self.id);
            queue.unacknowledged.remove(&self.id);
        });
    }

    /// The message is enqueued again.
    pub(super) fn released(mut self) {
        self.is_over = true;
        self.locks.change(&self.device, |queue| {
            queue.locks.remove(&self.id);
        });
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.locks.change(&self.device, |queue| {
            if let Some(lock) = queue.locks.get_mut(&self.id) {
                lock.is_settling = false;
                if lock.holder == Holder::Hub {
                    queue.locks.remove(&self.id);
                }
            }
        });
    }
}
