//! Every packet in both directions, from MQTT 3.1.1 chapter 3.

use bytes::{Bytes, BytesMut};
use ironhub_mqtt::packet::{
    ConnAck, Connect, ConnectRefusal, Delivery, Login, Packet, PacketId, Password, Publish, PublishRef, QoS, SubAck,
    SubAckCode, Subscribe, Subscription, Unsubscribe, Will, encode_publish_to_device,
};
use ironhub_mqtt::{DecodeError, DecodeLimits, EncodeError, decode};

use crate::decoding::decode_all;
use crate::notation::bytes;

/// Decodes and encodes `notation`, and feeds every beginning of it to the decoder, which must wait for more.
#[track_caller]
fn check(notation: &str, packet: &Packet) {
    let wire = bytes(notation);
    assert_eq!(
        decode_all(&wire).as_ref(),
        Ok(&Some(packet.clone())),
        "decoding {notation}"
    );
    let mut encoded = BytesMut::new();
    packet.encode(&mut encoded).unwrap();
    assert_eq!(encoded, wire, "encoding {notation}");
    for end in 0..wire.len() {
        assert_eq!(decode_all(&wire[..end]), Ok(None), "{end} bytes of {notation}");
    }
}

fn id(value: u16) -> PacketId {
    PacketId::new(value).unwrap()
}

fn connect(client_id: &str) -> Connect {
    Connect {
        client_id: client_id.to_owned(),
        clean_session: false,
        keep_alive_s: 60,
        will: None,
        login: None,
    }
}

fn login(user_name: &str, password: Option<&'static str>) -> Login {
    Login {
        user_name: user_name.to_owned(),
        password: password.map(|text| Password::new(text.as_bytes())),
    }
}

fn packet(connect: Connect) -> Packet {
    Packet::Connect(Box::new(connect))
}

#[test]
fn connect_and_its_flags() {
    check("10 * <MQTT> 04 00 003c <d>", &packet(connect("d")));
    check("10 0c 0004 4d515454 04 00 003c 0000", &packet(connect("")));
    check(
        "10 * <MQTT> 04 02 0000 <d>",
        &packet(Connect {
            clean_session: true,
            keep_alive_s: 0,
            ..connect("d")
        }),
    );
    check(
        "10 * <MQTT> 04 c0 003c <d.1> <hub/d.1/> <secret>",
        &packet(Connect {
            login: Some(login("hub/d.1/", Some("secret"))),
            ..connect("d.1")
        }),
    );
    // A device with a certificate: the password flag is absent, not the password empty.
    check(
        "10 * <MQTT> 04 80 003c <d> <hub/d/>",
        &packet(Connect {
            login: Some(login("hub/d/", None)),
            ..connect("d")
        }),
    );
    check(
        "10 * <MQTT> 04 c0 ffff <d> <> <>",
        &packet(Connect {
            keep_alive_s: 65_535,
            login: Some(login("", Some(""))),
            ..connect("d")
        }),
    );
}

#[test]
fn connect_with_a_will() {
    let will = Will {
        topic: "t/".to_owned(),
        payload: Bytes::new(),
        qos: QoS::AtMostOnce,
        retain: false,
    };
    check(
        "10 * <MQTT> 04 04 003c <d> <t/> <>",
        &packet(Connect {
            will: Some(will.clone()),
            ..connect("d")
        }),
    );
    let will = Will {
        payload: Bytes::from_static(b"bye\0"),
        qos: QoS::AtLeastOnce,
        retain: true,
        ..will
    };
    check(
        "10 * <MQTT> 04 ee 003c <d> <t/> 0004 'bye' 00 <u> <p>",
        &packet(Connect {
            clean_session: true,
            will: Some(will.clone()),
            login: Some(login("u", Some("p"))),
            ..connect("d")
        }),
    );
    let will = Will {
        qos: QoS::ExactlyOnce,
        retain: false,
        ..will
    };
    check(
        "10 * <MQTT> 04 14 003c <d> <t/> 0004 'bye' 00",
        &packet(Connect {
            will: Some(will),
            ..connect("d")
        }),
    );
}

#[test]
fn passwords_do_not_print() {
    let connect = Connect {
        login: Some(login("u", Some("secret"))),
        ..connect("d")
    };
    assert!(!format!("{:?}", packet(connect)).contains("secret"));
}

#[test]
fn connack_codes() {
    let refused = |refusal| Packet::ConnAck(ConnAck::Refused(refusal));
    check(
        "20 02 00 00",
        &Packet::ConnAck(ConnAck::Accepted { session_present: false }),
    );
    check(
        "20 02 01 00",
        &Packet::ConnAck(ConnAck::Accepted { session_present: true }),
    );
    check("20 02 00 01", &refused(ConnectRefusal::UnacceptableProtocolVersion));
    check("20 02 00 02", &refused(ConnectRefusal::IdentifierRejected));
    check("20 02 00 03", &refused(ConnectRefusal::ServerUnavailable));
    check("20 02 00 04", &refused(ConnectRefusal::BadUserNameOrPassword));
    check("20 02 00 05", &refused(ConnectRefusal::NotAuthorized));
}

