//! Sealed blocks: consecutive events of one partition, compressed, with a checksum.
//!
//! ```text
//! header, 40 bytes: magic "IHB1" · crc32 of all that follows · base sequence (8) · first enqueued at, µs (8)
//!                   · records (4) · length unpacked (4) · length stored (4) · codec (4): 0 as it is, 1 LZ4 block
//! unpacked, per span: enqueued at, µs (8) · records (4) · length of the run (4) · run
//! ```

use bytes::{Buf, BufMut, Bytes};
use ironhub_model::Timestamp;

use super::answer::Span;
use super::limits::{BLOCK_BYTES_MAX, BLOCK_RAW_BYTES_MAX};
use super::run::{self, RECORD_HEADER_BYTES};

/// Length of a block's header.
pub(crate) const BLOCK_HEADER_BYTES: usize = 40;

const MAGIC: [u8; 4] = *b"IHB1";
const CRC_END: usize = 8;
const SPAN_HEADER_BYTES: usize = 16;
const CODEC_PLAIN: u32 = 0;
const CODEC_LZ4: u32 = 1;

/// Gathers events until they make a block.
#[derive(Debug, Default)]
pub(crate) struct BlockBuilder {
    raw: Vec<u8>,
    /// The span that grows: its time, and where its header is.
    open: Option<(Timestamp, usize)>,
    open_count: u32,
    base: u64,
    first_enqueued_at: Option<Timestamp>,
    count: u32,
}

/// A finished block.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) base: u64,
    pub(crate) first_enqueued_at: Timestamp,
    pub(crate) bytes: Vec<u8>,
}

