//! Feedback over HTTPS.

use ironhub_model::FeedbackBatch;

use super::error::print;

/// The content type of a batch; .NET takes no other.
pub const CONTENT_TYPE: &str = "application/vnd.microsoft.iothub.feedback.json";

/// The records of a batch.
pub fn batch_json(batch: &FeedbackBatch) -> String {
    print(&batch.records)
}

/// The lock token as it stands in the header `ETag`.
pub fn etag_header(batch: &FeedbackBatch) -> String {
    format!("\"{}\"", batch.lock_token)
}

#[cfg(test)]
mod tests {
    use ironhub_model::{DeviceId, FeedbackRecord, FeedbackStatus, GenerationId, LockToken, Timestamp};

    use super::*;

    #[test]
    fn a_batch() {
        let at = Timestamp::parse("2015-07-28T16:24:48.789Z").unwrap();
        let batch = FeedbackBatch {
            lock_token: LockToken::from_random([0; 16]),
            records: vec![FeedbackRecord {
                original_message_id: Some("0987654321".into()),
                enqueued_time_utc: at,
                status_code: FeedbackStatus::Rejected,
                description: FeedbackStatus::Rejected.description().into(),
                device_id: DeviceId::parse("123").unwrap(),
                device_generation_id: GenerationId::created_at(Timestamp::NEVER, 7),
            }],
            enqueued_at: at,
        };
        insta::assert_snapshot!(batch_json(&batch), @r#"[{"originalMessageId":"0987654321","enqueuedTimeUtc":"2015-07-28T16:24:48.789Z","statusCode":"Rejected","description":"Message rejected","deviceId":"123","deviceGenerationId":"7"}]"#);
        assert_eq!(etag_header(&batch), "\"00000000-0000-4000-8000-000000000000\"");
    }
}
