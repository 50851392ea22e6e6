//! A log on a [`FaultDisk`], with a clock that tests move and a record of what was fatal.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use ironhub_hub::ports::{Completion, EventLog, LogRecord, Start, SubmitError};
use ironhub_model::{PartitionId, SequenceNumber, Timestamp};
use ironhub_storage_embedded::disk::fault::FaultDisk;
use ironhub_storage_embedded::log::{FatalDisk, Log, LogOptions, OpenError};
use parking_lot::{Condvar, Mutex};

pub(crate) const DIR: &str = "events";

/// Everything about a log but the log.
#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) disk: FaultDisk,
    pub(crate) clock_ms: Arc<AtomicI64>,
    pub(crate) fatal: Arc<(Mutex<Vec<FatalDisk>>, Condvar)>,
    pub(crate) partitions: u32,
    pub(crate) shards: u32,
    pub(crate) segment_bytes: u64,
    pub(crate) tail_bytes: usize,
    pub(crate) zero_ahead: bool,
}

impl Default for Bench {
    fn default() -> Self {
        Self {
            disk: FaultDisk::default(),
            clock_ms: Arc::new(AtomicI64::new(1_700_000_000_000)),
            fatal: Arc::default(),
            partitions: 2,
            shards: 1,
            segment_bytes: 64 * 1024,
            tail_bytes: 1024 * 1024,
            zero_ahead: false,
        }
    }
}

impl Bench {
    pub(crate) fn options(&self) -> LogOptions {
        let (clock_ms, fatal) = (Arc::clone(&self.clock_ms), Arc::clone(&self.fatal));
        let on_fatal = move |failure| {
            fatal.0.lock().push(failure);
            fatal.1.notify_all();
        };
        let mut options = LogOptions::new(
            self.partitions,
            Arc::new(move || Timestamp::from_millis(clock_ms.load(Ordering::SeqCst))),
            Box::new(on_fatal),
        );
        options.shards = self.shards;
        options.segment_bytes = self.segment_bytes;
        options.tail_bytes = self.tail_bytes;
        options.zero_ahead = self.zero_ahead;
        options.retry_interval = Duration::from_millis(1);
        options
    }

    pub(crate) fn try_open(&self) -> Result<Log, OpenError> {
        Log::open(Arc::new(self.disk.clone()), Path::new(DIR), self.options())
    }

    #[track_caller]
    pub(crate) fn open(&self) -> Log {
        self.try_open().unwrap()
    }

    /// A bench with an independent copy of the disk.
    pub(crate) fn copy(&self) -> Self {
        Self {
            disk: self.disk.copy(),
            fatal: Arc::default(),
            ..self.clone()
        }
    }

    pub(crate) fn advance_ms(&self, ms: i64) {
        self.clock_ms.fetch_add(ms, Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock_ms.load(Ordering::SeqCst))
    }

    /// Waits until the log has found its disk untrustworthy.
    pub(crate) fn wait_for_fatal(&self) -> FatalDisk {
        let mut failures = self.fatal.0.lock();
        while failures.is_empty() {
            self.fatal.1.wait(&mut failures);
        }
        failures[0].clone()
    }

    /// Names of the files in the log's directory and below that contain this.
    pub(crate) fn names(&self, part: &str) -> Vec<String> {
        let paths = self.disk.paths();
        let names = paths.iter().map(|path| path.to_str().unwrap().to_owned());
        names.filter(|name| name.contains(part)).collect()
    }
}

/// Submits, waiting for room.
pub(crate) async fn submit(log: &Log, partition: u32, event: &[u8]) -> Result<Completion, SubmitError> {
    loop {
        match log.submit(PartitionId(partition), event) {
            Err(SubmitError::Full) => log.ready().await?,
            outcome => return outcome,
        }
    }
}

/// Submits and waits until it is durable.
pub(crate) async fn append(log: &Log, partition: u32, event: &[u8]) {
    submit(log, partition, event).await.unwrap().durable().await.unwrap();
}

/// All of a partition, by as many reads as it takes; checks that nothing is missing or twice and no time goes back.
pub(crate) async fn read_all(log: &Log, partition: u32) -> Vec<LogRecord> {
    let bounds = log.bounds(PartitionId(partition)).unwrap();
    let records = read_from(log, partition, bounds.first.0).await;
    assert_eq!(bounds.first.0 + records.len() as u64, bounds.next.0);
    records
}

/// Everything from an event on.
pub(crate) async fn read_from(log: &Log, partition: u32, first: u64) -> Vec<LogRecord> {
    let mut records: Vec<LogRecord> = Vec::new();
    loop {
        let next = first + records.len() as u64;
        let start = Start::At(SequenceNumber(next));
        let more = log.read(PartitionId(partition), start, 10_000).await.unwrap();
        if more.is_empty() {
            return records;
        }
        for (expected, record) in (next..).zip(&more) {
            assert_eq!(record.sequence.0, expected);
            assert!(records.last().is_none_or(|last| last.enqueued_at <= record.enqueued_at));
        }
        records.extend(more);
    }
}

/// An event that says who sent it and which of theirs it is, of about this size.
pub(crate) fn event(sender: usize, number: usize, bytes: usize) -> Vec<u8> {
    let mut event = format!("{sender}/{number}:").into_bytes();
    // Not all the same, so that compression has something to do.
    event.extend((0..bytes.saturating_sub(event.len())).map(|at| b'a' + ((at * (number + 3) / 7) % 23) as u8));
    event
}

/// The sender and number of an event.
pub(crate) fn parse(event: &[u8]) -> (usize, usize) {
    let text = std::str::from_utf8(event).unwrap();
    let (sender, rest) = text.split_once('/').unwrap();
    let (number, _) = rest.split_once(':').unwrap();
    (sender.parse().unwrap(), number.parse().unwrap())
}

/// The open log's seal of a full segment has happened.
pub(crate) async fn until(mut happened: impl FnMut() -> bool) {
    while !happened() {
        tokio::task::yield_now().await;
    }
}
