//! Where submitted events wait for their commit, already in the form in which they will be written.
//!
//! Batches close at their limits and are taken in order, so tickets become durable in the order of submission and one
//! number says which have.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;

use ironhub_hub::ports::{Completion, SubmitError, Watermark};
use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;

use super::limits::{BATCH_BYTES_MAX, BATCH_RECORDS_MAX, EVENT_BYTES_MAX, INBOX_BYTES_MAX, INBOX_RECORDS_MAX};
use super::run::{self, RECORD_HEADER_BYTES};

/// The inbox of one shard.
#[derive(Debug)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    filled: Condvar,
    room: Notify,
    watermark: Arc<Watermark>,
    slots: usize,
}

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact or a wish of its own")]
struct State {
    queue: VecDeque<Batch>,
    /// Submitted and not yet durable, the batch in the committer's hands included.
    records: u32,
    bytes: usize,
    last_ticket: u64,
    closed: bool,
    /// Someone was told that the inbox is full.
    refused: bool,
    /// The committer sleeps.
    idle: bool,
    /// The shard's journal shall be sealed although it is not full.
    wants_roll: bool,
}

/// What one commit makes durable.
#[derive(Debug)]
pub(crate) struct Batch {
    /// One run per partition of the shard, in the order of the shard's partitions.
    pub(crate) runs: Vec<OpenRun>,
    pub(crate) records: u32,
    pub(crate) bytes: usize,
    pub(crate) last_ticket: u64,
}

/// A run that grows.
#[derive(Debug, Default)]
pub(crate) struct OpenRun {
    pub(crate) bytes: Vec<u8>,
    pub(crate) count: u32,
}

impl Inbox {
    /// An inbox for so many partitions.
    pub(crate) fn new(slots: usize) -> Self {
        Self {
            state: Mutex::default(),
            filled: Condvar::new(),
            room: Notify::new(),
            watermark: Watermark::new(),
            slots,
        }
    }

    pub(crate) fn watermark(&self) -> &Arc<Watermark> {
        &self.watermark
    }

    /// Copies an event into the open batch. `slot` is the partition's place in the shard.
    pub(crate) fn submit(&self, slot: usize, event: &[u8]) -> Result<Completion, SubmitError> {
        if event.len() > EVENT_BYTES_MAX {
            return Err(SubmitError::TooLarge { bytes: event.len() });
        }
        let mut state = self.state.lock();
        if state.closed {
            return Err(SubmitError::Stopped);
        }
        if !state.has_room() {
            state.refused = true;
            return Err(SubmitError::Full);
        }
        let ticket = state.push(slot, event, self.slots);
        let wake = std::mem::take(&mut state.idle);
        drop(state);
        if wake {
            self.filled.notify_one();
        }
        Ok(self.watermark.completion(ticket))
    }

    /// Resolves when the largest event would be taken.
    pub(crate) async fn ready(&self) -> Result<(), SubmitError> {
        loop {
            let mut room = pin!(self.room.notified());
            room.as_mut().enable();
            {
                let mut state = self.state.lock();
                if state.closed {
                    return Err(SubmitError::Stopped);
                }
                if state.has_room() {
                    return Ok(());
                }
                state.refused = true;
            }
            room.await;
        }
    }

    /// The oldest batch, if there is one.
    pub(crate) fn take(&self) -> Option<Batch> {
        self.state.lock().queue.pop_front()
    }

    /// Has the committer go on to a fresh segment, also when no more events come.
    pub(crate) fn ask_to_roll(&self) {
        self.state.lock().wants_roll = true;
        self.filled.notify_one();
    }

    /// Was the committer asked to go on to a fresh segment? Says so once.
    pub(crate) fn take_wish_to_roll(&self) -> bool {
        std::mem::take(&mut self.state.lock().wants_roll)
    }

    /// Sleeps until there is a batch or a wish to roll; `false` when the inbox is closed and empty.
    pub(crate) fn wait(&self) -> bool {
        let mut state = self.state.lock();
        while state.queue.is_empty() && !state.wants_roll {
            if state.closed {
                return false;
            }
            state.idle = true;
            self.filled.wait(&mut state);
        }
        state.idle = false;
        true
    }

