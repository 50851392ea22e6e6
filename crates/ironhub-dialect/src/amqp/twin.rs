//! Twins: requests on one link, answers and notices on the other; what is wanted is said in annotations.
//!
//! Types matter: the C SDK drops an answer whose `status` is no int or whose `version` is no long
//! (`Azure/azure-iot-sdk-c`, `iothubtransport_amqp_twin_messenger.c`). A notice is told from an answer by having no
//! correlation id.

use std::borrow::Cow;

use ironhub_amqp::message::{
    Message, MessageId, Properties, annotations::write_message_annotations, write_data, write_properties,
};
use ironhub_amqp::performative::{AmqpError, condition};
use ironhub_amqp::types::{Map, Value};

use super::methods::payload;

const REPORTED: &str = "/properties/reported";
const DESIRED: &str = "/properties/desired";
const NOTICES: &str = "/notifications/twin/properties/desired";

/// What a device asks of its twin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request<'a> {
    /// Goes back with the answer as it came, type included: strings, and Java's uuids.
    pub correlation_id: Option<MessageId<'a>>,
    /// What is asked for; else why it is not understood.
    pub operation: Result<Operation<'a>, &'static str>,
}

/// Something that can be asked of a twin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation<'a> {
    /// Both sections.
    Get,
    /// A change of the reported properties.
    PatchReported {
        /// The version that they must have.
        version: Option<u64>,
        /// A JSON merge patch.
        patch: Cow<'a, [u8]>,
    },
    /// Notices of changed desired properties.
    Subscribe,
    /// No more of them. The C SDK says [`Self::Subscribe`] instead.
    Unsubscribe,
}

/// Reads a request. An error means that not even an answer can be given.
pub fn parse_request(encoded: &[u8]) -> Result<Request<'_>, AmqpError> {
    let message = Message::parse(encoded);
    let message = message.map_err(|error| AmqpError::new(condition::DECODE_ERROR, error.to_string()))?;
    let operation = operation(message.message_annotations, || payload(&message.bare.body));
    Ok(Request {
        correlation_id: message.bare.properties.correlation_id,
        operation,
    })
}

fn operation<'a>(
    annotations: Map<'a>,
    body: impl FnOnce() -> Option<Cow<'a, [u8]>>,
) -> Result<Operation<'a>, &'static str> {
    let text = |name| annotations.value(name).and_then(|value| value.as_text());
    let operation = text("operation").ok_or("The annotation operation is missing.")?;
    match (operation, text("resource")) {
        ("GET", None | Some("")) => Ok(Operation::Get),
        ("PATCH", Some(REPORTED)) => Ok(Operation::PatchReported {
            version: version(annotations)?,
            patch: body().ok_or("The patch is not in a data section.")?,
        }),
        ("PUT", Some(NOTICES)) => Ok(Operation::Subscribe),
        ("DELETE", Some(NOTICES)) => Ok(Operation::Unsubscribe),
        _ => Err("There is no such operation on that resource of a twin."),
    }
}

