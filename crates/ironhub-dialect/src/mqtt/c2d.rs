//! Cloud-to-device messages over MQTT: the topic that carries their properties.

use ironhub_model::identity::DeviceId;
use ironhub_model::message::C2dMessage;
use ironhub_model::{AckRequest, Timestamp, percent};

/// The topic on which a message reaches its device. System properties come first (Java loses what precedes them), with
/// the prefix `%24.` that the C SDK looks for; `%24.to` is always there, since .NET needs a bag that is not empty.
pub fn delivery_topic(device: &DeviceId, message: &C2dMessage) -> String {
    let mut topic = format!("devices/{device}/messages/devicebound/");
    let expires_at = message.expires_at.map(Timestamp::to_round_trip);
    let system = [
        ("%24.exp", expires_at.as_deref()),
        ("%24.mid", message.message_id.as_deref()),
        ("%24.to", Some(message.to.as_str())),
        ("%24.cid", message.correlation_id.as_deref()),
        ("%24.uid", message.user_id.as_deref()),
        ("%24.ct", message.content_type.as_deref()),
        ("%24.ce", message.content_encoding.as_deref()),
        ("iothub-ack", message.ack.map(AckRequest::as_str)),
    ];
    for (name, value) in system {
        if let Some(value) = value {
            push(&mut topic, name, value);
        }
    }
    for (name, value) in &message.properties {
        push(&mut topic, &percent::encode(name), value);
    }
    topic
}

/// Reads a message that reached its device; the other direction of [`delivery_topic`]. Lenient: what cannot be decoded
/// stays as it came, a name without `=` gets an empty value.
pub fn parse(bag: &str, body: &[u8]) -> C2dMessage {
    let mut message = C2dMessage {
        message_id: None,
        correlation_id: None,
        user_id: None,
        to: String::new(),
        content_type: None,
        content_encoding: None,
        ack: None,
        expires_at: None,
        properties: Vec::new(),
        body: body.to_vec(),
    };
    for pair in bag.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        set(&mut message, decode(name), decode(value));
    }
    message
}

fn set(message: &mut C2dMessage, name: String, value: String) {
    match name.as_str() {
        "$.mid" => message.message_id = Some(value),
        "$.cid" => message.correlation_id = Some(value),
        "$.uid" => message.user_id = Some(value),
        "$.to" => message.to = value,
        "$.ct" => message.content_type = Some(value),
        "$.ce" => message.content_encoding = Some(value),
        "$.exp" => message.expires_at = Timestamp::parse(&value).ok(),
        "iothub-ack" => message.ack = AckRequest::parse(&value),
        _ => message.properties.push((name, value)),
    }
}

fn decode(text: &str) -> String {
    percent::decode(text).map_or_else(|| text.to_owned(), Into::into)
}

fn push(topic: &mut String, encoded_name: &str, value: &str) {
    if !topic.ends_with('/') {
        topic.push('&');
    }
    topic.push_str(encoded_name);
    topic.push('=');
    percent::encode_into(topic, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(to: &str) -> C2dMessage {
        C2dMessage {
            message_id: None,
            correlation_id: None,
            user_id: None,
            to: to.into(),
            content_type: None,
            content_encoding: None,
            ack: None,
            expires_at: None,
            properties: Vec::new(),
            body: Vec::new(),
        }
    }

    #[track_caller]
    fn check(device: &str, message: &C2dMessage, expected: &str) {
        assert_eq!(delivery_topic(&DeviceId::parse(device).unwrap(), message), expected);
    }

    /// The expected texts are captures of the real service, published in `Azure-Samples/IoTMQTTSample`,
    /// `Azure/azure-iot-explorer#530` and Microsoft's MQTT tutorial.
    #[test]
    fn topics_are_those_of_the_real_service() {
        check(
            "nonsdkdevice",
            &C2dMessage {
                content_type: Some("text/plain; charset=UTF-8".into()),
                content_encoding: Some("utf-8".into()),
                properties: vec![("bbb".into(), "bbbb".into()), ("aaa".into(), "aaaa".into())],
                ..message("/devices/nonsdkdevice/messages/deviceBound")
            },
            "devices/nonsdkdevice/messages/devicebound/%24.to=%2Fdevices%2Fnonsdkdevice%2Fmessages%2FdeviceBound\
             &%24.ct=text%2Fplain%3B%20charset%3DUTF-8&%24.ce=utf-8&bbb=bbbb&aaa=aaaa",
        );
        check(
            "x",
            &C2dMessage {
                message_id: Some("m".into()),
                ack: Some(AckRequest::None),
                expires_at: Some(Timestamp::parse("2020-07-25T14:14:25.172Z").unwrap()),
                properties: vec![("method-name".into(), "Commands:c2d".into())],
                ..message("/devices/x/messages/deviceBound")
            },
            "devices/x/messages/devicebound/%24.exp=2020-07-25T14%3A14%3A25.1720000Z&%24.mid=m\
             &%24.to=%2Fdevices%2Fx%2Fmessages%2FdeviceBound&iothub-ack=none&method-name=Commands%3Ac2d",
        );
    }

    #[test]
    fn what_is_delivered_is_read_back() {
        let sent = C2dMessage {
            message_id: Some("m 1".into()),
            correlation_id: Some("c".into()),
            user_id: Some("u".into()),
            content_type: Some("text/plain".into()),
            content_encoding: Some("utf-8".into()),
            ack: Some(AckRequest::Full),
            expires_at: Some(Timestamp::parse("2020-07-25T14:14:25.172Z").unwrap()),
            properties: vec![("a&b".into(), "é=".into()), ("empty".into(), String::new())],
            body: b"body".to_vec(),
            ..message("/devices/d/messages/devicebound")
        };
        let topic = delivery_topic(&DeviceId::parse("d").unwrap(), &sent);
        let bag = topic.strip_prefix("devices/d/messages/devicebound/").unwrap();
        assert_eq!(parse(bag, b"body"), sent);
    }

    #[test]
    fn odd_bags_are_read_all_the_same() {
        let read = parse("&flag&%FF=x&%24.exp=soon&iothub-ack=maybe", b"");
        let expected = C2dMessage {
            properties: vec![("flag".into(), String::new()), ("%FF".into(), "x".into())],
            ..message("")
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn a_bare_message_still_has_a_bag() {
        check(
            "d",
            &message("/devices/d/messages/devicebound"),
            "devices/d/messages/devicebound/%24.to=%2Fdevices%2Fd%2Fmessages%2Fdevicebound",
        );
    }
}