impl BlockBuilder {
    /// Would this event still fit? The first always does.
    pub(crate) fn has_room(&self, event_bytes: usize) -> bool {
        self.count == 0 || self.raw.len() + SPAN_HEADER_BYTES + RECORD_HEADER_BYTES + event_bytes <= BLOCK_BYTES_MAX
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds the next event.
    pub(crate) fn push(&mut self, sequence: u64, enqueued_at: Timestamp, event: &[u8]) {
        if self.count == 0 {
            self.base = sequence;
            self.first_enqueued_at = Some(enqueued_at);
        }
        if self.open.is_none_or(|(time, _)| time != enqueued_at) {
            self.close_span();
            self.open = Some((enqueued_at, self.raw.len()));
            self.raw.put_i64_le(enqueued_at.as_micros());
            self.raw.put_u64_le(0);
        }
        run::push_record(&mut self.raw, event);
        self.open_count += 1;
        self.count += 1;
    }

    /// Writes the counts of the span that grew.
    fn close_span(&mut self) {
        let Some((_, start)) = self.open.take() else { return };
        let run_len = self.raw.len() - start - SPAN_HEADER_BYTES;
        let mut counts = Vec::with_capacity(8);
        counts.put_u32_le(std::mem::take(&mut self.open_count));
        run::put_len(&mut counts, run_len);
        if let Some(place) = self.raw.get_mut(start + 8..start + SPAN_HEADER_BYTES) {
            place.copy_from_slice(&counts);
        }
    }

    /// Compresses what was gathered and starts anew.
    pub(crate) fn finish(&mut self) -> Block {
        self.close_span();
        let raw = std::mem::take(&mut self.raw);
        let packed = lz4_flex::block::compress(&raw);
        let (codec, stored) = if packed.len() < raw.len() {
            (CODEC_LZ4, &packed)
        } else {
            (CODEC_PLAIN, &raw)
        };
        let first_enqueued_at = self.first_enqueued_at.unwrap_or(Timestamp::UNIX_EPOCH);
        let mut fields = Vec::with_capacity(BLOCK_HEADER_BYTES - CRC_END);
        fields.put_u64_le(self.base);
        fields.put_i64_le(first_enqueued_at.as_micros());
        fields.put_u32_le(self.count);
        run::put_len(&mut fields, raw.len());
        run::put_len(&mut fields, stored.len());
        fields.put_u32_le(codec);
        let mut bytes = Vec::with_capacity(BLOCK_HEADER_BYTES + stored.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.put_u32_le(checksum(&fields, stored));
        bytes.extend_from_slice(&fields);
        bytes.extend_from_slice(stored);
        let base = self.base;
        *self = Self {
            raw: Vec::with_capacity(BLOCK_BYTES_MAX),
            ..Self::default()
        };
        Block {
            base,
            first_enqueued_at,
            bytes,
        }
    }
}

/// Checks and unpacks a block that should begin with `base`; `None` when anything is not as it was written.
pub(crate) fn decode(bytes: &[u8], base: u64) -> Option<Vec<Span>> {
    let mut crc = bytes.get(..CRC_END)?.strip_prefix(&MAGIC)?;
    let (mut fields, stored) = bytes.get(CRC_END..)?.split_at_checked(BLOCK_HEADER_BYTES - CRC_END)?;
    if crc.try_get_u32_le().ok()? != checksum(fields, stored) || fields.try_get_u64_le().ok()? != base {
        return None;
    }
    fields.try_get_i64_le().ok()?;
    let count = fields.try_get_u32_le().ok()?;
    let raw_len = usize::try_from(fields.try_get_u32_le().ok()?).ok()?;
    let stored_len = usize::try_from(fields.try_get_u32_le().ok()?).ok()?;
    if raw_len > BLOCK_RAW_BYTES_MAX || stored_len != stored.len() {
        return None;
    }
    let raw = match fields.try_get_u32_le().ok()? {
        CODEC_PLAIN => Bytes::copy_from_slice(stored),
        CODEC_LZ4 => Bytes::from(lz4_flex::block::decompress(stored, raw_len).ok()?),
        _ => return None,
    };
    let spans = (raw.len() == raw_len).then(|| spans(raw, base))??;
    (spans.1 == base + u64::from(count)).then_some(spans.0)
}

/// The spans and the sequence number behind them.
fn spans(mut raw: Bytes, base: u64) -> Option<(Vec<Span>, u64)> {
    let mut spans = Vec::new();
    let mut next = base;
    while !raw.is_empty() {
        let enqueued_at = Timestamp::from_micros(raw.try_get_i64_le().ok()?);
        let count = raw.try_get_u32_le().ok()?;
        let run_len = usize::try_from(raw.try_get_u32_le().ok()?).ok()?;
        if run_len > raw.len() {
            return None;
        }
        let run = raw.split_to(run_len);
        if !run::is_whole(&run, count) {
            return None;
        }
        spans.push(Span::new(next, enqueued_at, run));
        next += u64::from(count);
    }
    Some((spans, next))
}

fn checksum(fields: &[u8], stored: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(fields);
    crc.update(stored);
    crc.finalize()
}

#[cfg(test)]
mod tests {
    use super::super::run::Records;
    use super::*;

    #[track_caller]
    fn check(events: &[Vec<u8>]) -> Vec<u8> {
        let mut builder = BlockBuilder::default();
        for (sequence, event) in (40..).zip(events) {
            assert!(builder.has_room(event.len()));
            // Two events share each second.
            let time = Timestamp::from_secs(i64::try_from(sequence / 2).unwrap());
            builder.push(sequence, time, event);
        }
        let block = builder.finish();
        assert!(builder.is_empty());
        assert_eq!((block.base, block.first_enqueued_at), (40, Timestamp::from_secs(20)));
        let spans = decode(&block.bytes, 40).unwrap();
        let found: Vec<(u64, i64, Vec<u8>)> = spans
            .into_iter()
            .flat_map(|span| {
                (span.base..)
                    .zip(Records::new(span.run))
                    .map(move |(n, e)| (n, span.enqueued_at.as_secs(), e.to_vec()))
            })
            .collect();
        let expected: Vec<_> = (40_u64..)
            .zip(events)
            .map(|(n, e)| (n, i64::try_from(n / 2).unwrap(), e.clone()))
            .collect();
        assert_eq!(found, expected);
        block.bytes
    }

    #[test]
    fn blocks_round_trip_packed_and_plain() {
        let telemetry = |n: usize| format!("{{\"windSpeed\":{n},\"deviceId\":\"MyPythonDevice\"}}").into_bytes();
        let packed = check(&(0..200).map(telemetry).collect::<Vec<_>>());
        assert!(packed.len() < 200 * 30, "{} bytes", packed.len());
        check(&[vec![1, 2, 3]]);
        check(&[vec![0; 256 * 1024]]);
    }

    #[test]
    fn every_flip_is_seen() {
        let bytes = check(&[b"first event".to_vec(), b"second event".to_vec(), vec![7; 90]]);
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 4;
            assert!(decode(&flipped, 40).is_none(), "flip at {at}");
            assert!(decode(&bytes[..at], 40).is_none(), "cut at {at}");
        }
        assert!(decode(&bytes, 41).is_none());
    }
}
