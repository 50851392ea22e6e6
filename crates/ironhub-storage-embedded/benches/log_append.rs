//! Durable appends with so many producers, each with one event of 300 bytes in flight, beside the rate at which this
//! disk syncs batches of the same size into a zeroed file: `cargo bench --bench log_append [-- seconds [directory]]`.
//!
//! Rounds of both are interleaved and the medians printed, because the disk and the machine change their mind. CPU time
//! is that of the whole process, producers included, from `/proc/self/stat` (ticks of 10 ms).

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
const ROUNDS: usize = 3;
const TICK_US: f64 = 10_000.0;
const RAW_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// One measurement of the log.
#[derive(Clone, Copy)]
struct Round {
    records_per_s: f64,
    batches_per_s: f64,
    batch_bytes: f64,
    cpu_us: f64,
    raw_per_s: f64,
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
    println!("producers  records/s  batches/s  bytes/batch  raw syncs/s  ratio  CPU us/record");
    for producers in PRODUCERS {
        let mut rounds: Vec<Round> = (0..ROUNDS).map(|_| round(temp.path(), producers, time)).collect();
        let median = |of: fn(&Round) -> f64, rounds: &mut Vec<Round>| {
            rounds.sort_by(|one, other| of(one).total_cmp(&of(other)));
            rounds.get(ROUNDS / 2).map_or(0.0, of)
        };
        println!(
            "{producers:9}  {:9.0}  {:9.0}  {:11.0}  {:11.0}  {:5.2}  {:13.2}",
            median(|round| round.records_per_s, &mut rounds),
            median(|round| round.batches_per_s, &mut rounds),
            median(|round| round.batch_bytes, &mut rounds),
            median(|round| round.raw_per_s, &mut rounds),
            median(|round| round.batches_per_s / round.raw_per_s, &mut rounds),
            median(|round| round.cpu_us, &mut rounds),
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
    round.raw_per_s = raw_syncs(&raw_path, round.batch_bytes, time);
    fs::remove_file(&raw_path).expect("the raw file");
    round
}

async fn appends(dir: &Path, producers: u32, time: Duration) -> Round {
    let clock = Arc::new(|| {
        let since_epoch = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
    });
    let on_fatal = |failure| panic!("{failure}");
    let options = LogOptions::new(PARTITIONS, clock, Box::new(on_fatal));
    let log = Log::open(Arc::new(RealDisk), dir, options).expect("a log");
    let running = Arc::new(AtomicBool::new(true));
    let producers: Vec<_> = (0..producers)
        .map(|producer| tokio::spawn(produce(log.clone(), producer, Arc::clone(&running))))
        .collect();
    // The first segment is not zeroed ahead; but half of the runs of a hub are not so short either.
    tokio::time::sleep(time / 4).await;
    let (before, started, cpu_before) = (log.stats(), Instant::now(), cpu_us());
    tokio::time::sleep(time).await;
    let (after, took, cpu_after) = (log.stats(), started.elapsed().as_secs_f64(), cpu_us());
    running.store(false, Ordering::Relaxed);
    for producer in producers {
        producer.await.expect("a producer");
    }
    let since = |of: fn(&LogStats) -> u64| float(of(&after) - of(&before));
    Round {
        records_per_s: since(|stats| stats.records) / took,
        batches_per_s: since(|stats| stats.batches) / took,
        batch_bytes: since(|stats| stats.bytes) / since(|stats| stats.batches),
        cpu_us: (cpu_after - cpu_before) / since(|stats| stats.records),
        raw_per_s: 0.0,
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
fn raw_syncs(path: &Path, bytes: f64, time: Duration) -> f64 {
    let file = RealDisk.open(path, OpenMode::Create).expect("a file");
    file.zero(0, RAW_FILE_BYTES).expect("zeros");
    file.sync().expect("a sync");
    // Not all the same, and not zeros, whatever the disk makes of those.
    let batch: Vec<u8> = (0..256_u32)
        .cycle()
        .map(|n| n.to_le_bytes()[0])
        .take(whole(bytes))
        .collect();
    let (mut syncs, mut at, started) = (0_u32, 0, Instant::now());
    while started.elapsed() < time {
        if at + batch.len() as u64 > RAW_FILE_BYTES {
            at = 0;
        }
        assert_eq!(file.write_at(&batch, at).expect("a write"), batch.len());
        file.sync().expect("a sync");
        at += batch.len() as u64;
        syncs += 1;
    }
    f64::from(syncs) / started.elapsed().as_secs_f64()
}

/// User and system time of this process so far.
fn cpu_us() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name, which may hold spaces: state is field 3, user time 14, system time 15.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks.filter_map(|text| text.parse::<f64>().ok()).sum::<f64>() * TICK_US
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