#[test]
fn publish_flags_and_lengths() {
    let publish = |topic: &'static str, payload: &'static [u8], delivery, retain| {
        let payload = Bytes::from_static(payload);
        Packet::Publish(Publish {
            topic: topic.into(),
            payload,
            delivery,
            retain,
        })
    };
    let once = |packet_id, dup| Delivery::AtLeastOnce {
        packet_id: id(packet_id),
        dup,
    };
    check("30 * <t> 'x'", &publish("t", b"x", Delivery::AtMostOnce, false));
    check("30 03 0001 74", &publish("t", b"", Delivery::AtMostOnce, false));
    check("31 * <t> 'x'", &publish("t", b"x", Delivery::AtMostOnce, true));
    check("32 * <a/b> 000a 'x'", &publish("a/b", b"x", once(10, false), false));
    check(
        "3b * <a/b> ffff 00ff",
        &publish("a/b", b"\x00\xff", once(0xffff, true), true),
    );
    let twice = Delivery::ExactlyOnce {
        packet_id: id(1),
        dup: true,
    };
    check("3c * <a/b> 0001", &publish("a/b", b"", twice, false));
    // A property bag, or a device id, may carry what would be wildcards in a filter.
    check("30 * <devices/a+b#/messages/events/k=#+>", &{
        publish("devices/a+b#/messages/events/k=#+", b"", Delivery::AtMostOnce, false)
    });
    // The answer to a reported patch as IoT Hub sends it.
    check("30 2a 0028 '$iothub/twin/res/204/?$rid=5&$version=88'", &{
        publish(
            "$iothub/twin/res/204/?$rid=5&$version=88",
            b"",
            Delivery::AtMostOnce,
            false,
        )
    });
}

#[test]
fn remaining_length_grows_at_each_seven_bits() {
    // MQTT 3.1.1, table 2.4; the packet is the two bytes of topic length, the topic `t` and the rest payload.
    let at = |remaining: usize, length: &[u8]| {
        let payload = vec![b'x'; remaining - 3];
        let wire = [&[0x30], length, b"\0\x01t", payload.as_slice()].concat();
        let limits = DecodeLimits {
            packet_bytes_max: wire.len(),
            ..DecodeLimits::CONNECTED
        };
        let publish = PublishRef {
            topic: "t",
            payload: &payload,
            delivery: Delivery::AtMostOnce,
            retain: false,
        };
        let mut encoded = BytesMut::new();
        encode_publish_to_device(&mut encoded, "t", &payload, Delivery::AtMostOnce).unwrap();
        assert!(encoded == wire, "encoding a remaining length of {remaining}");
        let Ok(Some(Packet::Publish(decoded))) = decode(&mut encoded, &limits) else {
            panic!("{remaining}")
        };
        assert!(
            decoded.borrow() == publish,
            "decoding a remaining length of {remaining}"
        );
        let too_small = DecodeLimits {
            packet_bytes_max: wire.len() - 1,
            ..limits
        };
        let error = decode(&mut BytesMut::from(&wire[..5]), &too_small).unwrap_err();
        assert_eq!(error.reason(), "packet_too_large");
    };
    at(127, &[0x7f]);
    at(128, &[0x80, 0x01]);
    at(16_383, &[0xff, 0x7f]);
    at(16_384, &[0x80, 0x80, 0x01]);
    at(2_097_151, &[0xff, 0xff, 0x7f]);
    at(2_097_152, &[0x80, 0x80, 0x80, 0x01]);
}

#[test]
fn packets_of_one_packet_identifier() {
    check("40 02 0001", &Packet::PubAck(id(1)));
    check("40 02 ff01", &Packet::PubAck(id(0xff01)));
    check("50 02 0001", &Packet::PubRec(id(1)));
    check("62 02 0001", &Packet::PubRel(id(1)));
    check("70 02 0001", &Packet::PubComp(id(1)));
    check("b0 02 1234", &Packet::UnsubAck(id(0x1234)));
}

#[test]
fn packets_without_a_body() {
    check("c0 00", &Packet::PingReq);
    check("d0 00", &Packet::PingResp);
    check("e0 00", &Packet::Disconnect);
}

