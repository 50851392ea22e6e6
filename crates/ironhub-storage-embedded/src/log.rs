//! The event log: journals with group commit, sealed into compressed files per partition.
//!
//! An event goes from [`Log::submit`](EventLog::submit) into the inbox of its shard, already in the form in which it is
//! written. The shard's committer takes what has gathered, writes it with one write and one sync, shows it to readers
//! and declares it durable; what arrives meanwhile is the next batch. A full journal segment is rewritten in the
//! background to one file per partition, in compressed blocks with a sparse index of sequence numbers and times.
//!
//! ```text
//! events/LOCK                            held while the log is open
//! events/journal-0000000000000007.log    frames of all partitions of a shard, in the order of commits
//! events/spare-0000000000000008.log      the next segment, zeroed ahead, or a recycled one
//! events/p000/…-….sealed                 the sealed events of partition 0
//! ```

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ironhub_hub::ports::{Bounds, Completion, EventLog, LogError, LogRecord, Retention, Start, SubmitError};
use ironhub_model::{PartitionId, SequenceNumber};
use parking_lot::Mutex;

mod announcer;
mod answer;
mod background;
mod block;
mod committer;
mod frame;
mod inbox;
mod index;
mod inner;
mod journal;
mod layout;
pub mod limits;
mod opening;
mod options;
mod partition;
mod readers;
mod recovery;
mod retention;
mod run;
mod scan;
mod sealed;
mod sealer;
mod segments;
mod tail;

pub use options::{ClockFn, FatalDisk, FatalFn, LogHealth, LogOptions, LogStats, OpenError};

use crate::disk::{Disk, DiskLock};
use inner::Inner;
use partition::{FromMemory, Partition};

/// An open event log. Clones share it; the last one to go closes it.
#[derive(Debug, Clone)]
pub struct Log {
    handle: Arc<Handle>,
}

/// Closes the log when it goes.
#[derive(Debug)]
struct Handle {
    inner: Arc<Inner>,
    committers: Mutex<Vec<JoinHandle<()>>>,
    sealer: Mutex<Option<JoinHandle<()>>>,
    /// Given back when everything has ended.
    lock: Mutex<Option<Box<dyn DiskLock>>>,
}

impl Log {
    /// Opens the log in a directory, which is made when it is not there, and recovers what a crash has left. Blocks.
    /// Inside a tokio runtime it is this runtime that wakes those who wait, which costs the log less.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, options: LogOptions) -> Result<Self, OpenError> {
        let opened = opening::open(disk, dir, options)?;
        let inner = Arc::new(opened.inner);
        let handle = Arc::new(Handle {
            inner: Arc::clone(&inner),
            committers: Mutex::default(),
            sealer: Mutex::default(),
            lock: Mutex::new(Some(opened.lock)),
        });
        announcer::start(&inner);
        for (shard, continuation) in (0..).zip(opened.continuations) {
            let committer = committer::Committer::new(Arc::clone(&inner), shard, continuation);
            let started = spawn(format!("log-commit-{shard}"), move || committer.run())?;
            handle.committers.lock().push(started);
        }
        let sealer = spawn("log-seal".to_owned(), move || sealer::run(&inner))?;
        *handle.sealer.lock() = Some(sealer);
        Ok(Self { handle })
    }

    /// Takes nothing more, makes durable what was taken, and ends the log's threads. What cannot be made durable for
    /// lack of space is not acknowledged. Blocks; later calls do nothing.
    pub fn close(&self) {
        self.handle.close();
    }

    /// Can it take events?
    pub fn health(&self) -> LogHealth {
        self.handle.inner.health()
    }

    /// What it has done and holds.
    pub fn stats(&self) -> LogStats {
        let inner = &self.handle.inner;
        let layout = inner.layout.read();
        let (sealed_files, sealed_bytes) = layout.sealed_totals();
        let inbox_records = inner.inboxes.iter().map(|inbox| u64::from(inbox.records())).sum();
        let total = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        LogStats {
            records: total(&inner.counters.records),
            batches: total(&inner.counters.batches),
            bytes: total(&inner.counters.bytes),
            syncs: total(&inner.counters.syncs),
            sync_time: Duration::from_micros(total(&inner.counters.sync_us)),
            slow_syncs: total(&inner.counters.slow_syncs),
            inbox_records,
            sealed_files,
            sealed_bytes,
            unsealed_segments: layout.segments.len() as u64,
        }
    }

    fn partition(&self, partition: PartitionId) -> Result<&Partition, LogError> {
        let at = usize::try_from(partition.0).unwrap_or(usize::MAX);
        let known = self.handle.inner.partitions.get(at);
        known.ok_or(LogError::NoPartition(partition))
    }
}

