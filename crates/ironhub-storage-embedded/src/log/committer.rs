//! Writes batches: one write and one sync each. A thread per shard.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use ironhub_model::Timestamp;

use super::answer::Span;
use super::background::now;
use super::frame::{FRAME_HEADER_BYTES, FrameHeader, FrameKind, GROUP_HEADER_BYTES, put_group_header};
use super::inbox::{Batch, Inbox, OpenRun};
use super::inner::{Halt, Inner};
use super::journal::{Base, FrameExtent, JOURNAL_HEADER_BYTES, Segment};
use super::limits::{GROWTH_STEP_BYTES, SLOW_SYNC, UNSEALED_SEGMENTS_MAX};
use crate::disk::{is_no_space, write_all_at};

#[derive(Debug)]
pub(crate) struct Committer {
    inner: Arc<Inner>,
    shard: u32,
    segment: Arc<Segment>,
    /// Where the next frame goes.
    end: u64,
    /// Up to here the segment's file has its blocks.
    prepared: u64,
    next_batch: u64,
    /// Per partition of the shard.
    bases: Vec<Base>,
    last_enqueued_at: Timestamp,
    frame: Vec<u8>,
    /// A marker stands at `end`.
    marked: bool,
    asked_for_spare: bool,
}

/// Where a shard goes on.
#[derive(Debug)]
pub(crate) struct Continuation {
    pub(crate) segment: Arc<Segment>,
    pub(crate) next_batch: u64,
    pub(crate) bases: Vec<Base>,
}

impl Committer {
    pub(crate) fn new(inner: Arc<Inner>, shard: u32, from: Continuation) -> Self {
        let times = from.bases.iter().map(|base| base.last_enqueued_at);
        Self {
            inner,
            shard,
            end: from.segment.end(),
            prepared: size(&from.segment),
            segment: from.segment,
            next_batch: from.next_batch,
            last_enqueued_at: times.max().unwrap_or(Timestamp::UNIX_EPOCH),
            bases: from.bases,
            frame: Vec::new(),
            marked: false,
            asked_for_spare: false,
        }
    }

    /// Commits until the inbox is closed and empty.
    pub(crate) fn run(mut self) {
        let inner = Arc::clone(&self.inner);
        // A failure has been told by then, and a stop is no failure.
        drop(inner.guard(|| self.commit_all()));
    }

    fn commit_all(&mut self) -> Result<(), Halt> {
        let inner = Arc::clone(&self.inner);
        let Some(inbox) = usize::try_from(self.shard).ok().and_then(|at| inner.inboxes.get(at)) else {
            return Ok(());
        };
        loop {
            if inner.has_failed() {
                return Err(Halt::Stopping);
            }
            if inbox.take_wish_to_roll() && !self.is_empty() {
                self.roll()?;
            }
            if let Some(batch) = inbox.take() {
                self.commit(batch, inbox)?;
                continue;
            }
            self.mark(FrameKind::Synced)?;
            if !inbox.wait() {
                self.mark(FrameKind::Closed)?;
                return self.sync();
            }
        }
    }

    fn commit(&mut self, batch: Batch, inbox: &Inbox) -> Result<(), Halt> {
        self.make_room(frame_bytes(&batch))?;
        self.last_enqueued_at = self.last_enqueued_at.max(self.inner.now());
        self.encode(&batch);
        let inner = Arc::clone(&self.inner);
        let (segment, frame, at) = (&self.segment, &self.frame, self.end);
        inner.until_space("write", &segment.path, || write_all_at(&*segment.file, frame, at))?;
        self.prepare();
        self.sync()?;
        if inner.has_failed() {
            // Another thread has found the disk untrustworthy: nothing more is acknowledged.
            return Err(Halt::Stopping);
        }
        self.count(&batch);
        let (records, bytes, last_ticket) = (batch.records, batch.bytes, batch.last_ticket);
        self.publish(batch);
        inbox.complete(records, bytes, last_ticket);
        self.inner.announcer.tell(&self.inner);
        self.ask_for_spare();
        Ok(())
    }

    /// A segment that no spare was ready for grows by zeros in steps, which the sync of this batch takes along: with each
    /// batch, each sync would write the file system's own records as well. Behind the write: the last space is the batch's.
    fn prepare(&mut self) {
        let end = self.end + self.frame.len() as u64;
        if !self.inner.settings.zero_ahead || end <= self.prepared {
            return;
        }
        let to = (end + GROWTH_STEP_BYTES)
            .min(self.inner.settings.segment_bytes)
            .max(end);
        if self.segment.file.zero(end, to).is_ok() {
            self.prepared = to;
        }
    }

    fn sync(&self) -> Result<(), Halt> {
        let (counters, began) = (&self.inner.counters, now());
        let outcome = self.segment.file.sync();
        let took = began.elapsed();
        counters.syncs.fetch_add(1, Ordering::Relaxed);
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        counters.sync_us.fetch_add(took_us, Ordering::Relaxed);
        if took > SLOW_SYNC {
            counters.slow_syncs.fetch_add(1, Ordering::Relaxed);
        }
        outcome.map_err(|error| Halt::fatal("sync", &self.segment.path, &error))
    }

    fn count(&self, batch: &Batch) {
        let counters = &self.inner.counters;
        counters.batches.fetch_add(1, Ordering::Relaxed);
        counters.records.fetch_add(batch.records.into(), Ordering::Relaxed);
        counters.bytes.fetch_add(self.frame.len() as u64, Ordering::Relaxed);
    }

