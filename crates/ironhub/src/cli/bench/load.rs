//! One run of a measurement: who may begin an operation, which ones count, and what became of them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ironhub_client::Error;
use tokio::time::{Instant, sleep, sleep_until};

use super::recorder::Recorder;
use crate::cli::pace::Pace;

/// An operation that was due less than this ago is not late yet: timers are no finer, and tasks take their turns.
const LATE_GRACE: Duration = Duration::from_millis(50);
/// Who waits for the next operation of a slow load looks so often whether the run has ended.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// After a failure: a hub that refuses everything must not be asked as fast as it can refuse.
const FAILURE_PAUSE: Duration = Duration::from_millis(100);

/// How much is to be done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// What is done before is not counted. Nothing when operations are counted.
    pub(super) warm_up: Duration,
    pub(super) extent: Extent,
    /// Operations a second; none for as many as the hub answers.
    pub(super) rate: Option<f64>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Extent {
    Time(Duration),
    Operations(u64),
}

#[derive(Debug)]
pub(super) struct Load {
    extent: Extent,
    pace: Option<Pace>,
    /// What begins from here on counts, up to the end.
    pub(super) begin: Instant,
    end: Option<Instant>,
    is_stopped: AtomicBool,
    started: AtomicU64,
    counted: AtomicU64,
    resumed: AtomicU64,
    failures: AtomicU64,
    first_failure: Mutex<Option<Error>>,
    recorder: Recorder,
}

/// An operation under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operation {
    /// From 0.
    pub(super) number: u64,
    /// When it began, or should have by the schedule.
    since: Instant,
    counts: bool,
}

impl Load {
    /// Begins now.
    pub(super) fn new(plan: &Plan) -> Self {
        let start = Instant::now();
        let (begin, end) = match plan.extent {
            Extent::Time(duration) => (start + plan.warm_up, Some(start + plan.warm_up + duration)),
            Extent::Operations(_) => (start, None),
        };
        Self {
            extent: plan.extent,
            pace: plan.rate.map(|rate| Pace::new(start, rate)),
            begin,
            end,
            is_stopped: AtomicBool::new(false),
            started: AtomicU64::new(0),
            counted: AtomicU64::new(0),
            resumed: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            first_failure: Mutex::new(None),
            recorder: Recorder::default(),
        }
    }

    pub(super) fn is_paced(&self) -> bool {
        self.pace.is_some()
    }

    /// When the run ends by itself, if that is a matter of time.
    pub(super) fn end(&self) -> Option<Instant> {
        self.end
    }

