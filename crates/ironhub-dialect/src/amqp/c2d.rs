//! Cloud-to-device messages over AMQP, as a back end sends them; [`delivery`] is how devices get them.

pub mod delivery;

use ironhub_amqp::message::{
    BareMessage, Body, Message, MessageId, Properties, batch, write_application_properties, write_data,
    write_properties,
};
use ironhub_amqp::performative::{AmqpError, condition};
use ironhub_amqp::types::{Map, Value};
use ironhub_model::limits::MESSAGE_ID_CHARS_MAX;
use ironhub_model::{AckRequest, C2dMessage, DeviceId, LockToken, Timestamp, percent};

use super::condition::ARGUMENT_ERROR;
use crate::own_properties::OwnProperties;

/// Application property by which a back end asks for feedback.
const ACK: &str = "iothub-ack";

/// A message on its way into a queue.
#[derive(Debug, Clone, PartialEq)]
pub struct SentMessage {
    /// Whose queue, the likeliest first: azure-iot-hub and the command line write an ID as it is, Node and .NET
    /// percent-encoded, so an ID with a percent sign can be read both ways. Never empty.
    pub devices: Vec<DeviceId>,
    /// What goes into it.
    pub message: C2dMessage,
}

/// Reads a message from `/messages/devicebound`.
pub fn sent_message(payload: &[u8], message_format: u32) -> Result<SentMessage, AmqpError> {
    if message_format == batch::MESSAGE_FORMAT {
        let text = "Cloud-to-device messages are sent one by one.";
        return Err(AmqpError::new(condition::NOT_IMPLEMENTED, text));
    }
    let message = Message::parse(payload);
    let BareMessage {
        properties,
        application_properties,
        body,
    } = message
        .map_err(|error| AmqpError::new(condition::DECODE_ERROR, error.to_string()))?
        .bare;
    let (ack, own) = own_properties(application_properties)?;
    let (to, devices) = recipient(&properties)?;
    Ok(SentMessage {
        devices,
        message: C2dMessage {
            message_id: properties.message_id.map(message_id).transpose()?,
            correlation_id: properties.correlation_id.map(id_text).transpose()?,
            user_id: properties
                .user_id
                .map(|bytes| String::from_utf8_lossy(bytes).into_owned()),
            to,
            content_type: properties.content_type.map(str::to_owned),
            content_encoding: properties.content_encoding.map(str::to_owned),
            ack,
            expires_at: properties.absolute_expiry_time_ms.map(Timestamp::from_millis),
            properties: own,
            body: bytes(&body)?,
        },
    })
}

/// Appends a message for `/messages/devicebound`: a back end's way, read back by [`sent_message`]. The ID in
/// [`C2dMessage::to`] goes as it is, as azure-iot-hub writes it.
pub fn write_message(out: &mut Vec<u8>, sent: &C2dMessage) {
    let properties = Properties {
        message_id: sent.message_id.as_deref().map(MessageId::String),
        user_id: sent.user_id.as_deref().map(str::as_bytes),
        to: Some(&sent.to),
        correlation_id: sent.correlation_id.as_deref().map(MessageId::String),
        content_type: sent.content_type.as_deref(),
        content_encoding: sent.content_encoding.as_deref(),
        absolute_expiry_time_ms: sent.expires_at.map(Timestamp::as_millis),
        ..Properties::default()
    };
    write_properties(out, &properties);
    let ack = sent.ack.map(|ack| (ACK, ack.as_str()));
    let own = sent
        .properties
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    write_application_properties(out, ack.into_iter().chain(own));
    write_data(out, &sent.body);
}

