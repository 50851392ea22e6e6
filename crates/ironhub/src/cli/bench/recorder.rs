//! Latencies as they come in from many tasks.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

/// Tasks that write at once rarely meet on one of so many.
const SHARDS: usize = 16;
/// A latency is kept to three digits: within a thousandth of itself.
const DIGITS: u8 = 3;
/// Longest latency that is told apart from longer ones.
const LATENCY_US_MAX: u64 = 600_000_000;

/// Latencies in microseconds.
#[derive(Debug)]
pub(super) struct Recorder([Mutex<Histogram<u64>>; SHARDS]);

impl Recorder {
    pub(super) fn record(&self, latency: Duration, worker: usize) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        if let Some(shard) = self.0.get(worker % SHARDS) {
            shard
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .saturating_record(micros);
        }
    }

    /// All of them together.
    pub(super) fn histogram(&self) -> Histogram<u64> {
        let mut all = empty();
        for shard in &self.0 {
            // Cannot fail: all have the same bounds.
            let _ = all.add(&*shard.lock().unwrap_or_else(PoisonError::into_inner));
        }
        all
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(empty())))
    }
}

/// For durations in microseconds, up to ten minutes.
#[expect(clippy::expect_used, reason = "the bounds are constants, and the test makes one")]
pub(super) fn empty() -> Histogram<u64> {
    Histogram::new_with_max(LATENCY_US_MAX, DIGITS).expect("constant bounds that fit")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_of_all_workers_come_together() {
        let recorder = Recorder::default();
        for worker in 0..40 {
            recorder.record(Duration::from_micros(10), worker);
        }
        recorder.record(Duration::from_hours(1), 3);
        let all = recorder.histogram();
        assert_eq!((all.len(), all.value_at_quantile(0.5)), (41, 10));
        assert_eq!(all.max() / 1_000_000, 600);
    }
}
