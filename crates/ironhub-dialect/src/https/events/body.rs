//! The body of an event in the likeliest form: JSON, text, or base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ironhub_amqp::message::Body;
use ironhub_amqp::types::Value as AmqpValue;
use serde_json::Value;
use serde_json::value::RawValue;

/// A body to print, and how.
#[derive(Debug)]
pub(super) struct PrintedBody {
    /// JSON text.
    pub(super) json: Box<RawValue>,
    /// `json`, `utf-8` or `base64`.
    pub(super) encoding: &'static str,
}

impl PrintedBody {
    /// JSON where the content type says so and the bytes are: as it was sent. Text where the bytes are UTF-8.
    pub(super) fn of(body: &Body<'_>, content_type: Option<&str>) -> Self {
        let bytes = match body {
            Body::Empty => Vec::new(),
            Body::Data(sections) => sections.clone().collect::<Vec<_>>().concat(),
            Body::Value(value) => return Self::value(&json_value(*value, 0)),
            Body::Sequence(lists) => {
                let rows = lists
                    .clone()
                    .map(|list| Value::Array(list.iter().map(|value| json_value(value, 1)).collect()));
                return Self::value(&Value::Array(rows.collect()));
            }
        };
        match String::from_utf8(bytes) {
            Ok(text) if content_type.is_some_and(is_json) => match RawValue::from_string(text.clone()) {
                // Line breaks between tokens would break the framing of lines; within strings JSON has none.
                Ok(json) if !json.get().contains(['\n', '\r']) => Self { json, encoding: "json" },
                Ok(json) => match serde_json::from_str::<Value>(json.get()) {
                    Ok(value) => Self::value(&value),
                    Err(_) => Self::text(&text, "utf-8"),
                },
                Err(_) => Self::text(&text, "utf-8"),
            },
            Ok(text) => Self::text(&text, "utf-8"),
            Err(error) => Self::text(&STANDARD.encode(error.as_bytes()), "base64"),
        }
    }

    fn text(text: &str, encoding: &'static str) -> Self {
        Self {
            json: raw(&text),
            encoding,
        }
    }

    fn value(value: &Value) -> Self {
        Self {
            json: raw(value),
            encoding: "json",
        }
    }
}

fn raw(value: &impl serde::Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// `application/json`, `application/vnd.x+json`, with parameters or without.
fn is_json(content_type: &str) -> bool {
    let media_type = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    media_type == "application/json" || media_type.ends_with("+json")
}

/// Containers of AMQP values within each other that are printed; the hub itself writes none at all.
const DEPTH_MAX: usize = 16;

/// An AMQP value as JSON: bytes as base64, times as RFC 3339, what JSON has no word for as null.
pub(crate) fn json_value(value: AmqpValue<'_>, depth: usize) -> Value {
    match value {
        AmqpValue::Null
        | AmqpValue::Decimal32(_)
        | AmqpValue::Decimal64(_)
        | AmqpValue::Decimal128(_)
        | AmqpValue::Described(_) => Value::Null,
        AmqpValue::Boolean(value) => value.into(),
        AmqpValue::Ubyte(number) => number.into(),
        AmqpValue::Ushort(number) => number.into(),
        AmqpValue::Uint(number) => number.into(),
        AmqpValue::Ulong(number) => number.into(),
        AmqpValue::Byte(number) => number.into(),
        AmqpValue::Short(number) => number.into(),
        AmqpValue::Int(number) => number.into(),
        AmqpValue::Long(number) => number.into(),
        AmqpValue::Float(number) => number.into(),
        AmqpValue::Double(number) => number.into(),
        AmqpValue::Char(character) => character.to_string().into(),
        AmqpValue::Timestamp(ms) => ironhub_model::Timestamp::from_millis(ms).to_string().into(),
        AmqpValue::Uuid(bytes) => ironhub_model::LockToken::from_bytes(bytes).to_string().into(),
        AmqpValue::Binary(bytes) => STANDARD.encode(bytes).into(),
        AmqpValue::String(text) | AmqpValue::Symbol(text) => text.into(),
        AmqpValue::List(_) | AmqpValue::Map(_) | AmqpValue::Array(_) if depth >= DEPTH_MAX => Value::Null,
        AmqpValue::List(list) => list.iter().map(|value| json_value(value, depth + 1)).collect(),
        AmqpValue::Map(map) => {
            let pairs = map.iter_text();
            let pairs = pairs.map(|(key, value)| (key.to_owned(), json_value(value, depth + 1)));
            Value::Object(pairs.collect())
        }
        AmqpValue::Array(array) => array.iter().map(|value| json_value(value, depth + 1)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use ironhub_amqp::message::{self, BareMessage};

    use super::*;

    #[track_caller]
    fn check(body: &[u8], content_type: Option<&str>, expected: (&str, &str)) {
        let mut bare = Vec::new();
        message::write_data(&mut bare, body);
        let read = BareMessage::parse(&bare).unwrap();
        let printed = PrintedBody::of(&read.body, content_type);
        assert_eq!((printed.encoding, printed.json.get()), expected);
    }

    #[test]
    fn bodies() {
        let json = Some("application/json; charset=utf-8");
        check(br#"{"t":1.50}"#, json, ("json", r#"{"t":1.50}"#));
        check(b"{\r\n\"t\": 1.5\n}", json, ("json", r#"{"t":1.5}"#));
        check(br#"{"t":"#, json, ("utf-8", r#""{\"t\":""#));
        check(br#"{"t":1}"#, None, ("utf-8", r#""{\"t\":1}""#));
        check("é\n".as_bytes(), Some("text/plain"), ("utf-8", r#""é\n""#));
        check(&[0xFF, 0x00], json, ("base64", r#""/wA=""#));
        check(b"", json, ("utf-8", r#""""#));
        check(b"1", Some("application/vnd.x+JSON"), ("json", "1"));
    }

    #[test]
    fn amqp_values() {
        let printed = PrintedBody::of(&Body::Value(AmqpValue::Timestamp(0)), None);
        assert_eq!(printed.json.get(), r#""1970-01-01T00:00:00Z""#);
        assert_eq!(printed.encoding, "json");
        assert_eq!(json_value(AmqpValue::Binary(b"a"), 0), "YQ==");
    }
}
