//! Telemetry over HTTPS: one message in headers and body, or a batch as JSON.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ironhub_model::limits::D2C_MESSAGE_BYTES_MAX;
use ironhub_model::message::AppProperty;
use ironhub_model::{D2cMessage, SystemProperties, Timestamp};
use serde_json::Value;

use super::error::InvalidRequest;
use super::json::{self, Members};
use crate::own_properties::OwnProperties;

/// The prefix of the sender's own properties, in headers and in batches.
pub(super) const OWN_PREFIX: &str = "iothub-app-";

/// Does the body hold a batch? Told by `Content-Type`, which says nothing of a single message's body.
pub fn is_batch(content_type: Option<&str>) -> bool {
    let media_type = content_type.and_then(|text| text.split(';').next()).unwrap_or_default();
    media_type
        .trim()
        .eq_ignore_ascii_case("application/vnd.microsoft.iothub.json")
}

/// Reads a single message. Header names keep the sender's letter case, values are as sent: clients escape nothing.
pub fn parse<'a>(headers: &'a [(String, String)], body: &'a [u8]) -> D2cMessage<'a> {
    let mut reader = Reader::default();
    for (name, value) in headers {
        let is_known = strip_prefix(name, "iothub-").is_some() || name.eq_ignore_ascii_case("dt-subject");
        if is_known {
            reader.set(Cow::Borrowed(name), Cow::Borrowed(value));
        }
    }
    D2cMessage {
        system: reader.system,
        properties: reader.own.into_list(),
        body,
    }
}

/// A message of a batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BatchItem {
    system: SystemProperties<'static>,
    properties: Vec<AppProperty<'static>>,
    body: Vec<u8>,
}

impl BatchItem {
    /// The message.
    pub fn message(&self) -> D2cMessage<'_> {
        D2cMessage {
            system: self.system.clone(),
            properties: self.properties.clone(),
            body: &self.body,
        }
    }
}

/// Reads a batch: `[{"body": …, "base64Encoded": true, "properties": {…}}]`. All messages together may be as large as
/// one (Azure documentation "Send device-to-cloud messages: batches").
pub fn parse_batch(body: &[u8]) -> Result<Vec<BatchItem>, InvalidRequest> {
    let value = json::parse(body)?;
    let list = value
        .as_array()
        .ok_or_else(|| InvalidRequest::Malformed("the batch is not a JSON array".into()))?;
    let items = list.iter().map(batch_item).collect::<Result<Vec<_>, _>>()?;
    let bytes: usize = items.iter().map(|item| item.message().size_bytes()).sum();
    if bytes > D2C_MESSAGE_BYTES_MAX {
        return Err(InvalidRequest::TooLarge(D2C_MESSAGE_BYTES_MAX));
    }
    Ok(items)
}

fn batch_item(value: &Value) -> Result<BatchItem, InvalidRequest> {
    let item = Members::of(value, "a message of the batch")?;
    let body = item.text("body")?.unwrap_or_default();
    let body = if item.flag("base64Encoded")?.unwrap_or(true) {
        let decoded = STANDARD.decode(body);
        decoded.map_err(|_| InvalidRequest::Malformed("body of a message of the batch is not base64".into()))?
    } else {
        body.as_bytes().to_vec()
    };
    let mut reader = Reader::default();
    if let Some(properties) = item.value("properties") {
        let properties = properties
            .as_object()
            .ok_or_else(|| InvalidRequest::Malformed("properties is not a JSON object".into()))?;
        for (name, value) in properties {
            reader.set(Cow::Owned(name.clone()), Cow::Owned(property_text(value)?));
        }
    }
    Ok(BatchItem {
        system: reader.system,
        properties: reader.own.into_list(),
        body,
    })
}

fn property_text(value: &Value) -> Result<String, InvalidRequest> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        Value::Null => Ok(String::new()),
        Value::Array(_) | Value::Object(_) => Err(InvalidRequest::Malformed(
            "a property of a message of the batch is not a string".into(),
        )),
    }
}

