//! How long a command waits for what may never come.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::interrupt::Interrupt;

/// Ends a wait at its deadline, and at SIGINT or SIGTERM, which then end the command in order.
pub(crate) struct Watch {
    interrupt: Interrupt,
    limit: Option<Duration>,
    deadline: Option<Instant>,
}

/// What a wait ended with.
pub(crate) enum Seen<T> {
    /// What was waited for.
    Result(T),
    /// Nothing within the limit.
    TimedOut,
    /// The user does not want to wait any longer.
    Stopped,
}

impl Watch {
    /// Counts from now; without a limit for ever.
    pub(crate) fn new(limit: Option<Duration>) -> std::io::Result<Self> {
        let mut watch = Self {
            interrupt: Interrupt::listen()?,
            limit,
            deadline: None,
        };
        watch.restart();
        Ok(watch)
    }

    /// Counts anew.
    pub(crate) fn restart(&mut self) {
        // A limit beyond the end of time is none.
        self.deadline = self.limit.and_then(|limit| Instant::now().checked_add(limit));
    }

    /// Waits for `result`, which must be safe to drop.
    pub(crate) async fn next<T>(&mut self, result: impl Future<Output = T>) -> Seen<T> {
        let deadline = self.deadline;
        tokio::select! {
            biased;
            () = self.interrupt.asked() => Seen::Stopped,
            result = result => Seen::Result(result),
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => Seen::TimedOut,
        }
    }
}
