//! The contract of [`EventLog`]. Retention and recovery are each adapter's own to test.

use std::pin::pin;
use std::sync::Arc;

use ironhub_hub::ports::{Bounds, Completion, EventLog, LogError, LogRecord, Start, SubmitError};
use ironhub_model::{PartitionId, SequenceNumber, Timestamp};

use super::is_over;

/// Partitions of the logs under test.
const PARTITIONS: u32 = 3;
const FIRST: PartitionId = PartitionId(0);
/// More than any case writes.
const EVERYTHING: usize = 64 * 1024 * 1024;

/// Runs the whole contract. `make` gives an empty log with so many partitions, which keeps everything, each time.
pub async fn event_log<L: EventLog>(make: impl AsyncFn(u32) -> L) {
    starts_empty(&make(PARTITIONS).await).await;
    partitions_count_by_themselves(&make(PARTITIONS).await).await;
    durable_is_readable(&make(PARTITIONS).await).await;
    starts_where_it_is_told(&make(PARTITIONS).await).await;
    reads_are_bounded(&make(PARTITIONS).await).await;
    bytes_are_kept(&make(PARTITIONS).await).await;
    waiting_ends_with_the_event(&make(PARTITIONS).await).await;
    unknown_partitions_are_named(&make(PARTITIONS).await).await;
    submitters_keep_their_order(make(PARTITIONS).await).await;
}

async fn starts_empty(log: &impl EventLog) {
    assert_eq!(log.partitions(), PARTITIONS);
    for partition in (0..PARTITIONS).map(PartitionId) {
        let empty = Bounds {
            first: SequenceNumber(0),
            next: SequenceNumber(0),
            last_enqueued_at: Timestamp::NEVER,
        };
        assert_eq!(log.bounds(partition), Ok(empty));
        for start in [
            Start::Earliest,
            Start::Latest,
            Start::At(SequenceNumber(7)),
            Start::Since(Timestamp::NEVER),
        ] {
            assert_eq!(log.read(partition, start, EVERYTHING).await, Ok(vec![]), "{start:?}");
        }
    }
}

async fn partitions_count_by_themselves(log: &impl EventLog) {
    for n in 0..100 {
        for partition in (0..PARTITIONS).map(PartitionId) {
            write(log, partition, &format!("{partition}:{n}")).await;
        }
    }
    for partition in (0..PARTITIONS).map(PartitionId) {
        let records = log.read(partition, Start::Earliest, EVERYTHING).await.unwrap();
        let expected: Vec<_> = (0..100).map(|n| (n, format!("{partition}:{n}"))).collect();
        assert_eq!(
            numbered(&records),
            expected,
            "contiguous from 0, in the order of submission"
        );
        assert!(
            records.is_sorted_by_key(|record| record.enqueued_at),
            "time never goes back"
        );
        let bounds = Bounds {
            first: SequenceNumber(0),
            next: SequenceNumber(100),
            last_enqueued_at: records[99].enqueued_at,
        };
        assert_eq!(log.bounds(partition), Ok(bounds));
    }
}

async fn durable_is_readable(log: &impl EventLog) {
    for n in 0..50 {
        let completion = write(log, FIRST, &n.to_string()).await;
        assert!(completion.is_durable());
        let at = Start::At(SequenceNumber(n));
        assert_eq!(
            numbered(&log.read(FIRST, at, EVERYTHING).await.unwrap()),
            [(n, n.to_string())]
        );
        assert_eq!(log.bounds(FIRST).unwrap().next, SequenceNumber(n + 1));
    }
}

async fn starts_where_it_is_told(log: &impl EventLog) {
    for n in 0..10 {
        write(log, FIRST, &n.to_string()).await;
    }
    let all = log.read(FIRST, Start::Earliest, EVERYTHING).await.unwrap();
    let read = async |start| log.read(FIRST, start, EVERYTHING).await.unwrap();
    assert_eq!(read(Start::At(SequenceNumber(0))).await, all);
    assert_eq!(read(Start::At(SequenceNumber(6))).await, all[6..]);
    assert_eq!(read(Start::At(SequenceNumber(10))).await, []);
    assert_eq!(read(Start::At(SequenceNumber(u64::MAX))).await, []);
    assert_eq!(read(Start::Latest).await, [], "only what is still to come");
    assert_eq!(read(Start::Since(Timestamp::NEVER)).await, all);
    assert_eq!(read(Start::Since(Timestamp::MAX)).await, []);
    for record in &all {
        let expected: Vec<_> = all
            .iter()
            .filter(|other| other.enqueued_at >= record.enqueued_at)
            .cloned()
            .collect();
        assert_eq!(
            read(Start::Since(record.enqueued_at)).await,
            expected,
            "from the first at this instant"
        );
    }
}

