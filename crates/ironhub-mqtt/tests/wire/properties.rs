//! What holds for all packets and for all bytes.

use bytes::{Bytes, BytesMut};
use ironhub_mqtt::codec::Frame;
use ironhub_mqtt::packet::{
    ConnAck, Connect, ConnectRefusal, Delivery, Login, Packet, PacketId, Password, Publish, QoS, SubAck, SubAckCode,
    Subscribe, Subscription, Unsubscribe, Will,
};
use ironhub_mqtt::{DecodeLimits, decode};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::notation::remaining_length;

fn packet_id() -> impl Strategy<Value = PacketId> {
    (1..=u16::MAX).prop_map(|value| PacketId::new(value).unwrap())
}

fn qos() -> impl Strategy<Value = QoS> {
    prop_oneof![Just(QoS::AtMostOnce), Just(QoS::AtLeastOnce), Just(QoS::ExactlyOnce)]
}

fn text() -> impl Strategy<Value = String> {
    "[^\\x00]{0,60}"
}

fn topic() -> impl Strategy<Value = String> {
    "[^\\x00]{1,60}"
}

fn payload() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..400).prop_map(Bytes::from)
}

fn connect() -> impl Strategy<Value = Packet> {
    let will = (topic(), payload(), qos(), any::<bool>()).prop_map(|(topic, payload, qos, retain)| Will {
        topic,
        payload,
        qos,
        retain,
    });
    let login = (text(), option::of(payload().prop_map(Password::new)))
        .prop_map(|(user_name, password)| Login { user_name, password });
    (text(), any::<bool>(), any::<u16>(), option::of(will), option::of(login)).prop_map(
        |(client_id, clean_session, keep_alive_s, will, login)| {
            Packet::Connect(Box::new(Connect {
                client_id,
                clean_session,
                keep_alive_s,
                will,
                login,
            }))
        },
    )
}

fn connack() -> impl Strategy<Value = Packet> {
    prop_oneof![
        any::<bool>().prop_map(|session_present| ConnAck::Accepted { session_present }),
        Just(ConnAck::Refused(ConnectRefusal::ServerUnavailable)),
        Just(ConnAck::Refused(ConnectRefusal::NotAuthorized)),
    ]
    .prop_map(Packet::ConnAck)
}

fn publish() -> impl Strategy<Value = Packet> {
    let delivery = (0..3, packet_id(), any::<bool>()).prop_map(|(qos, packet_id, dup)| match qos {
        0 => Delivery::AtMostOnce,
        1 => Delivery::AtLeastOnce { packet_id, dup },
        _ => Delivery::ExactlyOnce { packet_id, dup },
    });
    (topic(), payload(), delivery, any::<bool>()).prop_map(|(topic, payload, delivery, retain)| {
        Packet::Publish(Publish {
            topic: topic.into(),
            payload,
            delivery,
            retain,
        })
    })
}

fn subscribe() -> impl Strategy<Value = Packet> {
    let subscription = (topic(), qos()).prop_map(|(filter, qos)| Subscription { filter, qos });
    (packet_id(), vec(subscription, 1..8)).prop_map(|(packet_id, subscriptions)| {
        Packet::Subscribe(Subscribe {
            packet_id,
            subscriptions,
        })
    })
}

fn suback() -> impl Strategy<Value = Packet> {
    let code = prop_oneof![qos().prop_map(SubAckCode::Granted), Just(SubAckCode::Failure)];
    (packet_id(), vec(code, 1..8)).prop_map(|(packet_id, codes)| Packet::SubAck(SubAck { packet_id, codes }))
}

fn any_packet() -> impl Strategy<Value = Packet> {
    prop_oneof![
        connect(),
        connack(),
        publish(),
        packet_id().prop_map(Packet::PubAck),
        packet_id().prop_map(Packet::PubRec),
        packet_id().prop_map(Packet::PubRel),
        packet_id().prop_map(Packet::PubComp),
        subscribe(),
        suback(),
        (packet_id(), vec(topic(), 1..8))
            .prop_map(|(packet_id, filters)| Packet::Unsubscribe(Unsubscribe { packet_id, filters })),
        packet_id().prop_map(Packet::UnsubAck),
        Just(Packet::PingReq),
        Just(Packet::PingResp),
        Just(Packet::Disconnect),
    ]
}

