//! Many producers and readers at once, over seals and crashes; retention; changes of shape.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ironhub_hub::ports::{EventLog, LogError, Retention, Start};
use ironhub_model::{PartitionId, SequenceNumber, Timestamp};
use ironhub_storage_embedded::disk::fault::PowerLoss;
use ironhub_storage_embedded::log::Log;

use crate::harness::{Bench, append, event, parse, read_all, submit, until};

const PRODUCERS: usize = 64;
const P0: PartitionId = PartitionId(0);

/// Each producer's events in order, none twice; returns how many of each there are.
async fn ledger(log: &Log, partitions: u32) -> Vec<usize> {
    let mut seen = vec![0; PRODUCERS];
    for partition in 0..partitions {
        for record in read_all(log, partition).await {
            let (producer, number) = parse(&record.event);
            assert_eq!(seen[producer], number, "producer {producer}");
            seen[producer] += 1;
        }
    }
    seen
}

/// Producers that go on until the log fails them, and how many events of each were acknowledged.
async fn produce_until_dead(bench: &Bench, log: &Log, starts: &[usize], operations: u64) -> Vec<usize> {
    bench.disk.die_after(Some(operations));
    let mut tasks = Vec::new();
    for (producer, start) in starts.iter().copied().enumerate() {
        let log = log.clone();
        let partition = producer as u32 % bench.partitions;
        tasks.push(tokio::spawn(async move {
            let mut number = start;
            while let Ok(completion) = submit(&log, partition, &event(producer, number, 200)).await {
                if completion.durable().await.is_err() {
                    break;
                }
                number += 1;
            }
            number
        }));
    }
    let mut acknowledged = Vec::new();
    for task in tasks {
        acknowledged.push(task.await.unwrap());
    }
    acknowledged
}

