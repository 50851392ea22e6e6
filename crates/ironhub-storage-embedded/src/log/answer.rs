//! What a read gathers, from wherever the events lie.

use bytes::Bytes;
use ironhub_hub::ports::LogRecord;
use ironhub_model::{SequenceNumber, Timestamp};

use super::run::Records;

/// Where a read starts, once "earliest" and "latest" are resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// This event, or the next one there is.
    At(u64),
    /// The first event of this instant or later.
    Since(Timestamp),
}

/// The events found so far.
#[derive(Debug)]
pub(crate) struct Answer {
    records: Vec<LogRecord>,
    target: Target,
    bytes_left: usize,
    full: bool,
}

/// Consecutive records with one time.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) base: u64,
    pub(crate) enqueued_at: Timestamp,
    pub(crate) run: Bytes,
}

impl Span {
    pub(crate) fn new(base: u64, enqueued_at: Timestamp, run: Bytes) -> Self {
        Self { base, enqueued_at, run }
    }
}

impl Target {
    /// Does the event with this place and time come at or behind the start?
    pub(crate) fn admits(self, sequence: u64, enqueued_at: Timestamp) -> bool {
        match self {
            Self::At(start) => sequence >= start,
            Self::Since(start) => enqueued_at >= start,
        }
    }

    /// Does something that ends with `next` and `last` (the last event's time) hold the start?
    pub(crate) fn lies_before_end(self, next: u64, last: Timestamp) -> bool {
        match self {
            Self::At(start) => start < next,
            Self::Since(start) => start <= last,
        }
    }
}

impl Answer {
    pub(crate) fn new(target: Target, bytes_max: usize) -> Self {
        Self {
            records: Vec::new(),
            target,
            bytes_left: bytes_max,
            full: false,
        }
    }

    /// Takes what belongs to the answer; `false` when the answer is complete.
    pub(crate) fn push(&mut self, span: Span) -> bool {
        for (sequence, event) in (span.base..).zip(Records::new(span.run)) {
            if self.full {
                break;
            }
            if self.target.admits(sequence, span.enqueued_at) {
                self.push_record(sequence, span.enqueued_at, event);
            }
        }
        !self.full
    }

    fn push_record(&mut self, sequence: u64, enqueued_at: Timestamp, event: Bytes) {
        // The first event goes through whatever its size: a reader must get on.
        if event.len() > self.bytes_left && !self.records.is_empty() {
            self.full = true;
            return;
        }
        self.bytes_left = self.bytes_left.saturating_sub(event.len());
        self.full = self.bytes_left == 0;
        self.records.push(LogRecord {
            sequence: SequenceNumber(sequence),
            enqueued_at,
            event,
        });
    }

    pub(crate) fn target(&self) -> Target {
        self.target
    }

    /// About how many bytes are still wanted.
    pub(crate) fn bytes_left(&self) -> usize {
        self.bytes_left
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(crate) fn into_records(self) -> Vec<LogRecord> {
        self.records
    }
}
