//! What the log's threads and its users share.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ironhub_hub::ports::Retention;
use ironhub_model::Timestamp;
use parking_lot::{Condvar, Mutex, RwLock};
use tracing::{error, info, warn};

use super::announcer::Announcer;
use super::inbox::Inbox;
use super::layout::Layout;
use super::options::{ClockFn, FatalDisk, FatalFn, LogHealth};
use super::partition::Partition;
use super::readers::OpenFiles;
use crate::disk::{Disk, is_no_space};

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) settings: Settings,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) open_files: Vec<OpenFiles>,
    pub(crate) inboxes: Vec<Inbox>,
    pub(crate) layout: RwLock<Layout>,
    pub(crate) retention: Mutex<Retention>,
    pub(crate) seal: SealQueue,
    /// Zeroed or recycled files, ready to become segments.
    pub(crate) spares: Mutex<Vec<PathBuf>>,
    /// The number of the next segment.
    pub(crate) next_segment: AtomicU64,
    pub(crate) counters: Counters,
    pub(crate) stop: Stop,
    pub(crate) announcer: Announcer,
    condition: Mutex<Condition>,
    fatal: Fatal,
}

/// What keeps the log from its work.
#[derive(Debug, Default)]
struct Condition {
    /// What lacks space, and why, by what is being done to which file: threads run out of it, and get on, each for
    /// itself.
    lacking: BTreeMap<(&'static str, PathBuf), String>,
    /// Why it ended.
    stopped: Option<String>,
}

/// The options that threads look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) partitions: u32,
    pub(crate) shards: u32,
    pub(crate) segment_bytes: u64,
    pub(crate) zero_ahead: bool,
    pub(crate) retry_interval: Duration,
}

/// Totals since the log was opened.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) records: AtomicU64,
    pub(crate) batches: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) syncs: AtomicU64,
    pub(crate) sync_us: AtomicU64,
    pub(crate) slow_syncs: AtomicU64,
}

/// Why a thread ends.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The log is being closed.
    Stopping,
    /// The disk cannot be trusted.
    Fatal(FatalDisk),
}

/// Work for the sealer.
#[derive(Debug, Default)]
pub(crate) struct SealQueue {
    pub(crate) state: Mutex<SealState>,
    /// There is work.
    pub(crate) work: Condvar,
    /// A segment was sealed, or the sealer has ended.
    pub(crate) progress: Condvar,
}

#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "two wishes and two ends, independent of each other"
)]
pub(crate) struct SealState {
    /// Numbers of full segments, oldest first.
    pub(crate) full: VecDeque<u64>,
    pub(crate) wants_spare: bool,
    pub(crate) wants_retention: bool,
    pub(crate) closing: bool,
    pub(crate) ended: bool,
}

/// Tells threads that wait for better times that there will be none.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    set: Mutex<bool>,
    changed: Condvar,
}

struct Fatal {
    clock: ClockFn,
    handler: FatalFn,
    happened: AtomicBool,
}

