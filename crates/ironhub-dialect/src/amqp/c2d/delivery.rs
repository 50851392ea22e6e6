//! A cloud-to-device message on its way to the device.
//!
//! The types are those that the SDKs insist on: .NET reads each annotation as one type only
//! (`Azure/azure-iot-sdk-csharp`, `AmqpIotMessageConverter.cs`), the C SDK drops messages with application properties
//! that are no strings, a user id that is no binary or a body that is no data.

use ironhub_amqp::message::{
    MessageId, Properties, annotations::write_message_annotations, write_application_properties, write_data,
    write_properties,
};
use ironhub_amqp::types::Value;
use ironhub_model::{AckRequest, C2dDelivery, DeviceId, Timestamp};

/// Appends the message of a delivery to `device`. Its tag is [`crate::amqp::lock_token::delivery_tag`].
pub fn write(out: &mut Vec<u8>, device: &DeviceId, delivery: &C2dDelivery) {
    let message = &delivery.message;
    write_message_annotations(out, |map| {
        map.push("x-opt-lock-token", delivery.lock_token.to_string().as_str());
        map.push("x-opt-sequence-number", delivery.sequence);
        map.push(
            "iothub-enqueuedtime",
            Value::Timestamp(delivery.enqueued_at.as_millis()),
        );
        map.push(
            "iothub-deliverycount",
            u8::try_from(delivery.delivery_count).unwrap_or(u8::MAX),
        );
        map.push("iothub-connection-device-id", device.as_str());
    });
    let properties = Properties {
        message_id: message.message_id.as_deref().map(MessageId::String),
        user_id: message.user_id.as_deref().map(str::as_bytes),
        to: Some(&message.to),
        correlation_id: message.correlation_id.as_deref().map(MessageId::String),
        content_type: message.content_type.as_deref(),
        content_encoding: message.content_encoding.as_deref(),
        absolute_expiry_time_ms: message.expires_at.map(Timestamp::as_millis),
        ..Properties::default()
    };
    write_properties(out, &properties);
    let ack = message.ack.map(|ack| ("iothub-ack", AckRequest::as_str(ack)));
    let own = message
        .properties
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    write_application_properties(out, ack.into_iter().chain(own));
    write_data(out, &message.body);
}

#[cfg(test)]
mod tests {
    use ironhub_amqp::message::{Body, Message};
    use ironhub_model::{C2dMessage, LockToken};

    use super::*;

    fn delivery() -> C2dDelivery {
        C2dDelivery {
            lock_token: LockToken::parse("35918bc9-196d-40ea-9779-889d79b753f0").unwrap(),
            sequence: 300,
            message: C2dMessage {
                message_id: Some("m1".into()),
                correlation_id: Some("c1".into()),
                user_id: Some("u".into()),
                to: "/devices/d/messages/devicebound".into(),
                content_type: Some("application/json".into()),
                content_encoding: Some("utf-8".into()),
                ack: Some(AckRequest::Full),
                expires_at: Some(Timestamp::from_millis(1_893_456_000_123)),
                properties: vec![("a".into(), "1".into()), ("b".into(), String::new())],
                body: b"hello".to_vec(),
            },
            enqueued_at: Timestamp::from_millis(1_700_000_000_007),
            expires_at: Timestamp::from_millis(1_893_456_000_123),
            delivery_count: 2,
            redelivered: false,
        }
    }

    fn written(delivery: &C2dDelivery) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, &DeviceId::parse("d").unwrap(), delivery);
        out
    }

    #[test]
    fn everything_has_the_type_that_sdks_insist_on() {
        let encoded = written(&delivery());
        let message = Message::parse(&encoded).unwrap();
        let annotations: Vec<_> = message.message_annotations.iter().collect();
        assert_eq!(
            annotations,
            [
                (
                    Value::Symbol("x-opt-lock-token"),
                    Value::String("35918bc9-196d-40ea-9779-889d79b753f0")
                ),
                (Value::Symbol("x-opt-sequence-number"), Value::Ulong(300)),
                (
                    Value::Symbol("iothub-enqueuedtime"),
                    Value::Timestamp(1_700_000_000_007)
                ),
                (Value::Symbol("iothub-deliverycount"), Value::Ubyte(2)),
                (Value::Symbol("iothub-connection-device-id"), Value::String("d")),
            ]
        );
        let expected = Properties {
            message_id: Some(MessageId::String("m1")),
            user_id: Some(b"u"),
            to: Some("/devices/d/messages/devicebound"),
            correlation_id: Some(MessageId::String("c1")),
            content_type: Some("application/json"),
            content_encoding: Some("utf-8"),
            absolute_expiry_time_ms: Some(1_893_456_000_123),
            ..Properties::default()
        };
        assert_eq!(message.bare.properties, expected);
        let own: Vec<_> = message.bare.application_properties.iter().collect();
        let text = Value::String;
        assert_eq!(
            own,
            [
                (text("iothub-ack"), text("full")),
                (text("a"), text("1")),
                (text("b"), text(""))
            ]
        );
        assert!(matches!(message.bare.body, Body::Data(data) if data.clone().eq([b"hello"])));
        // Symbols, not strings, where .NET and the C SDK look for them.
        assert!(encoded.windows(18).any(|bytes| bytes == b"\xa3\x10application/json"));
    }

    #[test]
    fn what_the_sender_left_out_is_absent() {
        let mut delivery = delivery();
        delivery.message = C2dMessage {
            message_id: None,
            correlation_id: None,
            user_id: None,
            content_type: None,
            content_encoding: None,
            ack: None,
            expires_at: None,
            properties: Vec::new(),
            body: Vec::new(),
            ..delivery.message
        };
        delivery.delivery_count = 1000;
        let encoded = written(&delivery);
        let message = Message::parse(&encoded).unwrap();
        let expected = Properties {
            to: Some("/devices/d/messages/devicebound"),
            ..Properties::default()
        };
        assert_eq!(message.bare.properties, expected);
        assert!(message.bare.application_properties.is_empty());
        assert_eq!(
            message.message_annotations.value("iothub-deliverycount"),
            Some(Value::Ubyte(255))
        );
        assert!(matches!(message.bare.body, Body::Data(data) if data.clone().eq([b""])));
    }
}