async fn check_power_loss(seed: u64, shards: u32) {
    let bench = Bench {
        partitions: 3,
        shards,
        segment_bytes: 100 * 1024,
        zero_ahead: !seed.is_multiple_of(2),
        ..Bench::default()
    };
    let mut known = vec![0; PRODUCERS];
    for life in 0..4 {
        let log = bench.open();
        let acknowledged = produce_until_dead(&bench, &log, &known, 20 + seed * 7 + life * 31).await;
        drop(log);
        bench.disk.lose_power(PowerLoss::Random { seed: seed * 10 + life });
        let log = bench
            .try_open()
            .unwrap_or_else(|error| panic!("seed {seed}, life {life}: {error}"));
        let found = ledger(&log, 3).await;
        for (producer, (found, acknowledged)) in found.iter().zip(&acknowledged).enumerate() {
            let one_unknown = *acknowledged..=acknowledged + 1;
            assert!(
                one_unknown.contains(found),
                "seed {seed}, life {life}, producer {producer}: {found}"
            );
        }
        known = found;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn power_losses_under_load_lose_nothing_acknowledged() {
    for seed in 0..25 {
        check_power_loss(seed, 1).await;
    }
    for seed in 25..35 {
        check_power_loss(seed, 2).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_follow_through_seals() {
    let bench = Bench {
        segment_bytes: 64 * 1024,
        tail_bytes: 20_000,
        ..Bench::default()
    };
    let log = bench.open();
    let read = Arc::new(AtomicU64::new(0));
    let follow = |slow: bool| {
        let (log, read) = (log.clone(), Arc::clone(&read));
        tokio::spawn(async move {
            let mut next = 0;
            while next < 3000 {
                log.wait(P0, SequenceNumber(next)).await.unwrap();
                let size = if slow { 3000 } else { 50_000 };
                for record in log.read(P0, Start::At(SequenceNumber(next)), size).await.unwrap() {
                    assert_eq!((record.sequence.0, parse(&record.event).1 as u64), (next, next));
                    next += 1;
                }
                read.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    let readers = [follow(false), follow(true), follow(true)];
    for number in 0..3000 {
        let completion = submit(&log, 0, &event(0, number, 400)).await.unwrap();
        if number % 10 == 0 {
            completion.durable().await.unwrap();
        }
    }
    for reader in readers {
        reader.await.unwrap();
    }
    assert!(log.stats().sealed_files > 10, "{:?}", log.stats());
    assert!(log.stats().unsealed_segments <= 2, "{:?}", log.stats());
}

/// A log with a sealed file for each few events, a minute apart.
async fn sealed_by_the_minute(bench: &Bench) -> Log {
    let log = bench.open();
    for number in 0..60 {
        bench.advance_ms(60_000);
        append(&log, 0, &event(0, number, 1000)).await;
    }
    until(|| log.stats().unsealed_segments == 1).await;
    log
}

fn small() -> Bench {
    Bench {
        segment_bytes: 10 * 1024,
        tail_bytes: 0,
        ..Bench::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_events_go_by_whole_files_and_their_readers_go_on() {
    let bench = small();
    let log = sealed_by_the_minute(&bench).await;
    let age = Duration::from_mins(30);
    let bytes = u64::MAX;
    log.set_retention(Retention { age, bytes });
    // The files go one after the other: the first to go is not the last.
    until(|| log.bounds(P0).unwrap().first.0 >= 20).await;
    let horizon = Timestamp::from_millis(bench.now().as_millis() - 30 * 60_000);
    until(|| bench.names(".sealed").len() as u64 == log.stats().sealed_files).await;
    let records = read_all(&log, 0).await;
    let first = log.bounds(P0).unwrap().first;
    assert!((20..=30).contains(&first.0), "{first}");
    let of_file = records.iter().take_while(|record| record.enqueued_at < horizon).count();
    assert!(of_file <= 10, "{of_file} events too old");
    let early = log.read(P0, Start::At(SequenceNumber(0)), 1).await.unwrap();
    assert_eq!(early[0].sequence, first, "the oldest one after it");
    let early = log.read(P0, Start::Since(Timestamp::UNIX_EPOCH), 1).await.unwrap();
    assert_eq!(early[0].sequence, first);
    drop(log);
    assert_eq!(bench.open().bounds(P0).unwrap().first, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_hears_little_keeps_nothing_for_longer() {
    let bench = Bench::default();
    let log = bench.open();
    let (age, bytes) = (Duration::from_mins(80), u64::MAX);
    append(&log, 0, &event(0, 0, 100)).await;
    bench.advance_ms(11 * 60_000);
    // Looks, as the log does each minute by itself.
    log.set_retention(Retention { age, bytes });
    until(|| log.stats().sealed_files == 1).await;
    append(&log, 0, &event(0, 1, 100)).await;
    assert_eq!(read_all(&log, 0).await.len(), 2, "sealed is not gone");
    bench.advance_ms(70 * 60_000);
    log.set_retention(Retention { age, bytes });
    until(|| log.bounds(P0).unwrap().first.0 == 1).await;
    // The younger one lay alone for its eighth of the age, so it is sealed as well, and goes on its own.
    until(|| log.stats().unsealed_segments == 1 && log.stats().sealed_files == 1).await;
    bench.advance_ms(11 * 60_000);
    log.set_retention(Retention { age, bytes });
    until(|| log.bounds(P0).unwrap().first.0 == 2).await;
    drop(log);
    let log = bench.open();
    assert_eq!(log.bounds(P0).unwrap().next.0, 2, "numbers are not used again");
    append(&log, 0, &event(0, 2, 100)).await;
    assert_eq!(read_all(&log, 0).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_bytes_go_and_numbers_are_never_used_again() {
    let bench = small();
    let log = sealed_by_the_minute(&bench).await;
    let unsealed = read_all(&log, 0).await.len() as u64;
    let age = Duration::MAX;
    log.set_retention(Retention { age, bytes: 0 });
    until(|| bench.names(".sealed").is_empty()).await;
    let bounds = log.bounds(P0).unwrap();
    assert_eq!(bounds.next.0, 60);
    assert!(bounds.first.0 > 40 && unsealed == 60, "the un-sealed stay: {bounds:?}");
    // The other partition was never written; this one is pushed out of the journal by it.
    for number in 0..30 {
        append(&log, 1, &event(1, number, 1000)).await;
    }
    until(|| log.stats().unsealed_segments == 1 && bench.names(".sealed").is_empty()).await;
    assert_eq!(log.bounds(P0).unwrap().first.0, 60);
    drop(log);
    let log = bench.open();
    let bounds = log.bounds(P0).unwrap();
    assert_eq!((bounds.first.0, bounds.next.0), (60, 60));
    assert!(bounds.last_enqueued_at > Timestamp::UNIX_EPOCH);
    append(&log, 0, &event(0, 60, 10)).await;
    let records = log.read(P0, Start::Earliest, 10).await.unwrap();
    assert_eq!(records[0].sequence.0, 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_shards_may_change() {
    let mut bench = Bench {
        partitions: 4,
        segment_bytes: 20 * 1024,
        ..Bench::default()
    };
    let mut known = vec![0; PRODUCERS];
    for (life, shards) in [1, 2, 3, 3, 1, 2].into_iter().enumerate() {
        bench.shards = shards;
        let log = bench.open();
        known = produce_until_dead(&bench, &log, &known, 100).await;
        drop(log);
        bench.disk.lose_power(PowerLoss::KeepAll);
        let log = bench.open();
        let found = ledger(&log, 4).await;
        assert!(
            found.iter().zip(&known).all(|(found, known)| found >= known),
            "life {life}"
        );
        known = found;
    }
}

#[tokio::test]
async fn reads_after_the_end_of_the_log_still_answer() {
    let bench = Bench::default();
    let log = bench.open();
    append(&log, 0, b"0/0:").await;
    log.close();
    log.close();
    assert_eq!(log.read(P0, Start::Earliest, 10).await.unwrap().len(), 1);
    assert_eq!(log.wait(P0, SequenceNumber(0)).await, Ok(()));
    assert_eq!(log.wait(P0, SequenceNumber(1)).await, Err(LogError::Stopped));
}
