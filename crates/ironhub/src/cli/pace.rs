//! When the operations of a steady load are due.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// A schedule that several workers share: each takes the next operation. It does not wait for answers, so a hub that
/// falls behind makes operations late and not rare.
#[derive(Debug)]
pub(crate) struct Pace {
    start: Instant,
    per_second: f64,
    next: AtomicU64,
}

/// One operation of a schedule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Turn {
    /// From 0.
    pub(crate) number: u64,
    pub(crate) due: Instant,
}

impl Pace {
    /// So many a second from this instant on; a positive number.
    pub(crate) fn new(start: Instant, per_second: f64) -> Self {
        Self {
            start,
            per_second,
            next: AtomicU64::new(0),
        }
    }

    /// The next operation; its time may have passed.
    pub(crate) fn take(&self) -> Turn {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Turn {
            number,
            due: self.due(number),
        }
    }

    /// How many operations were taken.
    pub(crate) fn taken(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// When the operation with this number is due.
    pub(crate) fn due(&self, number: u64) -> Instant {
        self.start + self.after(number)
    }

    /// How many operations are due before this instant.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates, and is never negative"
    )]
    pub(crate) fn due_by(&self, until: Instant) -> u64 {
        (until.saturating_duration_since(self.start).as_secs_f64() * self.per_second).ceil() as u64
    }

    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 operations")]
    fn after(&self, number: u64) -> Duration {
        // A century stands for ever: an instant must not overflow.
        Duration::try_from_secs_f64(number as f64 / self.per_second)
            .unwrap_or(FOR_EVER)
            .min(FOR_EVER)
    }
}

const FOR_EVER: Duration = Duration::from_hours(24 * 36_525);

/// A rate on the command line: a positive number.
pub(crate) fn parse_rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| "expected a number above 0".to_owned())
}

/// Seconds on the command line, with a fraction where wanted.
pub(crate) fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok();
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.filter(|time| *time <= FOR_EVER)
        .ok_or_else(|| "expected a number of seconds, such as 3 or 0.5".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn operations_are_due_evenly_whoever_takes_them() {
        let start = Instant::now();
        let pace = Pace::new(start, 4.0);
        let due: Vec<_> = (0..5).map(|_| pace.take()).map(|turn| turn.due - start).collect();
        assert_eq!(due, [0, 250, 500, 750, 1000].map(Duration::from_millis));
        assert_eq!(pace.take().number, 5);
        // Does not overflow.
        let _ = Pace::new(start, f64::MIN_POSITIVE).due(u64::MAX);
    }

    #[test]
    fn rates_and_times() {
        assert_eq!(parse_rate("0.5"), Ok(0.5));
        assert_eq!(parse_seconds("0.25"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_seconds("0"), Ok(Duration::ZERO));
        for bad in ["", "0", "-1", "inf", "NaN", "x"] {
            assert!(parse_rate(bad).is_err(), "{bad}");
        }
        for bad in ["", "-1", "inf", "1e300", "x"] {
            assert!(parse_seconds(bad).is_err(), "{bad}");
        }
    }
}
