//! The formats of version 1, as they were first written. A log of this version opens for ever.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ironhub_hub::ports::EventLog;
use ironhub_model::{PartitionId, Timestamp};
use ironhub_storage_embedded::disk::{Disk, RealDisk};
use ironhub_storage_embedded::log::Log;

use crate::harness::{Bench, append, event, parse, read_all};

const EVENTS: usize = 40;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/log-v1")
}

fn bench() -> Bench {
    Bench {
        segment_bytes: 8 * 1024,
        ..Bench::default()
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn version_1_opens() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("events");
    copy(&fixture(), &dir);
    let sealed = RealDisk.list(&dir.join("p001")).unwrap();
    assert!(sealed.iter().any(|name| name.contains(".sealed")), "{sealed:?}");
    let log = Log::open(Arc::new(RealDisk), &dir, bench().options()).unwrap();
    for partition in 0..2 {
        let records = read_all(&log, partition).await;
        assert_eq!(records.len(), EVENTS);
        let seconds = (1_700_000_001 + i64::from(partition)..).step_by(2);
        for ((number, record), second) in records.iter().enumerate().zip(seconds) {
            assert_eq!(record.event, event(partition as usize, number, 100 + number * 10));
            assert_eq!(record.enqueued_at, Timestamp::from_secs(second));
        }
    }
    append(&log, 1, &event(1, EVENTS, 10)).await;
    assert_eq!(parse(&read_all(&log, 1).await[EVENTS].event), (1, EVENTS));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes the fixture; only for a new version of the format, into a new directory"]
async fn write_the_fixture() {
    let bench = bench();
    let log = Log::open(Arc::new(RealDisk), &fixture(), bench.options()).unwrap();
    for number in 0..EVENTS {
        for partition in 0..2 {
            bench.advance_ms(1000);
            append(&log, partition, &event(partition as usize, number, 100 + number * 10)).await;
        }
    }
    assert_eq!(log.bounds(PartitionId(0)).unwrap().next.0, EVENTS as u64);
    crate::harness::until(|| log.stats().unsealed_segments == 1).await;
    log.close();
    std::fs::remove_file(fixture().join("LOCK")).unwrap();
}
