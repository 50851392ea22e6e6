//! Durable appends with so many producers, each with one event of 300 bytes in flight, beside the rate at which this
//! disk syncs batches of the same size into a zeroed file: `cargo bench --bench log_append [-- seconds [directory]]`.
//!
//! The log is measured where a log under load spends its life: in segments that were prepared ahead, with sealing going
//! on beside. A fresh log's first segment grows by steps as it is written, and some of its syncs have the file system write
//! its own notes besides.
//!
//! Rounds of both are interleaved and the medians printed, because the disk and the machine change their mind. CPU time
//! is user and system time of threads, from `/proc/self/task`: of all, producers included; of those of the log, which
//! write and sync; and of the raw syncs.

#![expect(clippy::expect_used, reason = "a measurement that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ironhub_hub::ports::{EventLog, SubmitError};
use ironhub_model::{PartitionId, Timestamp};
use ironhub_storage_embedded::disk::{Disk, OpenMode, RealDisk};
use ironhub_storage_embedded::log::{Log, LogOptions, LogStats};
use tokio::time::Instant;

const EVENT_BYTES: usize = 300;
const PARTITIONS: u32 = 4;
const PRODUCERS: [u32; 3] = [64, 256, 1000];
const ROUNDS: usize = 5;
/// How the log's threads begin their names.
const LOG_THREADS: &str = "log-";
const RAW_FILE_BYTES: u64 = 64 * 1024 * 1024;
/// Small, so that the first is soon full and sealed.
const SEGMENT_BYTES: u64 = 32 * 1024 * 1024;
const WARM_UP_STEP: Duration = Duration::from_millis(10);

/// One measurement of the log.
#[derive(Clone, Copy)]
struct Round {
    records_per_s: f64,
    batches_per_s: f64,
    batch_bytes: f64,
    cpu_us: f64,
    log_cpu_us: f64,
    raw: Raw,
}

/// One measurement of the disk.
#[derive(Clone, Copy, Default)]
struct Raw {
    syncs_per_s: f64,
    cpu_us: f64,
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    if !std::env::args().any(|argument| argument == "--bench") {
        return; // A test run, which wants no figures.
    }
    let seconds = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(2.0);
    let parent = arguments.next().map_or_else(|| PathBuf::from("."), PathBuf::from);
    let temp = tempfile::tempdir_in(parent).expect("a directory to write in");
    let time = Duration::from_secs_f64(seconds);
    println!("                                               raw               CPU us a record  CPU us");
    println!("producers  records/s  batches/s  bytes/batch  syncs/s  ratio    all  the log's  a raw sync");
    for producers in PRODUCERS {
        let mut rounds: Vec<Round> = (0..ROUNDS).map(|_| round(temp.path(), producers, time)).collect();
        let median = |of: fn(&Round) -> f64, rounds: &mut Vec<Round>| {
            rounds.sort_by(|one, other| of(one).total_cmp(&of(other)));
            rounds.get(ROUNDS / 2).map_or(0.0, of)
        };
        println!(
            "{producers:9}  {:9.0}  {:9.0}  {:11.0}  {:7.0}  {:5.2}  {:5.2}  {:9.2}  {:10.0}",
            median(|round| round.records_per_s, &mut rounds),
            median(|round| round.batches_per_s, &mut rounds),
            median(|round| round.batch_bytes, &mut rounds),
            median(|round| round.raw.syncs_per_s, &mut rounds),
            median(|round| round.batches_per_s / round.raw.syncs_per_s, &mut rounds),
            median(|round| round.cpu_us, &mut rounds),
            median(|round| round.log_cpu_us, &mut rounds),
            median(|round| round.raw.cpu_us, &mut rounds),
        );
    }
}

