//! Telemetry: what the hub has to know of a message that it stores as the device has encoded it.
//!
//! The device SDKs put what the hub passes on as annotations into annotations, too; the output of a module is an
//! application property (`Azure/azure-iot-sdk-csharp`, `AmqpIotMessageConverter.cs`; `Azure/azure-iot-sdk-c`,
//! `uamqp_messaging.c`).

mod readable;

use ironhub_amqp::message::{Body, Message, MessageId, Properties, batch};
use ironhub_amqp::performative::{AmqpError, condition};
use ironhub_amqp::types::{DecodeError, Map, Value};
use ironhub_model::EncodedD2cMessage;
use ironhub_model::limits::{D2C_BATCH_MESSAGES_MAX, D2C_ENCODED_BYTES_MAX, D2C_MESSAGE_BYTES_MAX};

/// Reads one delivery: a message, or Microsoft's batch of them, which the C SDK sends always. Nothing of it is good
/// unless all of it is, and what some reader could not decode is not. Together they are no larger than one message may be
/// (Azure documentation "IoT Hub quotas and throttling").
pub fn parse(message_format: u32, payload: &[u8]) -> Result<Vec<EncodedD2cMessage<'_>>, AmqpError> {
    if payload.len() > D2C_ENCODED_BYTES_MAX {
        return Err(too_large(payload.len()));
    }
    let messages = if message_format == batch::MESSAGE_FORMAT {
        // One more than there may be tells that there are too many.
        let messages = batch::messages(payload).take(D2C_BATCH_MESSAGES_MAX + 1);
        messages
            .map(|encoded| message(encoded.map_err(undecodable)?))
            .collect::<Result<Vec<_>, AmqpError>>()?
    } else {
        vec![message(payload)?]
    };
    if messages.len() > D2C_BATCH_MESSAGES_MAX {
        let text = format!("A batch has at most {D2C_BATCH_MESSAGES_MAX} messages.");
        return Err(AmqpError::new(condition::MESSAGE_SIZE_EXCEEDED, text));
    }
    let size_bytes: usize = messages.iter().map(|message| message.size_bytes).sum();
    if size_bytes > D2C_MESSAGE_BYTES_MAX {
        return Err(too_large(size_bytes));
    }
    Ok(messages)
}

/// In the words of the service, as seen in `Azure/azure-iot-sdk-c#2233`.
fn too_large(size_bytes: usize) -> AmqpError {
    let text = format!(
        "Message size is {size_bytes} bytes which is greater than the max size {D2C_MESSAGE_BYTES_MAX} bytes allowed."
    );
    AmqpError::new(condition::MESSAGE_SIZE_EXCEEDED, text)
}

fn undecodable(error: DecodeError) -> AmqpError {
    AmqpError::new(condition::DECODE_ERROR, error.to_string())
}

fn message(encoded: &[u8]) -> Result<EncodedD2cMessage<'_>, AmqpError> {
    let Message {
        message_annotations: annotations,
        bare,
        ..
    } = Message::parse(encoded).map_err(undecodable)?;
    readable::check(&bare)?;
    let mut message = EncodedD2cMessage {
        encoded,
        ..EncodedD2cMessage::default()
    };
    for (name, value) in annotations.iter_text() {
        let place = match name {
            "iothub-interface-id" => &mut message.interface_id,
            "dt-subject" => &mut message.component,
            "Diagnostic-Id" => &mut message.trace_id,
            "Correlation-Context" => &mut message.trace_context,
            // Whatever else it says, for instance of who it is, does not count.
            _ => continue,
        };
        *place = value.as_text();
    }
    let output_name = bare.application_properties.value("iothub-outputname");
    message.output_name = output_name.and_then(|name| name.as_text());
    let noted = [
        message.interface_id,
        message.component,
        message.trace_id,
        message.trace_context,
    ];
    let noted: usize = noted.into_iter().flatten().map(str::len).sum();
    let own = own_bytes(bare.application_properties);
    message.size_bytes = noted + properties_bytes(&bare.properties) + own + body_bytes(&bare.body);
    Ok(message)
}

fn properties_bytes(properties: &Properties<'_>) -> usize {
    let id = |id: Option<MessageId<'_>>| id.map_or(0, |id| value_bytes(id.into()));
    let texts = [
        properties.to,
        properties.subject,
        properties.reply_to,
        properties.content_type,
        properties.content_encoding,
        properties.group_id,
        properties.reply_to_group_id,
    ];
    let texts: usize = texts.into_iter().flatten().map(str::len).sum();
    let times = [properties.absolute_expiry_time_ms, properties.creation_time_ms];
    let times = times.into_iter().flatten().count() * size_of::<i64>();
    let user_id = properties.user_id.map_or(0, <[u8]>::len);
    id(properties.message_id) + id(properties.correlation_id) + user_id + texts + times
}

fn own_bytes(properties: Map<'_>) -> usize {
    properties
        .iter()
        .map(|(name, value)| value_bytes(name) + value_bytes(value))
        .sum()
}

fn body_bytes(body: &Body<'_>) -> usize {
    match body {
        Body::Empty => 0,
        Body::Data(sections) => sections.clone().map(<[u8]>::len).sum(),
        Body::Value(value) => value_bytes(*value),
        Body::Sequence(sections) => sections.clone().map(|list| list.encoded().len()).sum(),
    }
}

