//! Messages: golden bytes, round trips, sections in any order, damage.

use ironhub_amqp::message::{
    self, BareMessage, Body, Message, MessageId, Properties, SectionKind, Sections, annotations, batch,
};
use ironhub_amqp::types::{DecodeError, Map, Value};
use proptest::prelude::*;

/// A bare message, a properties section of it first.
fn bare(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    message::write_properties(
        &mut out,
        &Properties {
            to: Some("/devices/d"),
            ..Properties::default()
        },
    );
    message::write_application_properties(&mut out, [("a", Value::Long(-1)), ("b", Value::Null)]);
    message::write_data(&mut out, payload);
    out
}

#[test]
fn golden_cbs_reply() {
    let mut out = Vec::new();
    message::write_properties(
        &mut out,
        &Properties {
            correlation_id: Some(MessageId::Ulong(0)),
            ..Properties::default()
        },
    );
    message::write_application_properties(
        &mut out,
        [
            ("status-code", Value::Int(200)),
            ("status-description", Value::String("OK")),
        ],
    );
    message::write_value(&mut out, Value::Null);
    let expected = b"\0\x53\x73\xc0\x0e\x0d\x40\x40\x40\x40\x40\x44\x40\x40\x40\x40\x40\x40\x40\
        \0\x53\x74\xc1\x2b\x04\xa1\x0bstatus-code\x71\0\0\0\xc8\xa1\x12status-description\xa1\x02OK\
        \0\x53\x77\x40";
    assert_eq!(out, expected);
}

#[test]
fn annotations_are_own_pairs_then_stored_pairs() {
    let mut stored = Vec::new();
    annotations::push_entry(&mut stored, "iothub-connection-device-id", "d1");
    annotations::push_entry(&mut stored, "iothub-enqueuedtime", Value::Timestamp(1000));

    let mut out = Vec::new();
    annotations::write_message_annotations(&mut out, |map| {
        map.push("x-opt-sequence-number", 7i64);
        map.push_encoded(2, &stored);
    });

    let pairs: Vec<_> = Message::parse(&out).unwrap().message_annotations.iter().collect();
    let expected = [
        (Value::Symbol("x-opt-sequence-number"), Value::Long(7)),
        (Value::Symbol("iothub-connection-device-id"), Value::String("d1")),
        (Value::Symbol("iothub-enqueuedtime"), Value::Timestamp(1000)),
    ];
    assert_eq!(pairs, expected);
    assert_eq!(
        Map::from_pairs(2, &stored)
            .unwrap()
            .value("iothub-connection-device-id"),
        Some("d1".into())
    );
    assert_eq!(Map::from_pairs(1, &stored), Err(DecodeError::LeftOver));
    assert_eq!(Map::from_pairs(3, &stored), Err(DecodeError::Truncated));
}

