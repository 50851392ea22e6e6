//! How the work behind the commits leaves the disk and the processors to them: in small steps, with a rest behind each.
//!
//! A sync of tens of megabytes holds up the syncs of commits for as long as it takes, and those who wait for an
//! acknowledgement with them. Work that commits will soon have to wait for takes no rests.

use std::time::{Duration, Instant};

use super::inner::Inner;

/// A step is followed by a rest of so many times as long.
const REST_FACTOR: u32 = 3;
/// A step on a disk that stalls may take long; the rest behind it does not.
const REST_MAX: Duration = Duration::from_millis(100);

/// Work of the sealer's thread, step by step.
#[derive(Debug)]
pub(crate) struct Background<'a> {
    inner: &'a Inner,
    /// When the step began.
    began: Instant,
}

impl<'a> Background<'a> {
    /// Begins the first step.
    pub(crate) fn begin(inner: &'a Inner) -> Self {
        Self { inner, began: now() }
    }

    /// A step is done: rests, and begins the next one. Returns at once when the log is being closed.
    pub(crate) fn rest(&mut self) {
        let until = now() + rest_after(self.began.elapsed());
        let inner = self.inner;
        let mut state = inner.seal.state.lock();
        while !state.closing && state.full.is_empty() && !inner.is_pressed() {
            if inner.seal.work.wait_until(&mut state, until).timed_out() {
                break;
            }
        }
        drop(state);
        self.began = now();
    }
}

impl Inner {
    /// Is a shard's segment so full that its commits will soon need the next one, and this thread for it?
    fn is_pressed(&self) -> bool {
        let layout = self.layout.read();
        let mut active = (0..self.settings.shards).filter_map(|shard| layout.active(shard));
        active.any(|segment| segment.end() > self.settings.segment_bytes / 2)
    }
}

/// For the log's threads, to time the disk.
#[expect(
    clippy::disallowed_methods,
    reason = "threads outside any runtime, whose disk no test pauses"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

fn rest_after(step: Duration) -> Duration {
    step.saturating_mul(REST_FACTOR).min(REST_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_are_a_multiple_of_the_step_up_to_a_bound() {
        for (step_ms, rest_ms) in [(0, 0), (2, 6), (30, 90), (5000, 100)] {
            let rest = rest_after(Duration::from_millis(step_ms));
            assert_eq!(rest, Duration::from_millis(rest_ms), "{step_ms} ms");
        }
    }
}
