//! Append, read, wait, bounds; over every disk there is.

use std::sync::Arc;

use ironhub_hub::ports::{Bounds, EventLog, LogError, Start, SubmitError};
use ironhub_model::{PartitionId, SequenceNumber, Timestamp};
use ironhub_storage_embedded::disk::{Disk, MemoryDisk, RealDisk};
use ironhub_storage_embedded::log::limits::{BACKGROUND_STEP_BYTES, GROWTH_STEP_BYTES};
use ironhub_storage_embedded::log::{Log, LogHealth, OpenError};

use crate::harness::{Bench, append, event, parse, read_all, submit, until};

const P0: PartitionId = PartitionId(0);
const P1: PartitionId = PartitionId(1);

async fn sequences(log: &Log, partition: PartitionId, from: Start, bytes_max: usize) -> Vec<u64> {
    let records = log.read(partition, from, bytes_max).await.unwrap();
    records.iter().map(|record| record.sequence.0).collect()
}

/// What every disk must give, on a log with small segments: some of it is sealed by the end, some not.
async fn check(bench: &Bench, disk: Arc<dyn Disk>, dir: &std::path::Path) {
    let log = Log::open(Arc::clone(&disk), dir, bench.options()).unwrap();
    let empty = Bounds {
        first: SequenceNumber(0),
        next: SequenceNumber(0),
        last_enqueued_at: Timestamp::NEVER,
    };
    assert_eq!(log.bounds(P1).unwrap(), empty);
    let mut times = Vec::new();
    for number in 0..200 {
        bench.advance_ms(10);
        times.push(bench.now());
        append(&log, 1, &event(0, number, 1000)).await;
    }
    assert_eq!(log.bounds(P0).unwrap(), empty);
    for log in [log.clone(), reopened(bench, log, &disk, dir)] {
        check_reads(&log, &times).await;
    }
}

fn reopened(bench: &Bench, log: Log, disk: &Arc<dyn Disk>, dir: &std::path::Path) -> Log {
    log.close();
    drop(log);
    Log::open(Arc::clone(disk), dir, bench.options()).unwrap()
}

