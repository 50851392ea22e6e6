//! What reading and waiting promise.

use std::sync::Arc;
use std::time::Duration;

use ironhub_hub::ports::{EventLog, Start};
use ironhub_model::{SequenceNumber, Timestamp};

use super::{P0, P1, append, read_all, sequences};
use ironhub_testkit::FakeClock;

/// Five events, ten seconds apart.
async fn fill<L: EventLog>(log: &L, clock: &FakeClock) -> Vec<Timestamp> {
    for number in 0..5_u8 {
        clock.advance(Duration::from_secs(10));
        append(log, P0, &[number; 100]).await;
    }
    let records = read_all(log, P0).await;
    assert_eq!(records.len(), 5);
    records.iter().map(|record| record.enqueued_at).collect()
}

async fn check<L: EventLog>(log: &L, start: Start, expected: &[u64]) {
    let records = log.read(P0, start, 100_000).await.unwrap();
    assert_eq!(sequences(&records), expected, "{start:?}");
}

pub(super) async fn starts<L: EventLog>(log: &L, clock: &FakeClock) {
    let times = fill(log, clock).await;
    let near = |time: Timestamp, micros: i64| Start::Since(Timestamp::from_micros(time.as_micros() + micros));
    check(log, Start::Earliest, &[0, 1, 2, 3, 4]).await;
    check(log, Start::At(SequenceNumber(3)), &[3, 4]).await;
    check(log, Start::At(SequenceNumber(5)), &[]).await;
    check(log, Start::At(SequenceNumber(99)), &[]).await;
    check(log, Start::Latest, &[]).await;
    check(log, Start::Since(Timestamp::UNIX_EPOCH), &[0, 1, 2, 3, 4]).await;
    check(log, near(times[2], -1), &[2, 3, 4]).await;
    check(log, near(times[2], 0), &[2, 3, 4]).await;
    check(log, near(times[2], 1), &[3, 4]).await;
    check(log, near(times[4], 1), &[]).await;
    check(log, Start::Since(Timestamp::MAX), &[]).await;
}

pub(super) async fn sizes<L: EventLog>(log: &L) {
    let large = vec![7; 256 * 1024];
    append(log, P0, &large).await;
    append(log, P0, &[]).await;
    append(log, P0, &large).await;
    let first = log.read(P0, Start::Earliest, 1).await.unwrap();
    assert_eq!(sequences(&first)[0], 0, "one event, however large");
    assert_eq!(first[0].event, large);
    let records = read_all(log, P0).await;
    let lens: Vec<usize> = records.iter().map(|record| record.event.len()).collect();
    assert_eq!(lens, [large.len(), 0, large.len()]);
}

pub(super) async fn time_never_goes_back<L: EventLog>(log: &L, clock: &FakeClock) {
    let times = fill(log, clock).await;
    clock.set(Timestamp::from_micros(times[0].as_micros() - 1_000_000));
    append(log, P0, b"later").await;
    let bounds = log.bounds(P0).unwrap();
    assert!(bounds.last_enqueued_at >= times[4]);
    check(
        log,
        Start::Since(Timestamp::from_micros(times[3].as_micros() + 1)),
        &[4, 5],
    )
    .await;
}

pub(super) async fn waiting<L: EventLog>(log: L) {
    let log = Arc::new(log);
    append(&*log, P1, b"0").await;
    log.wait(P1, SequenceNumber(0)).await.unwrap();
    let waiting = tokio::spawn({
        let log = Arc::clone(&log);
        async move {
            log.wait(P1, SequenceNumber(1)).await.unwrap();
            log.read(P1, Start::At(SequenceNumber(1)), 1000).await.unwrap()
        }
    });
    append(&*log, P0, b"of another partition").await;
    assert!(!waiting.is_finished());
    append(&*log, P1, b"1").await;
    assert_eq!(waiting.await.unwrap()[0].event.as_ref(), b"1");
}
