//! Feedback over AMQP.

use ironhub_amqp::message::{self, MessageId, Properties};
use ironhub_amqp::types::Value;
use ironhub_model::{DeviceId, FeedbackBatch, FeedbackRecord, FeedbackStatus, GenerationId};
use serde::Serialize;

use crate::https::feedback::CONTENT_TYPE;

const ADDRESS: &str = "/messages/serviceBound/feedback";

/// A record with the members in the order, and the time in the form, that the service writes over AMQP.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    original_message_id: Option<&'a str>,
    description: &'a str,
    device_generation_id: &'a GenerationId,
    device_id: &'a DeviceId,
    enqueued_time_utc: String,
    status_code: FeedbackStatus,
}

impl<'a> From<&'a FeedbackRecord> for Record<'a> {
    fn from(record: &'a FeedbackRecord) -> Self {
        Self {
            original_message_id: record.original_message_id.as_deref(),
            description: &record.description,
            device_generation_id: &record.device_generation_id,
            device_id: &record.device_id,
            enqueued_time_utc: record.enqueued_time_utc.to_round_trip(),
            status_code: record.status_code,
        }
    }
}

/// Appends a batch as a message. The .NET SDK needs the user-id, the content type and the annotation, and dies without
/// (`AmqpFeedbackReceiver.cs`).
pub fn write_batch(out: &mut Vec<u8>, batch: &FeedbackBatch, hub_name: &str) {
    message::annotations::write_message_annotations(out, |annotations| {
        let enqueued_at = batch.enqueued_at.as_millis();
        annotations.push("iothub-enqueuedtime", Value::Timestamp(enqueued_at));
    });
    let id = batch.lock_token.to_string();
    let properties = Properties {
        message_id: Some(MessageId::String(&id)),
        user_id: Some(hub_name.as_bytes()),
        to: Some(ADDRESS),
        content_type: Some(CONTENT_TYPE),
        ..Properties::default()
    };
    message::write_properties(out, &properties);
    let records: Vec<Record<'_>> = batch.records.iter().map(Record::from).collect();
    // Texts and numbers always serialize.
    let body = serde_json::to_vec(&records).unwrap_or_default();
    message::write_data(out, &body);
}

#[cfg(test)]
mod tests {
    use ironhub_amqp::message::{Body, Message};
    use ironhub_model::{LockToken, Timestamp};

    use super::*;

    #[test]
    fn a_batch() {
        let record = |id: Option<&str>, status: FeedbackStatus| FeedbackRecord {
            original_message_id: id.map(Into::into),
            enqueued_time_utc: Timestamp::parse("2026-01-01T00:00:00Z").unwrap(),
            status_code: status,
            description: status.description().into(),
            device_id: DeviceId::parse("d").unwrap(),
            device_generation_id: GenerationId::created_at(Timestamp::NEVER, 7),
        };
        let batch = FeedbackBatch {
            lock_token: LockToken::from_random([0; 16]),
            records: vec![
                record(Some("m1"), FeedbackStatus::Success),
                record(None, FeedbackStatus::Rejected),
            ],
            enqueued_at: Timestamp::from_millis(1_767_225_600_000),
        };
        let mut out = Vec::new();
        write_batch(&mut out, &batch, "hub");
        let read = Message::parse(&out).unwrap();
        let time = read.message_annotations.value("iothub-enqueuedtime");
        assert_eq!(time, Some(Value::Timestamp(1_767_225_600_000)));
        let properties = read.bare.properties;
        let id = "00000000-0000-4000-8000-000000000000";
        assert_eq!(properties.message_id, Some(MessageId::String(id)));
        assert_eq!(properties.user_id, Some(&b"hub"[..]));
        assert_eq!(properties.to, Some("/messages/serviceBound/feedback"));
        assert_eq!(properties.content_type, Some(CONTENT_TYPE));
        let Body::Data(data) = read.bare.body else {
            panic!("no data")
        };
        let body: Vec<u8> = data.flatten().copied().collect();
        insta::assert_snapshot!(String::from_utf8(body).unwrap(), @r#"[{"originalMessageId":"m1","description":"Success","deviceGenerationId":"7","deviceId":"d","enqueuedTimeUtc":"2026-01-01T00:00:00.0000000Z","statusCode":"Success"},{"originalMessageId":null,"description":"Message rejected","deviceGenerationId":"7","deviceId":"d","enqueuedTimeUtc":"2026-01-01T00:00:00.0000000Z","statusCode":"Rejected"}]"#);
    }
}