async fn check_reads(log: &Log, times: &[Timestamp]) {
    let records = read_all(log, 1).await;
    assert_eq!(records.len(), 200);
    for (number, record) in records.iter().enumerate() {
        assert_eq!(parse(&record.event), (0, number));
        assert_eq!(record.enqueued_at, times[number]);
    }
    for start in [0, 1, 63, 64, 65, 150, 199] {
        let at = Start::At(SequenceNumber(start as u64));
        assert_eq!(sequences(log, P1, at, 1).await, [start as u64]);
        assert_eq!(sequences(log, P1, Start::Since(times[start]), 1).await, [start as u64]);
        let just_before = Timestamp::from_micros(times[start].as_micros() - 1);
        assert_eq!(sequences(log, P1, Start::Since(just_before), 1).await, [start as u64]);
    }
    assert_eq!(sequences(log, P1, Start::Earliest, 2500).await, [0, 1]);
    assert!(sequences(log, P1, Start::Latest, 9999).await.is_empty());
    assert!(
        sequences(log, P1, Start::At(SequenceNumber(200)), 9999)
            .await
            .is_empty()
    );
    let later = Timestamp::from_micros(times[199].as_micros() + 1);
    assert!(sequences(log, P1, Start::Since(later), 9999).await.is_empty());
    assert_eq!(log.bounds(P1).unwrap().last_enqueued_at, times[199]);
    assert!(matches!(
        log.read(PartitionId(2), Start::Earliest, 1).await,
        Err(LogError::NoPartition(_))
    ));
    assert!(matches!(
        log.submit(PartitionId(2), b"x"),
        Err(SubmitError::NoPartition(_))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_free_disk() {
    let bench = Bench::default();
    check(&bench, Arc::new(bench.disk.clone()), "events".as_ref()).await;
    assert!(!bench.names(".sealed").is_empty(), "{:?}", bench.disk.paths());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_disk() {
    let bench = Bench::default();
    check(&bench, Arc::new(MemoryDisk::default()), "events".as_ref()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_disk_with_spares_and_little_memory() {
    let bench = Bench {
        zero_ahead: true,
        tail_bytes: 0,
        ..Bench::default()
    };
    let temp = tempfile::tempdir().unwrap();
    check(&bench, Arc::new(RealDisk), &temp.path().join("a/events")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_writes_short() {
    let bench = Bench {
        shards: 2,
        ..Bench::default()
    };
    bench.disk.set_short_writes(true);
    check(&bench, Arc::new(bench.disk.clone()), "events".as_ref()).await;
}

#[tokio::test]
async fn time_never_goes_back_not_even_over_a_restart() {
    let bench = Bench::default();
    let log = bench.open();
    append(&log, 0, b"0/0:").await;
    let first = log.bounds(P0).unwrap().last_enqueued_at;
    bench.advance_ms(-5000);
    append(&log, 0, b"0/1:").await;
    assert_eq!(log.bounds(P0).unwrap().last_enqueued_at, first);
    drop(log);
    let log = bench.open();
    append(&log, 0, b"0/2:").await;
    append(&log, 1, b"0/3:").await;
    assert_eq!(log.bounds(P0).unwrap().last_enqueued_at, first);
    let times: Vec<_> = read_all(&log, 0)
        .await
        .iter()
        .map(|record| record.enqueued_at)
        .collect();
    assert_eq!(times, [first; 3]);
}

#[tokio::test]
async fn waiting_ends_with_the_event_or_the_log() {
    let bench = Bench::default();
    let log = bench.open();
    let waiting = |partition, beyond| {
        let log = log.clone();
        tokio::spawn(async move { log.wait(partition, SequenceNumber(beyond)).await })
    };
    let (first, second) = (waiting(P0, 0), waiting(P0, 1));
    tokio::task::yield_now().await;
    assert!(!first.is_finished());
    append(&log, 0, b"0/0:").await;
    assert_eq!(first.await.unwrap(), Ok(()));
    assert!(!second.is_finished());
    log.close();
    assert_eq!(second.await.unwrap(), Err(LogError::Stopped));
    assert_eq!(log.submit(P0, b"x").err(), Some(SubmitError::Stopped));
    assert!(matches!(log.health(), LogHealth::Stopped(_)));
}

#[tokio::test]
async fn nothing_is_acknowledged_before_its_sync() {
    let bench = Bench::default();
    let log = bench.open();
    bench.disk.hold_syncs("journal");
    let syncs = bench.disk.syncs();
    let completion = submit(&log, 0, b"0/0:").await.unwrap();
    let early = submit(&log, 0, b"0/1:").await.unwrap();
    tokio::task::yield_now().await;
    assert_eq!(bench.disk.syncs(), syncs);
    assert!(!completion.is_durable() && !early.is_durable());
    assert_eq!(log.bounds(P0).unwrap().next.0, 0, "readers do not see it either");
    bench.disk.release_syncs();
    early.durable().await.unwrap();
    assert!(completion.is_durable());
    assert!(bench.disk.syncs() > syncs);
}

#[tokio::test]
async fn what_gathers_during_a_sync_is_one_batch() {
    let bench = Bench::default();
    let log = bench.open();
    append(&log, 0, b"0/0:").await;
    let batches = log.stats().batches;
    bench.disk.hold_syncs("journal");
    let before = bench.disk.operations();
    submit(&log, 0, b"0/1:").await.unwrap();
    // The committer has begun to write; its sync is held, so what follows can only gather.
    until(|| bench.disk.operations() > before).await;
    for number in 2..100 {
        submit(&log, number % 2, &event(0, number as usize, 20)).await.unwrap();
    }
    bench.disk.release_syncs();
    append(&log, 0, b"0/100:").await;
    assert!(log.stats().batches - batches <= 3, "{:?}", log.stats());
}

#[tokio::test]
async fn a_directory_is_opened_once_and_keeps_its_partitions() {
    let bench = Bench::default();
    let log = bench.open();
    assert!(matches!(bench.try_open(), Err(OpenError::InUse(_))));
    drop(log);
    let other = Bench {
        partitions: 3,
        ..bench.clone()
    };
    let refused = other.try_open().unwrap_err();
    assert_eq!(refused, OpenError::Partitions { stored: 2, wanted: 3 });
    assert!(bench.try_open().is_ok());
}

#[tokio::test]
async fn work_behind_the_commits_syncs_in_steps() {
    let bench = Bench {
        segment_bytes: 8 * BACKGROUND_STEP_BYTES,
        zero_ahead: true,
        ..Bench::default()
    };
    let log = bench.open();
    // Noise, so that sealed blocks are as large as what is in them (the generator of Numerical Recipes).
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let mut is_prepared = false;
    while log.stats().sealed_files == 0 {
        let event: Vec<u8> = (0..100_000).map(|_| noise()).collect();
        append(&log, 0, &event).await;
        if !is_prepared && log.stats().bytes > 3 * BACKGROUND_STEP_BYTES {
            until(|| bench.names("spare").len() == 1 && bench.names(".tmp").is_empty()).await;
            is_prepared = true;
            let step = usize::try_from(BACKGROUND_STEP_BYTES).unwrap();
            assert_eq!(bench.disk.unsynced_bytes_max("spare"), step);
        }
    }
    let steps = bench.disk.unsynced_bytes_max(".sealed") as u64;
    assert!(steps < 2 * BACKGROUND_STEP_BYTES, "{steps}");
    assert!(log.stats().sealed_bytes > 6 * BACKGROUND_STEP_BYTES);
}

#[tokio::test]
async fn a_segment_that_was_not_prepared_grows_in_steps() {
    let bench = Bench {
        segment_bytes: 4 * GROWTH_STEP_BYTES,
        zero_ahead: true,
        ..Bench::default()
    };
    let log = bench.open();
    let name = bench.names("journal").pop().unwrap();
    let size = || bench.disk.contents(std::path::Path::new(&name)).len() as u64;
    let mut sizes = Vec::new();
    for number in 0..20 {
        append(&log, 0, &event(0, number, 20_000)).await;
        sizes.push(size());
    }
    sizes.dedup();
    let grown: Vec<_> = sizes.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(grown.len() == 1 && grown[0] > GROWTH_STEP_BYTES, "{sizes:?}");
    drop(log);
    assert_eq!(read_all(&bench.open(), 0).await.len(), 20);
}