/// What a value itself takes, without what says its type and length.
fn value_bytes(value: Value<'_>) -> usize {
    match value {
        Value::Null | Value::Boolean(_) => 0,
        Value::Ubyte(_) | Value::Byte(_) => 1,
        Value::Ushort(_) | Value::Short(_) => 2,
        Value::Uint(_) | Value::Int(_) | Value::Float(_) | Value::Decimal32(_) | Value::Char(_) => 4,
        Value::Ulong(_) | Value::Long(_) | Value::Double(_) | Value::Decimal64(_) | Value::Timestamp(_) => 8,
        Value::Decimal128(_) | Value::Uuid(_) => 16,
        Value::Binary(bytes) => bytes.len(),
        Value::String(text) | Value::Symbol(text) => text.len(),
        Value::Described(described) => described.encoded().len(),
        Value::List(list) => list.encoded().len(),
        Value::Map(map) => map.encoded().len(),
        Value::Array(array) => array.encoded().len(),
    }
}

#[cfg(test)]
mod tests {
    use ironhub_amqp::message::{self, annotations, write_data, write_properties};

    use super::*;

    /// The order of the C SDK: message annotations behind the application properties.
    fn as_c_sends_it(body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let properties = Properties {
            message_id: Some(MessageId::String("m1")),
            content_type: Some("text/plain"),
            ..Properties::default()
        };
        write_properties(&mut out, &properties);
        message::write_application_properties(&mut out, [("alert", "yes"), ("iothub-outputname", "out")]);
        annotations::write_message_annotations(&mut out, |map| {
            map.push("dt-subject", "thermostat1");
            map.push("iothub-connection-device-id", "somebody-else");
            map.push("Diagnostic-Id", "00-7");
        });
        write_data(&mut out, body);
        out
    }

    fn batch_of(messages: &[Vec<u8>]) -> Vec<u8> {
        let mut out = Vec::new();
        for message in messages {
            write_data(&mut out, message);
        }
        out
    }

    #[test]
    fn a_message_says_what_the_hub_passes_on() {
        let encoded = as_c_sends_it(b"21.5");
        let messages = parse(0, &encoded).unwrap();
        assert_eq!(
            messages,
            [EncodedD2cMessage {
                component: Some("thermostat1"),
                output_name: Some("out"),
                trace_id: Some("00-7"),
                size_bytes: "thermostat1".len()
                    + "00-7".len()
                    + "m1text/plain".len()
                    + "alertyesiothub-outputnameout".len()
                    + 4,
                encoded: &encoded,
                ..EncodedD2cMessage::default()
            }]
        );
    }

    #[test]
    fn a_batch_is_all_its_messages() {
        let encoded = [as_c_sends_it(b"1"), as_c_sends_it(b"2")];
        let payload = batch_of(&encoded);
        let messages = parse(batch::MESSAGE_FORMAT, &payload).unwrap();
        assert_eq!(
            messages.iter().map(|message| message.encoded).collect::<Vec<_>>(),
            encoded
        );
        assert!(parse(batch::MESSAGE_FORMAT, b"").unwrap().is_empty());
    }

    #[track_caller]
    fn check_refused(message_format: u32, payload: &[u8], expected: &str) {
        assert_eq!(parse(message_format, payload).unwrap_err().condition, expected);
    }

    #[test]
    fn one_bad_message_spoils_the_batch() {
        let mut broken = as_c_sends_it(b"1");
        broken.pop();
        check_refused(0, &broken, "amqp:decode-error");
        let payload = batch_of(&[as_c_sends_it(b"1"), broken]);
        check_refused(batch::MESSAGE_FORMAT, &payload, "amqp:decode-error");
        check_refused(0, b"no message", "amqp:decode-error");
    }

    #[test]
    fn the_size_is_bounded_for_a_message_and_for_a_batch() {
        let body = |bytes| {
            let mut out = Vec::new();
            write_data(&mut out, &vec![0; bytes]);
            out
        };
        assert!(parse(0, &body(D2C_MESSAGE_BYTES_MAX)).is_ok());
        check_refused(0, &body(D2C_MESSAGE_BYTES_MAX + 1), "amqp:link:message-size-exceeded");
        let half = D2C_MESSAGE_BYTES_MAX / 2;
        let format = batch::MESSAGE_FORMAT;
        assert!(parse(format, &batch_of(&[body(half), body(half)])).is_ok());
        let payload = batch_of(&[body(half), body(half), body(1)]);
        check_refused(format, &payload, "amqp:link:message-size-exceeded");
    }

    /// Names and values of no length count nothing, and take room all the same.
    #[test]
    fn what_counts_nothing_is_bounded_too() {
        let mut hollow = Vec::new();
        let nothing = std::iter::repeat_n(("", Value::Null), D2C_ENCODED_BYTES_MAX / 3);
        message::write_application_properties(&mut hollow, nothing);
        check_refused(0, &hollow, "amqp:link:message-size-exceeded");
        let empty = |count| batch_of(&vec![b"\x00\x53\x75\xa0\x00".to_vec(); count]);
        let format = batch::MESSAGE_FORMAT;
        assert!(parse(format, &empty(D2C_BATCH_MESSAGES_MAX)).is_ok());
        check_refused(
            format,
            &empty(D2C_BATCH_MESSAGES_MAX + 1),
            "amqp:link:message-size-exceeded",
        );
    }

    proptest::proptest! {
        #[test]
        fn never_panics(payload: Vec<u8>) {
            let _ = parse(0, &payload);
            let _ = parse(batch::MESSAGE_FORMAT, &payload);
        }
    }
}