#[test]
fn subscribe_and_its_answer() {
    let subscription = |filter: &str, qos| Subscription {
        filter: filter.to_owned(),
        qos,
    };
    let one = Subscribe {
        packet_id: id(10),
        subscriptions: vec![subscription("a/b", QoS::AtLeastOnce)],
    };
    check("82 * 000a <a/b> 01", &Packet::Subscribe(one));
    let subscriptions = vec![
        subscription("devices/d/messages/devicebound/#", QoS::AtLeastOnce),
        subscription("$iothub/twin/res/#", QoS::AtMostOnce),
        subscription("devices/a+b/messages/devicebound/#", QoS::ExactlyOnce),
    ];
    check(
        "82 * 0001 <devices/d/messages/devicebound/#> 01 <$iothub/twin/res/#> 00 <devices/a+b/messages/devicebound/#> 02",
        &Packet::Subscribe(Subscribe {
            packet_id: id(1),
            subscriptions,
        }),
    );
    let codes = vec![
        SubAckCode::Granted(QoS::AtMostOnce),
        SubAckCode::Granted(QoS::AtLeastOnce),
        SubAckCode::Granted(QoS::ExactlyOnce),
        SubAckCode::Failure,
    ];
    check(
        "90 06 0001 00 01 02 80",
        &Packet::SubAck(SubAck {
            packet_id: id(1),
            codes,
        }),
    );
    assert_eq!(
        SubAckCode::grant(QoS::ExactlyOnce),
        SubAckCode::Granted(QoS::AtLeastOnce)
    );
    assert_eq!(SubAckCode::grant(QoS::AtMostOnce), SubAckCode::Granted(QoS::AtMostOnce));
}

#[test]
fn unsubscribe() {
    let filters = vec!["a/b".to_owned(), "$iothub/twin/res/#".to_owned()];
    check(
        "a2 * 0002 <a/b> <$iothub/twin/res/#>",
        &Packet::Unsubscribe(Unsubscribe {
            packet_id: id(2),
            filters,
        }),
    );
}

#[test]
fn payload_and_topic_are_slices_of_the_input() {
    let mut buffer = BytesMut::from(bytes("32 * <a/b> 000a 'payload'").as_slice());
    let memory = buffer.as_ptr_range();
    let Ok(Some(Packet::Publish(publish))) = decode(&mut buffer, &DecodeLimits::CONNECTED) else {
        panic!()
    };
    assert!(memory.contains(&publish.payload.as_ptr()));
    assert!(memory.contains(&publish.topic.as_bytes().as_ptr()));
}

#[test]
fn packets_follow_each_other() {
    let wire = ["10 * <MQTT> 04 00 003c <d>", "30 * <t> 'x'", "c0 00", "e0 00"]
        .map(bytes)
        .concat();
    let mut buffer = BytesMut::new();
    let mut kinds = Vec::new();
    for byte in wire {
        buffer.extend_from_slice(&[byte]);
        while let Some(packet) = decode(&mut buffer, &DecodeLimits::CONNECTED).unwrap() {
            kinds.push(packet.kind().to_string());
        }
    }
    assert_eq!(kinds, ["CONNECT", "PUBLISH", "PINGREQ", "DISCONNECT"]);
}

#[test]
fn another_protocol_level_has_an_answer() {
    let check = |notation: &str, level| {
        let error = decode_all(&bytes(notation)).unwrap_err();
        assert_eq!(error, DecodeError::ProtocolLevel(level));
        assert_eq!(error.refusal(), Some(ConnectRefusal::UnacceptableProtocolVersion));
    };
    check("10 * <MQIsdp> 03 02 003c <d>", 3);
    check("10 * <MQTT> 05 02 003c 00 <d>", 5);
    // Mosquitto's bridge bit.
    check("10 * <MQTT> 84 02 003c <d>", 0x84);
    assert_eq!(DecodeError::ProtocolName.refusal(), None);
}

#[test]
fn what_cannot_be_encoded_leaves_the_output_alone() {
    let check = |packet: Packet, expected: EncodeError| {
        let mut out = BytesMut::from(&b"before"[..]);
        assert_eq!(packet.encode(&mut out), Err(expected));
        assert_eq!(out, &b"before"[..]);
    };
    let publish = |topic: String| {
        let payload = Bytes::new();
        Packet::Publish(Publish {
            topic: topic.into(),
            payload,
            delivery: Delivery::AtMostOnce,
            retain: false,
        })
    };
    check(publish(String::new()), EncodeError::EmptyTopic { field: "topic" });
    check(publish("a\0".to_owned()), EncodeError::Nul { field: "topic" });
    check(
        publish("x".repeat(65_536)),
        EncodeError::FieldTooLong {
            field: "topic",
            bytes: 65_536,
        },
    );
    let subscribe = Packet::Subscribe(Subscribe {
        packet_id: id(1),
        subscriptions: Vec::new(),
    });
    let kind = subscribe.kind();
    check(subscribe, EncodeError::NoEntries(kind));
    let connect = Connect {
        login: Some(login("u", None)),
        ..connect(&"x".repeat(70_000))
    };
    check(
        packet(connect),
        EncodeError::FieldTooLong {
            field: "client id",
            bytes: 70_000,
        },
    );
}
