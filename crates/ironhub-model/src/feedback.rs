//! Reports on what became of cloud-to-device messages.

use serde::{Deserialize, Serialize};

use crate::c2d::LockToken;
use crate::identity::{DeviceId, GenerationId};
use crate::timestamp::Timestamp;

/// Which reports the sender of a C2D message asked for: the property `iothub-ack`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AckRequest {
    /// No report.
    None,
    /// When it was completed.
    Positive,
    /// When it was dead-lettered.
    Negative,
    /// Both.
    Full,
}

impl AckRequest {
    /// Reads `iothub-ack`; letter case does not matter.
    pub fn parse(text: &str) -> Option<Self> {
        let all = [Self::None, Self::Positive, Self::Negative, Self::Full];
        all.into_iter().find(|ack| ack.as_str().eq_ignore_ascii_case(text))
    }

    /// As it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Positive => "positive",
            Self::Negative => "negative",
            Self::Full => "full",
        }
    }

    /// Is a report due for this outcome?
    pub const fn wants(self, status: FeedbackStatus) -> bool {
        match self {
            Self::None => false,
            Self::Full => true,
            Self::Positive => matches!(status, FeedbackStatus::Success),
            Self::Negative => !matches!(status, FeedbackStatus::Success),
        }
    }
}

/// What became of a C2D message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FeedbackStatus {
    /// The device completed it.
    Success,
    /// Its time to live passed.
    Expired,
    /// It was delivered too often without being completed.
    DeliveryCountExceeded,
    /// The device rejected it.
    Rejected,
    /// The queue was purged.
    Purged,
}

impl FeedbackStatus {
    /// The text beside the code. Microsoft's command line checks the first two, its C SDK decides by the others.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::Rejected => "Message rejected",
            Self::Expired => "Expired",
            Self::DeliveryCountExceeded => "DeliveryCountExceeded",
            Self::Purged => "Purged",
        }
    }
}

/// One report; serialized as it stands in a feedback batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedbackRecord {
    /// The message's own ID, absent when it had none.
    pub original_message_id: Option<String>,
    /// When the outcome was decided.
    pub enqueued_time_utc: Timestamp,
    /// The outcome.
    pub status_code: FeedbackStatus,
    /// See [`FeedbackStatus::description`].
    pub description: String,
    /// The device the message was for.
    pub device_id: DeviceId,
    /// Which creation of that device.
    pub device_generation_id: GenerationId,
}

/// Reports handed to one reader, which completes or abandons them together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedbackBatch {
    /// Settles the batch.
    pub lock_token: LockToken,
    /// At least one, oldest first; at most [`crate::limits::FEEDBACK_BATCH_RECORDS_MAX`].
    pub records: Vec<FeedbackRecord>,
    /// When the newest of them was made.
    pub enqueued_at: Timestamp,
}