fn round(dir: &Path, producers: u32, time: Duration) -> Round {
    let (log_dir, raw_path) = (dir.join("events"), dir.join("raw"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .expect("a runtime");
    let mut round = runtime.block_on(appends(&log_dir, producers, time));
    fs::remove_dir_all(&log_dir).expect("the log's directory");
    round.raw = raw_syncs(&raw_path, round.batch_bytes, time);
    fs::remove_file(&raw_path).expect("the raw file");
    round
}

async fn appends(dir: &Path, producers: u32, time: Duration) -> Round {
    let clock = Arc::new(|| {
        let since_epoch = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
    });
    let on_fatal = |failure| panic!("{failure}");
    let mut options = LogOptions::new(PARTITIONS, clock, Box::new(on_fatal));
    options.segment_bytes = SEGMENT_BYTES;
    let log = Log::open(Arc::new(RealDisk), dir, options).expect("a log");
    let running = Arc::new(AtomicBool::new(true));
    let producers: Vec<_> = (0..producers)
        .map(|producer| tokio::spawn(produce(log.clone(), producer, Arc::clone(&running))))
        .collect();
    while log.stats().sealed_files == 0 {
        tokio::time::sleep(WARM_UP_STEP).await;
    }
    let (before, started, cpu_before) = (log.stats(), Instant::now(), [cpu_us(""), cpu_us(LOG_THREADS)]);
    tokio::time::sleep(time).await;
    let cpu_us = [cpu_us("") - cpu_before[0], cpu_us(LOG_THREADS) - cpu_before[1]];
    let (after, took) = (log.stats(), started.elapsed().as_secs_f64());
    running.store(false, Ordering::Relaxed);
    for producer in producers {
        producer.await.expect("a producer");
    }
    let since = |of: fn(&LogStats) -> u64| float(of(&after) - of(&before));
    Round {
        records_per_s: since(|stats| stats.records) / took,
        batches_per_s: since(|stats| stats.batches) / took,
        batch_bytes: since(|stats| stats.bytes) / since(|stats| stats.batches),
        cpu_us: cpu_us[0] / since(|stats| stats.records),
        log_cpu_us: cpu_us[1] / since(|stats| stats.records),
        raw: Raw::default(),
    }
}

async fn produce(log: Log, producer: u32, running: Arc<AtomicBool>) {
    let mut number = 0_u64;
    let partition = PartitionId(producer % PARTITIONS);
    while running.load(Ordering::Relaxed) {
        number += 1;
        let mut event =
            format!("{{\"deviceId\":\"device-{producer}\",\"messageId\":{number},\"windSpeed\":12.").into_bytes();
        event.resize(EVENT_BYTES, b'0');
        match log.submit(partition, &event) {
            Ok(completion) => completion.durable().await.expect("durable"),
            Err(SubmitError::Full) => log.ready().await.expect("room"),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Writes and syncs of so many bytes per second, one behind the other, into a zeroed file.
fn raw_syncs(path: &Path, bytes: f64, time: Duration) -> Raw {
    let file = RealDisk.open(path, OpenMode::Create).expect("a file");
    file.zero(0, RAW_FILE_BYTES).expect("zeros");
    file.sync().expect("a sync");
    // Not all the same, and not zeros, whatever the disk makes of those.
    let batch: Vec<u8> = (0..256_u32)
        .cycle()
        .map(|n| n.to_le_bytes()[0])
        .take(whole(bytes))
        .collect();
    let (mut syncs, mut at, started, cpu_before) = (0_u32, 0, Instant::now(), cpu_us(""));
    while started.elapsed() < time {
        if at + batch.len() as u64 > RAW_FILE_BYTES {
            at = 0;
        }
        assert_eq!(file.write_at(&batch, at).expect("a write"), batch.len());
        file.sync().expect("a sync");
        at += batch.len() as u64;
        syncs += 1;
    }
    Raw {
        syncs_per_s: f64::from(syncs) / started.elapsed().as_secs_f64(),
        cpu_us: (cpu_us("") - cpu_before) / f64::from(syncs),
    }
}

/// User and system time so far of this process's threads whose names begin so.
fn cpu_us(name: &str) -> f64 {
    let tasks = fs::read_dir("/proc/self/task").expect("the threads");
    let text = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
    let chosen = tasks
        .filter_map(Result::ok)
        .filter(|task| text(task.path().join("comm")).starts_with(name));
    // The first figure is the time on a processor, in nanoseconds.
    let nanoseconds = chosen.filter_map(|task| {
        let schedule = text(task.path().join("schedstat"));
        schedule.split_whitespace().next()?.parse::<f64>().ok()
    });
    nanoseconds.sum::<f64>() / 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn float(count: u64) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive number of bytes, far below the limits"
)]
fn whole(bytes: f64) -> usize {
    bytes as usize
}
