//! The event log fulfils the contract, with whole batches in memory and with segments so small that they are sealed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ironhub_model::Timestamp;
use ironhub_storage_embedded::disk::MemoryDisk;
use ironhub_storage_embedded::{Log, LogOptions};
use ironhub_testkit::contract;

/// A clock that steps back as often as it goes on: the log's times must not.
fn restless_clock() -> impl Fn() -> Timestamp + Send + Sync {
    let ticks = AtomicI64::new(0);
    move || {
        let tick = ticks.fetch_add(1, Ordering::Relaxed);
        Timestamp::from_secs(if tick % 3 == 2 { tick - 10 } else { tick })
    }
}

fn open(partitions: u32, segment_bytes: Option<u64>) -> Log {
    let on_fatal = Box::new(|failure| panic!("{failure:?}"));
    let mut options = LogOptions::new(partitions, Arc::new(restless_clock()), on_fatal);
    options.zero_ahead = false;
    if let Some(bytes) = segment_bytes {
        options.segment_bytes = bytes;
    }
    Log::open(Arc::new(MemoryDisk::default()), &PathBuf::from("events"), options).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn contract_in_one_segment() {
    contract::event_log(async |partitions| open(partitions, None)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn contract_over_many_segments() {
    contract::event_log(async |partitions| open(partitions, Some(1024 * 1024))).await;
}
