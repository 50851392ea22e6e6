//! Which reports are out, in which batches. Memory of the queue's owner: after a restart all are free again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ironhub_model::LockToken;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::ports::MailId;

/// The batches that readers have.
#[derive(Debug, Default)]
pub(crate) struct Batches {
    out: Mutex<Out>,
    /// Told when a report may have become free, and when a batch has ended.
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Out {
    /// Times that reports were removed.
    removals: u64,
    locked: HashSet<MailId>,
    by_token: HashMap<LockToken, Batch>,
}

#[derive(Debug)]
struct Batch {
    ids: Vec<MailId>,
    until: Instant,
    is_settling: bool,
}

/// The right to settle one batch. Dropped without a word, the batch goes back to its reader.
#[derive(Debug)]
pub(super) struct Settling {
    batches: Arc<Batches>,
    token: LockToken,
    pub(super) ids: Vec<MailId>,
}

impl Batches {
    /// A report has come.
    pub(crate) fn wake(&self) {
        self.changed.send_replace(());
    }

    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Does anybody have this batch?
    pub(super) fn is_out(&self, token: &LockToken) -> bool {
        self.out.lock().by_token.contains_key(token)
    }

    pub(super) fn removals(&self) -> u64 {
        self.out.lock().removals
    }

    pub(super) fn locked(&self) -> usize {
        self.out.lock().locked.len()
    }

    pub(super) fn is_locked(&self, id: MailId) -> bool {
        self.out.lock().locked.contains(&id)
    }

    pub(super) fn count_removal(&self) {
        self.out.lock().removals += 1;
    }

    /// Locks a batch, if nothing was removed since `removals` and nobody else has any of it.
    pub(super) fn lock(&self, token: LockToken, ids: Vec<MailId>, until: Instant, removals: u64) -> bool {
        let mut out = self.out.lock();
        if out.removals != removals || ids.iter().any(|id| out.locked.contains(id)) {
            return false;
        }
        out.locked.extend(&ids);
        let batch = Batch {
            ids,
            until,
            is_settling: false,
        };
        out.by_token.insert(token, batch);
        true
    }

    /// `None` when the token locks nothing any more.
    pub(super) fn settle(self: &Arc<Self>, token: &LockToken) -> Option<Settling> {
        let mut out = self.out.lock();
        let batch = out.by_token.get_mut(token)?;
        if batch.is_settling || batch.until <= Instant::now() {
            return None;
        }
        batch.is_settling = true;
        Some(Settling {
            batches: Arc::clone(self),
            token: *token,
            ids: batch.ids.clone(),
        })
    }

    pub(super) fn settle_timed_out(self: &Arc<Self>) -> Vec<Settling> {
        let now = Instant::now();
        let mut out = self.out.lock();
        let late = out.by_token.iter_mut();
        late.filter(|(_, batch)| !batch.is_settling && batch.until <= now)
            .map(|(token, batch)| {
                batch.is_settling = true;
                Settling {
                    batches: Arc::clone(self),
                    token: *token,
                    ids: batch.ids.clone(),
                }
            })
            .collect()
    }
}

impl Settling {
    /// Its reports are gone from the store.
    pub(super) fn removed(self) {
        self.forget();
    }

    /// Its reports are free again.
    pub(super) fn released(self) {
        self.forget();
    }

    fn forget(&self) {
        let mut out = self.batches.out.lock();
        if let Some(batch) = out.by_token.remove(&self.token) {
            for id in batch.ids {
                out.locked.remove(&id);
            }
        }
        drop(out);
        self.batches.wake();
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        if let Some(batch) = self.batches.out.lock().by_token.get_mut(&self.token) {
            batch.is_settling = false;
        }
    }
}
