//! What a device client asks of its connection.

use bytes::Bytes;
use ironhub_dialect::mqtt::subscription::Subscription;
use ironhub_mqtt::packet::PacketId;
use serde_json::Value;
use tokio::sync::oneshot;

use super::twin::DeviceTwin;
use crate::error::Error;

pub(super) type Answer<T> = oneshot::Sender<Result<T, Error>>;

/// A message to send. Whoever dropped the answer's other end has it sent all the same.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) topic: String,
    pub(super) payload: Bytes,
    pub(super) done: Answer<()>,
}

/// Everything else.
#[derive(Debug)]
pub(super) enum Command {
    /// Answered when the hub has agreed, now or earlier.
    Subscribe(Subscription, Answer<()>),
    /// Reads the twin.
    TwinGet(Answer<DeviceTwin>),
    /// Patches reported properties; answered with their new version.
    Report(Value, Answer<u64>),
    /// Acknowledges a cloud-to-device message of this connection.
    Complete {
        epoch: u64,
        packet_id: PacketId,
        done: Answer<()>,
    },
}
