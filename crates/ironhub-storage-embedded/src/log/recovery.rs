//! Finds out what a directory holds. Reads un-sealed journals only; sealed files are known by their names.
//!
//! Only the last batch of a journal can be un-synced, and the next is never written before it is synced. So a bad frame
//! with nothing valid behind it is a torn write that nobody was told of: it is cut off. A bad frame with a valid one
//! behind it (a later batch, or the note that it was synced) was durable and is damaged: the log does not open.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ironhub_model::Timestamp;
use tracing::warn;

use super::frame::{self, FrameKind};
use super::journal::{
    Base, FrameExtent, HeaderError, JOURNAL_HEADER_BYTES, JournalHeader, Segment, journal_number, journal_path,
};
use super::options::OpenError;
use super::partition::Position;
use super::scan::{Frame, FrameReader, NoFrame, Scan, find_header};
use super::sealed::{SealedFile, partition_dir};
use super::segments::is_spare;
use crate::disk::{Disk, OpenMode, read_full_at, write_all_at};

mod quarantine;

/// Journals are read in pieces of this size.
const PIECE_BYTES: usize = 4 * 1024 * 1024;
/// A file whose name ends so is left alone; with one there, gaps are what an operator has accepted.
const QUARANTINED: &str = ".quarantined";

/// What was found.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) positions: Vec<Position>,
    pub(crate) sealed: Vec<Vec<Arc<SealedFile>>>,
    /// Oldest first.
    pub(crate) segments: Vec<Arc<Segment>>,
    /// Where each journal goes on, by (shard, shards).
    pub(crate) next_batches: BTreeMap<(u32, u32), u64>,
    /// The number for the next segment.
    pub(crate) next_segment: u64,
    /// The newest journal is quarantined: the log goes on in fresh segments, behind a gap.
    pub(crate) starts_anew: bool,
    pub(crate) spares: Vec<PathBuf>,
    /// Left-overs to remove once the log is open.
    pub(crate) litter: Vec<PathBuf>,
}

/// Reads the directory of a log with so many partitions.
pub(crate) fn recover(disk: &dyn Disk, dir: &Path, partitions: u32) -> Result<Recovered, OpenError> {
    let mut recovery = Recovery::new(disk, dir, partitions);
    recovery.list_sealed()?;
    recovery.list_dir()?;
    recovery.check_sealed()?;
    recovery.read_journals()?;
    recovery.step_over_quarantined()?;
    Ok(recovery.finish())
}

struct Recovery<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    partitions: u32,
    sealed: Vec<Vec<Arc<SealedFile>>>,
    journals: BTreeSet<u64>,
    /// Gaps are accepted.
    quarantine: bool,
    quarantined_journals: Vec<(u64, PathBuf)>,
    starts_anew: bool,
    /// What each partition goes on with; `None` until something says so.
    ends: Vec<Option<Base>>,
    firsts: Vec<Option<u64>>,
    segments: Vec<Arc<Segment>>,
    next_batches: BTreeMap<(u32, u32), u64>,
    highest_number: u64,
    spares: Vec<PathBuf>,
    litter: Vec<PathBuf>,
}

impl<'a> Recovery<'a> {
    fn new(disk: &'a dyn Disk, dir: &'a Path, partitions: u32) -> Self {
        let each = |_| None;
        Self {
            disk,
            dir,
            partitions,
            sealed: Vec::new(),
            journals: BTreeSet::new(),
            quarantine: false,
            quarantined_journals: Vec::new(),
            starts_anew: false,
            ends: (0..partitions).map(each).collect(),
            firsts: (0..partitions).map(|_| None).collect(),
            segments: Vec::new(),
            next_batches: BTreeMap::new(),
            highest_number: 0,
            spares: Vec::new(),
            litter: Vec::new(),
        }
    }

    fn list_sealed(&mut self) -> Result<(), OpenError> {
        for partition in 0..self.partitions {
            let dir = partition_dir(self.dir, partition);
            let mut files = Vec::new();
            for name in self.disk.list(&dir).map_err(|error| io_error(&dir, &error))? {
                let path = dir.join(&name);
                let bytes = self.disk.size(&path).map_err(|error| io_error(&path, &error))?;
                if let Some(file) = SealedFile::from_name(&dir, partition, &name, bytes) {
                    files.push(Arc::new(file));
                } else {
                    self.note_other(path, &name);
                }
            }
            files.sort_unstable_by_key(|file| file.base);
            self.sealed.push(files);
        }
        Ok(())
    }

