//! Tells a submitter that its record has become durable, at the cost of a number.
//!
//! A log commits its records in the order of submission, so one rising number (the watermark) says of every record
//! whether it is durable. Who waits says for which number, and is woken when it is reached and not before: what a
//! commit costs does not grow with those that it does not concern.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

/// Everything up to this ticket, inclusive, is durable. Owned by the log's committer; only ever rises.
#[derive(Debug)]
pub struct Watermark {
    /// Changed before `waiting` is looked at, so that a waiter who finds it too low under the lock will be found.
    durable: AtomicU64,
    stopped: AtomicBool,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    wakers: BTreeMap<Place, Waker>,
    last_number: u64,
}

/// Where a waker stands: by its ticket, and a number of its own.
type Place = (u64, u64);

/// A record's place in the order of submission to one log.
#[derive(Debug, Clone)]
pub struct Completion {
    ticket: u64,
    watermark: Arc<Watermark>,
}

/// A task's wish to hear when a record becomes durable: of one record at a time. Gone when dropped.
#[derive(Debug, Default)]
pub struct Waiter {
    entry: Option<Entry>,
}

#[derive(Debug)]
struct Entry {
    watermark: Arc<Watermark>,
    place: Place,
    waker: Waker,
}

/// The log has stopped; whether the record is durable is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the event log has stopped")]
pub struct LogStopped;

impl Watermark {
    /// Nothing is durable yet; tickets start at 1.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            durable: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            waiting: Mutex::default(),
        })
    }

    /// The completion of the record with this ticket.
    pub fn completion(self: &Arc<Self>, ticket: u64) -> Completion {
        Completion {
            ticket,
            watermark: Arc::clone(self),
        }
    }

    /// Declares everything up to `ticket` durable and wakes those who waited for it.
    pub fn advance(&self, ticket: u64) {
        self.raise(ticket);
        self.wake_reached();
    }

    /// Declares everything up to `ticket` durable; those who wait for it hear of it from
    /// [`wake_reached`](Self::wake_reached), which must follow.
    pub fn raise(&self, ticket: u64) {
        self.durable.fetch_max(ticket, Ordering::AcqRel);
    }

    /// Wakes those whose record is durable. Cheapest inside the runtime of those who wait: from elsewhere each wake-up
    /// goes through the runtime's one queue for strangers.
    pub fn wake_reached(&self) {
        let reached = {
            let mut waiting = self.waiting.lock();
            let beyond = waiting.wakers.split_off(&(self.durable().saturating_add(1), 0));
            std::mem::replace(&mut waiting.wakers, beyond)
        };
        reached.into_values().for_each(Waker::wake);
    }

    /// Declares that nothing further becomes durable and wakes all who wait. Completions keep the watermark alive, so
    /// dropping it would tell nobody.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        let all = std::mem::take(&mut self.waiting.lock().wakers);
        all.into_values().for_each(Waker::wake);
    }

    /// The highest durable ticket.
    pub fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// Has the log stopped? What is not durable by then may or may not be found after a restart.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    fn state(&self, ticket: u64) -> Poll<Result<(), LogStopped>> {
        // In this order: the log rises before it stops.
        let is_stopped = self.is_stopped();
        if self.durable() >= ticket {
            Poll::Ready(Ok(()))
        } else if is_stopped {
            Poll::Ready(Err(LogStopped))
        } else {
            Poll::Pending
        }
    }
}

impl Waiter {
    /// Is the record durable? While it is not, the task is woken when it is, or when the log stops; what was waited for
    /// before is forgotten.
    pub fn poll(&mut self, cx: &mut Context<'_>, completion: &Completion) -> Poll<Result<(), LogStopped>> {
        let Completion { ticket, watermark } = completion;
        let state = watermark.state(*ticket);
        if state.is_pending()
            && self
                .entry
                .as_ref()
                .is_some_and(|entry| entry.stands_for(completion, cx))
        {
            return Poll::Pending;
        }
        self.leave();
        if state.is_ready() {
            return state;
        }
        let mut waiting = watermark.waiting.lock();
        // A rise in between has either been seen here, or will see the waker.
        let state = watermark.state(*ticket);
        if state.is_pending() {
            waiting.last_number += 1;
            let place = (*ticket, waiting.last_number);
            waiting.wakers.insert(place, cx.waker().clone());
            self.entry = Some(Entry {
                watermark: Arc::clone(watermark),
                place,
                waker: cx.waker().clone(),
            });
        }
        state
    }

