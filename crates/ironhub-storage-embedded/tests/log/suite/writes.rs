//! What submitting promises.

use std::sync::Arc;
use std::time::Duration;

use ironhub_hub::ports::{Bounds, EventLog, LogError, Start, SubmitError};
use ironhub_model::{PartitionId, SequenceNumber, Timestamp};

use super::{P0, P1, append, read_all, sequences, submit};
use ironhub_testkit::FakeClock;

/// Tasks that submit at the same time, and events of each.
const PRODUCERS: u32 = 64;
const EVENTS: u32 = 50;

pub(super) async fn an_empty_log_says_so<L: EventLog>(log: &L) {
    assert!(log.partitions() >= 2, "the suite needs two partitions");
    let empty = Bounds {
        first: SequenceNumber(0),
        next: SequenceNumber(0),
        last_enqueued_at: Timestamp::NEVER,
    };
    assert_eq!(log.bounds(P0), Ok(empty));
    for start in [
        Start::Earliest,
        Start::Latest,
        Start::At(SequenceNumber(0)),
        Start::At(SequenceNumber(5)),
    ] {
        assert_eq!(log.read(P0, start, 1000).await, Ok(Vec::new()), "{start:?}");
    }
    assert_eq!(log.read(P0, Start::Since(Timestamp::NEVER), 1000).await, Ok(Vec::new()));
}

pub(super) async fn sequences_are_contiguous<L: EventLog>(log: &L, clock: &FakeClock) {
    let mut completions = Vec::new();
    for number in 0..10_u8 {
        clock.advance(Duration::from_secs(1));
        completions.push(submit(log, P0, &[number]).await);
        if number.is_multiple_of(2) {
            completions.push(submit(log, P1, &[number]).await);
        }
    }
    for completion in &completions {
        completion.durable().await.unwrap();
        assert!(completion.is_durable());
    }
    let (zero, one) = (read_all(log, P0).await, read_all(log, P1).await);
    assert_eq!(sequences(&zero), (0..10).collect::<Vec<_>>());
    assert_eq!(sequences(&one), (0..5).collect::<Vec<_>>());
    let events: Vec<u8> = zero.iter().map(|record| record.event[0]).collect();
    assert_eq!(events, (0..10).collect::<Vec<_>>(), "the order of submission");
    let bounds = log.bounds(P1).unwrap();
    assert_eq!((bounds.first.0, bounds.next.0), (0, 5));
    assert_eq!(bounds.last_enqueued_at, one[4].enqueued_at);
}

pub(super) async fn unknown_partitions_are_refused<L: EventLog>(log: &L) {
    let unknown = PartitionId(log.partitions());
    assert_eq!(
        log.submit(unknown, b"x").map(|_| ()),
        Err(SubmitError::NoPartition(unknown))
    );
    let refused = LogError::NoPartition(unknown);
    assert_eq!(log.bounds(unknown), Err(refused.clone()));
    assert_eq!(log.read(unknown, Start::Earliest, 1).await, Err(refused.clone()));
    assert_eq!(log.wait(unknown, SequenceNumber(0)).await, Err(refused));
}

/// Every acknowledged event is there exactly once, and each producer's in its order.
pub(super) async fn many_producers_keep_their_order<L: EventLog>(log: L) {
    let log = Arc::new(log);
    let produce = |producer: u32| {
        let log = Arc::clone(&log);
        tokio::spawn(async move {
            for number in 0..EVENTS {
                let event = [producer.to_le_bytes(), number.to_le_bytes()].concat();
                append(&*log, PartitionId(producer % 2), &event).await;
            }
        })
    };
    let producers: Vec<_> = (0..PRODUCERS).map(produce).collect();
    for producer in producers {
        producer.await.unwrap();
    }
    let mut seen = vec![0; PRODUCERS as usize];
    for partition in [P0, P1] {
        let records = read_all(&*log, partition).await;
        assert_eq!(sequences(&records), (0..records.len() as u64).collect::<Vec<_>>());
        for record in records {
            let number = |at: usize| u32::from_le_bytes(record.event[at..at + 4].try_into().unwrap());
            let (producer, number) = (number(0), number(4));
            assert_eq!(producer % 2, partition.0);
            assert_eq!(seen[producer as usize], number, "producer {producer}");
            seen[producer as usize] += 1;
        }
    }
    assert_eq!(seen, vec![EVENTS; PRODUCERS as usize]);
}
