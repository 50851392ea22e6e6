//! The suite over every disk and shape.

use std::path::Path;
use std::sync::Arc;

use ironhub_hub::ports::Clock;
use ironhub_storage_embedded::disk::{Disk, MemoryDisk, RealDisk};
use ironhub_storage_embedded::log::Log;
use ironhub_testkit::FakeClock;

use crate::harness::Bench;
use crate::suite::event_log;

async fn check(shape: Bench, disk: impl Fn() -> Arc<dyn Disk>, dir: &Path) {
    let make = async |clock: FakeClock| {
        let mut options = shape.options();
        options.clock = Arc::new(move || clock.now());
        let dir = dir.join(format!("{:?}", std::time::UNIX_EPOCH.elapsed().unwrap()));
        Log::open(disk(), &dir, options).unwrap()
    };
    event_log(make).await;
}

fn memory() -> Arc<dyn Disk> {
    Arc::new(MemoryDisk::default())
}

#[tokio::test(flavor = "multi_thread")]
async fn in_memory() {
    check(Bench::default(), memory, Path::new("m")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_real_disk() {
    let temp = tempfile::tempdir().unwrap();
    let shape = Bench {
        zero_ahead: true,
        ..Bench::default()
    };
    check(shape, || Arc::new(RealDisk), temp.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_tiny_segments_and_no_tail() {
    let shape = Bench {
        segment_bytes: 8 * 1024,
        tail_bytes: 0,
        ..Bench::default()
    };
    check(shape, memory, Path::new("m")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_two_shards_and_five_partitions() {
    let shape = Bench {
        partitions: 5,
        shards: 2,
        segment_bytes: 32 * 1024,
        ..Bench::default()
    };
    check(shape, memory, Path::new("m")).await;
}
