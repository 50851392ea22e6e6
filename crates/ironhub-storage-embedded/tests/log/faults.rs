//! Full disks, failing disks, power loss, torn writes, flipped bits.

use std::path::Path;

use ironhub_hub::ports::{EventLog, LogError, Start, SubmitError};
use ironhub_model::{PartitionId, SequenceNumber};
use ironhub_storage_embedded::disk::fault::{FaultDisk, Operation, PowerLoss, SECTOR_BYTES};
use ironhub_storage_embedded::log::{Log, LogHealth, OpenError};

use crate::harness::{Bench, append, event, parse, read_all, submit, until};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const EDQUOT: i32 = 122;
const P0: PartitionId = PartitionId(0);
/// The journal that a fresh log writes.
const JOURNAL: &str = "events/journal-0000000000000001.log";

/// The numbers of the events of a partition; all from sender 0.
async fn numbers(log: &Log, partition: u32) -> Vec<usize> {
    let records = read_all(log, partition).await;
    records.iter().map(|record| parse(&record.event).1).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_space_nothing_is_acknowledged_and_nothing_lost() {
    for errno in [ENOSPC, EDQUOT] {
        let bench = Bench::default();
        let log = bench.open();
        append(&log, 0, &event(0, 0, 100)).await;
        bench.disk.fail(Operation::Write, "journal", errno, usize::MAX);
        let pending = submit(&log, 0, &event(0, 1, 100)).await.unwrap();
        until(|| matches!(log.health(), LogHealth::NoSpace(_))).await;
        assert!(!pending.is_durable());
        assert_eq!(log.bounds(P0).unwrap().next.0, 1);
        assert!(
            submit(&log, 0, &event(0, 2, 100)).await.is_ok(),
            "the inbox still takes"
        );
        bench.disk.heal();
        pending.durable().await.unwrap();
        append(&log, 0, &event(0, 3, 100)).await;
        assert_eq!(log.health(), LogHealth::Ok);
        assert_eq!(numbers(&log, 0).await, [0, 1, 2, 3]);
        assert!(bench.fatal.0.lock().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_also_holds_up_new_segments_and_sealing() {
    let bench = Bench::default();
    let log = bench.open();
    let mut sent = 0;
    for _ in 0..200 {
        append(&log, 0, &event(0, sent, 1000)).await;
        sent += 1;
    }
    // Room for some of what comes, not for all: journals, temporary and sealed files all run into it.
    let used: usize = bench
        .disk
        .paths()
        .iter()
        .map(|path| bench.disk.contents(path).len())
        .sum();
    bench.disk.set_capacity(Some(used as u64 + 10_000));
    let mut pending = Vec::new();
    for _ in 0..400 {
        pending.push(submit(&log, 0, &event(0, sent, 1000)).await.unwrap());
        sent += 1;
    }
    until(|| matches!(log.health(), LogHealth::NoSpace(_))).await;
    bench.disk.set_capacity(None);
    for completion in pending {
        completion.durable().await.unwrap();
    }
    assert_eq!(numbers(&log, 0).await, (0..sent).collect::<Vec<_>>());
    drop(log);
    let log = bench.open();
    assert_eq!(numbers(&log, 0).await, (0..sent).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_a_full_disk_does_not_acknowledge() {
    let bench = Bench::default();
    let log = bench.open();
    append(&log, 0, &event(0, 0, 100)).await;
    bench.disk.fail(Operation::Write, "journal", ENOSPC, usize::MAX);
    let pending = submit(&log, 0, &event(0, 1, 100)).await.unwrap();
    until(|| matches!(log.health(), LogHealth::NoSpace(_))).await;
    log.close();
    assert!(pending.durable().await.is_err());
    bench.disk.heal();
    assert_eq!(numbers(&bench.open(), 0).await, [0]);
}

/// A failing disk is fatal, and a restart finds all that was acknowledged.
async fn check_fatal(operation: Operation, part: &str, errno: i32) {
    let bench = Bench::default();
    let log = bench.open();
    append(&log, 0, &event(0, 0, 100)).await;
    bench.disk.fail(operation, part, errno, 1);
    let mut acknowledged = 1;
    let unacknowledged = loop {
        let Ok(completion) = submit(&log, 0, &event(0, acknowledged, 1000)).await else {
            break 0;
        };
        if completion.durable().await.is_err() {
            break 1;
        }
        acknowledged += 1;
    };
    let failure = bench.wait_for_fatal();
    assert!(failure.reason.contains("os error"), "{failure}");
    assert_eq!(log.submit(P0, b"x").err(), Some(SubmitError::Stopped));
    assert!(matches!(log.health(), LogHealth::Stopped(_)));
    assert_eq!(bench.fatal.0.lock().len(), 1, "told once");
    drop(log);
    bench.disk.lose_power(PowerLoss::KeepAll);
    let log = bench.open();
    let found = numbers(&log, 0).await.len();
    assert!(
        (acknowledged..=acknowledged + unacknowledged).contains(&found),
        "{operation:?} {part}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn failing_disks_are_fatal() {
    check_fatal(Operation::Sync, "journal", EIO).await;
    // Even for want of space: what of the batch is on disk is not known any more.
    check_fatal(Operation::Sync, "journal", ENOSPC).await;
    check_fatal(Operation::Write, "journal", EIO).await;
    check_fatal(Operation::Sync, "p000", EIO).await;
    check_fatal(Operation::Write, "p000", EIO).await;
    check_fatal(Operation::Rename, "p000", EIO).await;
    check_fatal(Operation::SyncDir, "events", EIO).await;
    check_fatal(Operation::Create, "events", EIO).await;
}

/// A log with acknowledged events (the last of them large) in one journal and a batch that was written and not synced.
async fn torn(sizes: &[usize]) -> (Bench, usize) {
    let bench = Bench {
        segment_bytes: 64 * 1024 * 1024,
        ..Bench::default()
    };
    let log = bench.open();
    for number in 0..5 {
        append(&log, 0, &event(0, number, 300)).await;
    }
    bench.disk.hold_syncs("journal");
    let path = Path::new(JOURNAL);
    let before = bench.disk.contents(path).len();
    let mut pending = Vec::new();
    for (number, size) in (5..).zip(sizes) {
        pending.push(submit(&log, 0, &event(0, number, *size)).await.unwrap());
    }
    // The marker behind the last synced batch grows the file too, by less than any of the batches.
    until(|| bench.disk.contents(path).len() >= before + 300).await;
    let left = bench.copy();
    bench.disk.lose_power(PowerLoss::KeepAll);
    log.close();
    (left, 5)
}

/// Opens whatever the power loss has left, and finds at least what was acknowledged, in order. Returns how much it was.
async fn check_torn(bench: &Bench, acknowledged: usize, what: &str) -> usize {
    let log = bench.try_open().unwrap_or_else(|error| panic!("{what}: {error}"));
    let found = numbers(&log, 0).await;
    assert!(found.len() >= acknowledged, "{what}: {} events", found.len());
    assert_eq!(found, (0..found.len()).collect::<Vec<_>>(), "{what}");
    append(&log, 0, &event(0, found.len(), 10)).await;
    drop(log);
    assert_eq!(
        numbers(&bench.open(), 0).await.len(),
        found.len() + 1,
        "{what}: after it went on"
    );
    found.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn any_torn_last_batch_opens() {
    for sizes in [vec![300; 1], vec![64 * 1024], vec![256 * 1024]] {
        let (bench, acknowledged) = torn(&sizes).await;
        let path = Path::new(JOURNAL);
        let len = bench.disk.contents(path).len();
        // The frame begins somewhere in the sector of the fifth event's end.
        let start = 4096 + 5 * (48 + 24 + 4 + 300);
        for sector in (start / SECTOR_BYTES + 1)..len.div_ceil(SECTOR_BYTES) {
            let (from, to) = (sector * SECTOR_BYTES, ((sector + 1) * SECTOR_BYTES).min(len));
            let bench = bench.copy();
            bench.disk.tamper(path, |file| file[from..to].fill(0));
            check_torn(&bench, acknowledged, &format!("{sizes:?}: zeros at {from} of {len}")).await;
        }
        for cut in [start + 1, start + 47, start + 48, start + 60, len - 1] {
            let short = bench.copy();
            short.disk.tamper(path, |file| file.truncate(cut));
            check_torn(&short, acknowledged, &format!("{sizes:?}: cut at {cut}")).await;
            let flipped = bench.copy();
            flipped.disk.tamper(path, |file| file[cut - 1] ^= 0x80);
            let what = format!("{sizes:?}: flip at {}", cut - 1);
            assert_eq!(check_torn(&flipped, acknowledged, &what).await, acknowledged, "{what}");
        }
    }
}

/// A closed log with sealed files and a journal, and what is in it.
async fn filled() -> (Bench, usize) {
    let bench = Bench {
        segment_bytes: 16 * 1024,
        tail_bytes: 0,
        ..Bench::default()
    };
    let log = bench.open();
    for number in 0..60 {
        append(&log, 0, &event(0, number, 700)).await;
    }
    until(|| log.stats().unsealed_segments == 1).await;
    log.close();
    (bench, 60)
}

/// What comes of a flipped byte: a refusal, a report at reading, or nothing at all, but never silently less or other.
async fn check_flip(bench: &Bench, path: &Path, at: usize, events: usize) -> &'static str {
    let bench = bench.copy();
    bench.disk.tamper(path, |file| file[at] ^= 0x01);
    let log = match bench.try_open() {
        Ok(log) => log,
        Err(OpenError::Damaged { path: named, .. }) => {
            assert_eq!(named, path);
            return "refused";
        }
        Err(OpenError::UnknownFormat { .. }) => return "refused",
        Err(other) => panic!("{}: flip at {at}: {other}", path.display()),
    };
    let mut next = 0;
    let mut reported = false;
    while next < events {
        match log.read(P0, Start::At(SequenceNumber(next as u64)), 2000).await {
            Ok(records) => {
                assert!(
                    !records.is_empty(),
                    "{}: flip at {at}: silence at {next}",
                    path.display()
                );
                for record in records {
                    assert_eq!(record.event, event(0, next, 700), "{}: flip at {at}", path.display());
                    next += 1;
                }
            }
            Err(LogError::Damaged(reason)) => {
                assert!(reason.contains(path.to_str().unwrap()), "{reason}");
                reported = true;
                next += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    if reported { "reported" } else { "harmless" }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_flipped_byte_is_reported() {
    let (bench, events) = filled().await;
    for path in bench.disk.paths() {
        let name = path.to_str().unwrap().to_owned();
        let len = bench.disk.contents(&path).len();
        let is_journal = name.contains("journal");
        for at in (0..len).step_by(if is_journal { 61 } else { 13 }) {
            let outcome = check_flip(&bench, &path, at, events).await;
            // The note of the clean close is no data: without it, the journal is scanned.
            let is_note = is_journal && at + 48 >= len;
            let expected = if is_journal { "refused" } else { "reported" };
            assert!(
                is_note || outcome == expected,
                "{name}: flip at {at} of {len}: {outcome}"
            );
        }
    }
}

fn reopened(bench: &Bench, log: Log) -> Log {
    log.close();
    drop(log);
    bench.open()
}

#[tokio::test]
async fn a_damaged_directory_says_what_to_do() {
    let (bench, _) = filled().await;
    let journal = bench.names("journal")[0].clone();
    bench.disk.tamper(Path::new(&journal), |file| file[5000] ^= 1);
    let text = bench.try_open().unwrap_err().to_string();
    assert!(text.starts_with(&format!("{journal}: damaged at byte ")), "{text}");
    assert!(text.contains(".quarantined"), "{text}");
    let quarantine = format!("{journal}.quarantined");
    ironhub_storage_embedded::disk::Disk::rename(&bench.disk, Path::new(&journal), Path::new(&quarantine)).unwrap();
    let log = bench.open();
    let bounds = log.bounds(P0).unwrap();
    assert!(
        bounds.next.0 >= 60,
        "sequence numbers of lost events are not used again: {bounds:?}"
    );
    append(&log, 0, &event(0, 999, 10)).await;
    for log in [log.clone(), reopened(&bench, log)] {
        let next = log.read(P0, Start::At(bounds.next), 10).await.unwrap();
        assert_eq!(parse(&next[0].event).1, 999);
        let next = log.read(P0, Start::At(SequenceNumber(59)), 10).await.unwrap();
        assert_eq!(next[0].sequence, bounds.next, "the next one there is");
        assert_eq!(log.bounds(P0).unwrap().next.0, bounds.next.0 + 1);
    }
    assert_eq!(bench.names("quarantined"), [quarantine]);
}

#[test]
fn missing_files_are_missed() {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let (bench, _) = runtime.block_on(filled());
    let sealed = bench.names(".sealed");
    let journals = bench.names("journal");
    assert!(sealed.len() > 2);
    for missing in [&sealed[1], &sealed[sealed.len() - 1], &journals[0]] {
        let bench = bench.copy();
        ironhub_storage_embedded::disk::Disk::unlink(&bench.disk, Path::new(missing)).unwrap();
        let refused = bench.try_open().unwrap_err();
        assert!(matches!(refused, OpenError::Damaged { .. }), "{missing}: {refused}");
    }
}

/// Appends with a plug that is pulled after so many operations; returns how many were acknowledged.
async fn run_until_dead(bench: &Bench, operations: u64) -> (Log, usize) {
    let log = bench.open();
    bench.disk.die_after(Some(operations));
    let mut acknowledged = numbers_known(&log);
    loop {
        let Ok(completion) = submit(&log, 0, &event(0, acknowledged, 900)).await else {
            return (log, acknowledged);
        };
        if completion.durable().await.is_err() {
            return (log, acknowledged);
        }
        acknowledged += 1;
        if acknowledged > 100 {
            return (log, acknowledged);
        }
    }
}

fn numbers_known(log: &Log) -> usize {
    usize::try_from(log.bounds(P0).unwrap().next.0).unwrap()
}

async fn check_death(operations: u64, loss: PowerLoss) {
    let bench = Bench {
        segment_bytes: 16 * 1024,
        zero_ahead: operations.is_multiple_of(2),
        ..Bench::default()
    };
    let (log, acknowledged) = run_until_dead(&bench, operations).await;
    drop(log);
    bench.disk.lose_power(loss);
    let context = format!("{operations} operations, {loss:?}");
    let log = bench.try_open().unwrap_or_else(|error| panic!("{context}: {error}"));
    let found = numbers(&log, 0).await;
    assert_eq!(found, (0..found.len()).collect::<Vec<_>>(), "{context}");
    assert!(
        (acknowledged..=acknowledged + 1).contains(&found.len()),
        "{context}: {acknowledged} acknowledged, {} found",
        found.len()
    );
    // And it goes on from there, through another seal.
    for number in found.len()..found.len() + 40 {
        append(&log, 0, &event(0, number, 900)).await;
    }
    assert_eq!(numbers(&log, 0).await.len(), found.len() + 40, "{context}");
    drop(log);
    assert_eq!(numbers(&bench.open(), 0).await.len(), found.len() + 40, "{context}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_operation_loses_nothing_and_doubles_nothing() {
    // A hundred events are some 330 operations, with a roll, a seal and a recycled journal each seventeen events.
    for operations in 0..330 {
        check_death(operations, PowerLoss::DropAll).await;
    }
    for operations in (0..330).step_by(2) {
        check_death(operations, PowerLoss::Random { seed: operations }).await;
    }
    for operations in (0..330).step_by(5) {
        check_death(operations, PowerLoss::KeepAll).await;
    }
}

#[tokio::test]
async fn recovery_reads_no_sealed_file() {
    let (bench, _) = filled().await;
    let before = bench.disk.bytes_read();
    let log = bench.open();
    let journals: usize = bench
        .names("journal")
        .iter()
        .map(|name| bench.disk.contents(Path::new(name)).len())
        .sum();
    let read = bench.disk.bytes_read() - before;
    assert!(read <= 2 * journals as u64, "{read} bytes read, {journals} in journals");
    drop(log);
    let _: FaultDisk = bench.disk;
}