    fn list_dir(&mut self) -> Result<(), OpenError> {
        for name in self.disk.list(self.dir).map_err(|error| io_error(self.dir, &error))? {
            if let Some(number) = journal_number(&name) {
                self.journals.insert(number);
            } else if is_spare(&name) {
                self.spares.push(self.dir.join(name));
            } else {
                self.note_other(self.dir.join(&name), &name);
            }
        }
        let last = self.journals.last().copied().unwrap_or(0);
        self.highest_number = self.highest_number.max(last);
        Ok(())
    }

    fn note_other(&mut self, path: PathBuf, name: &str) {
        if path.extension().is_some_and(|extension| extension == "tmp") {
            self.litter.push(path);
        } else if name.ends_with(QUARANTINED) {
            warn!(path = %path.display(), "opening without a quarantined file");
            self.quarantine = true;
            // Its number must not be used again, or the next segment would take its place when it comes back.
            if let Some(number) = journal_number(name.trim_end_matches(QUARANTINED)) {
                self.highest_number = self.highest_number.max(number);
                self.quarantined_journals.push((number, path));
            }
        }
    }

    /// Sealed files must follow one on the other.
    fn check_sealed(&mut self) -> Result<(), OpenError> {
        for (partition, files) in self.sealed.iter().enumerate() {
            for (file, next) in files.iter().zip(files.iter().skip(1)) {
                let fits = if self.quarantine {
                    next.base >= file.next
                } else {
                    next.base == file.next
                };
                if !fits {
                    let reason = format!(
                        "it ends before event {}, the next file starts at {}",
                        file.next, next.base
                    );
                    return Err(damaged(&file.path, file.bytes, reason));
                }
            }
            if let (Some(end), Some(first), Some(last)) = (self.ends.get_mut(partition), files.first(), files.last()) {
                *end = Some(Base {
                    next: last.next,
                    last_enqueued_at: last.last_enqueued_at,
                });
                if let Some(place) = self.firsts.get_mut(partition) {
                    *place = Some(first.base);
                }
            }
        }
        match self.sealed.iter().flatten().next_back() {
            Some(file) if self.journals.is_empty() && !self.quarantine => {
                let reason = "there are sealed files, but the journal is missing";
                Err(damaged(&file.path, 0, reason.to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn read_journals(&mut self) -> Result<(), OpenError> {
        let numbers = std::mem::take(&mut self.journals);
        let last_numbers = self.read_headers(&numbers)?;
        let segments = std::mem::take(&mut self.segments);
        for segment in segments {
            let is_last = last_numbers.contains(&segment.header.number);
            self.read_journal(&segment, is_last)?;
            self.segments.push(segment);
        }
        Ok(())
    }

    /// Reads the headers of all segments and returns the numbers of those that are the last of their journal.
    fn read_headers(&mut self, numbers: &BTreeSet<u64>) -> Result<BTreeSet<u64>, OpenError> {
        let mut last = BTreeMap::new();
        for number in numbers {
            let path = journal_path(self.dir, *number);
            let open = || {
                let file = self.disk.open(&path, OpenMode::Write)?;
                let mut header = vec![0; JOURNAL_HEADER_BYTES];
                let filled = read_full_at(&*file, &mut header, 0)?;
                header.truncate(filled);
                io::Result::Ok((file, header))
            };
            let (file, header) = open().map_err(|error| io_error(&path, &error))?;
            let header = self.check_header(&path, *number, &header)?;
            last.insert((header.shard, header.shards), *number);
            self.segments.push(Arc::new(Segment::new(header, path, file)));
        }
        Ok(last.into_values().collect())
    }

    fn check_header(&self, path: &Path, number: u64, bytes: &[u8]) -> Result<JournalHeader, OpenError> {
        let header = JournalHeader::decode(bytes).map_err(|error| match error {
            HeaderError::Unknown(format) => OpenError::UnknownFormat {
                path: path.to_owned(),
                format,
            },
            HeaderError::Damaged => damaged(path, 0, "its header does not match its checksum".to_owned()),
        })?;
        if header.partitions != self.partitions {
            return Err(OpenError::Partitions {
                stored: header.partitions,
                wanted: self.partitions,
            });
        }
        if header.number != number {
            return Err(damaged(
                path,
                0,
                format!("it is segment {}, not {number}", header.number),
            ));
        }
        Ok(header)
    }

    fn read_journal(&mut self, segment: &Segment, is_last: bool) -> Result<(), OpenError> {
        self.begin(segment)?;
        let mut read = JournalRead::new(segment, self.next_batch(segment));
        let ending = read.frames(|frame| self.apply(segment, frame))?;
        self.next_batches.insert(key(segment), read.next_batch);
        if is_last && ending != Ending::Closed {
            read.check_behind(ending)?;
            read.settle(ending)?;
        }
        Ok(())
    }

    /// What was in a quarantined journal keeps its sequence numbers: consumers know them. A newer journal says itself
    /// where it began.
    fn step_over_quarantined(&mut self) -> Result<(), OpenError> {
        let newest = self.segments.last().map_or(0, |segment| segment.header.number);
        for (_, path) in self.quarantined_journals.iter().filter(|(number, _)| *number > newest) {
            self.starts_anew = true;
            let floors = quarantine::floors(self.disk, path).map_err(|error| io_error(path, &error))?;
            for (partition, floor) in floors {
                let at = usize::try_from(partition).unwrap_or(usize::MAX);
                if let Some(end) = self.ends.get_mut(at) {
                    let known = end.map_or(Timestamp::NEVER, |end| end.last_enqueued_at);
                    *end = Some(Base {
                        next: end.map_or(floor, |end| end.next.max(floor)),
                        last_enqueued_at: known,
                    });
                }
            }
        }
        Ok(())
    }

    fn next_batch(&self, segment: &Segment) -> u64 {
        self.next_batches
            .get(&key(segment))
            .copied()
            .unwrap_or(segment.header.first_batch)
    }

    /// The segment must go on where the one before it ended, and its partitions where they stood.
    fn begin(&mut self, segment: &Segment) -> Result<(), OpenError> {
        let expected = self.next_batch(segment);
        let found = segment.header.first_batch;
        if found != expected && !(self.quarantine && found > expected) {
            let before = self.segments.iter().rev().find(|other| key(other) == key(segment));
            let (path, offset) = before.map_or((&segment.path, 0), |before| (&before.path, before.end()));
            let reason = format!("batch {expected} is missing or damaged, batch {found} is there");
            return Err(damaged(path, offset, reason));
        }
        self.next_batches.insert(key(segment), found);
        for (slot, base) in segment.header.bases.iter().enumerate() {
            let partition = segment.header.partition(slot);
            let at = usize::try_from(partition).unwrap_or(usize::MAX);
            let (Some(end), Some(first)) = (self.ends.get_mut(at), self.firsts.get_mut(at)) else {
                continue;
            };
            let known = end.map_or(base.next, |end| end.next);
            if known < base.next && !self.quarantine {
                let reason = format!(
                    "events {known} to {} of partition {partition} are missing",
                    base.next - 1
                );
                return Err(damaged(&segment.path, 0, reason));
            }
            let last = end.map_or(base.last_enqueued_at, |end| end.last_enqueued_at);
            *end = Some(Base {
                next: known.max(base.next),
                last_enqueued_at: last.max(base.last_enqueued_at),
            });
            first.get_or_insert(base.next);
        }
        Ok(())
    }

    /// Takes note of a frame; its groups must go on where their partitions stood in this journal.
    fn apply(&mut self, segment: &Segment, frame: &Frame) -> Result<(), OpenError> {
        let wrong = |reason: String| damaged(&segment.path, frame.offset, reason);
        let groups = frame::groups(frame.body.clone(), frame.header.groups)
            .ok_or_else(|| wrong("a frame's groups are malformed".to_owned()))?;
        let mut recorded = Vec::with_capacity(groups.len());
        for group in groups {
            let slot = segment.header.slot(group.partition);
            let at = usize::try_from(group.partition).unwrap_or(usize::MAX);
            let (Some(slot), Some(Some(end))) = (slot, self.ends.get_mut(at)) else {
                return Err(wrong(format!("partition {} does not belong here", group.partition)));
            };
            let next = group.base + u64::from(group.count);
            // What is before the end was sealed already.
            if group.base > end.next {
                let reason = format!("events {} to {} of a partition are missing", end.next, group.base - 1);
                return Err(wrong(reason));
            }
            end.next = end.next.max(next);
            end.last_enqueued_at = end.last_enqueued_at.max(frame.header.enqueued_at);
            recorded.push((slot, group.base, group.count));
        }
        let extent = FrameExtent {
            offset: frame.offset,
            end: frame.end,
            enqueued_at: frame.header.enqueued_at,
        };
        segment.record(extent, recorded);
        Ok(())
    }

    fn finish(self) -> Recovered {
        let nothing = Base {
            next: 0,
            last_enqueued_at: Timestamp::NEVER,
        };
        let positions = self.ends.into_iter().zip(self.firsts).map(|(end, first)| {
            let end = end.unwrap_or(nothing);
            Position {
                first: first.unwrap_or(end.next),
                next: end.next,
                last_enqueued_at: end.last_enqueued_at,
            }
        });
        Recovered {
            positions: positions.collect(),
            sealed: self.sealed,
            segments: self.segments,
            next_batches: self.next_batches,
            next_segment: self.highest_number + 1,
            starts_anew: self.starts_anew,
            spares: self.spares,
            litter: self.litter,
        }
    }
}

/// How the frames of a segment end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// With the note that the log was closed: there is nothing behind.
    Closed,
    /// With the note that the last frame was synced.
    Synced,
    /// With no frame, for this reason.
    NoFrame(NoFrame),
}

struct JournalRead<'a> {
    segment: &'a Segment,
    next_batch: u64,
    last: Option<Frame>,
    end: u64,
}

impl<'a> JournalRead<'a> {
    fn new(segment: &'a Segment, next_batch: u64) -> Self {
        Self {
            segment,
            next_batch,
            last: None,
            end: JOURNAL_HEADER_BYTES as u64,
        }
    }

    /// Goes through the frames as far as they are in order.
    fn frames(&mut self, mut apply: impl FnMut(&Frame) -> Result<(), OpenError>) -> Result<Ending, OpenError> {
        let (file, salt) = (&*self.segment.file, self.segment.header.salt);
        let mut frames = FrameReader::new(file, salt, self.end, u64::MAX, PIECE_BYTES);
        loop {
            let scan = frames.next().map_err(|error| io_error(&self.segment.path, &error))?;
            let frame = match scan {
                Scan::NoFrame(why) => return Ok(Ending::NoFrame(why)),
                Scan::Frame(frame) => frame,
            };
            match frame.header.kind {
                FrameKind::Closed if frame.header.batch + 1 == self.next_batch => return Ok(Ending::Closed),
                FrameKind::Synced if frame.header.batch + 1 == self.next_batch => return Ok(Ending::Synced),
                FrameKind::Batch if frame.header.batch == self.next_batch => {}
                FrameKind::Batch | FrameKind::Synced | FrameKind::Closed => {
                    let reason = format!("batch {} where {} belongs", frame.header.batch, self.next_batch);
                    return Err(damaged(&self.segment.path, frame.offset, reason));
                }
            }
            apply(&frame)?;
            self.next_batch += 1;
            self.end = frame.end;
            self.last = Some(frame);
        }
    }

    /// Is there anything valid behind the end? Then what should be at the end was durable once.
    fn check_behind(&self, ending: Ending) -> Result<(), OpenError> {
        let behind = find_header(&*self.segment.file, self.segment.header.salt, self.end + 1)
            .map_err(|error| io_error(&self.segment.path, &error))?;
        let Some((at, header)) = behind else { return Ok(()) };
        let reason = format!(
            "batch {} does not match its checksum ({ending:?}), but batch {} is behind it at byte {at}",
            self.next_batch, header.batch
        );
        Err(damaged(&self.segment.path, self.end, reason))
    }

    /// Makes sure that what was found is durable before anyone is told of it.
    fn settle(&self, ending: Ending) -> Result<(), OpenError> {
        let (file, path) = (&*self.segment.file, &self.segment.path);
        if let Ending::NoFrame(NoFrame::Header | NoFrame::Body) = ending {
            warn!(
                path = %path.display(),
                offset = self.end,
                "cut off a batch that was being written when the hub stopped; it was never acknowledged"
            );
        }
        let Some(last) = self.last.as_ref().filter(|_| ending != Ending::Synced) else {
            return Ok(());
        };
        // After a failed sync the system may hold pages that it believes clean and that never reached the disk.
        // Written again, they are dirty again.
        let mut bytes = last.header.encode();
        bytes.extend_from_slice(&last.body);
        write_all_at(file, &bytes, last.offset)
            .and_then(|()| file.sync())
            .map_err(|error| io_error(path, &error))
    }
}

fn key(segment: &Segment) -> (u32, u32) {
    (segment.header.shard, segment.header.shards)
}

fn damaged(path: &Path, offset: u64, reason: String) -> OpenError {
    OpenError::Damaged {
        path: path.to_owned(),
        offset,
        reason,
    }
}

pub(crate) fn io_error(path: &Path, error: &io::Error) -> OpenError {
    OpenError::Io {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}