    /// A batch is durable: makes room. Its submitters hear of it from the [announcer](super::announcer).
    pub(crate) fn complete(&self, records: u32, bytes: usize, last_ticket: u64) {
        self.watermark.raise(last_ticket);
        let mut state = self.state.lock();
        state.records = state.records.saturating_sub(records);
        state.bytes = state.bytes.saturating_sub(bytes);
        let tell = state.refused && state.has_room();
        if tell {
            state.refused = false;
        }
        drop(state);
        if tell {
            self.room.notify_waiters();
        }
    }

    /// Takes no more; what is inside may still be committed.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.filled.notify_all();
        self.room.notify_waiters();
    }

    /// Records submitted and not yet durable.
    pub(crate) fn records(&self) -> u32 {
        self.state.lock().records
    }
}

impl State {
    /// The same for every size of event, so that who waited for room is not refused again.
    fn has_room(&self) -> bool {
        self.records < INBOX_RECORDS_MAX && self.bytes + cost(EVENT_BYTES_MAX) <= INBOX_BYTES_MAX
    }

    fn push(&mut self, slot: usize, event: &[u8], slots: usize) -> u64 {
        let bytes = cost(event.len());
        self.records += 1;
        self.bytes += bytes;
        self.last_ticket += 1;
        if self.queue.back().is_none_or(|batch| !batch.has_room(bytes)) {
            self.queue.push_back(Batch::new(slots));
        }
        if let Some(batch) = self.queue.back_mut() {
            batch.push(slot, event, self.last_ticket);
        }
        self.last_ticket
    }
}

impl Batch {
    fn new(slots: usize) -> Self {
        Self {
            runs: std::iter::repeat_with(OpenRun::default).take(slots).collect(),
            records: 0,
            bytes: 0,
            last_ticket: 0,
        }
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.records < BATCH_RECORDS_MAX && self.bytes + bytes <= BATCH_BYTES_MAX
    }

    fn push(&mut self, slot: usize, event: &[u8], ticket: u64) {
        if let Some(run) = self.runs.get_mut(slot) {
            run::push_record(&mut run.bytes, event);
            run.count += 1;
        }
        self.records += 1;
        self.bytes += cost(event.len());
        self.last_ticket = ticket;
    }
}

fn cost(event_bytes: usize) -> usize {
    RECORD_HEADER_BYTES + event_bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_close_at_their_limits_and_keep_the_order() {
        let inbox = Inbox::new(2);
        for ticket in 1..=u64::from(BATCH_RECORDS_MAX) + 1 {
            assert_eq!(inbox.submit(1, b"x").unwrap().ticket(), ticket);
        }
        let first = inbox.take().unwrap();
        assert_eq!((first.records, first.last_ticket), (BATCH_RECORDS_MAX, 2048));
        assert_eq!((first.runs[0].count, first.runs[1].count), (0, BATCH_RECORDS_MAX));
        assert_eq!(inbox.take().unwrap().last_ticket, 2049);
        assert!(inbox.take().is_none());
    }

    #[test]
    fn bytes_close_a_batch_too() {
        let inbox = Inbox::new(1);
        for _ in 0..5 {
            inbox.submit(0, &vec![0; EVENT_BYTES_MAX]).unwrap();
        }
        assert_eq!(inbox.take().unwrap().records, 3);
        assert_eq!(inbox.take().unwrap().records, 2);
    }

    #[tokio::test]
    async fn full_is_said_and_room_wakes() {
        let inbox = Arc::new(Inbox::new(1));
        let event = vec![0; EVENT_BYTES_MAX];
        let mut taken = 0;
        while inbox.submit(0, &event).is_ok() {
            taken += 1;
        }
        assert_eq!(taken, 31, "32 MiB of 1 MiB events and their headers");
        assert_eq!(inbox.submit(0, b"small").err(), Some(SubmitError::Full));
        let waiting = tokio::spawn({
            let inbox = Arc::clone(&inbox);
            async move { inbox.ready().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        let batch = inbox.take().unwrap();
        inbox.complete(batch.records, batch.bytes, batch.last_ticket);
        assert_eq!(waiting.await.unwrap(), Ok(()));
        assert!(inbox.submit(0, &event).is_ok());
        inbox.close();
        assert_eq!(inbox.ready().await, Err(SubmitError::Stopped));
        let large = vec![0; EVENT_BYTES_MAX + 1];
        assert!(matches!(inbox.submit(0, &large), Err(SubmitError::TooLarge { .. })));
    }
}
