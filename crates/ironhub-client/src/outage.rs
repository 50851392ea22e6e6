//! From a lost connection to the next one.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::Error;
use crate::retry::{RetryPolicy, chance};

/// The time without a connection, and what was tried.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    /// None while there is a connection, and before anybody wanted one.
    since: Option<Instant>,
    /// When the connection was made that is there, or was there last.
    connected_at: Option<Instant>,
    attempts: u32,
    last_delay: Duration,
}

impl Outage {
    /// From now on a connection is wanted.
    pub(crate) fn begun() -> Self {
        Self {
            since: Some(Instant::now()),
            ..Self::default()
        }
    }

    /// There is a connection, until [`Self::delay`] is asked for.
    pub(crate) fn connected(&mut self) {
        self.since = None;
        self.connected_at = Some(Instant::now());
    }

    /// Was the last delay the first of several? Connections that broke at once belong to the outage before.
    pub(crate) fn has_just_begun(&self) -> bool {
        self.attempts == 1
    }

    /// The delay before the next attempt, or the error when there shall be none.
    ///
    /// A connection that did not even last as long as the wait for it counts as a failed attempt: a hub that accepts
    /// and hangs up is not to be asked more and more often.
    pub(crate) fn delay(&mut self, policy: &RetryPolicy, error: &Error) -> Result<Duration, Error> {
        let now = Instant::now();
        if self.connected_at.take().is_some_and(|at| now - at > self.last_delay) {
            self.attempts = 0;
        }
        let without = now - *self.since.get_or_insert(now);
        if !error.is_transient() || policy.give_up_after.is_some_and(|most| without >= most) {
            return Err(error.clone());
        }
        self.attempts += 1;
        self.last_delay = policy.delay(self.attempts, chance());
        Ok(self.last_delay)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn lost() -> Error {
        Error::Lost("cut".to_owned())
    }

    /// Each delay is between half of the doubled first one and all of it.
    #[track_caller]
    fn expect(outage: &mut Outage, longest: Duration) {
        let policy = RetryPolicy {
            first_delay: SECOND,
            delay_max: 60 * SECOND,
            give_up_after: None,
        };
        let delay = outage.delay(&policy, &lost()).unwrap();
        assert!((longest / 2..=longest).contains(&delay), "{delay:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_lasted_begins_the_delays_anew() {
        let mut outage = Outage::begun();
        for round in 0..3 {
            expect(&mut outage, SECOND);
            expect(&mut outage, 2 * SECOND);
            expect(&mut outage, 4 * SECOND);
            outage.connected();
            advance(5 * SECOND * (round + 1)).await;
        }
        expect(&mut outage, SECOND);
        outage.connected();
        expect(&mut outage, 2 * SECOND); // It was gone at once.
    }

    #[tokio::test(start_paused = true)]
    async fn only_time_without_a_connection_counts() {
        let policy = RetryPolicy {
            give_up_after: Some(30 * SECOND),
            ..RetryPolicy::default()
        };
        let mut outage = Outage::default();
        outage.connected();
        advance(3600 * SECOND).await;
        assert!(outage.delay(&policy, &lost()).is_ok());
        advance(29 * SECOND).await;
        assert!(outage.delay(&policy, &lost()).is_ok());
        advance(SECOND).await;
        assert_eq!(outage.delay(&policy, &lost()), Err(lost()));
    }
}