/// `/devices/{id}/messages/devicebound`, its words in any letter case.
fn recipient(properties: &Properties<'_>) -> Result<(String, Vec<DeviceId>), AmqpError> {
    let to = properties.to.filter(|to| !to.is_empty());
    let to = to.ok_or_else(|| invalid_field("The message has no 'to' property."))?;
    let segments: Vec<&str> = to.trim_start_matches('/').split('/').collect();
    let is = |word: &str, expected: &str| word.eq_ignore_ascii_case(expected);
    match segments.as_slice() {
        [devices, id, messages, bound]
            if is(devices, "devices") && is(messages, "messages") && is(bound, "devicebound") =>
        {
            let decoded = percent::decode(id);
            let mut devices: Vec<DeviceId> = [Some(*id), decoded.as_deref()]
                .into_iter()
                .flatten()
                .filter_map(|id| DeviceId::parse(id).ok())
                .collect();
            devices.dedup();
            if devices.is_empty() {
                return Err(invalid_to(to));
            }
            Ok((to.to_owned(), devices))
        }
        [devices, _, modules, ..] if is(devices, "devices") && is(modules, "modules") => {
            let text = "Modules take no cloud-to-device messages.";
            Err(AmqpError::new(condition::NOT_ALLOWED, text))
        }
        _ => Err(invalid_to(to)),
    }
}

/// The sender's own properties in its order.
type Own = Vec<(String, String)>;

/// What the sender asks for, and its own properties. Devices take texts only, so numbers and the like become texts.
fn own_properties(map: Map<'_>) -> Result<(Option<AckRequest>, Own), AmqpError> {
    let mut ack = None;
    let mut own = OwnProperties::default();
    for (name, value) in map.iter() {
        let name = name
            .as_text()
            .ok_or_else(|| invalid_field("An application property's name is not a string."))?;
        let value = scalar_text(value)
            .ok_or_else(|| invalid_field(&format!("The application property '{name}' is not a simple value.")))?;
        if name == ACK {
            let asked = AckRequest::parse(&value);
            let text = format!("iothub-ack '{value}' is not none, positive, negative or full.");
            ack = Some(asked.ok_or_else(|| AmqpError::new(ARGUMENT_ERROR, text))?);
        } else {
            own.set(name.into(), Some(value.into()));
        }
    }
    let own = own.into_list().into_iter();
    let own = own.map(|(name, value)| (name.into_owned(), value.unwrap_or_default().into_owned()));
    Ok((ack, own.collect()))
}

fn scalar_text(value: Value<'_>) -> Option<String> {
    Some(match value {
        Value::Null => String::new(),
        Value::String(text) | Value::Symbol(text) => text.to_owned(),
        Value::Boolean(flag) => flag.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Char(char) => char.to_string(),
        Value::Uuid(bytes) => uuid_text(bytes),
        Value::Timestamp(ms) => Timestamp::from_millis(ms).to_string(),
        Value::Binary(bytes) => std::str::from_utf8(bytes).ok()?.to_owned(),
        Value::Ubyte(_)
        | Value::Ushort(_)
        | Value::Uint(_)
        | Value::Ulong(_)
        | Value::Byte(_)
        | Value::Short(_)
        | Value::Int(_)
        | Value::Long(_) => match value.as_u64() {
            Some(number) => number.to_string(),
            None => value.as_i64()?.to_string(),
        },
        Value::Decimal32(_)
        | Value::Decimal64(_)
        | Value::Decimal128(_)
        | Value::Described(_)
        | Value::List(_)
        | Value::Map(_)
        | Value::Array(_) => return None,
    })
}

fn message_id(id: MessageId<'_>) -> Result<String, AmqpError> {
    let text = id_text(id)?;
    if text.chars().count() > MESSAGE_ID_CHARS_MAX {
        let text = format!("The message-id is longer than {MESSAGE_ID_CHARS_MAX} characters.");
        return Err(AmqpError::new(ARGUMENT_ERROR, text));
    }
    Ok(text)
}

/// Node sends ids that look like GUIDs as such, uamqp may send numbers; devices get texts.
fn id_text(id: MessageId<'_>) -> Result<String, AmqpError> {
    match id {
        MessageId::String(text) => Ok(text.to_owned()),
        MessageId::Uuid(bytes) => Ok(uuid_text(bytes)),
        MessageId::Ulong(number) => Ok(number.to_string()),
        MessageId::Binary(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(invalid_field("An id of the message is not text.")),
        },
    }
}