#[test]
fn no_application_properties_take_no_bytes() {
    let mut out = Vec::new();
    message::write_application_properties(&mut out, std::iter::empty::<(&str, Value<'_>)>());
    assert_eq!(out, b"");
}

/// The C SDK writes message annotations behind application properties.
#[test]
fn sections_in_any_order() {
    let mut out = Vec::new();
    message::write_data(&mut out, b"one");
    message::write_application_properties(&mut out, [("k", "v")]);
    annotations::write_message_annotations(&mut out, |map| map.push("dt-subject", "thermostat"));
    message::write_data(&mut out, b"two");
    message::write_properties(
        &mut out,
        &Properties {
            subject: Some("s"),
            ..Properties::default()
        },
    );

    let read = Message::parse(&out).unwrap();
    assert_eq!(read.bare.properties.subject, Some("s"));
    assert_eq!(read.bare.application_properties.value("k"), Some("v".into()));
    assert_eq!(read.message_annotations.value("dt-subject"), Some("thermostat".into()));
    let Body::Data(data) = read.bare.body else {
        panic!("data")
    };
    assert_eq!(data.collect::<Vec<_>>(), [b"one", b"two"]);

    let mut stored = Vec::new();
    message::append_bare(&mut stored, &out).unwrap();
    let kinds: Vec<_> = Sections::new(&stored).map(|section| section.unwrap().kind).collect();
    let expected = [
        SectionKind::Properties,
        SectionKind::ApplicationProperties,
        SectionKind::Data,
        SectionKind::Data,
    ];
    assert_eq!(kinds, expected);
    assert!(BareMessage::parse(&stored).is_ok());
    assert!(
        BareMessage::parse(&out).is_err(),
        "annotations are no part of a bare message"
    );
}

#[test]
fn what_sdks_leave_out_or_write_differently() {
    #[track_caller]
    fn check(bytes: &[u8], expected: impl Fn(&Message<'_>) -> bool) {
        let message = Message::parse(bytes).unwrap();
        assert!(expected(&message), "{message:?}");
    }
    check(b"", |m| matches!(m.bare.body, Body::Empty));
    // rhea: an empty header as list0 and empty annotations as a wide map.
    check(b"\0\x53\x70\x45\0\x53\x72\xd1\0\0\0\x04\0\0\0\0", |m| {
        m.header.priority == 4
    });
    // Fields left off at the end.
    check(b"\0\x53\x73\xc0\x04\x01\xa1\x01i", |m| {
        m.bare.properties.message_id == Some(MessageId::String("i"))
    });
    // A wide descriptor, and one by name.
    check(b"\0\x80\0\0\0\0\0\0\0\x75\xa0\x01x", |m| {
        matches!(m.bare.body, Body::Data(_))
    });
    check(b"\0\xa3\x10amqp:data:binary\xa0\x01x", |m| {
        matches!(m.bare.body, Body::Data(_))
    });
    // Content type as a string instead of a symbol.
    check(b"\0\x53\x73\xc0\x0b\x07\x40\x40\x40\x40\x40\x40\xa1\x02a/", |m| {
        m.bare.properties.content_type == Some("a/")
    });
    // Values and sequences as bodies.
    check(b"\0\x53\x77\x41", |m| {
        matches!(m.bare.body, Body::Value(Value::Boolean(true)))
    });
    check(
        b"\0\x53\x76\x45\0\x53\x76\x45",
        |m| matches!(&m.bare.body, Body::Sequence(s) if s.clone().count() == 2),
    );
}

#[test]
fn broken_messages() {
    #[track_caller]
    fn check(bytes: &[u8], expected: DecodeError) {
        assert_eq!(Message::parse(bytes).unwrap_err(), expected);
    }
    check(b"\x40", DecodeError::Expected("a message section"));
    check(b"\0\x53\x79\x40", DecodeError::UnknownDescriptor);
    check(
        b"\0\x53\x75\xa1\x01x",
        DecodeError::Expected("binary in a data section"),
    );
    check(b"\0\x53\x77\x40\0\x53\x77\x40", DecodeError::Repeated("the body"));
    check(b"\0\x53\x75\xa0\0\0\x53\x77\x40", DecodeError::Repeated("the body"));
    check(b"\0\x53\x73\x45\0\x53\x73\x45", DecodeError::Repeated("a section"));
    check(b"\0\x53\x73\xc0\x04\x01\x50\x01\x40", DecodeError::LeftOver);
    check(b"\0\x53\x73\xc0\x03\x03\x40\x40\x41", DecodeError::CountTooLarge);
    check(b"\0\x53\x73\xc0\x04\x03\x40\x40\x41", DecodeError::Expected("to"));
    check(b"\0\x53\x74\x41", DecodeError::Expected("a map"));
}

#[test]
fn a_batch_is_messages_in_data_sections() {
    let (first, second) = (bare(b"1"), bare(b"2"));
    let mut envelope = Vec::new();
    annotations::write_message_annotations(&mut envelope, |map| map.push("x-opt-partition-key", "k"));
    message::write_data(&mut envelope, &first);
    message::write_data(&mut envelope, &second);
    let messages: Result<Vec<_>, _> = batch::messages(&envelope).collect();
    assert_eq!(messages.unwrap(), [&first[..], &second[..]]);
}

#[test]
fn every_truncation_is_an_error_or_ends_at_a_section() {
    let whole = bare(&[b'x'; 300]);
    let ends: Vec<usize> = Sections::new(&whole)
        .scan(0, |end, section| {
            *end += section.unwrap().encoded.len();
            Some(*end)
        })
        .collect();
    for len in 0..whole.len() {
        let is_end = len == 0 || ends.contains(&len);
        assert_eq!(BareMessage::parse(&whole[..len]).is_ok(), is_end, "{len}");
        assert_eq!(
            message::append_bare(&mut Vec::new(), &whole[..len]).is_ok(),
            is_end,
            "{len}"
        );
    }
}

fn message_id() -> impl Strategy<Value = Option<(u8, String, u64, [u8; 16])>> {
    proptest::option::of((0..4u8, ".{0,40}", any::<u64>(), any::<[u8; 16]>()))
}

fn as_message_id((kind, text, number, bytes): &(u8, String, u64, [u8; 16])) -> MessageId<'_> {
    match kind {
        0 => MessageId::String(text),
        1 => MessageId::Ulong(*number),
        2 => MessageId::Uuid(*bytes),
        _ => MessageId::Binary(bytes),
    }
}

fn text() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(".{0,200}")
}

proptest! {
    #[test]
    fn properties_survive(
        ids in (message_id(), message_id()),
        texts in (text(), text(), text(), text(), text(), text(), text()),
        user_id in proptest::option::of(prop::collection::vec(any::<u8>(), 0..300)),
        times in (proptest::option::of(any::<i64>()), proptest::option::of(any::<i64>())),
        group_sequence in proptest::option::of(any::<u32>()),
    ) {
        let properties = Properties {
            message_id: ids.0.as_ref().map(as_message_id),
            user_id: user_id.as_deref(),
            to: texts.0.as_deref(),
            subject: texts.1.as_deref(),
            reply_to: texts.2.as_deref(),
            correlation_id: ids.1.as_ref().map(as_message_id),
            content_type: texts.3.as_deref(),
            content_encoding: texts.4.as_deref(),
            absolute_expiry_time_ms: times.0,
            creation_time_ms: times.1,
            group_id: texts.5.as_deref(),
            group_sequence,
            reply_to_group_id: texts.6.as_deref(),
        };
        let mut out = Vec::new();
        message::write_properties(&mut out, &properties);
        prop_assert_eq!(BareMessage::parse(&out).unwrap().properties, properties);
    }

    #[test]
    fn any_bytes_are_a_message_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Message::parse(&bytes);
        let _ = message::append_bare(&mut Vec::new(), &bytes);
        let _ = batch::messages(&bytes).count();
    }

    #[test]
    fn damaged_messages_are_a_message_or_an_error(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let mut bytes = bare(b"payload");
        for (index, byte) in damage {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(message) = BareMessage::parse(&bytes)
            && let Body::Data(data) = message.body
        {
            prop_assert!(data.count() >= 1);
        }
    }
}