/// .NET sends null or a long, Java an int.
fn version(annotations: Map<'_>) -> Result<Option<u64>, &'static str> {
    match annotations.value("version") {
        None | Some(Value::Null) => Ok(None),
        Some(version) => version.as_u64().map(Some).ok_or("The version is not a number."),
    }
}

/// Appends an answer.
pub fn write_answer(
    out: &mut Vec<u8>,
    correlation_id: Option<MessageId<'_>>,
    (status, version): (u16, Option<u64>),
    body: &[u8],
) {
    write_message_annotations(out, |map| {
        map.push("status", i32::from(status));
        if let Some(version) = version {
            map.push("version", i64::try_from(version).unwrap_or(i64::MAX));
        }
    });
    let properties = Properties {
        correlation_id,
        ..Properties::default()
    };
    write_properties(out, &properties);
    write_data(out, body);
}

/// Appends a notice of changed desired properties; `patch` holds its `$version`.
pub fn write_notice(out: &mut Vec<u8>, patch: &str) {
    write_message_annotations(out, |map| map.push("resource", DESIRED));
    write_data(out, patch.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(annotations: &[(&str, Value<'_>)], id: Option<MessageId<'_>>, body: Option<&[u8]>) -> Vec<u8> {
        let mut out = Vec::new();
        write_message_annotations(&mut out, |map| {
            for (name, value) in annotations {
                map.push(name, *value);
            }
        });
        let properties = Properties {
            correlation_id: id,
            ..Properties::default()
        };
        write_properties(&mut out, &properties);
        if let Some(body) = body {
            write_data(&mut out, body);
        }
        out
    }

    #[track_caller]
    fn check(annotations: &[(&str, Value<'_>)], body: Option<&[u8]>, expected: Option<&Operation<'_>>) {
        let encoded = request(annotations, None, body);
        assert_eq!(parse_request(&encoded).unwrap().operation.as_ref().ok(), expected);
    }

    #[test]
    fn requests_of_all_sdks_are_read() {
        let text = Value::String;
        let (get, put, delete) = (text("GET"), text("PUT"), text("DELETE"));
        let (patch, reported, notices) = (text("PATCH"), text(REPORTED), text(NOTICES));
        let patched = |version| Operation::PatchReported {
            version,
            patch: b"{}".as_slice().into(),
        };
        check(&[("operation", get)], Some(b" "), Some(&Operation::Get));
        check(&[("operation", get)], None, Some(&Operation::Get));
        let reported = [("operation", patch), ("resource", reported)];
        check(&reported, Some(b"{}"), Some(&patched(None)));
        for (version, expected) in [(Value::Null, None), (Value::Int(3), Some(3)), (Value::Long(4), Some(4))] {
            let annotations = [reported[0], reported[1], ("version", version)];
            check(&annotations, Some(b"{}"), Some(&patched(expected)));
        }
        check(
            &[("operation", put), ("resource", notices)],
            Some(b" "),
            Some(&Operation::Subscribe),
        );
        check(
            &[("operation", delete), ("resource", notices)],
            None,
            Some(&Operation::Unsubscribe),
        );
    }

    #[test]
    fn what_is_not_understood_is_still_answered() {
        let text = Value::String;
        check(&[], None, None);
        check(&[("operation", text("get"))], None, None);
        check(&[("operation", text("GET")), ("resource", text("/tags"))], None, None);
        let version = ("version", text("three"));
        check(
            &[("operation", text("PATCH")), ("resource", text(REPORTED)), version],
            Some(b"{}"),
            None,
        );
        let encoded = request(&[], Some(MessageId::Uuid([7; 16])), None);
        let request = parse_request(&encoded).unwrap();
        assert_eq!(request.correlation_id, Some(MessageId::Uuid([7; 16])));
        assert!(request.operation.is_err());
        assert_eq!(parse_request(b"\x00").unwrap_err().condition, "amqp:decode-error");
    }

    /// Byte by byte from the standard's encodings (AMQP 1.0 part 1, §1.6).
    #[test]
    fn an_answer_is_the_bytes_that_sdks_read() {
        let mut out = Vec::new();
        write_answer(&mut out, Some(MessageId::String("id")), (204, Some(5)), b"");
        let expected = [
            b"\x00\x53\x72\xd1\0\0\0\x1c\0\0\0\x04".as_slice(),
            b"\xa3\x06status\x71\0\0\0\xcc",
            b"\xa3\x07version\x55\x05",
            b"\x00\x53\x73\xc0\x11\x0d\x40\x40\x40\x40\x40\xa1\x02id\x40\x40\x40\x40\x40\x40\x40",
            b"\x00\x53\x75\xa0\x00",
        ];
        assert_eq!(out, expected.concat());
    }

    #[test]
    fn a_notice_has_no_correlation_id() {
        let mut out = Vec::new();
        write_notice(&mut out, r#"{"a":1,"$version":3}"#);
        let message = Message::parse(&out).unwrap();
        assert_eq!(message.bare.properties.correlation_id, None);
        assert_eq!(
            message.message_annotations.value("resource"),
            Some(Value::String(DESIRED))
        );
        assert_eq!(
            payload(&message.bare.body).unwrap(),
            br#"{"a":1,"$version":3}"#.as_slice()
        );
    }

    proptest::proptest! {
        #[test]
        fn never_panics(payload: Vec<u8>) {
            let _ = parse_request(&payload);
        }
    }
}