    fn leave(&mut self) {
        if let Some(Entry { watermark, place, .. }) = self.entry.take()
            // Else the rise has taken it, or is about to.
            && place.0 > watermark.durable()
        {
            watermark.waiting.lock().wakers.remove(&place);
        }
    }
}

impl Entry {
    fn stands_for(&self, completion: &Completion, cx: &Context<'_>) -> bool {
        self.place.0 == completion.ticket
            && Arc::ptr_eq(&self.watermark, &completion.watermark)
            && self.waker.will_wake(cx.waker())
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Completion {
    /// Of a record that needs no place in the log: durable from the start.
    pub fn durable_already() -> Self {
        Watermark::new().completion(0)
    }

    /// Is the record durable by now?
    pub fn is_durable(&self) -> bool {
        self.watermark.durable() >= self.ticket
    }

    /// The place in the order of submission.
    pub fn ticket(&self) -> u64 {
        self.ticket
    }

    /// The log's watermark; the same for all completions of one journal.
    pub fn watermark(&self) -> &Arc<Watermark> {
        &self.watermark
    }

    /// Resolves when the record is durable, or when the log has stopped before that.
    pub async fn durable(&self) -> Result<(), LogStopped> {
        let mut waiter = Waiter::default();
        poll_fn(|cx| waiter.poll(cx, self)).await
    }
}

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use super::*;

    #[tokio::test]
    async fn a_rise_completes_all_up_to_it() {
        let watermark = Watermark::new();
        let (first, second) = (watermark.completion(1), watermark.completion(2));
        assert!(!first.is_durable());
        let waiting = tokio::spawn(async move { second.durable().await });
        watermark.advance(2);
        watermark.advance(1);
        assert!(first.is_durable());
        assert_eq!(watermark.durable(), 2);
        assert_eq!(waiting.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn a_stop_fails_what_is_not_durable() {
        let watermark = Watermark::new();
        let (first, second) = (watermark.completion(1), watermark.completion(2));
        watermark.advance(1);
        let waiting = tokio::spawn(async move { second.durable().await });
        watermark.stop();
        assert_eq!(first.durable().await, Ok(()));
        assert_eq!(waiting.await.unwrap(), Err(LogStopped));
    }

    /// Counts its wake-ups.
    #[derive(Default)]
    struct Task(AtomicU64);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn only_those_reached_are_woken() {
        let watermark = Watermark::new();
        let tasks: Vec<Arc<Task>> = (0..3).map(|_| Arc::default()).collect();
        let woken = || {
            tasks
                .iter()
                .map(|task| task.0.load(Ordering::Relaxed))
                .collect::<Vec<_>>()
        };
        let mut waiters: Vec<Waiter> = (0..3).map(|_| Waiter::default()).collect();
        let wait = |waiter: &mut Waiter, task: usize, ticket| {
            let waker = Arc::clone(&tasks[task]).into();
            assert!(
                waiter
                    .poll(&mut Context::from_waker(&waker), &watermark.completion(ticket))
                    .is_pending()
            );
        };
        for (task, waiter) in waiters.iter_mut().enumerate() {
            wait(waiter, task, task as u64 + 1);
            wait(waiter, task, task as u64 + 1);
        }
        watermark.advance(2);
        assert_eq!(woken(), [1, 1, 0]);
        // The third gives up, and the second waits on: for the fourth at first, then for the fifth.
        waiters.pop();
        wait(&mut waiters[1], 1, 4);
        watermark.advance(3);
        wait(&mut waiters[1], 1, 5);
        watermark.advance(4);
        assert_eq!(woken(), [1, 1, 0]);
        watermark.stop();
        assert_eq!(woken(), [1, 2, 0]);
        assert!(watermark.waiting.lock().wakers.is_empty());
    }
}
