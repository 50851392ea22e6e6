//! A bounded queue from async callers to OS threads.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Callers wait for room without blocking their thread; workers block for work. The room that a job takes is given
/// back when the job is dropped, so jobs in progress count as well.
pub(crate) struct JobQueue<T> {
    room: Arc<Semaphore>,
    room_max: u32,
    jobs: Mutex<Jobs<T>>,
    changed: Condvar,
}

/// Work, and the room that it takes.
pub(crate) struct Job<T> {
    pub(crate) work: T,
    _room: OwnedSemaphorePermit,
}

struct Jobs<T> {
    waiting: VecDeque<Job<T>>,
    closed: bool,
}

/// What a worker got.
pub(crate) enum Taken<T> {
    /// Something to do.
    Work(Vec<Job<T>>),
    /// Nothing in so long a time.
    Nothing,
    /// The queue is closed and empty.
    Closed,
}

/// The queue takes nothing any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Closed;

impl<T> JobQueue<T> {
    /// Holds jobs of `room_max` together, in whatever unit the callers count.
    pub(crate) fn new(room_max: u32) -> Arc<Self> {
        Arc::new(Self {
            room: Arc::new(Semaphore::new(room_max as usize)),
            room_max,
            jobs: Mutex::new(Jobs {
                waiting: VecDeque::new(),
                closed: false,
            }),
            changed: Condvar::new(),
        })
    }

    /// Waits for room and appends. A job larger than the whole queue waits until it is alone.
    pub(crate) async fn push(&self, work: T, room: u32) -> Result<(), Closed> {
        let room = room.clamp(1, self.room_max);
        let permit = Arc::clone(&self.room).acquire_many_owned(room).await;
        let job = Job {
            work,
            _room: permit.map_err(|_| Closed)?,
        };
        let mut jobs = self.jobs.lock();
        if jobs.closed {
            return Err(Closed);
        }
        jobs.waiting.push_back(job);
        drop(jobs);
        self.changed.notify_one();
        Ok(())
    }

    /// Blocks until there is work, or for `pause`, and takes at most `jobs_max` of it.
    pub(crate) fn take(&self, jobs_max: usize, pause: Option<Duration>) -> Taken<T> {
        let mut jobs = self.jobs.lock();
        while jobs.waiting.is_empty() {
            if jobs.closed {
                return Taken::Closed;
            }
            match pause {
                None => self.changed.wait(&mut jobs),
                // Whoever wakes without reason takes another turn: a pause is no promise.
                Some(pause) if self.changed.wait_for(&mut jobs, pause).timed_out() && jobs.waiting.is_empty() => {
                    return Taken::Nothing;
                }
                Some(_) => {}
            }
        }
        Taken::Work(jobs.drain(jobs_max))
    }

    /// Takes one job, as [`JobQueue::take`].
    pub(crate) fn take_one(&self) -> Option<Job<T>> {
        let mut jobs = self.jobs.lock();
        loop {
            if let Some(job) = jobs.waiting.pop_front() {
                return Some(job);
            }
            if jobs.closed {
                return None;
            }
            self.changed.wait(&mut jobs);
        }
    }

    /// Blocks for `pause` whatever arrives meanwhile, then takes at most `jobs_max` of it without waiting for more;
    /// `None` as soon as the queue is closed.
    pub(crate) fn take_after(&self, pause: Duration, jobs_max: usize) -> Option<Vec<Job<T>>> {
        let mut jobs = self.jobs.lock();
        self.changed.wait_while_for(&mut jobs, |jobs| !jobs.closed, pause);
        (!jobs.closed).then(|| jobs.drain(jobs_max))
    }

    /// Refuses new jobs, and whoever waits for room. What is queued can still be taken.
    pub(crate) fn close(&self) {
        self.room.close();
        self.jobs.lock().closed = true;
        self.changed.notify_all();
    }

    /// Drops what is queued. Whoever waits for an answer learns it from the dropped sender.
    pub(crate) fn clear(&self) {
        let dropped = std::mem::take(&mut self.jobs.lock().waiting);
        drop(dropped);
    }
}

impl<T> Jobs<T> {
    fn drain(&mut self, jobs_max: usize) -> Vec<Job<T>> {
        let count = self.waiting.len().min(jobs_max);
        self.waiting.drain(..count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is in the queue; `None` when it is closed.
    fn take<T>(queue: &JobQueue<T>, jobs_max: usize) -> Option<Vec<T>> {
        match queue.take(jobs_max, Some(Duration::ZERO)) {
            Taken::Work(jobs) => Some(jobs.into_iter().map(|job| job.work).collect()),
            Taken::Nothing => Some(Vec::new()),
            Taken::Closed => None,
        }
    }

    #[tokio::test]
    async fn jobs_leave_in_order_and_give_their_room_back() {
        let queue = JobQueue::new(3);
        for n in 1..=3 {
            queue.push(n, 1).await.unwrap();
        }
        let full = Arc::clone(&queue);
        let fourth = tokio::spawn(async move { full.push(4, 1).await });
        tokio::task::yield_now().await;
        assert!(!fourth.is_finished(), "the queue is full");
        assert_eq!(take(&queue, 2), Some(vec![1, 2]));
        fourth.await.unwrap().unwrap();
        assert_eq!(take(&queue, 9), Some(vec![3, 4]));
        assert_eq!(take(&queue, 9), Some(vec![]), "an idle moment");
    }

    #[tokio::test]
    async fn a_closed_queue_is_drained_but_not_filled() {
        let queue = JobQueue::new(9);
        queue.push(1, 1).await.unwrap();
        queue.close();
        assert_eq!(queue.push(2, 1).await, Err(Closed));
        assert!(queue.take_after(Duration::ZERO, 9).is_none());
        assert_eq!(take(&queue, 9), Some(vec![1]));
        assert_eq!(take(&queue, 9), None);
        assert!(queue.take_one().is_none());
    }

    #[tokio::test]
    async fn a_job_larger_than_the_queue_passes_alone() {
        let queue = JobQueue::new(4);
        queue.push("large", 100).await.unwrap();
        assert_eq!(queue.room.available_permits(), 0);
        drop(queue.take_one());
        assert_eq!(queue.room.available_permits(), 4);
    }
}
