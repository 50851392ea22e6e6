//! Journal segments: files that frames are appended to until they are full and get sealed.
//!
//! ```text
//! header, 4096 bytes: magic "IHJOURN1" · crc32 of what follows in the header · partitions (4) · shard (4) · shards (4)
//!                     · segment number (8) · salt (8) · first batch (8)
//!                     · per partition of the shard: next sequence (8), last enqueued at, µs (8) · zeros
//! frames, one behind the other; behind them zeros, or what a recycled file held
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Buf, BufMut};
use ironhub_model::Timestamp;
use parking_lot::Mutex;

use super::answer::Target;
use super::limits::{INDEX_STRIDE_BYTES, PARTITIONS_MAX};
use crate::disk::DiskFile;

/// Length of a segment's header; frames follow.
pub(crate) const JOURNAL_HEADER_BYTES: usize = 4096;

const MAGIC: [u8; 8] = *b"IHJOURN1";
const MAGIC_STEM: [u8; 7] = *b"IHJOURN";
const CRC_END: usize = 12;
const FIXED_BYTES: usize = 48;
const BASE_BYTES: usize = 16;

const _: () = assert!(FIXED_BYTES + BASE_BYTES * (PARTITIONS_MAX as usize) <= JOURNAL_HEADER_BYTES);

/// What a segment says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JournalHeader {
    /// Partitions of the log.
    pub(crate) partitions: u32,
    /// Whose journal this is.
    pub(crate) shard: u32,
    /// Of how many.
    pub(crate) shards: u32,
    /// Rises with each segment of the log, whatever the shard.
    pub(crate) number: u64,
    /// Random; marks this segment's frames.
    pub(crate) salt: u64,
    /// The batch of the first frame.
    pub(crate) first_batch: u64,
    /// Where the shard's partitions stood when the segment began. With this a partition whose events have all been
    /// taken by retention still knows its next sequence number.
    pub(crate) bases: Vec<Base>,
}

/// Where a partition stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Base {
    pub(crate) next: u64,
    pub(crate) last_enqueued_at: Timestamp,
}

/// Why a header was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HeaderError {
    /// Another version of the format.
    Unknown(String),
    /// Not what was written.
    Damaged,
}

impl JournalHeader {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut rest = Vec::with_capacity(JOURNAL_HEADER_BYTES);
        rest.put_u32_le(self.partitions);
        rest.put_u32_le(self.shard);
        rest.put_u32_le(self.shards);
        rest.put_u64_le(self.number);
        rest.put_u64_le(self.salt);
        rest.put_u64_le(self.first_batch);
        for base in &self.bases {
            rest.put_u64_le(base.next);
            rest.put_i64_le(base.last_enqueued_at.as_micros());
        }
        rest.resize(JOURNAL_HEADER_BYTES - CRC_END, 0);
        let mut header = Vec::with_capacity(JOURNAL_HEADER_BYTES);
        header.extend_from_slice(&MAGIC);
        header.put_u32_le(crc32fast::hash(&rest));
        header.extend_from_slice(&rest);
        header
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        let magic = bytes.get(..MAGIC.len()).ok_or(HeaderError::Damaged)?;
        if magic != MAGIC {
            return Err(match magic.strip_prefix(&MAGIC_STEM) {
                Some(version) => HeaderError::Unknown(format!("journal {}", version.escape_ascii())),
                None => HeaderError::Damaged,
            });
        }
        Self::decode_fields(bytes).ok_or(HeaderError::Damaged)
    }

    fn decode_fields(bytes: &[u8]) -> Option<Self> {
        let mut crc = bytes.get(MAGIC.len()..CRC_END)?;
        let mut rest = bytes.get(CRC_END..JOURNAL_HEADER_BYTES)?;
        if crc.try_get_u32_le().ok()? != crc32fast::hash(rest) {
            return None;
        }
        let mut header = Self {
            partitions: rest.try_get_u32_le().ok()?,
            shard: rest.try_get_u32_le().ok()?,
            shards: rest.try_get_u32_le().ok()?,
            number: rest.try_get_u64_le().ok()?,
            salt: rest.try_get_u64_le().ok()?,
            first_batch: rest.try_get_u64_le().ok()?,
            bases: Vec::new(),
        };
        if header.partitions > PARTITIONS_MAX || header.shard >= header.shards {
            return None;
        }
        for _ in 0..slot_count(header.partitions, header.shard, header.shards) {
            header.bases.push(Base {
                next: rest.try_get_u64_le().ok()?,
                last_enqueued_at: Timestamp::from_micros(rest.try_get_i64_le().ok()?),
            });
        }
        Some(header)
    }

    /// The place of a partition in this segment's shard; `None` when it is another's.
    pub(crate) fn slot(&self, partition: u32) -> Option<usize> {
        let ours = partition < self.partitions && partition % self.shards == self.shard;
        ours.then(|| usize::try_from(partition / self.shards).ok())?
    }

    /// The partition at a place in this segment's shard.
    pub(crate) fn partition(&self, slot: usize) -> u32 {
        u32::try_from(slot).map_or(u32::MAX, |slot| self.shard + slot * self.shards)
    }
}

/// How many partitions a shard has.
pub(crate) fn slot_count(partitions: u32, shard: u32, shards: u32) -> usize {
    let count = (0..partitions).filter(|partition| partition % shards == shard).count();
    debug_assert!(shard < shards);
    count
}

/// The name of a segment's file.
pub(crate) fn journal_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("journal-{number:016}.log"))
}