    /// Lets nobody begin anything more.
    pub(super) fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }

    /// The next operation, now: for loops that no schedule holds back. None when the run is over.
    pub(super) fn take(&self) -> Option<Operation> {
        let now = Instant::now();
        if self.is_over(now) {
            return None;
        }
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        self.operation(number, now)
    }

    /// The next operation, when it is due. None when the run is over.
    pub(super) async fn next(&self) -> Option<Operation> {
        let Some(pace) = &self.pace else {
            return self.take();
        };
        if self.is_over(Instant::now()) {
            return None;
        }
        let turn = pace.take();
        loop {
            let now = Instant::now();
            if self.is_over(now) {
                return None;
            }
            if turn.due <= now {
                break;
            }
            sleep_until(turn.due.min(now + LOOK_EVERY)).await;
        }
        self.started.fetch_add(1, Ordering::Relaxed);
        self.operation(turn.number, turn.due)
    }

    /// The operation of the schedule with this number, for who sees its end elsewhere than its begin.
    pub(super) fn scheduled(&self, number: u64) -> Option<Operation> {
        self.operation(number, self.pace.as_ref()?.due(number))
    }

    /// Numbers from here on were given to nobody yet.
    pub(super) fn taken(&self) -> u64 {
        self.pace.as_ref().map_or(0, Pace::taken)
    }

    /// The answer has come; `worker` spreads the cost of writing it down.
    pub(super) fn done(&self, operation: Operation, worker: usize) {
        if operation.counts {
            self.counted.fetch_add(1, Ordering::Relaxed);
            self.recorder.record(operation.since.elapsed(), worker);
        }
    }

    /// The operation that is done was a TLS handshake that resumed a session.
    pub(super) fn resumed(&self, operation: Operation) {
        if operation.counts {
            self.resumed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The operation has failed. Waits a moment.
    pub(super) async fn failed(&self, error: Error) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.keep_first(error);
        sleep(FAILURE_PAUSE).await;
    }

    /// Operations that count and are done.
    pub(super) fn counted(&self) -> u64 {
        self.counted.load(Ordering::Relaxed)
    }

    /// Of those, TLS handshakes that resumed a session.
    pub(super) fn counted_resumed(&self) -> u64 {
        self.resumed.load(Ordering::Relaxed)
    }

    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    pub(super) fn first_failure(&self) -> Option<Error> {
        self.first_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Operations that were due by `until` and that nobody has begun, since all that could were waiting for the hub.
    pub(super) fn late(&self, until: Instant) -> u64 {
        let Some(pace) = &self.pace else {
            return 0;
        };
        let due = pace.due_by(until.checked_sub(LATE_GRACE).unwrap_or(until));
        let due = match self.extent {
            Extent::Operations(most) => due.min(most),
            Extent::Time(_) => due,
        };
        due.saturating_sub(self.started.load(Ordering::Relaxed))
    }

    fn keep_first(&self, error: Error) {
        let mut first = self.first_failure.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(error);
    }

    fn is_over(&self, now: Instant) -> bool {
        self.is_stopped.load(Ordering::Relaxed) || self.end.is_some_and(|end| now >= end)
    }

    fn operation(&self, number: u64, since: Instant) -> Option<Operation> {
        if matches!(self.extent, Extent::Operations(most) if number >= most) {
            return None;
        }
        Some(Operation {
            number,
            since,
            counts: since >= self.begin,
        })
    }
}

/// Does the same again and again until the run is over.
pub(super) async fn repeat<F: Future<Output = Result<(), Error>>>(load: &Load, worker: usize, act: impl Fn(u64) -> F) {
    while let Some(operation) = load.next().await {
        match act(operation.number).await {
            Ok(()) => load.done(operation, worker),
            Err(error) => load.failed(error).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn plan(extent: Extent, rate: Option<f64>) -> Plan {
        Plan {
            warm_up: SECOND,
            extent,
            rate,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_begins_in_the_warm_up_does_not_count() {
        let load = Load::new(&plan(Extent::Time(SECOND), Some(4.0)));
        let began = Instant::now();
        repeat(&load, 0, |_| async { Ok(()) }).await;
        assert_eq!(load.counted(), 4, "those due after 1, 1.25, 1.5 and 1.75 s");
        assert_eq!(began.elapsed(), 2 * SECOND);
        assert_eq!(load.late(load.end().unwrap()), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_counted_run_ends_by_its_count_and_has_no_warm_up() {
        let load = Load::new(&plan(Extent::Operations(7), None));
        repeat(&load, 0, |_| async { Ok(()) }).await;
        assert_eq!((load.counted(), load.failures()), (7, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn latency_begins_when_the_operation_was_due() {
        let load = Load::new(&plan(Extent::Operations(3), Some(1.0)));
        // Each takes two seconds: the second begins one second late, the third two.
        let act = |_| async {
            sleep(2 * SECOND).await;
            Ok(())
        };
        repeat(&load, 0, act).await;
        let seen = load.recorder().histogram();
        let seconds: Vec<u64> = [0.0, 50.0, 100.0]
            .iter()
            .map(|percent| seen.value_at_percentile(*percent) / 999_000)
            .collect();
        assert_eq!(seconds, [2, 3, 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_could_begin_is_told() {
        let load = Load::new(&plan(Extent::Time(3 * SECOND), Some(2.0)));
        let act = |_| async {
            sleep(10 * SECOND).await;
            Ok(())
        };
        repeat(&load, 0, act).await;
        assert_eq!(
            load.late(load.end().unwrap()),
            7,
            "of the eight due at 0, 0.5, … 3.5 s one was begun"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_counted_and_the_first_is_kept() {
        let load = Load::new(&plan(Extent::Operations(3), None));
        let act = |number: u64| async move {
            if number == 1 {
                Ok(())
            } else {
                Err(Error::Lost(number.to_string()))
            }
        };
        repeat(&load, 0, act).await;
        assert_eq!((load.counted(), load.failures()), (1, 2));
        assert_eq!(load.first_failure(), Some(Error::Lost("0".to_owned())));
    }
}