/// 32 hexadecimal digits in groups, as lock tokens are printed.
fn uuid_text(bytes: [u8; 16]) -> String {
    LockToken::from_bytes(bytes).to_string()
}

fn bytes(body: &Body<'_>) -> Result<Vec<u8>, AmqpError> {
    match body {
        Body::Data(sections) => Ok(sections.clone().collect::<Vec<_>>().concat()),
        Body::Value(Value::String(text)) => Ok(text.as_bytes().to_vec()),
        Body::Value(Value::Binary(bytes)) => Ok(bytes.to_vec()),
        Body::Empty | Body::Value(Value::Null) => Ok(Vec::new()),
        Body::Value(_) | Body::Sequence(_) => Err(invalid_field("The body is not binary data.")),
    }
}

fn invalid_to(to: &str) -> AmqpError {
    let text = format!("The 'to' property '{to}' is not /devices/{{deviceId}}/messages/devicebound.");
    AmqpError::new(condition::INVALID_FIELD, text)
}

fn invalid_field(text: &str) -> AmqpError {
    AmqpError::new(condition::INVALID_FIELD, text)
}

#[cfg(test)]
mod tests {
    use ironhub_amqp::message::{write_application_properties, write_data, write_properties, write_value};

    use super::*;

    const TO: &str = "/devices/d/messages/devicebound";