/// The number in a segment's file name.
pub(crate) fn journal_number(name: &str) -> Option<u64> {
    name.strip_prefix("journal-")?.strip_suffix(".log")?.parse().ok()
}

/// A segment that is not sealed yet.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) header: JournalHeader,
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<dyn DiskFile>,
    index: Mutex<SegmentIndex>,
}

/// Where to find what, sparsely.
#[derive(Debug)]
struct SegmentIndex {
    /// End of the last durable frame.
    end: u64,
    slots: Vec<SlotIndex>,
}

#[derive(Debug)]
struct SlotIndex {
    next: u64,
    last_enqueued_at: Timestamp,
    points: Vec<Point>,
}

#[derive(Debug, Clone, Copy)]
struct Point {
    base: u64,
    enqueued_at: Timestamp,
    offset: u64,
}

/// A durable frame, as the index needs it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrameExtent {
    pub(crate) offset: u64,
    pub(crate) end: u64,
    pub(crate) enqueued_at: Timestamp,
}

/// Where in a segment a read starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reach {
    /// A frame at or before the target.
    pub(crate) offset: u64,
    /// End of the durable frames.
    pub(crate) end: u64,
}

impl Segment {
    pub(crate) fn new(header: JournalHeader, path: PathBuf, file: Arc<dyn DiskFile>) -> Self {
        let slots = header.bases.iter().map(|base| SlotIndex {
            next: base.next,
            last_enqueued_at: base.last_enqueued_at,
            points: Vec::new(),
        });
        let index = SegmentIndex {
            end: JOURNAL_HEADER_BYTES as u64,
            slots: slots.collect(),
        };
        Self {
            header,
            path,
            file,
            index: Mutex::new(index),
        }
    }

    /// A frame has become durable; `groups` are (slot, base, count).
    pub(crate) fn record(&self, frame: FrameExtent, groups: impl IntoIterator<Item = (usize, u64, u32)>) {
        let mut index = self.index.lock();
        index.end = frame.end;
        for (slot, base, count) in groups {
            if let Some(slot) = index.slots.get_mut(slot) {
                slot.record(frame, base, count);
            }
        }
    }

    /// End of the last durable frame.
    pub(crate) fn end(&self) -> u64 {
        self.index.lock().end
    }

    /// When its oldest event was committed; `None` while it holds none.
    pub(crate) fn first_enqueued_at(&self) -> Option<Timestamp> {
        let index = self.index.lock();
        let firsts = index.slots.iter().filter_map(|slot| slot.points.first());
        firsts.map(|point| point.enqueued_at).min()
    }

    /// Where to start reading a partition; `None` when nothing at or behind the target is here.
    pub(crate) fn reach(&self, partition: u32, target: Target) -> Option<Reach> {
        let index = self.index.lock();
        let slot = index.slots.get(self.header.slot(partition)?)?;
        let first = slot.points.first()?;
        if !target.lies_before_end(slot.next, slot.last_enqueued_at) {
            return None;
        }
        let behind = slot.points.partition_point(|point| match target {
            Target::At(sequence) => point.base <= sequence,
            Target::Since(time) => point.enqueued_at < time,
        });
        let point = behind
            .checked_sub(1)
            .and_then(|at| slot.points.get(at))
            .unwrap_or(first);
        Some(Reach {
            offset: point.offset,
            end: index.end,
        })
    }
}

impl SlotIndex {
    fn record(&mut self, frame: FrameExtent, base: u64, count: u32) {
        self.next = base + u64::from(count);
        self.last_enqueued_at = frame.enqueued_at;
        let is_far = |last: &Point| frame.offset >= last.offset + INDEX_STRIDE_BYTES;
        if self.points.last().is_none_or(is_far) {
            self.points.push(Point {
                base,
                enqueued_at: frame.enqueued_at,
                offset: frame.offset,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> JournalHeader {
        let base = |next| Base {
            next,
            last_enqueued_at: Timestamp::from_secs(3),
        };
        JournalHeader {
            partitions: 5,
            shard: 1,
            shards: 2,
            number: 12,
            salt: 99,
            first_batch: 4,
            bases: vec![base(10), base(20)],
        }
    }

    #[test]
    fn headers_round_trip_and_every_flip_is_seen() {
        let bytes = header().encode();
        assert_eq!(bytes.len(), JOURNAL_HEADER_BYTES);
        assert_eq!(JournalHeader::decode(&bytes), Ok(header()));
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(JournalHeader::decode(&flipped).is_err(), "flip at {at}");
        }
        let mut newer = bytes;
        newer[7] = b'2';
        assert_eq!(
            JournalHeader::decode(&newer),
            Err(HeaderError::Unknown("journal 2".to_owned()))
        );
    }

    #[test]
    fn partitions_have_their_places() {
        let header = header();
        assert_eq!(
            (header.slot(1), header.slot(3), header.slot(2)),
            (Some(0), Some(1), None)
        );
        assert_eq!((header.partition(0), header.partition(1)), (1, 3));
        assert_eq!(
            (slot_count(5, 0, 2), slot_count(5, 1, 2), slot_count(1, 1, 2)),
            (3, 2, 0)
        );
    }

    #[test]
    fn file_names_round_trip() {
        let path = journal_path(Path::new("d"), 7);
        assert_eq!(path.to_str(), Some("d/journal-0000000000000007.log"));
        assert_eq!(journal_number("journal-0000000000000007.log"), Some(7));
        assert_eq!(journal_number("journal-x.log"), None);
    }
}
