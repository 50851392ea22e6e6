//! The one thread that writes: many commits, one transaction, one fsync.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ironhub_hub::ports::{Commit, CommitError, StoreError};
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use super::apply::{self, Outcome};
use super::connection;
use super::failure::Failure;
use super::health::{Health, StateHealth};
use super::queue::{Job, JobQueue};
use super::sequence::Sequence;

/// Commits in one transaction.
const BATCH_COMMITS_MAX: usize = 512;
/// Pages of the write-ahead log after which they are copied into the database: 48 MiB.
const WAL_PAGES_MAX: u32 = 6144;
/// Between two attempts while the state cannot be written.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// What a caller hands over.
pub(crate) struct WriteJob {
    pub(crate) commit: Commit,
    pub(crate) answer: oneshot::Sender<Outcome>,
}

/// What the thread owns.
pub(crate) struct Writer {
    pub(crate) connection: Arc<Mutex<Connection>>,
    pub(crate) queue: Arc<JobQueue<WriteJob>>,
    pub(crate) sequence: Sequence,
    pub(crate) health: Arc<Health>,
    /// Probed for room; `None` in memory.
    pub(crate) directory: Option<PathBuf>,
    /// As the hook of SQLite counts them; `None` in memory.
    pub(crate) wal_pages: Option<Arc<AtomicU32>>,
    /// The last checkpoint failed, and this was said.
    pub(crate) is_log_stuck: bool,
    pub(crate) on_fatal: Arc<dyn Fn(&str) + Send + Sync>,
}

/// The disk has failed: whether the last transaction is on it is not known, so nothing more may be said.
struct DiskFailed {
    reason: String,
    /// Must not even learn that there is no answer before the process has had the chance to end.
    unanswered: Vec<Job<WriteJob>>,
}

impl Writer {
    /// Works until the queue is closed and empty, or the disk fails.
    pub(crate) fn run(mut self) {
        let mut result = Ok(());
        while result.is_ok()
            && let Some(batch) = self.queue.take(BATCH_COMMITS_MAX)
        {
            result = self.commit(batch).and_then(|()| self.checkpoint());
        }
        self.health.set(StateHealth::Stopped);
        self.queue.close();
        if let Err(failed) = result {
            error!(reason = %failed.reason, "the state's disk has failed");
            (self.on_fatal)(&failed.reason);
            drop(failed.unanswered);
        }
        self.queue.clear();
    }

    /// All in one transaction; one by one when that fails, so that each gets what is its own.
    fn commit(&mut self, batch: Vec<Job<WriteJob>>) -> Result<(), DiskFailed> {
        match self.transact(&batch) {
            Ok(outcomes) => {
                self.health.set(StateHealth::Ok);
                answer_all(batch, outcomes);
                Ok(())
            }
            Err(Failure::Disk(reason)) => Err(DiskFailed {
                reason,
                unanswered: batch,
            }),
            Err(Failure::Passing(_) | Failure::Damaged(_)) => self.commit_each(batch),
        }
    }

    /// Each in its own transaction. Those that find no space are held and tried again each second, others with them:
    /// what frees space must get through.
    fn commit_each(&mut self, mut batch: Vec<Job<WriteJob>>) -> Result<(), DiskFailed> {
        loop {
            let held = self.commit_all_that_fit(batch)?;
            if held.is_empty() {
                if self.health.set(StateHealth::Ok) {
                    info!("the state can be written again");
                }
                return Ok(());
            }
            let more = BATCH_COMMITS_MAX.saturating_sub(held.len());
            let Some(arrived) = self.queue.take_after(RETRY_PAUSE, more) else {
                return Ok(());
            };
            batch = held;
            batch.extend(arrived);
        }
    }

    /// Returns those for which there is no space.
    fn commit_all_that_fit(&mut self, batch: Vec<Job<WriteJob>>) -> Result<Vec<Job<WriteJob>>, DiskFailed> {
        let mut held = Vec::new();
        let mut jobs = batch.into_iter();
        while let Some(job) = jobs.next() {
            match self.transact(std::slice::from_ref(&job)) {
                Ok(outcomes) => answer_all(vec![job], outcomes),
                Err(Failure::Passing(reason)) => {
                    if self.health.set(StateHealth::NoSpace) {
                        warn!(%reason, "the state cannot be written, retrying each second");
                    }
                    held.push(job);
                }
                Err(Failure::Damaged(reason)) => {
                    error!(%reason, "the state is damaged");
                    answer_all(vec![job], vec![Err(CommitError::Store(StoreError::Damaged(reason)))]);
                }
                Err(Failure::Disk(reason)) => {
                    held.push(job);
                    held.extend(jobs);
                    return Err(DiskFailed {
                        reason,
                        unanswered: held,
                    });
                }
            }
        }
        Ok(held)
    }

    /// One transaction. After a failure nothing of it is visible.
    fn transact(&mut self, batch: &[Job<WriteJob>]) -> Result<Vec<Outcome>, Failure> {
        let connection = self.connection.lock();
        let result = transact(&connection, &mut self.sequence, batch);
        if result.is_err()
            && !connection.is_autocommit()
            && let Err(error) = apply::execute(&connection, "ROLLBACK")
        {
            return Err(Failure::Disk(error.to_string()));
        }
        result.map_err(|error| Failure::of_write(&error, self.directory.as_deref()))
    }

    /// Runs after the callers have their answers: a checkpoint delays only who comes next.
    fn checkpoint(&mut self) -> Result<(), DiskFailed> {
        let Some(wal_pages) = &self.wal_pages else {
            return Ok(());
        };
        if wal_pages.load(Ordering::Relaxed) < WAL_PAGES_MAX {
            return Ok(());
        }
        let result = connection::checkpoint(&self.connection.lock());
        match result.map_err(|error| Failure::of_write(&error, self.directory.as_deref())) {
            Ok(()) => {
                self.is_log_stuck = false;
                Ok(())
            }
            Err(Failure::Disk(reason)) => Err(DiskFailed {
                reason,
                unanswered: Vec::new(),
            }),
            // The log keeps what the database has no room for, and the next commit tries again.
            Err(Failure::Passing(reason) | Failure::Damaged(reason)) => {
                if !std::mem::replace(&mut self.is_log_stuck, true) {
                    warn!(%reason, "the state's write-ahead log grows, it cannot be copied into the database");
                }
                Ok(())
            }
        }
    }
}

fn transact(
    connection: &Connection,
    sequence: &mut Sequence,
    batch: &[Job<WriteJob>],
) -> rusqlite::Result<Vec<Outcome>> {
    apply::execute(connection, "BEGIN IMMEDIATE")?;
    let mut outcomes = Vec::with_capacity(batch.len());
    for job in batch {
        outcomes.push(apply::apply(connection, sequence, &job.work.commit)?);
    }
    let reservation = sequence.reserve(connection)?;
    apply::execute(connection, "COMMIT")?;
    sequence.committed(reservation);
    Ok(outcomes)
}

fn answer_all(batch: Vec<Job<WriteJob>>, outcomes: Vec<Outcome>) {
    for (job, outcome) in batch.into_iter().zip(outcomes) {
        // A caller that has gone away does not mind.
        let _ = job.work.answer.send(outcome);
    }
}
