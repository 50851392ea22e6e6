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
use super::queue::{Job, JobQueue, Taken};
use super::sequence::Sequence;

/// Commits in one transaction.
const BATCH_COMMITS_MAX: usize = 512;
/// Pages of the write-ahead log after which they are copied into the database: 48 MiB.
const WAL_PAGES_MAX: u32 = 6144;
/// Between two attempts while the state cannot be written.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Without commits for so long, the writer is idle.
const IDLE_PAUSE: Duration = Duration::from_secs(1);
/// Free pages that stay in the database, since they will be wanted again: 8 MiB.
const FREE_PAGES_KEPT: u32 = 1024;
/// Pages given back at once, 4 MiB: a commit that comes meanwhile waits for these.
const SHRINK_STEP_PAGES: u32 = 512;

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
        let result = self.work();
        self.health.set(StateHealth::Stopped);
        self.queue.close();
        if let Err(failed) = result {
            error!(
                reason = %failed.reason,
                "the state's disk failed: nothing was acknowledged since, a restart finds what is durable"
            );
            (self.on_fatal)(&failed.reason);
            drop(failed.unanswered);
        }
        self.queue.clear();
    }

    fn work(&mut self) -> Result<(), DiskFailed> {
        let mut pause = None;
        loop {
            match self.queue.take(BATCH_COMMITS_MAX, pause) {
                Taken::Work(batch) => {
                    self.commit(batch)?;
                    self.checkpoint(WAL_PAGES_MAX)?;
                    pause = Some(IDLE_PAUSE);
                }
                Taken::Nothing => pause = self.shrink()?.then_some(Duration::ZERO),
                Taken::Closed => return Ok(()),
            }
        }
    }

    /// Gives some free pages of the database back; `false` when there are none left to give. For idle moments: it moves
    /// pages about, and commits wait meanwhile.
    fn shrink(&mut self) -> Result<bool, DiskFailed> {
        let result = shrink(&self.connection.lock());
        match result.map_err(|error| Failure::of_write(&error, self.directory.as_deref())) {
            Ok(Shrunk::More) => Ok(true),
            // The file gets shorter when the log is copied into it.
            Ok(Shrunk::Enough) => self.checkpoint(0).map(|()| false),
            Err(Failure::Disk(reason)) => Err(DiskFailed {
                reason,
                unanswered: Vec::new(),
            }),
            // When it fails there is no hurry, and commits have their own way to tell.
            Ok(Shrunk::Nothing) | Err(Failure::Passing(_) | Failure::Damaged(_)) => Ok(false),
        }
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
                    if self.health.set(StateHealth::NoSpace(reason.clone())) {
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

    /// Copies a log of at least so many pages into the database. Runs after the callers have their answers: a checkpoint
    /// delays only who comes next.
    fn checkpoint(&mut self, wal_pages_min: u32) -> Result<(), DiskFailed> {
        let Some(wal_pages) = &self.wal_pages else {
            return Ok(());
        };
        if wal_pages.load(Ordering::Relaxed) < wal_pages_min {
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

/// What came of an attempt to give pages back.
enum Shrunk {
    /// There was nothing to give.
    Nothing,
    /// There is more.
    More,
    /// All that need not stay is given.
    Enough,
}

fn shrink(connection: &Connection) -> rusqlite::Result<Shrunk> {
    let excess = connection::free_pages(connection)?.saturating_sub(FREE_PAGES_KEPT);
    if excess == 0 {
        return Ok(Shrunk::Nothing);
    }
    connection::give_back(connection, excess.min(SHRINK_STEP_PAGES))?;
    Ok(if excess > SHRINK_STEP_PAGES {
        Shrunk::More
    } else {
        Shrunk::Enough
    })
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
