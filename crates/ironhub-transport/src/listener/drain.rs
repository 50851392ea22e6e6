use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

/// The end of all connections, announced to each. Clones are handles on the same drain.
#[derive(Debug, Clone)]
pub struct Drain(Arc<watch::Sender<Option<Instant>>>);

impl Drain {
    /// Not begun.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// Begins: connections should end by themselves, and are cut at `deadline`. The first call counts.
    pub fn begin(&self, deadline: Instant) {
        self.0.send_if_modified(|begun| {
            let is_first = begun.is_none();
            begun.get_or_insert(deadline);
            is_first
        });
    }

    /// Has it begun?
    pub fn is_begun(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Resolves with the deadline once it has begun.
    pub async fn begun(&self) -> Instant {
        let mut receiver = self.0.subscribe();
        loop {
            if let Some(deadline) = *receiver.borrow_and_update() {
                return deadline;
            }
            // Cannot fail: this handle keeps the sender alive.
            let _ = receiver.changed().await;
        }
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self::new()
    }
}
