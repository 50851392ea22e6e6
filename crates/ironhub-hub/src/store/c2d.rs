//! Mailboxes of cloud-to-device messages and of feedback, and what lies in them.

use bytes::Bytes;
use ironhub_model::{AckRequest, C2dMessage, DeviceId, FeedbackRecord, GenerationId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::HubError;
use crate::ports::{Key, Mail};

const PREFIX: &str = "c2d/";
const FEEDBACK: &str = "feedback";

/// A message in its device's queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueuedMessage {
    /// A queue that outlived its device is not that of a device created later under the same name.
    pub(crate) generation_id: GenerationId,
    pub(crate) enqueued_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    /// Deliveries that ended in an abandon, a lock time-out or the loss of a link that counts.
    pub(crate) failed_deliveries: u32,
    pub(crate) message: C2dMessage,
}

/// A report in the mailbox of reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueuedFeedback {
    /// Batches with it that were not completed.
    pub(crate) failed_deliveries: u32,
    pub(crate) record: FeedbackRecord,
}

/// The mailbox that is a device's queue. Deleting the device clears it.
pub(crate) fn mailbox_key(device: &DeviceId) -> Key {
    Key::new(format!("{PREFIX}{device}"))
}

/// The device whose queue this mailbox is.
pub(crate) fn device_of(mailbox: &Key) -> Option<DeviceId> {
    mailbox
        .as_str()
        .strip_prefix(PREFIX)
        .and_then(|device| DeviceId::parse(device).ok())
}

/// The one mailbox of reports.
pub(crate) fn feedback_key() -> Key {
    Key::new(FEEDBACK)
}

pub(crate) fn is_feedback(mailbox: &Key) -> bool {
    mailbox.as_str() == FEEDBACK
}

impl QueuedMessage {
    pub(crate) fn read(mail: &Mail) -> Result<Self, HubError> {
        serde_json::from_slice(&mail.content).map_err(|error| HubError::damaged("C2D message", &error))
    }

    pub(crate) fn content(&self) -> Result<Bytes, HubError> {
        content(self, "C2D message")
    }

    pub(crate) fn ack(&self) -> AckRequest {
        self.message.ack.unwrap_or(AckRequest::None)
    }
}

impl QueuedFeedback {
    pub(crate) fn read(mail: &Mail) -> Result<Self, HubError> {
        serde_json::from_slice(&mail.content).map_err(|error| HubError::damaged("feedback record", &error))
    }

    pub(crate) fn content(&self) -> Result<Bytes, HubError> {
        content(self, "feedback record")
    }
}

fn content<T: Serialize>(value: &T, what: &str) -> Result<Bytes, HubError> {
    serde_json::to_vec(value)
        .map(Bytes::from)
        .map_err(|error| HubError::damaged(what, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mailboxes_name_their_devices() {
        let device = DeviceId::parse("a%b#c").unwrap();
        assert_eq!(device_of(&mailbox_key(&device)), Some(device));
        for other in ["feedback", "c2d/", "c2d/a/b", "c2dx"] {
            assert_eq!(device_of(&Key::new(other)), None, "{other}");
        }
    }
}
