//! An event as a JSON object, and objects as a stream.

use ironhub_amqp::message::{BareMessage, MessageId, Properties};
use ironhub_amqp::types::{DecodeError, Map};
use ironhub_model::{EventSource, Offset, PartitionId, SequenceNumber, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map as JsonMap, Value};

use super::body::{PrintedBody, json_value};
use crate::https::error::print;

/// A stored event: where it lies in the log, and its encoded parts.
#[derive(Debug, Clone, Copy)]
pub struct StoredView<'a> {
    /// Its partition.
    pub partition: PartitionId,
    /// Its place there.
    pub sequence: SequenceNumber,
    /// When it was taken.
    pub enqueued_at: Timestamp,
    /// What it tells of.
    pub source: EventSource,
    /// The device.
    pub device: &'a str,
    /// The module.
    pub module: Option<&'a str>,
    /// The hub's annotations.
    pub annotations: Map<'a>,
    /// The encoded bare message.
    pub bare_message: &'a [u8],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventBody<'a> {
    partition: PartitionId,
    offset: String,
    sequence_number: SequenceNumber,
    enqueued_time: Timestamp,
    source: &'static str,
    device_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    module_id: Option<&'a str>,
    system_properties: JsonMap<String, Value>,
    properties: JsonMap<String, Value>,
    body: &'a RawValue,
    body_encoding: &'static str,
}

/// One event as JSON in one line. An error means that the store holds what nobody wrote.
pub fn event_json(event: &StoredView<'_>) -> Result<String, DecodeError> {
    let message = BareMessage::parse(event.bare_message)?;
    let body = PrintedBody::of(&message.body, message.properties.content_type);
    let own = message.application_properties.iter_text();
    Ok(print(&EventBody {
        partition: event.partition,
        offset: Offset(event.sequence).to_string(),
        sequence_number: event.sequence,
        enqueued_time: event.enqueued_at,
        source: event.source.annotation(),
        device_id: event.device,
        module_id: event.module,
        system_properties: system_properties(&message.properties, event.annotations),
        properties: own
            .map(|(name, value)| (name.to_owned(), json_value(value, 0)))
            .collect(),
        body: &body.json,
        body_encoding: body.encoding,
    }))
}

/// The sender's standard properties under their AMQP names, then the hub's annotations under theirs.
pub(crate) fn system_properties(properties: &Properties<'_>, annotations: Map<'_>) -> JsonMap<String, Value> {
    let user_id = properties
        .user_id
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let time = |ms: Option<i64>| ms.map(|ms| Timestamp::from_millis(ms).to_string());
    let text = |text: Option<&str>| text.map(str::to_owned);
    let standard = [
        ("message-id", properties.message_id.map(id_text)),
        ("correlation-id", properties.correlation_id.map(id_text)),
        ("user-id", user_id),
        ("to", text(properties.to)),
        ("content-type", text(properties.content_type)),
        ("content-encoding", text(properties.content_encoding)),
        ("absolute-expiry-time", time(properties.absolute_expiry_time_ms)),
        ("creation-time", time(properties.creation_time_ms)),
    ];
    let standard = standard
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?))));
    let annotations = annotations.iter_text();
    standard
        .chain(annotations.map(|(name, value)| (name.to_owned(), json_value(value, 0))))
        .collect()
}

fn id_text(id: MessageId<'_>) -> String {
    let value = json_value(id.into(), 0);
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// An object as a line of NDJSON.
pub fn ndjson_line(mut json: String) -> String {
    json.push('\n');
    json
}

/// An object as a server-sent event. Its ID lets a browser that lost its connection go on where it was.
pub fn sse_message(partition: PartitionId, sequence: SequenceNumber, json: &str) -> String {
    format!("id: {partition}:{sequence}\ndata: {json}\n\n")
}

#[cfg(test)]
mod tests {
    use ironhub_amqp::message::{self, annotations};
    use ironhub_amqp::types::Value as AmqpValue;

    use super::*;

    #[test]
    fn an_event() {
        let mut pairs = Vec::new();
        annotations::push_entry(&mut pairs, "iothub-connection-device-id", "d");
        annotations::push_entry(&mut pairs, "iothub-message-source", "Telemetry");
        let mut bare = Vec::new();
        let properties = Properties {
            message_id: Some(MessageId::String("m1")),
            user_id: Some(b"u"),
            content_type: Some("application/json"),
            content_encoding: Some("utf-8"),
            absolute_expiry_time_ms: Some(0),
            ..Properties::default()
        };
        message::write_properties(&mut bare, &properties);
        let own = [("alert", AmqpValue::String("true")), ("flag", AmqpValue::Null)];
        message::write_application_properties(&mut bare, own);
        message::write_data(&mut bare, br#"{"t":21.50}"#);
        let view = StoredView {
            partition: PartitionId(2),
            sequence: SequenceNumber(17),
            enqueued_at: Timestamp::parse("2026-01-01T00:00:00.25Z").unwrap(),
            source: EventSource::DeviceMessages,
            device: "d",
            module: None,
            annotations: Map::from_pairs(2, &pairs).unwrap(),
            bare_message: &bare,
        };
        let json = event_json(&view).unwrap();
        insta::assert_snapshot!(json, @r#"{"partition":2,"offset":"17","sequenceNumber":17,"enqueuedTime":"2026-01-01T00:00:00.25Z","source":"Telemetry","deviceId":"d","systemProperties":{"message-id":"m1","user-id":"u","content-type":"application/json","content-encoding":"utf-8","absolute-expiry-time":"1970-01-01T00:00:00Z","iothub-connection-device-id":"d","iothub-message-source":"Telemetry"},"properties":{"alert":"true","flag":null},"body":{"t":21.50},"bodyEncoding":"json"}"#);
        assert_eq!(
            sse_message(view.partition, view.sequence, "{}"),
            "id: 2:17\ndata: {}\n\n"
        );
        assert_eq!(ndjson_line("{}".into()), "{}\n");
        let damaged = StoredView {
            bare_message: &bare[..bare.len() - 1],
            ..view
        };
        assert!(event_json(&damaged).is_err());
    }
}
