//! Runs: the records of one partition that lie one behind the other, in journals, in sealed blocks and in memory.
//!
//! A record is its length (`u32`, little-endian like every number here) and its bytes.

use bytes::{Buf, Bytes};

/// What a record costs besides its bytes.
pub(crate) const RECORD_HEADER_BYTES: usize = 4;

/// Appends a record. The caller has checked its length against the limit.
pub(crate) fn push_record(run: &mut Vec<u8>, event: &[u8]) {
    put_len(run, event.len());
    run.extend_from_slice(event);
}

/// Appends a length that some limit keeps far below 4 GiB.
pub(crate) fn put_len(buffer: &mut Vec<u8>, len: usize) {
    debug_assert!(u32::try_from(len).is_ok(), "a limit does not hold");
    buffer.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
}

/// The records of a run, without copying. Ends early where the run is malformed.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    rest: Bytes,
}

impl Records {
    pub(crate) fn new(run: Bytes) -> Self {
        Self { rest: run }
    }
}

impl Iterator for Records {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut header = self.rest.get(..RECORD_HEADER_BYTES)?;
        let len = usize::try_from(header.try_get_u32_le().ok()?).ok()?;
        let end = RECORD_HEADER_BYTES.checked_add(len)?;
        if end > self.rest.len() {
            return None;
        }
        let record = self.rest.split_to(end);
        Some(record.slice(RECORD_HEADER_BYTES..))
    }
}

/// Is the run exactly `count` records?
pub(crate) fn is_whole(run: &Bytes, count: u32) -> bool {
    let mut records = Records::new(run.clone());
    let found = records.by_ref().count();
    records.rest.is_empty() && usize::try_from(count) == Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_round_trip_and_survive_truncation() {
        let mut run = Vec::new();
        let events: [&[u8]; 4] = [b"a", b"", b"ccc", &[7; 300]];
        for event in events {
            push_record(&mut run, event);
        }
        let run = Bytes::from(run);
        assert!(is_whole(&run, 4));
        assert!(!is_whole(&run, 3));
        assert_eq!(Records::new(run.clone()).collect::<Vec<_>>(), events);
        for cut in 0..run.len() {
            assert!(!is_whole(&run.slice(..cut), 4), "cut at {cut}");
        }
    }
}