    fn encode(&mut self, batch: &Batch) {
        let frame = &mut self.frame;
        frame.clear();
        frame.resize(FRAME_HEADER_BYTES, 0);
        let mut groups = 0;
        for (slot, (run, base)) in batch.runs.iter().zip(&self.bases).enumerate() {
            if run.count > 0 {
                let partition = self.segment.header.partition(slot);
                put_group_header(frame, partition, run.count, base.next, run.bytes.len());
                frame.extend_from_slice(&run.bytes);
                groups += 1;
            }
        }
        let body = frame.get(FRAME_HEADER_BYTES..).unwrap_or_default();
        let header = FrameHeader {
            salt: self.segment.header.salt,
            batch: self.next_batch,
            enqueued_at: self.last_enqueued_at,
            body_len: u32::try_from(body.len()).unwrap_or(u32::MAX),
            body_crc: crc32fast::hash(body),
            kind: FrameKind::Batch,
            groups,
        };
        if let Some(place) = frame.get_mut(..FRAME_HEADER_BYTES) {
            place.copy_from_slice(&header.encode());
        }
    }

    /// The batch is durable: shows it to readers.
    fn publish(&mut self, batch: Batch) {
        let enqueued_at = self.last_enqueued_at;
        let extent = FrameExtent {
            offset: self.end,
            end: self.end + self.frame.len() as u64,
            enqueued_at,
        };
        self.end = extent.end;
        self.next_batch += 1;
        self.marked = false;
        let filled = batch.runs.iter().zip(&self.bases).enumerate();
        let groups = filled.filter(|(_, (run, _))| run.count > 0);
        self.segment
            .record(extent, groups.map(|(slot, (run, base))| (slot, base.next, run.count)));
        for (slot, run) in batch.runs.into_iter().enumerate().filter(|(_, run)| run.count > 0) {
            self.publish_run(slot, run);
        }
    }

    fn publish_run(&mut self, slot: usize, run: OpenRun) {
        let partition = usize::try_from(self.segment.header.partition(slot)).unwrap_or(usize::MAX);
        let (Some(base), Some(partition)) = (self.bases.get_mut(slot), self.inner.partitions.get(partition)) else {
            return;
        };
        let span = Span::new(base.next, self.last_enqueued_at, Bytes::from(run.bytes));
        base.next += u64::from(run.count);
        base.last_enqueued_at = self.last_enqueued_at;
        partition.append(span, run.count);
    }

    /// Goes on to the next segment when the frame would not fit.
    fn make_room(&mut self, bytes: u64) -> Result<(), Halt> {
        if self.is_empty() || self.end + bytes <= self.inner.settings.segment_bytes {
            return Ok(());
        }
        self.roll()
    }

    /// Does the segment hold nothing yet?
    fn is_empty(&self) -> bool {
        self.end == JOURNAL_HEADER_BYTES as u64
    }

    /// Goes on to the next segment, and has this one sealed.
    fn roll(&mut self) -> Result<(), Halt> {
        self.wait_for_sealer()?;
        let next = self
            .inner
            .add_segment(self.shard, self.next_batch, self.bases.clone())?;
        let full = std::mem::replace(&mut self.segment, next);
        self.end = JOURNAL_HEADER_BYTES as u64;
        self.prepared = size(&self.segment);
        self.marked = false;
        self.asked_for_spare = false;
        let number = full.header.number;
        drop(full);
        self.inner.seal.state.lock().full.push_back(number);
        self.inner.seal.work.notify_one();
        Ok(())
    }

    /// Holds the journals to their cap: a sealer that lags holds up the inbox, and that holds up the submitters.
    fn wait_for_sealer(&self) -> Result<(), Halt> {
        let mut state = self.inner.seal.state.lock();
        while self.inner.layout.read().unsealed(self.shard) >= UNSEALED_SEGMENTS_MAX {
            if state.ended || self.inner.has_failed() {
                return Err(Halt::Stopping);
            }
            self.inner.seal.progress.wait(&mut state);
        }
        Ok(())
    }

    fn ask_for_spare(&mut self) {
        // Not earlier: a hub that hears little should not write a segment of zeros.
        if self.asked_for_spare || self.end < self.inner.settings.segment_bytes / 4 {
            return;
        }
        self.asked_for_spare = true;
        self.inner.seal.state.lock().wants_spare = true;
        self.inner.seal.work.notify_one();
    }

    /// Notes behind the last frame that it was synced, so that recovery can tell damage from a torn write. The next
    /// frame overwrites the note.
    fn mark(&mut self, kind: FrameKind) -> Result<(), Halt> {
        if self.marked && kind == FrameKind::Synced {
            return Ok(());
        }
        self.marked = true;
        let marker = FrameHeader::marker(kind, self.segment.header.salt, self.next_batch - 1);
        match write_all_at(&*self.segment.file, &marker.encode(), self.end) {
            Err(error) if !is_no_space(&error) => Err(Halt::fatal("write", &self.segment.path, &error)),
            _ => Ok(()),
        }
    }
}

/// Of the file; 0 when it cannot be told, and then it is prepared once more.
fn size(segment: &Segment) -> u64 {
    segment.file.size().unwrap_or_default()
}

fn frame_bytes(batch: &Batch) -> u64 {
    let groups = batch.runs.iter().filter(|run| run.count > 0);
    let body: usize = groups.map(|run| GROUP_HEADER_BYTES + run.bytes.len()).sum();
    (FRAME_HEADER_BYTES + body) as u64
}