impl EventLog for Log {
    fn partitions(&self) -> u32 {
        self.handle.inner.settings.partitions
    }

    fn submit(&self, partition: PartitionId, event: &[u8]) -> Result<Completion, SubmitError> {
        let inner = &self.handle.inner;
        let (shard, slot) = inner.place(partition).ok_or(SubmitError::NoPartition(partition))?;
        let inbox = inner.inboxes.get(shard).ok_or(SubmitError::Stopped)?;
        inbox.submit(slot, event)
    }

    async fn ready(&self) -> Result<(), SubmitError> {
        for inbox in &self.handle.inner.inboxes {
            inbox.ready().await?;
        }
        Ok(())
    }

    async fn read(&self, partition: PartitionId, from: Start, bytes_max: usize) -> Result<Vec<LogRecord>, LogError> {
        let bytes_max = bytes_max.min(limits::READ_BYTES_MAX);
        match self.partition(partition)?.read(from, bytes_max) {
            FromMemory::Found(records) => Ok(records),
            FromMemory::OnDisk(target) => {
                let inner = Arc::clone(&self.handle.inner);
                tokio::task::spawn_blocking(move || inner.read_disk(partition, target, bytes_max))
                    .await
                    .unwrap_or(Err(LogError::Stopped))
            }
        }
    }

    async fn wait(&self, partition: PartitionId, sequence: SequenceNumber) -> Result<(), LogError> {
        let mut next = self.partition(partition)?.subscribe();
        loop {
            if *next.borrow_and_update() > sequence.0 {
                return Ok(());
            }
            if self.handle.inner.has_ceased() || next.changed().await.is_err() {
                return Err(LogError::Stopped);
            }
        }
    }

    fn bounds(&self, partition: PartitionId) -> Result<Bounds, LogError> {
        Ok(self.partition(partition)?.bounds())
    }

    fn trouble(&self) -> Option<String> {
        match self.health() {
            LogHealth::Ok => None,
            LogHealth::NoSpace(reason) => Some(format!("no space for the event log: {reason}")),
            LogHealth::Stopped(reason) => Some(format!("the event log has stopped: {reason}")),
        }
    }

    fn set_retention(&self, retention: Retention) {
        let inner = &self.handle.inner;
        *inner.retention.lock() = retention;
        inner.seal.state.lock().wants_retention = true;
        inner.seal.work.notify_one();
    }
}

impl Handle {
    fn close(&self) {
        let inner = &self.inner;
        inner.stop.set();
        inner.inboxes.iter().for_each(inbox::Inbox::close);
        for committer in self.committers.lock().drain(..) {
            join(committer);
        }
        inner.seal.state.lock().closing = true;
        inner.seal.work.notify_all();
        if let Some(sealer) = self.sealer.lock().take() {
            join(sealer);
        }
        if !inner.has_ceased() {
            inner.cease("the log was closed");
        }
        self.lock.lock().take();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

/// Waits for a thread, unless that is the one that asks (the log may go inside a fatal handler).
fn join(thread: JoinHandle<()>) {
    if thread.thread().id() != thread::current().id() {
        // A panic there has been printed already.
        drop(thread.join());
    }
}

fn spawn(name: String, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
    let builder = thread::Builder::new().name(name.clone());
    builder.spawn(run).map_err(|error| OpenError::Io {
        path: name.into(),
        reason: error.to_string(),
    })
}