impl Inner {
    #[expect(clippy::too_many_arguments, reason = "the one place that puts the parts together")]
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        dir: &Path,
        settings: Settings,
        retention: Retention,
        partitions: Vec<Partition>,
        inboxes: Vec<Inbox>,
        handlers: (ClockFn, FatalFn),
    ) -> Self {
        Self {
            disk,
            dir: dir.to_owned(),
            settings,
            open_files: partitions.iter().map(|_| OpenFiles::default()).collect(),
            partitions,
            inboxes,
            layout: RwLock::default(),
            retention: Mutex::new(retention),
            seal: SealQueue::default(),
            spares: Mutex::default(),
            next_segment: AtomicU64::new(1),
            counters: Counters::default(),
            stop: Stop::default(),
            announcer: Announcer::default(),
            condition: Mutex::default(),
            fatal: Fatal {
                clock: handlers.0,
                handler: handlers.1,
                happened: AtomicBool::new(false),
            },
        }
    }

    /// The time; never before 1970.
    pub(crate) fn now(&self) -> Timestamp {
        (self.fatal.clock)().max(Timestamp::UNIX_EPOCH)
    }

    /// Tries until there is space. Any other failure means that the disk cannot be trusted.
    pub(crate) fn until_space<T>(
        &self,
        what: &'static str,
        path: &Path,
        mut attempt: impl FnMut() -> io::Result<T>,
    ) -> Result<T, Halt> {
        let key = (what, path.to_owned());
        loop {
            match attempt() {
                Ok(value) => {
                    if self.condition.lock().lacking.remove(&key).is_some() {
                        info!(what, path = %path.display(), "the event log has space again");
                    }
                    return Ok(value);
                }
                Err(error) if is_no_space(&error) => {
                    let reason = format!("{what} {}: {error}", path.display());
                    if self.condition.lock().lacking.insert(key.clone(), reason).is_none() {
                        warn!(what, path = %path.display(), %error, "no space for the event log, retrying");
                    }
                    if self.stop.pause(self.settings.retry_interval) {
                        return Err(Halt::Stopping);
                    }
                }
                Err(error) => return Err(Halt::fatal(what, path, &error)),
            }
        }
    }

    /// Runs what a thread does until it halts, and sees to it that a failure of the disk is told once.
    pub(crate) fn guard(&self, run: impl FnOnce() -> Result<(), Halt>) -> Result<(), Halt> {
        let outcome = run();
        if let Err(Halt::Fatal(failure)) = &outcome
            && !self.fatal.happened.swap(true, Ordering::AcqRel)
        {
            error!(
                what = failure.what,
                path = %failure.path.display(),
                reason = %failure.reason,
                "the event log's disk failed: nothing was acknowledged since, a restart finds what is durable"
            );
            self.cease(&failure.to_string());
            (self.fatal.handler)(failure.clone());
        }
        outcome
    }

    /// Takes nothing more and fails what waits. Nothing is acknowledged after this.
    pub(crate) fn cease(&self, reason: &str) {
        self.condition.lock().stopped = Some(reason.to_owned());
        self.stop.set();
        for inbox in &self.inboxes {
            inbox.close();
            inbox.watermark().stop();
        }
        for partition in &self.partitions {
            partition.wake_all();
        }
        self.announcer.end();
        self.seal.state.lock().closing = true;
        self.seal.work.notify_all();
        self.seal.progress.notify_all();
    }

    pub(crate) fn health(&self) -> LogHealth {
        let condition = self.condition.lock();
        match (&condition.stopped, condition.lacking.values().next()) {
            (Some(reason), _) => LogHealth::Stopped(reason.clone()),
            (None, Some(reason)) => LogHealth::NoSpace(reason.clone()),
            (None, None) => LogHealth::Ok,
        }
    }

    /// Is the log closed, or has the disk failed?
    pub(crate) fn has_ceased(&self) -> bool {
        self.condition.lock().stopped.is_some()
    }

    /// Did the disk fail?
    pub(crate) fn has_failed(&self) -> bool {
        self.fatal.happened.load(Ordering::Acquire)
    }
}

impl Halt {
    pub(crate) fn fatal(what: &'static str, path: &Path, reason: &dyn std::fmt::Display) -> Self {
        Self::Fatal(FatalDisk {
            what,
            path: path.to_owned(),
            reason: reason.to_string(),
        })
    }
}

impl Stop {
    pub(crate) fn set(&self) {
        *self.set.lock() = true;
        self.changed.notify_all();
    }

    /// Waits; `true` when the stop came.
    fn pause(&self, time: Duration) -> bool {
        let mut set = self.set.lock();
        if !*set {
            self.changed.wait_for(&mut set, time);
        }
        *set
    }
}

impl std::fmt::Debug for Fatal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fatal")
            .field("happened", &self.happened)
            .finish_non_exhaustive()
    }
}
