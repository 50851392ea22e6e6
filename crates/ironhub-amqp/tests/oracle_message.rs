//! An independent implementation (fe2o3-amqp) reads what we write, and we read what it writes.

use fe2o3_amqp_types::messaging::message::__private::{Deserializable, Serializable};
use fe2o3_amqp_types::messaging::{
    ApplicationProperties, Body as TheirBody, Data, Header as TheirHeader, Message as TheirMessage,
    MessageId as TheirId, Properties as TheirProperties,
};
use fe2o3_amqp_types::primitives::{Binary, Symbol, Timestamp, Uuid, Value as TheirValue};
use ironhub_amqp::message::{self, Body, Header, Message, MessageId, Properties, annotations};
use ironhub_amqp::types::Value;

const UUID: [u8; 16] = *b"0123456789abcdef";

fn event() -> Vec<u8> {
    let mut stored = Vec::new();
    annotations::push_entry(&mut stored, "iothub-connection-device-id", "d1");
    let mut out = Vec::new();
    message::write_header(
        &mut out,
        &Header {
            delivery_count: 3,
            ..Header::default()
        },
    );
    annotations::write_message_annotations(&mut out, |map| {
        map.push("x-opt-sequence-number", 12_345i64);
        map.push("x-opt-enqueued-time", Value::Timestamp(1_700_000_000_000));
        map.push_encoded(1, &stored);
    });
    message::write_properties(
        &mut out,
        &Properties {
            message_id: Some(MessageId::Uuid(UUID)),
            user_id: Some(b"user"),
            to: Some("/devices/d1/messages/events"),
            correlation_id: Some(MessageId::Ulong(9)),
            content_type: Some("application/json"),
            content_encoding: Some("utf-8"),
            creation_time_ms: Some(1000),
            group_sequence: Some(7),
            ..Properties::default()
        },
    );
    message::write_application_properties(
        &mut out,
        [
            ("text", Value::String("ä")),
            ("null", Value::Null),
            ("bool", Value::Boolean(false)),
            ("int", Value::Int(-70_000)),
            ("long", Value::Long(i64::MIN)),
            ("double", Value::Double(0.5)),
        ],
    );
    message::write_data(&mut out, &[b'{'; 300]);
    out
}

#[test]
fn they_read_our_event() {
    let read: Deserializable<TheirMessage<TheirBody<TheirValue>>> = serde_amqp::from_slice(&event()).unwrap();
    let TheirMessage {
        header,
        message_annotations,
        properties,
        application_properties,
        body,
        ..
    } = read.0;

    assert_eq!(header.unwrap().delivery_count, 3);
    let annotations = message_annotations.unwrap().0;
    let annotation =
        |key: &str| annotations.get(&Symbol::from(key) as &dyn fe2o3_amqp_types::messaging::annotations::AnnotationKey);
    assert_eq!(annotation("x-opt-sequence-number"), Some(&TheirValue::Long(12_345)));
    assert_eq!(
        annotation("x-opt-enqueued-time"),
        Some(&TheirValue::Timestamp(1_700_000_000_000.into()))
    );
    assert_eq!(
        annotation("iothub-connection-device-id"),
        Some(&TheirValue::String("d1".into()))
    );

    let properties = properties.unwrap();
    assert_eq!(properties.message_id, Some(TheirId::Uuid(Uuid::from(UUID))));
    assert_eq!(properties.user_id, Some(Binary::from(b"user".to_vec())));
    assert_eq!(properties.to.as_deref(), Some("/devices/d1/messages/events"));
    assert_eq!(properties.correlation_id, Some(TheirId::Ulong(9)));
    assert_eq!(properties.content_type, Some(Symbol::from("application/json")));
    assert_eq!(properties.content_encoding, Some(Symbol::from("utf-8")));
    assert_eq!(properties.creation_time, Some(Timestamp::from(1000)));
    assert_eq!(properties.group_sequence, Some(7));
    assert_eq!(properties.absolute_expiry_time, None);

    let application = application_properties.unwrap();
    let expected = [
        ("text", TheirValue::String("ä".into())),
        ("null", TheirValue::Null),
        ("bool", TheirValue::Bool(false)),
        ("int", TheirValue::Int(-70_000)),
        ("long", TheirValue::Long(i64::MIN)),
        ("double", TheirValue::Double(0.5.into())),
    ];
    for (key, value) in expected {
        assert_eq!(
            TheirValue::from(application.0.get(key).unwrap().clone()),
            value,
            "{key}"
        );
    }
    let TheirBody::Data(data) = body else {
        panic!("{body:?}")
    };
    assert_eq!(
        data.into_iter().map(|section| section.0.into_vec()).collect::<Vec<_>>(),
        [vec![b'{'; 300]]
    );
}

#[test]
fn we_read_their_event() {
    let theirs = TheirMessage::builder()
        .header(TheirHeader {
            durable: true,
            delivery_count: 2,
            ..TheirHeader::default()
        })
        .properties(
            TheirProperties::builder()
                .message_id("m1".to_owned())
                .content_type("text/plain")
                .absolute_expiry_time(Timestamp::from(5))
                .build(),
        )
        .application_properties(ApplicationProperties::builder().insert("level", 42i32).build())
        .body(Data(Binary::from(b"payload".to_vec())))
        .build();
    let bytes = serde_amqp::to_vec(&Serializable(theirs)).unwrap();

    let ours = Message::parse(&bytes).unwrap();
    assert_eq!(
        ours.header,
        Header {
            durable: true,
            delivery_count: 2,
            ..Header::default()
        }
    );
    let expected = Properties {
        message_id: Some(MessageId::String("m1")),
        content_type: Some("text/plain"),
        absolute_expiry_time_ms: Some(5),
        ..Properties::default()
    };
    assert_eq!(ours.bare.properties, expected);
    assert_eq!(ours.bare.application_properties.value("level"), Some(Value::Int(42)));
    assert!(matches!(ours.bare.body, Body::Data(data) if data.clone().eq([b"payload"])));
}
