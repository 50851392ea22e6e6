//! Cloud-to-device messages over HTTPS: sent by a back end, received and settled by a device.

use std::time::Duration;

use ironhub_model::limits::{C2D_LOCK_MAX, MESSAGE_ID_CHARS_MAX};
use ironhub_model::{AckRequest, C2dDelivery, C2dMessage, DeviceId, Timestamp};
use serde::Serialize;

use super::error::{InvalidRequest, print};
use super::telemetry::{OWN_PREFIX, strip_prefix};

/// Reads a message that a back end sends. IoT Explorer puts system values behind `iothub-app-` too; they are properties
/// like others then, as they are when it sends them over AMQP.
pub fn c2d_message(device: &DeviceId, headers: &[(String, String)], body: &[u8]) -> Result<C2dMessage, InvalidRequest> {
    let mut message = C2dMessage {
        message_id: None,
        correlation_id: None,
        user_id: None,
        to: address(device),
        content_type: None,
        content_encoding: None,
        ack: None,
        expires_at: None,
        properties: Vec::new(),
        body: body.to_vec(),
    };
    for (name, value) in headers {
        if let Some(own) = strip_prefix(name, OWN_PREFIX).filter(|own| !own.is_empty()) {
            message.properties.push((own.to_owned(), value.clone()));
            continue;
        }
        match name.to_ascii_lowercase().as_str() {
            "iothub-messageid" => message.message_id = Some(message_id(value)?),
            "iothub-correlationid" => message.correlation_id = Some(value.clone()),
            "iothub-userid" => message.user_id = Some(value.clone()),
            "iothub-contenttype" => message.content_type = Some(value.clone()),
            "iothub-contentencoding" => message.content_encoding = Some(value.clone()),
            "iothub-ack" => message.ack = Some(ack(value)?),
            "iothub-expiry" if !value.is_empty() => message.expires_at = Some(expiry(value)?),
            _ => {}
        }
    }
    Ok(message)
}

fn address(device: &DeviceId) -> String {
    format!("/devices/{device}/messages/devicebound")
}

fn message_id(text: &str) -> Result<String, InvalidRequest> {
    if text.chars().count() > MESSAGE_ID_CHARS_MAX {
        let what = format!("iothub-messageid is longer than {MESSAGE_ID_CHARS_MAX} characters");
        return Err(InvalidRequest::Argument(what));
    }
    Ok(text.to_owned())
}

fn ack(text: &str) -> Result<AckRequest, InvalidRequest> {
    let invalid = || InvalidRequest::Argument(format!("iothub-ack {text:?} is not none, positive, negative or full"));
    AckRequest::parse(text).ok_or_else(invalid)
}

fn expiry(text: &str) -> Result<Timestamp, InvalidRequest> {
    Timestamp::parse(text).map_err(|error| InvalidRequest::Argument(format!("iothub-expiry {text:?} is {error}")))
}

/// How long a received message stays locked: the header or query parameter `iothub-messagelocktimeout`, in seconds.
/// `None` when the receiver leaves it to the hub; what is out of bounds goes to the nearest bound.
pub fn lock_duration(text: Option<&str>) -> Result<Option<Duration>, InvalidRequest> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    match text.parse() {
        Ok(seconds) => Ok(Some(
            Duration::from_secs(seconds).clamp(Duration::from_secs(1), C2D_LOCK_MAX),
        )),
        Err(_) => Err(InvalidRequest::Argument(format!(
            "IotHub-MessageLockTimeout {text:?} is not a number of seconds"
        ))),
    }
}

/// The headers of a delivery, spelled as the C SDK looks them up: with letter case. `iothub-ack` is always there.
/// Control characters of values, and characters of names that HTTP does not allow, are percent-encoded.
pub fn delivery_headers(delivery: &C2dDelivery) -> Vec<(String, String)> {
    let message = &delivery.message;
    let system = [
        ("ETag", Some(format!("\"{}\"", delivery.lock_token))),
        ("iothub-messageid", message.message_id.clone()),
        ("iothub-sequencenumber", Some(delivery.sequence.to_string())),
        ("iothub-to", Some(message.to.clone())),
        ("iothub-correlationid", message.correlation_id.clone()),
        ("iothub-userid", message.user_id.clone()),
        (
            "iothub-ack",
            Some(message.ack.unwrap_or(AckRequest::None).as_str().to_owned()),
        ),
        ("iothub-expiry", message.expires_at.map(|time| time.to_string())),
        ("iothub-enqueuedtime", Some(delivery.enqueued_at.to_string())),
        ("iothub-deliverycount", Some(delivery.delivery_count.to_string())),
        ("ContentType", message.content_type.clone()),
        ("ContentEncoding", message.content_encoding.clone()),
    ];
    let system = system
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), header_value(&value?))));
    let own = message.properties.iter().map(|(name, value)| {
        let name = escape(name, |c| !is_token_char(c));
        (format!("{OWN_PREFIX}{name}"), header_value(value))
    });
    system.chain(own).collect()
}