    fn encoded(properties: &Properties<'_>, own: &[(&str, Value<'_>)], body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write_properties(&mut out, properties);
        write_application_properties(&mut out, own.iter().copied());
        write_data(&mut out, body);
        out
    }

    fn to(to: &str) -> Properties<'_> {
        Properties {
            to: Some(to),
            ..Properties::default()
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let message = C2dMessage {
            message_id: Some("m".into()),
            correlation_id: None,
            user_id: Some("u".into()),
            to: "/devices/d/messages/devicebound".into(),
            content_type: Some("text/plain".into()),
            content_encoding: None,
            ack: Some(AckRequest::Positive),
            expires_at: Some(Timestamp::from_millis(1_700_000_000_123)),
            properties: vec![("a".into(), "b".into())],
            body: b"body".to_vec(),
        };
        let mut out = Vec::new();
        write_message(&mut out, &message);
        let read = sent_message(&out, 0).unwrap();
        assert_eq!(
            (read.devices, read.message),
            (vec![DeviceId::parse("d").unwrap()], message)
        );
    }

    #[test]
    fn everything_that_a_sender_can_say() {
        let properties = Properties {
            message_id: Some(MessageId::Uuid([0x11; 16])),
            user_id: Some(b"me"),
            to: Some("/devices/d/messages/deviceBound"),
            correlation_id: Some(MessageId::Ulong(7)),
            content_type: Some("application/json"),
            content_encoding: Some("utf-8"),
            absolute_expiry_time_ms: Some(1_767_225_600_000),
            ..Properties::default()
        };
        let own = [
            ("iothub-ack", Value::String("Full")),
            ("ack", Value::String("kept")),
            ("number", Value::Int(-3)),
            ("flag", Value::Boolean(true)),
            ("number", Value::Ulong(u64::MAX)),
        ];
        let sent = sent_message(&encoded(&properties, &own, b"body"), 0).unwrap();
        assert_eq!(sent.devices, [DeviceId::parse("d").unwrap()]);
        let texts = |pairs: [(&str, &str); 3]| pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let expected = C2dMessage {
            message_id: Some("11111111-1111-1111-1111-111111111111".into()),
            correlation_id: Some("7".into()),
            user_id: Some("me".into()),
            to: "/devices/d/messages/deviceBound".into(),
            content_type: Some("application/json".into()),
            content_encoding: Some("utf-8".into()),
            ack: Some(AckRequest::Full),
            expires_at: Some(Timestamp::parse("2026-01-01T00:00:00Z").unwrap()),
            properties: texts([("ack", "kept"), ("number", "18446744073709551615"), ("flag", "true")]),
            body: b"body".to_vec(),
        };
        assert_eq!(sent.message, expected);
    }

    #[test]
    fn bodies() {
        for (write, expected) in [
            ((|_| ()) as fn(&mut Vec<u8>), Some("")),
            (|out| write_data(out, b"a"), Some("a")),
            (
                |out| {
                    write_data(out, b"a");
                    write_data(out, b"b");
                },
                Some("ab"),
            ),
            (|out| write_value(out, "text"), Some("text")),
            (|out| write_value(out, &b"bytes"[..]), Some("bytes")),
            (|out| write_value(out, 1), None),
        ] {
            let mut message = Vec::new();
            write_properties(&mut message, &to(TO));
            write(&mut message);
            let body = sent_message(&message, 0).ok().map(|sent| sent.message.body);
            assert_eq!(body.as_deref(), expected.map(str::as_bytes));
        }
    }

    #[track_caller]
    fn check_to(address: &str, expected: Result<&[&str], &str>) {
        let sent = sent_message(&encoded(&to(address), &[], b""), 0);
        let found = sent.map(|sent| sent.devices.iter().map(ToString::to_string).collect::<Vec<_>>());
        let expected = expected.map(|ids| ids.iter().map(ToString::to_string).collect());
        assert_eq!(
            found.map_err(|error| error.condition.into_owned()),
            expected.map_err(str::to_owned)
        );
    }

    #[test]
    fn recipients() {
        check_to(TO, Ok(&["d"]));
        check_to("/Devices/D/Messages/DeviceBound", Ok(&["D"]));
        check_to("devices/d/messages/devicebound", Ok(&["d"]));
        check_to("/devices/a%3Ab/messages/devicebound", Ok(&["a%3Ab", "a:b"]));
        check_to("/devices/a%2541/messages/devicebound", Ok(&["a%2541", "a%41"]));
        check_to("/devices/d/modules/m/messages/deviceBound", Err(condition::NOT_ALLOWED));
        for wrong in [
            "/",
            "/devices//messages/devicebound",
            "/devices/a b/messages/devicebound",
            "/devices/a%2Fb%20/messages/devicebound/x",
            "/devices/d/messages/events",
            "/messages/devicebound",
            "d",
        ] {
            check_to(wrong, Err(condition::INVALID_FIELD));
        }
    }

    #[track_caller]
    fn check_refused(message: &[u8], expected: &str) {
        let error = sent_message(message, 0).unwrap_err();
        assert_eq!(error.condition, expected, "{error:?}");
    }

    #[test]
    fn messages_that_are_refused() {
        check_refused(b"\x00", condition::DECODE_ERROR);
        check_refused(&encoded(&Properties::default(), &[], b""), condition::INVALID_FIELD);
        check_refused(&encoded(&to(""), &[], b""), condition::INVALID_FIELD);
        let ack = |ack| encoded(&to(TO), &[(ACK, Value::String(ack))], b"");
        check_refused(&ack("always"), ARGUMENT_ERROR);
        let own = [("a", Value::Decimal32([0; 4]))];
        check_refused(&encoded(&to(TO), &own, b""), condition::INVALID_FIELD);
        let id = "x".repeat(MESSAGE_ID_CHARS_MAX + 1);
        let long = Properties {
            message_id: Some(MessageId::String(&id)),
            ..to(TO)
        };
        check_refused(&encoded(&long, &[], b""), ARGUMENT_ERROR);
        let not_text = Properties {
            correlation_id: Some(MessageId::Binary(&[0xFF])),
            ..to(TO)
        };
        check_refused(&encoded(&not_text, &[], b""), condition::INVALID_FIELD);
        let error = sent_message(&encoded(&to(TO), &[], b""), batch::MESSAGE_FORMAT).unwrap_err();
        assert_eq!(error.condition, condition::NOT_IMPLEMENTED);
    }
}
