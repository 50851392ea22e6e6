//! Opens a log: locks the directory, recovers it, and puts the parts together.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ironhub_model::{PartitionId, Timestamp};

use super::committer::Continuation;
use super::inbox::Inbox;
use super::inner::{Halt, Inner, Settings};
use super::journal::{Base, Segment, slot_count};
use super::options::{LogOptions, OpenError};
use super::partition::Partition;
use super::recovery::{self, Recovered, io_error};
use super::sealed::partition_dir;
use crate::disk::{Disk, DiskLock};

/// A log whose threads have not started yet.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) inner: Inner,
    /// Where each shard goes on.
    pub(crate) continuations: Vec<Continuation>,
    pub(crate) lock: Box<dyn DiskLock>,
}

pub(crate) fn open(disk: Arc<dyn Disk>, dir: &Path, options: LogOptions) -> Result<Opened, OpenError> {
    options.check()?;
    let lock = prepare_dir(&*disk, dir, options.partitions)?;
    let mut recovered = recovery::recover(&*disk, dir, options.partitions)?;
    for path in std::mem::take(&mut recovered.litter) {
        // Best effort: it will be tried again at the next start.
        drop(disk.unlink(&path));
    }
    let inner = assemble(disk, dir, options, &mut recovered);
    let continuations = continue_journals(&inner, &recovered)?;
    Ok(Opened {
        inner,
        continuations,
        lock,
    })
}

fn prepare_dir(disk: &dyn Disk, dir: &Path, partitions: u32) -> Result<Box<dyn DiskLock>, OpenError> {
    disk.create_dir(dir).map_err(|error| io_error(dir, &error))?;
    let lock = disk.lock(&dir.join("LOCK")).map_err(|error| {
        if error.kind() == io::ErrorKind::WouldBlock {
            OpenError::InUse(dir.to_owned())
        } else {
            io_error(dir, &error)
        }
    })?;
    for partition in 0..partitions {
        let partition = partition_dir(dir, partition);
        disk.create_dir(&partition)
            .map_err(|error| io_error(&partition, &error))?;
    }
    disk.sync_dir(dir).map_err(|error| io_error(dir, &error))?;
    Ok(lock)
}

fn assemble(disk: Arc<dyn Disk>, dir: &Path, options: LogOptions, recovered: &mut Recovered) -> Inner {
    let settings = Settings {
        partitions: options.partitions,
        shards: options.shards,
        segment_bytes: options.segment_bytes,
        zero_ahead: options.zero_ahead,
        retry_interval: options.retry_interval,
    };
    let tail_bytes = options.tail_bytes / recovered.positions.len().max(1);
    let positions = recovered.positions.iter();
    let partitions = positions.map(|at| Partition::new(*at, tail_bytes)).collect();
    let inbox = |shard| Inbox::new(slot_count(settings.partitions, shard, settings.shards));
    let inboxes = (0..settings.shards).map(inbox).collect();
    let handlers = (options.clock, options.on_fatal);
    let inner = Inner::new(disk, dir, settings, options.retention, partitions, inboxes, handlers);
    inner.next_segment.store(recovered.next_segment, Ordering::Release);
    *inner.spares.lock() = std::mem::take(&mut recovered.spares);
    let mut layout = inner.layout.write();
    layout.sealed = std::mem::take(&mut recovered.sealed);
    layout.segments.clone_from(&recovered.segments);
    drop(layout);
    inner
}

/// Goes on with the last segment of each shard, or starts one. All other segments get sealed, also those of an earlier
/// number of shards.
fn continue_journals(inner: &Inner, recovered: &Recovered) -> Result<Vec<Continuation>, OpenError> {
    let mut continuations = Vec::new();
    let mut active = Vec::new();
    for shard in 0..inner.settings.shards {
        let key = (shard, inner.settings.shards);
        let is_ours = |segment: &&Arc<Segment>| (segment.header.shard, segment.header.shards) == key;
        let next_batch = recovered.next_batches.get(&key).copied().unwrap_or(1);
        let bases = bases(inner, shard);
        let last = recovered.segments.iter().rfind(is_ours);
        let segment = match last.filter(|_| may_continue(inner, recovered)) {
            Some(segment) => Arc::clone(segment),
            None => inner
                .add_segment(shard, next_batch, bases.clone())
                .map_err(|halt| refused(inner, halt))?,
        };
        active.push(segment.header.number);
        continuations.push(Continuation {
            segment,
            next_batch,
            bases,
        });
    }
    let full = recovered.segments.iter().map(|segment| segment.header.number);
    let mut queue = inner.seal.state.lock();
    queue.full.extend(full.filter(|number| !active.contains(number)));
    drop(queue);
    Ok(continuations)
}

/// When the number of shards has changed, journals of the old number hold later events than those of the new one may
/// hold from before: only fresh segments keep the order of segments that of events.
fn may_continue(inner: &Inner, recovered: &Recovered) -> bool {
    let mut segments = recovered.segments.iter();
    !recovered.starts_anew && segments.all(|segment| segment.header.shards == inner.settings.shards)
}

fn bases(inner: &Inner, shard: u32) -> Vec<Base> {
    let ours = (shard..inner.settings.partitions).step_by(usize::try_from(inner.settings.shards).unwrap_or(1));
    let partitions = ours.filter_map(|at| inner.partitions.get(usize::try_from(at).ok()?));
    let base = |partition: &Partition| {
        let at = partition.position();
        Base {
            next: at.next,
            last_enqueued_at: at.last_enqueued_at,
        }
    };
    partitions.map(base).collect()
}

fn refused(inner: &Inner, halt: Halt) -> OpenError {
    match halt {
        Halt::Fatal(failure) => OpenError::Io {
            path: failure.path,
            reason: failure.reason,
        },
        Halt::Stopping => OpenError::Io {
            path: inner.dir.clone(),
            reason: "the log was stopped".to_owned(),
        },
    }
}

impl Inner {
    /// A partition's shard, and its place in it.
    pub(crate) fn place(&self, partition: PartitionId) -> Option<(usize, usize)> {
        let known = partition.0 < self.settings.partitions;
        let shard = usize::try_from(partition.0 % self.settings.shards).ok()?;
        let slot = usize::try_from(partition.0 / self.settings.shards).ok()?;
        known.then_some((shard, slot))
    }
}

/// The clamp of times starts here, where nothing was committed yet.
const _: () = assert!(Timestamp::NEVER.as_micros() < Timestamp::UNIX_EPOCH.as_micros());
