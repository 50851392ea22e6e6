//! From a lost connection to the next one.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::Error;
use crate::retry::{RetryPolicy, chance};

/// The time without a connection, and what was tried.
#[derive(Debug)]
pub(crate) struct Outage {
    since: Instant,
    attempts: u32,
    last_delay: Duration,
}

impl Outage {
    pub(crate) fn new() -> Self {
        Self {
            since: Instant::now(),
            attempts: 0,
            last_delay: Duration::ZERO,
        }
    }

    /// There was a connection from `began` until now. One that did not even last as long as the wait for it counts as
    /// a failed attempt: a hub that accepts and hangs up is not to be asked more and more often.
    pub(crate) fn connected(&mut self, began: Instant) {
        self.since = Instant::now();
        if began.elapsed() > self.last_delay {
            self.attempts = 0;
        }
    }

    /// The delay before the next attempt, or the error when there shall be none.
    pub(crate) fn delay(&mut self, policy: &RetryPolicy, error: &Error) -> Result<Duration, Error> {
        if !error.is_transient() || policy.give_up_after.is_some_and(|most| self.since.elapsed() >= most) {
            return Err(error.clone());
        }
        self.attempts += 1;
        self.last_delay = policy.delay(self.attempts, chance());
        Ok(self.last_delay)
    }
}
