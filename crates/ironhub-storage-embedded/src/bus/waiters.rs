//! Those who wait until an identity is claimed.

use std::collections::HashMap;

use ironhub_model::IdentityId;
use tokio::sync::watch;

/// One channel for each identity that is waited for, however many wait.
#[derive(Debug, Default)]
pub(super) struct Waiters(HashMap<IdentityId, watch::Sender<()>>);

/// One who waits.
#[derive(Debug)]
pub(super) struct Waiter(watch::Receiver<()>);

impl Waiters {
    pub(super) fn join(&mut self, id: &IdentityId) -> Waiter {
        let sender = self.0.entry(id.clone()).or_default();
        Waiter(sender.subscribe())
    }

    /// Wakes all who wait for the identity; whoever comes later waits for another claim.
    pub(super) fn wake(&mut self, id: &IdentityId) {
        // Waking is closing: a receiver learns of it even when it looks only afterwards.
        self.0.remove(id);
    }

    /// Drops the channel with the last who waits.
    pub(super) fn leave(&mut self, id: &IdentityId, waiter: Waiter) {
        drop(waiter);
        if self.0.get(id).is_some_and(watch::Sender::is_closed) {
            self.0.remove(id);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Waiter {
    /// Resolves when the identity was claimed after this waiter had joined.
    pub(super) async fn woken(&mut self) {
        // Nothing is ever sent: the only news is the end of the channel.
        while self.0.changed().await.is_ok() {}
    }
}
