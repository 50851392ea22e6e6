//! How late timers are on this machine: one thread that does nothing but wait.
//!
//! It is a thread of its own and no task, so that tasks of the load that take their turns do not hold it up: what it
//! sees is what the operating system and the machine below do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::recorder;

/// Short enough to meet each stall that matters, and hardly a load: a wake costs a virtual machine up to 40 us, so that
/// timers of a millisecond would take 3 % of a core and keep it from its rest.
pub(super) const INTERVAL_MS: u64 = 5;
const INTERVAL_US: u64 = INTERVAL_MS * 1000;
const INTERVAL: Duration = Duration::from_micros(INTERVAL_US);

/// The thread ends when this is dropped.
#[derive(Debug)]
pub(super) struct TimerProbe {
    is_over: Arc<AtomicBool>,
    seen: oneshot::Receiver<Histogram<u64>>,
}

/// By how many microseconds timers were late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Lateness {
    pub(super) p50: u64,
    pub(super) p99: u64,
    pub(super) max: u64,
}

impl TimerProbe {
    /// None when the system gives no thread.
    pub(super) fn begin() -> Option<Self> {
        let is_over = Arc::new(AtomicBool::new(false));
        let (tell, seen) = oneshot::channel();
        let watched = Arc::clone(&is_over);
        let thread = thread::Builder::new().name("bench-timer".to_owned());
        thread.spawn(move || tell.send(watch(&watched))).ok()?;
        Some(Self { is_over, seen })
    }

    /// Waits for the timer that is running.
    pub(super) async fn end(mut self) -> Option<Lateness> {
        self.is_over.store(true, Ordering::Relaxed);
        Some(Lateness::of(&(&mut self.seen).await.ok()?))
    }
}

impl Drop for TimerProbe {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// At least once.
fn watch(is_over: &AtomicBool) -> Histogram<u64> {
    let mut seen = recorder::empty();
    loop {
        let due = Instant::now() + INTERVAL;
        #[expect(
            clippy::disallowed_methods,
            reason = "a thread of its own, whose sleep is what is measured"
        )]
        thread::sleep(INTERVAL);
        record(&mut seen, due.elapsed());
        if is_over.load(Ordering::Relaxed) {
            return seen;
        }
    }
}

/// A stall counts for as long as it lasts, as it does for operations that follow a schedule: the timer that was due
/// in its middle would have been late by half of it.
fn record(seen: &mut Histogram<u64>, late: Duration) {
    let mut late_us = u64::try_from(late.as_micros()).unwrap_or(u64::MAX).min(seen.high());
    seen.saturating_record(late_us);
    while late_us > INTERVAL_US {
        late_us -= INTERVAL_US;
        seen.saturating_record(late_us);
    }
}

impl Lateness {
    fn of(seen: &Histogram<u64>) -> Self {
        Self {
            p50: seen.value_at_quantile(0.5),
            p99: seen.value_at_quantile(0.99),
            max: seen.max(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(late_us: &[u64], expected: &[u64]) {
        let mut seen = recorder::empty();
        for late_us in late_us {
            record(&mut seen, Duration::from_micros(*late_us));
        }
        let values = seen.iter_recorded().flat_map(|value| {
            let count = usize::try_from(value.count_at_value()).unwrap();
            std::iter::repeat_n(value.value_iterated_to(), count)
        });
        assert_eq!(values.collect::<Vec<_>>(), expected, "{late_us:?}");
    }

    #[test]
    fn a_stall_counts_for_as_long_as_it_lasts() {
        check(&[60, 55, 60], &[55, 60, 60]);
        check(&[5000, 0], &[0, 5003]); // Four microseconds are one value here,
        check(&[5004, 0], &[0, 4, 5007]);
        check(&[15_100, 70], &[70, 100, 5103, 10_103, 15_103]); // and eight there.
    }

    #[tokio::test]
    async fn the_thread_ends_with_its_probe() {
        let probe = TimerProbe::begin().unwrap();
        let is_over = Arc::clone(&probe.is_over);
        let late = probe.end().await.unwrap();
        assert!(late.p50 <= late.p99 && late.p99 <= late.max, "{late:?}");
        assert!(is_over.load(Ordering::Relaxed));

        let mut dropped = TimerProbe::begin().unwrap();
        let (_, unused) = oneshot::channel();
        let seen = std::mem::replace(&mut dropped.seen, unused);
        drop(dropped);
        assert!(!seen.await.unwrap().is_empty(), "it has come to its end");
    }
}