/// Sorts properties into those that the hub knows and the sender's own.
#[derive(Default)]
struct Reader<'a> {
    system: SystemProperties<'a>,
    own: OwnProperties<'a>,
}

impl<'a> Reader<'a> {
    fn set(&mut self, name: Cow<'a, str>, value: Cow<'a, str>) {
        if let Some(own) = strip_prefix(&name, OWN_PREFIX) {
            if !own.is_empty() {
                let own = match name {
                    Cow::Borrowed(name) => Cow::Borrowed(name.get(OWN_PREFIX.len()..).unwrap_or_default()),
                    Cow::Owned(_) => Cow::Owned(own.to_owned()),
                };
                self.own.set(own, Some(value));
            }
            return;
        }
        let system = &mut self.system;
        let field = match name.to_ascii_lowercase().as_str() {
            "iothub-messageid" => &mut system.message_id,
            "iothub-correlationid" => &mut system.correlation_id,
            "iothub-userid" => &mut system.user_id,
            "iothub-to" => &mut system.to,
            "iothub-contenttype" => &mut system.content_type,
            "iothub-contentencoding" => &mut system.content_encoding,
            "iothub-creationtimeutc" | "iothub-creation-time-utc" => &mut system.creation_time,
            "iothub-interface-id" => &mut system.interface_id,
            "iothub-messageschema" => &mut system.message_schema,
            "dt-subject" => &mut system.component,
            // Which operation it is the path says; a report on telemetry does not exist.
            "iothub-operation" | "iothub-ack" => return,
            "iothub-expiry" => {
                if let Ok(expires_at) = Timestamp::parse(&value) {
                    system.expires_at = Some(expires_at);
                    return;
                }
                return self.own.set(name, Some(value));
            }
            _ => return self.own.set(name, Some(value)),
        };
        *field = Some(value);
    }
}