fn header_value(text: &str) -> String {
    escape(text, char::is_control)
}

/// RFC 9110, section 5.6.2. The percent sign is one, so that names pass as they are.
fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

fn escape(text: &str, is_escaped: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_escaped(c) {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                push_escaped(&mut out, byte);
            }
        } else {
            out.push(c);
        }
    }
    out
}

fn push_escaped(out: &mut String, byte: u8) {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).map_or('0', |digit| digit.to_ascii_uppercase());
    out.extend(['%', digit(byte >> 4), digit(byte & 0xF)]);
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PurgeBody<'a> {
    total_messages_purged: u32,
    device_id: &'a DeviceId,
    /// Modules have no queue; the service prints the member all the same.
    module_id: Option<&'a str>,
}

/// The answer to the purge of a queue.
pub fn purge_json(device: &DeviceId, purged: u32) -> String {
    print(&PurgeBody {
        total_messages_purged: purged,
        device_id: device,
        module_id: None,
    })
}

#[cfg(test)]
mod tests {
    use ironhub_model::LockToken;

    use super::*;

    fn device() -> DeviceId {
        DeviceId::parse("d.1").unwrap()
    }

    fn message(headers: &[(&str, &str)]) -> Result<C2dMessage, InvalidRequest> {
        let headers: Vec<(String, String)> = headers
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect();
        c2d_message(&device(), &headers, b"hello")
    }

    #[test]
    fn a_message_in_headers() {
        let read = message(&[
            ("IoTHub-MessageId", "m1"),
            ("iothub-ack", "Full"),
            ("iothub-correlationid", "c1"),
            ("iothub-expiry", "2030-01-01T00:00:00Z"),
            ("iothub-app-Foo", "bar"),
            ("iothub-app-ack", "positive"),
            ("Content-Type", "text/plain"),
        ])
        .unwrap();
        assert_eq!(read.message_id.as_deref(), Some("m1"));
        assert_eq!(read.ack, Some(AckRequest::Full));
        assert_eq!(read.correlation_id.as_deref(), Some("c1"));
        assert_eq!(read.expires_at, Some(Timestamp::parse("2030-01-01T00:00:00Z").unwrap()));
        assert_eq!(read.to, "/devices/d.1/messages/devicebound");
        assert_eq!(read.content_type, None);
        assert_eq!(
            read.properties,
            [("Foo".into(), "bar".into()), ("ack".into(), "positive".into())]
        );
        assert_eq!(read.body, b"hello");
    }

    #[test]
    fn what_is_refused() {
        for (name, value) in [
            ("iothub-ack", "maybe"),
            ("iothub-expiry", "soon"),
            ("iothub-messageid", &"x".repeat(129)),
        ] {
            assert!(message(&[(name, value)]).is_err(), "{name}");
        }
        assert!(message(&[("iothub-expiry", ""), ("iothub-messageid", &"x".repeat(128))]).is_ok());
    }

    #[test]
    fn lock_durations_have_bounds() {
        for (text, expected) in [
            (None, Some(None)),
            (Some(""), Some(None)),
            (Some("180"), Some(Some(180))),
            (Some("0"), Some(Some(1))),
            (Some("301"), Some(Some(300))),
            (Some("1.5"), None),
            (Some("-1"), None),
        ] {
            let expected = expected.map(|seconds| seconds.map(Duration::from_secs));
            assert_eq!(lock_duration(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn headers_keep_their_spelling() {
        let mut message = message(&[
            ("iothub-messageid", "m1"),
            ("iothub-contenttype", "application/json"),
            ("iothub-app-Foo", "bar"),
        ])
        .unwrap();
        message.properties.push(("a b".into(), "x\r\ny: é".into()));
        let delivery = C2dDelivery {
            lock_token: LockToken::from_random([0; 16]),
            sequence: 3,
            message,
            enqueued_at: Timestamp::parse("2021-05-13T07:41:20.5Z").unwrap(),
            expires_at: Timestamp::MAX,
            delivery_count: 1,
            redelivered: false,
        };
        let headers: Vec<String> = delivery_headers(&delivery)
            .into_iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        insta::assert_snapshot!(headers.join("\n"), @r#"
        ETag: "00000000-0000-4000-8000-000000000000"
        iothub-messageid: m1
        iothub-sequencenumber: 3
        iothub-to: /devices/d.1/messages/devicebound
        iothub-ack: none
        iothub-enqueuedtime: 2021-05-13T07:41:20.5Z
        iothub-deliverycount: 1
        ContentType: application/json
        iothub-app-Foo: bar
        iothub-app-a%20b: x%0D%0Ay: é
        "#);
    }

    #[test]
    fn purge() {
        assert_eq!(
            purge_json(&device(), 3),
            r#"{"totalMessagesPurged":3,"deviceId":"d.1","moduleId":null}"#
        );
    }
}
