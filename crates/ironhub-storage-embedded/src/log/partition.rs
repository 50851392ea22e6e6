//! What is known of a partition without touching the disk: its bounds and its newest events.

use ironhub_hub::ports::{Bounds, LogRecord, Start};
use ironhub_model::{SequenceNumber, Timestamp};
use parking_lot::RwLock;
use tokio::sync::watch;

use super::answer::{Answer, Span, Target};
use super::tail::Tail;

#[derive(Debug)]
pub(crate) struct Partition {
    state: RwLock<State>,
    next: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    first: u64,
    next: u64,
    last_enqueued_at: Timestamp,
    tail: Tail,
}

/// Where a partition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// The oldest event there is.
    pub(crate) first: u64,
    /// What the next event gets.
    pub(crate) next: u64,
    /// When the last event was committed.
    pub(crate) last_enqueued_at: Timestamp,
}

/// A read's outcome as far as memory goes.
#[derive(Debug)]
pub(crate) enum FromMemory {
    /// The answer.
    Found(Vec<LogRecord>),
    /// The answer is on disk.
    OnDisk(Target),
}

impl Partition {
    pub(crate) fn new(at: Position, tail_bytes: usize) -> Self {
        Self {
            state: RwLock::new(State {
                first: at.first,
                next: at.next,
                last_enqueued_at: at.last_enqueued_at,
                tail: Tail::new(tail_bytes),
            }),
            next: watch::Sender::new(at.next),
        }
    }

    /// Adds what has become durable. Readers see it from here on; [`Partition::wake_reached`] tells them.
    pub(crate) fn append(&self, span: Span, count: u32) {
        let mut state = self.state.write();
        state.next = span.base + u64::from(count);
        state.last_enqueued_at = span.enqueued_at;
        state.tail.push(span, count);
    }

    /// Wakes whoever waits for events, if there are new ones.
    pub(crate) fn wake_reached(&self) {
        let next = self.state.read().next;
        self.next.send_if_modified(|told| std::mem::replace(told, next) != next);
    }

    /// Wakes whoever waits for events: the log has ended.
    pub(crate) fn wake_all(&self) {
        self.next.send_replace(self.state.read().next);
    }

    /// A receiver of each new `next`.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.next.subscribe()
    }

    pub(crate) fn position(&self) -> Position {
        let state = self.state.read();
        Position {
            first: state.first,
            next: state.next,
            last_enqueued_at: state.last_enqueued_at,
        }
    }

    pub(crate) fn bounds(&self) -> Bounds {
        let at = self.position();
        Bounds {
            first: SequenceNumber(at.first),
            next: SequenceNumber(at.next),
            last_enqueued_at: at.last_enqueued_at,
        }
    }

    /// Retention has taken everything before `first`.
    pub(crate) fn trim(&self, first: u64) {
        let mut state = self.state.write();
        state.first = state.first.max(first);
    }

    /// Answers a read if memory can.
    pub(crate) fn read(&self, from: Start, bytes_max: usize) -> FromMemory {
        let state = self.state.read();
        let target = match from {
            Start::Latest => return FromMemory::Found(Vec::new()),
            Start::Earliest => Target::At(state.first),
            Start::At(SequenceNumber(sequence)) => Target::At(sequence.max(state.first)),
            Start::Since(time) => Target::Since(time),
        };
        let nothing_there = state.first == state.next || !target.lies_before_end(state.next, state.last_enqueued_at);
        if nothing_there {
            return FromMemory::Found(Vec::new());
        }
        if !state.tail.holds(target, state.first) {
            return FromMemory::OnDisk(target);
        }
        let mut answer = Answer::new(target, bytes_max);
        state.tail.read(&mut answer);
        FromMemory::Found(answer.into_records())
    }
}