async fn reads_are_bounded(log: &impl EventLog) {
    const EVENT_BYTES: usize = 1000;
    for _ in 0..200 {
        write(log, FIRST, &"x".repeat(EVENT_BYTES)).await;
    }
    let read = async |bytes_max| log.read(FIRST, Start::Earliest, bytes_max).await.unwrap().len();
    assert_eq!(read(0).await, 1, "one at least, or nobody would get on");
    assert_eq!(read(1).await, 1);
    let some = read(20 * EVENT_BYTES).await;
    assert!((10..=40).contains(&some), "about as much as was asked for: {some}");
    assert_eq!(read(EVERYTHING).await, 200);
}

async fn bytes_are_kept(log: &impl EventLog) {
    let lengths = [1, 300, 4096, 65_536, 256 * 1024 + 4096];
    for length in lengths {
        let event: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
        submit(log, FIRST, &event).await.durable().await.unwrap();
    }
    let records = log.read(FIRST, Start::Earliest, EVERYTHING).await.unwrap();
    assert_eq!(records.len(), lengths.len());
    for (record, length) in records.iter().zip(lengths) {
        let event: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
        assert!(record.event == event, "an event of {length} bytes");
    }
}

async fn waiting_ends_with_the_event(log: &impl EventLog) {
    let mut first = pin!(log.wait(FIRST, SequenceNumber(0)));
    let mut second = pin!(log.wait(FIRST, SequenceNumber(1)));
    assert!(!is_over(first.as_mut()).await);
    assert!(!is_over(second.as_mut()).await);
    write(log, PartitionId(1), "elsewhere").await;
    assert!(!is_over(first.as_mut()).await, "each partition for itself");
    assert!(!is_over(second.as_mut()).await);
    write(log, FIRST, "0").await;
    first.await.unwrap();
    write(log, FIRST, "1").await;
    second.await.unwrap();
    log.wait(FIRST, SequenceNumber(0)).await.unwrap();
}

async fn unknown_partitions_are_named(log: &impl EventLog) {
    let unknown = PartitionId(PARTITIONS);
    let error = LogError::NoPartition(unknown);
    assert_eq!(log.bounds(unknown), Err(error.clone()));
    assert_eq!(log.read(unknown, Start::Earliest, 1).await, Err(error.clone()));
    assert_eq!(log.wait(unknown, SequenceNumber(0)).await, Err(error));
    assert_eq!(log.submit(unknown, b"x").err(), Some(SubmitError::NoPartition(unknown)));
}

/// Many submit at once, none waits for its own event before the next: each finds its events in its own order.
async fn submitters_keep_their_order<L: EventLog>(log: L) {
    const TASKS: usize = 16;
    const EVENTS: usize = 200;
    let log = Arc::new(log);
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let mut last = None;
                for n in 0..EVENTS {
                    last = Some(submit(&*log, FIRST, format!("{task} {n}").as_bytes()).await);
                }
                last.unwrap().durable().await.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let records = numbered(&log.read(FIRST, Start::Earliest, EVERYTHING).await.unwrap());
    let mut next = [0; TASKS];
    for (at, (sequence, event)) in records.iter().enumerate() {
        assert_eq!(*sequence, at as u64);
        let (task, n) = event.split_once(' ').unwrap();
        let task: usize = task.parse().unwrap();
        assert_eq!(n, next[task].to_string(), "of task {task}");
        next[task] += 1;
    }
    assert_eq!(next, [EVENTS; TASKS]);
}

/// Submits, and waits for room as often as there is none.
async fn submit(log: &impl EventLog, partition: PartitionId, event: &[u8]) -> Completion {
    loop {
        match log.submit(partition, event) {
            Ok(completion) => return completion,
            Err(SubmitError::Full) => log.ready().await.unwrap(),
            Err(error) => panic!("the log takes events: {error}"),
        }
    }
}

/// Submits, and waits until it is durable.
async fn write(log: &impl EventLog, partition: PartitionId, event: &str) -> Completion {
    let completion = submit(log, partition, event.as_bytes()).await;
    completion.durable().await.unwrap();
    completion
}

fn numbered(records: &[LogRecord]) -> Vec<(u64, String)> {
    let text = |record: &LogRecord| String::from_utf8(record.event.to_vec()).unwrap();
    records.iter().map(|record| (record.sequence.0, text(record))).collect()
}
