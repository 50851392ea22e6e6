//! The sparse index at the end of a sealed file: where each block is, with its first sequence number and time.
//!
//! ```text
//! per block:        offset (8) · base sequence (8) · first enqueued at, µs (8)
//! footer, 64 bytes: crc32 of what follows in the footer · crc32 of the index · index offset (8) · blocks (8)
//!                   · partition (4) · 0 (4) · base sequence (8) · next sequence (8) · last enqueued at, µs (8)
//!                   · magic "IHSEAL1\n"
//! ```

use bytes::{Buf, BufMut};
use ironhub_model::Timestamp;

use super::answer::Target;

/// Length of the footer.
pub(crate) const FOOTER_BYTES: usize = 64;
/// Length of a block's entry.
pub(crate) const ENTRY_BYTES: usize = 24;
/// How a sealed file begins and ends.
pub(crate) const SEALED_MAGIC: [u8; 8] = *b"IHSEAL1\n";

/// A block's entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) offset: u64,
    pub(crate) base: u64,
    pub(crate) first_enqueued_at: Timestamp,
}

/// The footer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Footer {
    pub(crate) index_crc: u32,
    pub(crate) index_offset: u64,
    pub(crate) blocks: u64,
    pub(crate) partition: u32,
    pub(crate) base: u64,
    pub(crate) next: u64,
    pub(crate) last_enqueued_at: Timestamp,
}

/// Index bytes of these entries.
pub(crate) fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.len() * ENTRY_BYTES);
    for entry in entries {
        bytes.put_u64_le(entry.offset);
        bytes.put_u64_le(entry.base);
        bytes.put_i64_le(entry.first_enqueued_at.as_micros());
    }
    bytes
}

/// The entries of an index that the footer vouches for.
pub(crate) fn decode(mut bytes: &[u8], footer: &Footer) -> Option<Vec<Entry>> {
    if crc32fast::hash(bytes) != footer.index_crc {
        return None;
    }
    let mut entries = Vec::with_capacity(bytes.len() / ENTRY_BYTES);
    while !bytes.is_empty() {
        entries.push(Entry {
            offset: bytes.try_get_u64_le().ok()?,
            base: bytes.try_get_u64_le().ok()?,
            first_enqueued_at: Timestamp::from_micros(bytes.try_get_i64_le().ok()?),
        });
    }
    let rising = entries
        .iter()
        .zip(entries.iter().skip(1))
        .all(|(one, other)| one.offset < other.offset && one.base < other.base);
    (rising && entries.len() as u64 == footer.blocks && !entries.is_empty()).then_some(entries)
}

/// The first block that may hold the target.
pub(crate) fn seek(entries: &[Entry], target: Target) -> usize {
    let behind = entries.partition_point(|entry| match target {
        Target::At(sequence) => entry.base <= sequence,
        Target::Since(time) => entry.first_enqueued_at < time,
    });
    behind.saturating_sub(1)
}

impl Footer {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut rest = Vec::with_capacity(FOOTER_BYTES);
        rest.put_u32_le(self.index_crc);
        rest.put_u64_le(self.index_offset);
        rest.put_u64_le(self.blocks);
        rest.put_u32_le(self.partition);
        rest.put_u32_le(0);
        rest.put_u64_le(self.base);
        rest.put_u64_le(self.next);
        rest.put_i64_le(self.last_enqueued_at.as_micros());
        rest.extend_from_slice(&SEALED_MAGIC);
        let mut footer = Vec::with_capacity(FOOTER_BYTES);
        footer.put_u32_le(crc32fast::hash(&rest));
        footer.extend_from_slice(&rest);
        footer
    }

    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        if bytes.len() != FOOTER_BYTES || !bytes.ends_with(&SEALED_MAGIC) {
            return None;
        }
        if bytes.try_get_u32_le().ok()? != crc32fast::hash(bytes) {
            return None;
        }
        let index_crc = bytes.try_get_u32_le().ok()?;
        let (index_offset, blocks) = (bytes.try_get_u64_le().ok()?, bytes.try_get_u64_le().ok()?);
        let partition = bytes.try_get_u32_le().ok()?;
        bytes.try_get_u32_le().ok()?;
        Some(Self {
            index_crc,
            index_offset,
            blocks,
            partition,
            base: bytes.try_get_u64_le().ok()?,
            next: bytes.try_get_u64_le().ok()?,
            last_enqueued_at: Timestamp::from_micros(bytes.try_get_i64_le().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Vec<Entry> {
        let entry = |n: u64| Entry {
            offset: 8 + n * 100,
            base: n * 10,
            first_enqueued_at: Timestamp::from_secs(i64::try_from(n / 2).unwrap()),
        };
        (0..5).map(entry).collect()
    }

    fn footer() -> Footer {
        Footer {
            index_crc: crc32fast::hash(&encode(&entries())),
            index_offset: 508,
            blocks: 5,
            partition: 3,
            base: 0,
            next: 50,
            last_enqueued_at: Timestamp::from_secs(2),
        }
    }

    #[test]
    fn footers_round_trip_and_every_flip_is_seen() {
        let bytes = footer().encode();
        assert_eq!(bytes.len(), FOOTER_BYTES);
        assert_eq!(Footer::decode(&bytes), Some(footer()));
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 2;
            assert_eq!(Footer::decode(&flipped), None, "flip at {at}");
        }
    }

    #[test]
    fn indexes_round_trip_and_every_flip_is_seen() {
        let bytes = encode(&entries());
        assert_eq!(decode(&bytes, &footer()), Some(entries()));
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 2;
            assert_eq!(decode(&flipped, &footer()), None, "flip at {at}");
        }
    }

    #[test]
    fn the_block_of_a_target_is_found() {
        let entries = entries();
        let since = |secs| seek(&entries, Target::Since(Timestamp::from_secs(secs)));
        let at = |sequence| seek(&entries, Target::At(sequence));
        assert_eq!((at(0), at(9), at(10), at(49), at(400)), (0, 0, 1, 4, 4));
        // Blocks 2 and 3 begin in second 1; the end of block 1 may belong to it too.
        assert_eq!((since(-1), since(0), since(1), since(2), since(9)), (0, 0, 1, 3, 4));
    }
}
