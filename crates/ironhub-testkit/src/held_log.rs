//! A log that a test holds.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use ironhub_hub::StoredEvent;
use ironhub_hub::ports::{Bounds, Completion, EventLog, LogError, LogRecord, Retention, Start, SubmitError, Watermark};
use ironhub_model::{EventSource, PartitionId, SequenceNumber};
use tokio::sync::Notify;

/// A log of one partition that a test holds: what it takes becomes durable, or finds room, when the test says so.
#[derive(Clone)]
pub struct HeldLog(Arc<Inner>);

struct Inner {
    events: Mutex<Vec<Vec<u8>>>,
    watermark: Arc<Watermark>,
    is_full: AtomicBool,
    room: Notify,
    came: Notify,
}

impl HeldLog {
    /// Takes events, none of which is durable yet.
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            events: Mutex::default(),
            watermark: Watermark::new(),
            is_full: AtomicBool::new(false),
            room: Notify::new(),
            came: Notify::new(),
        }))
    }

    /// How far its events are durable: event `n` is once the mark has risen to `n`.
    pub fn watermark(&self) -> &Watermark {
        &self.0.watermark
    }

    /// Refuses further events, or takes them again.
    pub fn set_full(&self, is_full: bool) {
        self.0.is_full.store(is_full, Ordering::SeqCst);
        self.0.room.notify_waiters();
    }

    /// The bodies of the device's messages so far, as text, once there are `count` of them.
    pub async fn bodies(&self, count: usize) -> Vec<String> {
        loop {
            let came = self.0.came.notified();
            let bodies = self.now();
            if bodies.len() >= count {
                return bodies;
            }
            came.await;
        }
    }

    /// Those that are there.
    pub fn now(&self) -> Vec<String> {
        let events = self.0.events.lock().unwrap();
        events.iter().filter_map(|event| body(event)).collect()
    }

    /// Does an event hold this text anywhere?
    pub fn holds(&self, text: &str) -> bool {
        let events = self.0.events.lock().unwrap();
        events
            .iter()
            .any(|event| event.windows(text.len()).any(|part| part == text.as_bytes()))
    }
}

impl Default for HeldLog {
    fn default() -> Self {
        Self::new()
    }
}

/// The content of the data section, whose descriptor is 0x75 (AMQP 1.0, section 3.2.6); short ones only.
fn body(event: &[u8]) -> Option<String> {
    let event = StoredEvent::parse(event).unwrap();
    if event.source != EventSource::DeviceMessages {
        return None;
    }
    let message = event.bare_message;
    let at = message.windows(4).position(|part| part == b"\0\x53\x75\xa0").unwrap();
    Some(String::from_utf8(message[at + 5..].to_vec()).unwrap())
}

impl EventLog for HeldLog {
    fn partitions(&self) -> u32 {
        1
    }

    fn submit(&self, _: PartitionId, event: &[u8]) -> Result<Completion, SubmitError> {
        if self.0.is_full.load(Ordering::SeqCst) {
            return Err(SubmitError::Full);
        }
        let ticket = {
            let mut events = self.0.events.lock().unwrap();
            events.push(event.to_vec());
            events.len() as u64
        };
        self.0.came.notify_waiters();
        Ok(self.0.watermark.completion(ticket))
    }

    async fn ready(&self) -> Result<(), SubmitError> {
        loop {
            let room = self.0.room.notified();
            if !self.0.is_full.load(Ordering::SeqCst) {
                return Ok(());
            }
            room.await;
        }
    }

    async fn read(&self, _: PartitionId, _: Start, _: usize) -> Result<Vec<LogRecord>, LogError> {
        Ok(Vec::new())
    }

    async fn wait(&self, _: PartitionId, _: SequenceNumber) -> Result<(), LogError> {
        std::future::pending().await
    }

    fn bounds(&self, partition: PartitionId) -> Result<Bounds, LogError> {
        Err(LogError::NoPartition(partition))
    }

    fn trouble(&self) -> Option<String> {
        None
    }

    fn set_retention(&self, _: Retention) {}
}
