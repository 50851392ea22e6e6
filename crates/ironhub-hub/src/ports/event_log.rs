//! The event log: ordered, durable, readable from any position.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use ironhub_model::{PartitionId, SequenceNumber, Timestamp};

use super::completion::Completion;

/// One event as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// Its place: contiguous from 0 in its partition.
    pub sequence: SequenceNumber,
    /// When it was committed; never goes back within a partition.
    pub enqueued_at: Timestamp,
    /// The stored form, exactly as submitted.
    pub event: Bytes,
}

/// What a partition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The oldest event still there; equals `next` when the partition is empty.
    pub first: SequenceNumber,
    /// What the next event will get.
    pub next: SequenceNumber,
    /// When the last event was committed; [`Timestamp::NEVER`] before the first.
    pub last_enqueued_at: Timestamp,
}

/// Where to start reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// The oldest event still there.
    Earliest,
    /// Only what comes after this moment.
    Latest,
    /// This event, or the oldest one after it when retention took it.
    At(SequenceNumber),
    /// The first event committed at this instant or later.
    Since(Timestamp),
}

/// How long events stay. Whole sealed segments go, so a little more than this may remain: the embedded log seals often
/// enough that no segment spans more than about an eighth of the age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Events older than this may go.
    pub age: Duration,
    /// The oldest events go when all partitions together hold more than this.
    pub bytes: u64,
}

/// Why an event was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The inbox is full: wait for [`EventLog::ready`], then submit again.
    #[error("the event log's inbox is full")]
    Full,
    /// The event is larger than the log takes; the hub's own limits on messages are far below that.
    #[error("an event of {bytes} bytes is larger than the event log takes")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// No such partition.
    #[error("there is no partition {0}")]
    NoPartition(PartitionId),
    /// The log has stopped.
    #[error("the event log has stopped")]
    Stopped,
}

/// Why the log cannot answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// No such partition.
    #[error("there is no partition {0}")]
    NoPartition(PartitionId),
    /// Stored data does not match its checksum, or cannot be read.
    #[error("the event log is damaged: {0}")]
    Damaged(String),
    /// The log has stopped.
    #[error("the event log has stopped")]
    Stopped,
}

/// The event log of one hub.
pub trait EventLog: Send + Sync + 'static {
    /// How many partitions there are; fixed when the hub was created.
    fn partitions(&self) -> u32;

    /// Queues one event (its stored form is copied). Events of one partition become durable, and get their sequence
    /// numbers, in the order of submission. Never blocks.
    fn submit(&self, partition: PartitionId, event: &[u8]) -> Result<Completion, SubmitError>;

    /// Resolves when the inbox has room again after [`SubmitError::Full`].
    fn ready(&self) -> impl Future<Output = Result<(), SubmitError>> + Send;

    /// Reads from a partition: at least one event when there is one, at most about `bytes_max` of events.
    fn read(
        &self,
        partition: PartitionId,
        from: Start,
        bytes_max: usize,
    ) -> impl Future<Output = Result<Vec<LogRecord>, LogError>> + Send;

    /// Resolves when the partition's `next` is beyond `sequence`, which it may be at once.
    fn wait(
        &self,
        partition: PartitionId,
        sequence: SequenceNumber,
    ) -> impl Future<Output = Result<(), LogError>> + Send;

    /// What the partition holds now.
    fn bounds(&self, partition: PartitionId) -> Result<Bounds, LogError>;

    /// Why nothing can be made durable now, for people; `None` when all is well.
    fn trouble(&self) -> Option<String>;

    /// Changes how long events stay; takes effect at the next seal.
    fn set_retention(&self, retention: Retention);
}
