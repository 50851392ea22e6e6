//! When to try again.

use std::time::Duration;

/// How a client goes on after its connection was lost, or could not be made for a reason that may pass.
///
/// Delays double from [`first_delay`](Self::first_delay) to [`delay_max`](Self::delay_max). Each is drawn between half
/// of itself and all of it, so that a thousand devices do not come back in one instant.
///
/// ```
/// use std::time::Duration;
/// use ironhub_client::RetryPolicy;
///
/// let patient = RetryPolicy::default();
/// let brief = RetryPolicy { give_up_after: Some(Duration::from_secs(30)), ..RetryPolicy::default() };
/// assert!(patient.give_up_after.is_none());
/// # let _ = brief;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Before the first attempt.
    pub first_delay: Duration,
    /// No delay is longer.
    pub delay_max: Duration,
    /// Time without a connection after which the client ends and whoever waits is told; none means never.
    pub give_up_after: Option<Duration>,
}

impl Default for RetryPolicy {
    /// From half a second to a minute, for ever.
    fn default() -> Self {
        Self {
            first_delay: Duration::from_millis(500),
            delay_max: Duration::from_mins(1),
            give_up_after: None,
        }
    }
}

impl RetryPolicy {
    /// The delay before attempt `attempt`, counted from 1; `chance` is drawn evenly from all of `u32`.
    pub(crate) fn delay(&self, attempt: u32, chance: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let full = self.first_delay.saturating_mul(1 << doublings).min(self.delay_max);
        let half = full / 2;
        half + half.mul_f64(f64::from(chance) / f64::from(u32::MAX))
    }
}

/// An even chance; should the system give none, the middle.
pub(crate) fn chance() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(attempt: u32, chance: u32, expected_ms: u128) {
        let policy = RetryPolicy {
            first_delay: Duration::from_secs(1),
            delay_max: Duration::from_secs(10),
            give_up_after: None,
        };
        assert_eq!(
            policy.delay(attempt, chance).as_millis(),
            expected_ms,
            "{attempt} {chance}"
        );
    }

    #[test]
    fn delays_double_up_to_the_longest_and_scatter() {
        check(1, 0, 500);
        check(1, u32::MAX, 1000);
        check(2, 0, 1000);
        check(3, u32::MAX, 4000);
        check(4, u32::MAX, 8000);
        check(5, u32::MAX, 10_000);
        check(u32::MAX, 0, 5000);
    }
}
