//! Frames: what one commit writes into a journal.
//!
//! ```text
//! header, 48 bytes: magic "IHF1" · crc32 of what follows in the header · salt of the segment (8) · batch (8)
//!                   · enqueued at, µs (8) · body length (4) · crc32 of the body (4) · kind (4) · groups (4)
//! body, per group:  partition (4) · records (4) · base sequence (8) · length of the run (4) · 0 (4) · run
//! ```
//!
//! The salt is random per segment and never leaves the disk: bytes of an event, or of what a recycled file held before,
//! cannot pass for a frame.

use bytes::{Buf, BufMut, Bytes};
use ironhub_model::Timestamp;

use super::limits::FRAME_BODY_BYTES_MAX;
use super::run;

/// Length of a frame's header.
pub(crate) const FRAME_HEADER_BYTES: usize = 48;
/// Length of a group's header.
pub(crate) const GROUP_HEADER_BYTES: usize = 24;

const CRC_END: usize = 8;

/// What a frame is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// Records.
    Batch,
    /// No records: the batch named in it had been synced when this was written. Overwritten by the next batch.
    Synced,
    /// As `Synced`, and the log was closed: there is nothing behind.
    Closed,
}

/// A frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) salt: u64,
    pub(crate) batch: u64,
    pub(crate) enqueued_at: Timestamp,
    pub(crate) body_len: u32,
    pub(crate) body_crc: u32,
    pub(crate) kind: FrameKind,
    pub(crate) groups: u32,
}

/// The records of one partition in a frame.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) partition: u32,
    pub(crate) count: u32,
    pub(crate) base: u64,
    pub(crate) run: Bytes,
}

impl FrameHeader {
    /// How every header starts.
    pub(crate) const MAGIC: [u8; 4] = *b"IHF1";

    /// A frame without records.
    pub(crate) fn marker(kind: FrameKind, salt: u64, batch: u64) -> Self {
        Self {
            salt,
            batch,
            enqueued_at: Timestamp::UNIX_EPOCH,
            body_len: 0,
            body_crc: crc32fast::hash(&[]),
            kind,
            groups: 0,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut fields = Vec::with_capacity(FRAME_HEADER_BYTES);
        fields.put_u64_le(self.salt);
        fields.put_u64_le(self.batch);
        fields.put_i64_le(self.enqueued_at.as_micros());
        fields.put_u32_le(self.body_len);
        fields.put_u32_le(self.body_crc);
        fields.put_u32_le(self.kind.code());
        fields.put_u32_le(self.groups);
        let mut header = Vec::with_capacity(FRAME_HEADER_BYTES);
        header.extend_from_slice(&Self::MAGIC);
        header.put_u32_le(crc32fast::hash(&fields));
        header.extend_from_slice(&fields);
        header
    }

    /// Reads a header of this segment; `None` for anything else.
    pub(crate) fn decode(bytes: &[u8], salt: u64) -> Option<Self> {
        let header = bytes.get(..FRAME_HEADER_BYTES)?;
        let mut crc = header.strip_prefix(&Self::MAGIC)?;
        let mut fields = header.get(CRC_END..)?;
        if crc.try_get_u32_le().ok()? != crc32fast::hash(fields) || fields.try_get_u64_le().ok()? != salt {
            return None;
        }
        let decoded = Self {
            salt,
            batch: fields.try_get_u64_le().ok()?,
            enqueued_at: Timestamp::from_micros(fields.try_get_i64_le().ok()?),
            body_len: fields.try_get_u32_le().ok()?,
            body_crc: fields.try_get_u32_le().ok()?,
            kind: FrameKind::from_code(fields.try_get_u32_le().ok()?)?,
            groups: fields.try_get_u32_le().ok()?,
        };
        (decoded.body_bytes() <= FRAME_BODY_BYTES_MAX).then_some(decoded)
    }

    /// Length of the body.
    pub(crate) fn body_bytes(&self) -> usize {
        usize::try_from(self.body_len).unwrap_or(usize::MAX)
    }
}

impl FrameKind {
    fn code(self) -> u32 {
        match self {
            Self::Batch => 1,
            Self::Synced => 2,
            Self::Closed => 3,
        }
    }

    fn from_code(code: u32) -> Option<Self> {
        match code {
            1 => Some(Self::Batch),
            2 => Some(Self::Synced),
            3 => Some(Self::Closed),
            _ => None,
        }
    }
}

/// Appends a group's header; its run follows.
pub(crate) fn put_group_header(body: &mut Vec<u8>, partition: u32, count: u32, base: u64, run_len: usize) {
    body.put_u32_le(partition);
    body.put_u32_le(count);
    body.put_u64_le(base);
    run::put_len(body, run_len);
    body.put_u32_le(0);
}

/// The groups of a body whose checksum is right; `None` when they are not `groups` well-formed ones all the same.
pub(crate) fn groups(mut body: Bytes, groups: u32) -> Option<Vec<Group>> {
    let mut found = Vec::new();
    while !body.is_empty() {
        let (partition, count) = (body.try_get_u32_le().ok()?, body.try_get_u32_le().ok()?);
        let base = body.try_get_u64_le().ok()?;
        let run_len = usize::try_from(body.try_get_u32_le().ok()?).ok()?;
        body.try_get_u32_le().ok()?;
        if run_len > body.len() {
            return None;
        }
        let run = body.split_to(run_len);
        if !run::is_whole(&run, count) {
            return None;
        }
        found.push(Group {
            partition,
            count,
            base,
            run,
        });
    }
    (u32::try_from(found.len()) == Ok(groups)).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> FrameHeader {
        FrameHeader {
            salt: 7,
            batch: 9,
            enqueued_at: Timestamp::from_secs(1_700_000_000),
            body_len: 100,
            body_crc: 5,
            kind: FrameKind::Batch,
            groups: 2,
        }
    }

    #[test]
    fn headers_round_trip_and_every_flip_is_seen() {
        let bytes = header().encode();
        assert_eq!(bytes.len(), FRAME_HEADER_BYTES);
        assert_eq!(FrameHeader::decode(&bytes, 7), Some(header()));
        assert_eq!(FrameHeader::decode(&bytes, 8), None, "another segment's");
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            assert_eq!(FrameHeader::decode(&flipped, 7), None, "flip at {at}");
            assert_eq!(FrameHeader::decode(&bytes[..at], 7), None, "cut at {at}");
        }
    }

    #[test]
    fn groups_round_trip_and_survive_truncation() {
        let mut body = Vec::new();
        for (partition, base) in [(3, 10), (1, 0)] {
            let mut run = Vec::new();
            run::push_record(&mut run, b"event");
            put_group_header(&mut body, partition, 1, base, run.len());
            body.extend_from_slice(&run);
        }
        let body = Bytes::from(body);
        let found = groups(body.clone(), 2).unwrap();
        assert_eq!((found[0].partition, found[0].base, found[1].partition), (3, 10, 1));
        assert!(groups(body.clone(), 1).is_none());
        for cut in 1..body.len() {
            assert!(groups(body.slice(..cut), 2).is_none(), "cut at {cut}");
        }
    }
}
