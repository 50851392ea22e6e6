//! Events that a commit caused, on their way from the store's outbox to the event log: in order, none missing, none
//! twice, whenever the process dies.
//!
//! Before a batch is appended, a commit notes where each partition of the log ended (the checkpoint). The commit that
//! drops the batch from the outbox closes the checkpoint, or opens the next one. So when a hub starts and finds an open
//! checkpoint, every record of the outbox that has reached the log lies at or behind those positions, and carries its
//! outbox id: one scan tells which.

mod checkpoint;
mod pump;

use tokio::sync::{Notify, watch};

pub(crate) use pump::run;

/// How the pump is told of work and of the end, and how it tells that it has ended.
#[derive(Debug)]
pub(crate) struct Outbox {
    work: Notify,
    draining: watch::Sender<bool>,
    state: watch::Sender<PumpState>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PumpState {
    /// Started, or about to be.
    Running,
    /// The outbox was empty when it ended.
    Ended,
    /// The store or the log has stopped or is damaged.
    Failed,
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            work: Notify::new(),
            draining: watch::Sender::new(false),
            state: watch::Sender::new(PumpState::Running),
        }
    }
}

impl Outbox {
    /// A commit has put something into the outbox.
    pub(crate) fn wake(&self) {
        self.work.notify_one();
    }

    /// Lets the pump empty the outbox, then end; resolves when it has.
    pub(crate) async fn drain(&self) {
        self.draining.send_replace(true);
        let mut state = self.state.subscribe();
        let _ = state.wait_for(|state| *state != PumpState::Running).await;
    }

    /// Has the pump given up? Nothing is lost, but events wait until the hub is started again.
    pub(crate) fn has_failed(&self) -> bool {
        *self.state.borrow() == PumpState::Failed
    }
}