/// What follows `prefix`, which is compared without letter case.
pub(super) fn strip_prefix<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let head = text.get(..prefix.len())?;
    if head.eq_ignore_ascii_case(prefix) {
        text.get(prefix.len()..)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect()
    }

    fn own<'a>(message: &'a D2cMessage<'_>) -> Vec<(&'a str, &'a str)> {
        let pairs = message.properties.iter();
        pairs
            .map(|(name, value)| (name.as_ref(), value.as_deref().unwrap()))
            .collect()
    }

    #[test]
    fn what_node_sends() {
        let headers = headers(&[
            ("User-Agent", "azure-iot-device/1.18.4"),
            ("iothub-app-bKey1", "v+ &/"),
            ("dt-subject", "comp"),
            ("IoTHub-MessageId", "mid 1"),
            ("IoTHub-CorrelationId", "c/1"),
            ("IoTHub-UserId", "u"),
            ("IoTHub-Expiry", "2030-01-01T00:00:00Z"),
            ("iothub-to", "/devices/d.1/messages/events"),
            ("iothub-contenttype", "application/json"),
            ("iothub-contentencoding", "utf-8"),
        ]);
        let message = parse(&headers, b"hello");
        let system = &message.system;
        assert_eq!(own(&message), [("bKey1", "v+ &/")]);
        assert_eq!(system.component.as_deref(), Some("comp"));
        assert_eq!(system.message_id.as_deref(), Some("mid 1"));
        assert_eq!(system.correlation_id.as_deref(), Some("c/1"));
        assert_eq!(system.user_id.as_deref(), Some("u"));
        assert_eq!(system.to.as_deref(), Some("/devices/d.1/messages/events"));
        assert_eq!(system.content_type.as_deref(), Some("application/json"));
        assert_eq!(system.content_encoding.as_deref(), Some("utf-8"));
        assert_eq!(
            system.expires_at,
            Some(Timestamp::parse("2030-01-01T00:00:00Z").unwrap())
        );
        assert_eq!(message.body, b"hello");
    }

    #[test]
    fn other_clients() {
        let headers = headers(&[
            ("iothub-app-a", "1"),
            ("IOTHUB-APP-a", "2"),
            ("iothub-app-", "nameless"),
            ("iothub-creation-time-utc", "2021-01-01T00:00:00.000Z"),
            ("iothub-operation", "d2c"),
            ("iothub-messageschema", "s"),
            ("iothub-expiry", "soon"),
            ("iothub-new", "n"),
            ("Content-Type", "binary/octet-stream"),
        ]);
        let message = parse(&headers, b"");
        assert_eq!(
            own(&message),
            [("a", "2"), ("iothub-expiry", "soon"), ("iothub-new", "n")]
        );
        assert_eq!(
            message.system.creation_time.as_deref(),
            Some("2021-01-01T00:00:00.000Z")
        );
        assert_eq!(message.system.message_schema.as_deref(), Some("s"));
        assert_eq!(message.system.content_type, None);
    }

    #[test]
    fn batches() {
        let items = parse_batch(
            br#"[{"body":"YQ=="},
                 {"body":"eyJ0IjoxfQ==","base64Encoded":true,"properties":{"iothub-app-bKey1":"v","iothub-messageid":"m1"}},
                 {"body":"{\"t\":1}","base64Encoded":false,"properties":{"iothub-app-k":"v1","dt-subject":"c","plain":7}},
                 {"properties":{}}]"#,
        )
        .unwrap();
        let bodies: Vec<&[u8]> = items.iter().map(|item| item.body.as_slice()).collect();
        assert_eq!(bodies, [&b"a"[..], b"{\"t\":1}", b"{\"t\":1}", b""]);
        assert_eq!(own(&items[1].message()), [("bKey1", "v")]);
        assert_eq!(items[1].system.message_id.as_deref(), Some("m1"));
        assert_eq!(own(&items[2].message()), [("k", "v1"), ("plain", "7")]);
        assert_eq!(items[2].system.component.as_deref(), Some("c"));
    }

    #[test]
    fn batches_that_are_refused() {
        for (body, expected) in [
            ("{}", "the batch is not a JSON array"),
            ("[1]", "a message of the batch is not a JSON object"),
            (
                r#"[{"body":"not base64!"}]"#,
                "body of a message of the batch is not base64",
            ),
            (r#"[{"body":{}}]"#, "body of a message of the batch is not a string"),
            (
                r#"[{"body":"","properties":{"a":{}}}]"#,
                "a property of a message of the batch is not a string",
            ),
        ] {
            assert_eq!(
                parse_batch(body.as_bytes()).unwrap_err().to_string(),
                expected,
                "{body}"
            );
        }
        let half = "x".repeat(D2C_MESSAGE_BYTES_MAX / 2);
        let batch = |tail: &str| {
            format!(r#"[{{"body":"{half}","base64Encoded":false}},{{"body":"{half}{tail}","base64Encoded":false}}]"#)
        };
        assert_eq!(parse_batch(batch("").as_bytes()).unwrap().len(), 2);
        assert_eq!(
            parse_batch(batch("x").as_bytes()),
            Err(InvalidRequest::TooLarge(D2C_MESSAGE_BYTES_MAX))
        );
    }

    #[test]
    fn batches_are_told_by_their_content_type() {
        for (text, expected) in [
            (Some("application/vnd.microsoft.iothub.json"), true),
            (Some("Application/vnd.microsoft.iothub.json; charset=utf-8"), true),
            (Some("application/json"), false),
            (None, false),
        ] {
            assert_eq!(is_batch(text), expected, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(name: String, value: String, body: Vec<u8>) {
            let headers = [(format!("iothub-{name}"), value)];
            let _ = parse(&headers, &body);
            let _ = parse_batch(&body);
        }
    }
}
