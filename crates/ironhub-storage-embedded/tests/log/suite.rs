//! What a log promises of sequences, order, starts, sizes, times and waiting; with a clock that the cases move.

mod reads;
mod writes;

use ironhub_hub::ports::{Completion, EventLog, LogRecord, Start, SubmitError};
use ironhub_model::{PartitionId, SequenceNumber};

use ironhub_testkit::FakeClock;

/// Runs the whole contract. `make` gives a fresh log of at least two partitions, on this clock, each time.
pub(crate) async fn event_log<L: EventLog>(make: impl AsyncFn(FakeClock) -> L) {
    let clock = FakeClock::default();
    writes::an_empty_log_says_so(&make(clock.clone()).await).await;
    writes::sequences_are_contiguous(&make(clock.clone()).await, &clock).await;
    writes::unknown_partitions_are_refused(&make(clock.clone()).await).await;
    writes::many_producers_keep_their_order(make(clock.clone()).await).await;
    reads::starts(&make(clock.clone()).await, &clock).await;
    reads::sizes(&make(clock.clone()).await).await;
    reads::time_never_goes_back(&make(clock.clone()).await, &clock).await;
    reads::waiting(make(clock.clone()).await).await;
}

const P0: PartitionId = PartitionId(0);
const P1: PartitionId = PartitionId(1);

/// Submits, waiting for room.
async fn submit<L: EventLog>(log: &L, partition: PartitionId, event: &[u8]) -> Completion {
    loop {
        match log.submit(partition, event) {
            Ok(completion) => return completion,
            Err(SubmitError::Full) => log.ready().await.unwrap(),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Submits and waits until it is durable.
async fn append<L: EventLog>(log: &L, partition: PartitionId, event: &[u8]) {
    submit(log, partition, event).await.durable().await.unwrap();
}

/// All of a partition; a read may answer with less than there is.
async fn read_all<L: EventLog>(log: &L, partition: PartitionId) -> Vec<LogRecord> {
    let mut records = Vec::new();
    loop {
        let start = Start::At(SequenceNumber(records.len() as u64));
        let more = log.read(partition, start, 64 * 1024).await.unwrap();
        if more.is_empty() {
            return records;
        }
        records.extend(more);
    }
}

fn sequences(records: &[LogRecord]) -> Vec<u64> {
    records.iter().map(|record| record.sequence.0).collect()
}
