//! An event as a reader gets it: the other direction of [`super::write_event`].

use ironhub_amqp::message::{Body, Message};
use ironhub_amqp::types::DecodeError;
use ironhub_model::Timestamp;
use serde_json::{Map, Value};

use crate::https::events::{json_value, system_properties};

/// An event, with its properties in the words of JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceivedEvent {
    /// Its place in the partition.
    pub sequence_number: i64,
    /// Names that place; what a reader goes on after.
    pub offset: String,
    /// When the hub took it.
    pub enqueued_at: Timestamp,
    /// The sender's standard properties and the hub's annotations, by their names on the wire.
    pub system_properties: Map<String, Value>,
    /// The sender's own properties.
    pub properties: Map<String, Value>,
    /// The body as sent; JSON where it was a value of AMQP.
    pub body: Vec<u8>,
}

impl ReceivedEvent {
    /// Reads a delivery of a partition.
    pub fn parse(payload: &[u8]) -> Result<Self, DecodeError> {
        let message = Message::parse(payload)?;
        let annotation = |name| message.message_annotations.value(name);
        let sequence_number = annotation("x-opt-sequence-number").and_then(|value| value.as_i64());
        let offset = annotation("x-opt-offset").and_then(|value| value.as_text());
        let enqueued_at = annotation("x-opt-enqueued-time").and_then(|value| value.as_timestamp_ms());
        let own = message.bare.application_properties.iter_text();
        Ok(Self {
            sequence_number: sequence_number.ok_or(DecodeError::Missing("x-opt-sequence-number"))?,
            offset: offset.ok_or(DecodeError::Missing("x-opt-offset"))?.to_owned(),
            enqueued_at: Timestamp::from_millis(enqueued_at.ok_or(DecodeError::Missing("x-opt-enqueued-time"))?),
            system_properties: system_properties(&message.bare.properties, message.message_annotations),
            properties: own
                .map(|(name, value)| (name.to_owned(), json_value(value, 0)))
                .collect(),
            body: bytes(&message.bare.body),
        })
    }
}

fn bytes(body: &Body<'_>) -> Vec<u8> {
    match body {
        Body::Empty => Vec::new(),
        Body::Data(sections) => sections.clone().collect::<Vec<_>>().concat(),
        Body::Value(value) => json_value(*value, 0).to_string().into(),
        Body::Sequence(lists) => {
            let rows = lists
                .clone()
                .map(|list| list.iter().map(|value| json_value(value, 1)).collect());
            Value::Array(rows.collect()).to_string().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use ironhub_amqp::message::annotations::push_entry;
    use ironhub_amqp::message::{write_application_properties, write_data};
    use ironhub_model::SequenceNumber;
    use serde_json::json;

    use super::*;
    use crate::amqp::events::{StoredParts, write_event};

    #[test]
    fn what_is_written_is_read() {
        let (mut annotations, mut bare) = (Vec::new(), Vec::new());
        push_entry(&mut annotations, "iothub-connection-device-id", "d");
        write_application_properties(&mut bare, [("alert", true)]);
        write_data(&mut bare, b"21.5");
        let event = StoredParts {
            sequence: SequenceNumber(7),
            enqueued_at: Timestamp::from_millis(1_700_000_000_123),
            annotation_pairs: 1,
            annotations: &annotations,
            bare_message: &bare,
        };
        let mut out = Vec::new();
        write_event(&mut out, &event, None);
        let read = ReceivedEvent::parse(&out).unwrap();
        assert_eq!((read.sequence_number, read.offset.as_str()), (7, "7"));
        assert_eq!(read.enqueued_at, event.enqueued_at);
        assert_eq!(read.system_properties["iothub-connection-device-id"], "d");
        assert_eq!(Value::Object(read.properties), json!({ "alert": true }));
        assert_eq!(read.body, b"21.5");
    }

    #[test]
    fn what_has_no_place_is_no_event() {
        let mut out = Vec::new();
        write_data(&mut out, b"x");
        let missing = Err(DecodeError::Missing("x-opt-sequence-number"));
        assert_eq!(ReceivedEvent::parse(&out), missing);
    }
}
