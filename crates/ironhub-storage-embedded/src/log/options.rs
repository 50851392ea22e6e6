//! How a log is opened, and what can go wrong then and later.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ironhub_hub::ports::Retention;
use ironhub_model::Timestamp;

use super::limits::{PARTITIONS_MAX, SEGMENT_BYTES_DEFAULT, SHARDS_MAX};

/// Tells the log the time.
pub type ClockFn = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Called once, on the failing thread, when the disk can no longer be trusted. The server's ends the process at once
/// with code 74: only a restart finds out what is durable.
pub type FatalFn = Box<dyn Fn(FatalDisk) + Send + Sync>;

/// How to open a log.
pub struct LogOptions {
    /// Partitions; fixed when the hub was created.
    pub partitions: u32,
    /// Journals written side by side, each with its own thread; partition `p` belongs to shard `p % shards`. One is
    /// best until disks and cores are plentiful.
    pub shards: u32,
    /// A journal segment is sealed when it would grow beyond this.
    pub segment_bytes: u64,
    /// Prepare the next segment, zeroed, in the background. Not needed where syncing is free.
    pub zero_ahead: bool,
    /// Bytes kept in memory for readers at the tail, all partitions together.
    pub tail_bytes: usize,
    /// How long events stay.
    pub retention: Retention,
    /// How long to wait before what failed for lack of space is tried again.
    pub retry_interval: Duration,
    /// Stamps the batches; may step back, the stamps do not.
    pub clock: ClockFn,
    /// What to do when the disk fails.
    pub on_fatal: FatalFn,
}

impl LogOptions {
    /// The settings of a durable log on a disk.
    pub fn new(partitions: u32, clock: ClockFn, on_fatal: FatalFn) -> Self {
        Self {
            partitions,
            shards: 1,
            segment_bytes: SEGMENT_BYTES_DEFAULT,
            zero_ahead: true,
            tail_bytes: 32 * 1024 * 1024,
            retention: Retention {
                age: Duration::from_hours(24),
                bytes: 10 * 1024 * 1024 * 1024,
            },
            retry_interval: Duration::from_secs(1),
            clock,
            on_fatal,
        }
    }

    /// Settings for a [`MemoryDisk`](crate::disk::MemoryDisk): segments of 8 MiB at most, nothing prepared ahead.
    #[must_use]
    pub fn in_memory(mut self) -> Self {
        self.segment_bytes = self.segment_bytes.min(8 * 1024 * 1024);
        self.zero_ahead = false;
        self.tail_bytes = 4 * 1024 * 1024;
        self
    }

    pub(crate) fn check(&self) -> Result<(), OpenError> {
        let within = |value, max| (1..=max).contains(&value);
        if !within(self.partitions, PARTITIONS_MAX) {
            return Err(OpenError::Options("the number of partitions is out of range"));
        }
        if !within(self.shards, SHARDS_MAX) {
            return Err(OpenError::Options("the number of shards is out of range"));
        }
        Ok(())
    }
}

impl fmt::Debug for LogOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogOptions")
            .field("partitions", &self.partitions)
            .field("shards", &self.shards)
            .field("segment_bytes", &self.segment_bytes)
            .field("retention", &self.retention)
            .finish_non_exhaustive()
    }
}

/// The disk failed in a way that leaves open what is durable. Nothing was acknowledged since.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {path}: {reason}", path = path.display())]
pub struct FatalDisk {
    /// What was being done.
    pub what: &'static str,
    /// To which file.
    pub path: PathBuf,
    /// What the operating system said, or what was found.
    pub reason: String,
}

/// Why a log does not open. Nothing was changed on disk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// A setting makes no sense.
    #[error("{0}")]
    Options(&'static str),
    /// Another process has the log open.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// The directory was created with another number of partitions.
    #[error("the event log has {stored} partitions, not {wanted}; the number is fixed when a hub is created")]
    Partitions {
        /// As stored.
        stored: u32,
        /// As configured.
        wanted: u32,
    },
    /// A format of another version.
    #[error("{}: unknown format {format}", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// What it says it is.
        format: String,
    },
    /// Acknowledged data does not match its checksum, or is missing.
    #[error(
        "{}: damaged at byte {offset}: {reason}. Nothing was changed. Restore the file from a backup; or, to start \
         without the events in it, rename it to end in .quarantined and keep it",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// The operating system refused.
    #[error("{}: {reason}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What it said.
        reason: String,
    },
}

/// Can the log take events?
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LogHealth {
    /// Yes.
    #[default]
    Ok,
    /// Not now: there is no space. Nothing is lost; it is tried again and again.
    NoSpace(String),
    /// No more: the log was closed, or the disk failed.
    Stopped(String),
}

/// What the log has done and holds, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogStats {
    /// Records made durable since the log was opened.
    pub records: u64,
    /// Batches, each one write and one sync.
    pub batches: u64,
    /// Bytes of those batches as written.
    pub bytes: u64,
    /// Journal syncs, those of new segments included.
    pub syncs: u64,
    /// Time that the syncs of batches took, all together.
    pub sync_time: Duration,
    /// Those of them that took longer than [`SLOW_SYNC`](super::limits::SLOW_SYNC).
    pub slow_syncs: u64,
    /// Records submitted and not yet durable.
    pub inbox_records: u64,
    /// Sealed files now.
    pub sealed_files: u64,
    /// Bytes of the sealed files now.
    pub sealed_bytes: u64,
    /// Journal segments now that are not sealed, the active ones included.
    pub unsealed_segments: u64,
}