fn encode(packets: &[Packet]) -> BytesMut {
    let mut out = BytesMut::new();
    for packet in packets {
        packet.encode(&mut out).unwrap();
    }
    out
}

proptest! {
    #[test]
    fn what_is_encoded_decodes_to_itself(packets in vec(any_packet(), 1..6)) {
        let mut wire = encode(&packets);
        for packet in packets {
            prop_assert_eq!(decode(&mut wire, &DecodeLimits::CONNECTED), Ok(Some(packet)));
        }
        prop_assert!(wire.is_empty());
    }

    #[test]
    fn every_beginning_of_a_packet_asks_for_more(packet in any_packet()) {
        let wire = encode(&[packet]);
        for end in 0..wire.len() {
            let mut beginning = BytesMut::from(&wire[..end]);
            prop_assert_eq!(decode(&mut beginning, &DecodeLimits::CONNECTED), Ok(None));
            prop_assert_eq!(beginning.len(), end);
        }
    }

    #[test]
    fn cutting_a_stream_anywhere_changes_nothing(
        packets in vec(any_packet(), 1..6),
        cuts in vec(any::<prop::sample::Index>(), 0..10),
    ) {
        let wire = encode(&packets);
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(wire.len())).collect();
        ends.push(wire.len());
        ends.sort_unstable();
        let (mut buffer, mut decoded, mut start) = (BytesMut::new(), Vec::new(), 0);
        for end in ends {
            buffer.extend_from_slice(&wire[start..end]);
            start = end;
            while let Some(packet) = decode(&mut buffer, &DecodeLimits::CONNECTED).unwrap() {
                decoded.push(packet);
            }
        }
        prop_assert_eq!(decoded, packets);
    }

    #[test]
    fn arbitrary_bytes_never_panic(first in any::<u8>(), bytes in vec(any::<u8>(), 0..300)) {
        // A true remaining length, so that the body is reached.
        let framed = [vec![first], remaining_length(bytes.len()), bytes.clone()].concat();
        let mut framed = BytesMut::from(framed.as_slice());
        let _ = decode(&mut framed, &DecodeLimits::CONNECTED);
        let _ = decode(&mut BytesMut::from(bytes.as_slice()), &DecodeLimits::CONNECTED);
    }

    #[test]
    fn what_is_accepted_is_encoded_to_the_same_bytes(
        packet in any_packet(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        // One changed byte: most changes stay valid or nearly so, which reaches far into the decoder.
        let mut wire = encode(&[packet]);
        let at = at.index(wire.len());
        wire[at] = byte;
        let before = wire.clone();
        if let Ok(Some(packet)) = decode(&mut wire, &DecodeLimits::CONNECTED) {
            prop_assert_eq!(&encode(&[packet])[..], &before[..before.len() - wire.len()]);
        }
    }

    #[test]
    fn borrowed_and_owned_decoding_agree(packet in any_packet()) {
        let mut wire = encode(&[packet]);
        let frozen = wire.clone().freeze();
        let frame = Frame::parse(&frozen, &DecodeLimits::CONNECTED).unwrap().unwrap();
        prop_assert_eq!(frame.packet_bytes(), frozen.len());
        let borrowed = frame.decode(&DecodeLimits::CONNECTED).unwrap();
        let owned = decode(&mut wire, &DecodeLimits::CONNECTED).unwrap().unwrap();
        match (borrowed, owned) {
            (Packet::Publish(borrowed), Packet::Publish(owned)) => prop_assert_eq!(borrowed, owned.borrow()),
            (borrowed, owned) => prop_assert_eq!(borrowed.map_publish(|_| unreachable!()), owned),
        }
    }
}
