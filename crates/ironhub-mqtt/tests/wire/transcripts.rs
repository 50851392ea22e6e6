//! Conversations of Microsoft's device clients: Python, C and Node as observed on the wire, .NET as its source reads;
//! identifiers and tokens are made up.
//!
//! `→` is a client's packet, `←` a server's, `--` a cut of the connection. A small server inside this test says what is
//! protocol (CONNACK, PUBACK, SUBACK); what is a hub's part, the messages to the device, is taken from the transcript,
//! decoded as a client would and encoded again. The client's bytes arrive one by one, as they do over WebSocket.

use std::convert::Infallible;
use std::task::Poll;

use bytes::{Buf, BytesMut};
use ironhub_mqtt::ack_queue::AckQueue;
use ironhub_mqtt::connection::{Connection, Event};
use ironhub_mqtt::packet::{
    Packet, PacketId, SubAckCode, Subscribe, encode_pingresp, encode_publish_to_device, encode_suback, encode_unsuback,
};
use ironhub_mqtt::{DecodeLimits, decode};

use crate::notation::bytes;

#[test]
fn python() {
    replay(
        "→ 10 * <MQTT> 04 c0 003c <d.1> <hub/d.1/?api-version=2019-10-01> <token>
         ← 20 02 00 00
         → 32 * <devices/d.1/messages/events/> 0001 'hello'
         ← 40 02 0001
         → 82 * 0002 <devices/d.1/messages/devicebound/#> 01
         ← 90 03 0002 01
         → 82 * 0003 <$iothub/methods/POST/#> 01
         ← 90 03 0003 01
         ← 30 * <$iothub/methods/POST/reboot/?$rid=1a> '{\"p\":1}'
         → 32 * <$iothub/methods/res/201/?$rid=1a> 0004 '{\"ok\": 1}'
         ← 40 02 0004
         → 82 * 0005 <$iothub/twin/PATCH/properties/desired/#> 01
         ← 90 03 0005 01
         → 82 * 0006 <$iothub/twin/res/#> 01
         ← 90 03 0006 01
         → 32 * <$iothub/twin/GET/?$rid=53ce5ca2-ae3d-4aa5-b6d0-d9d3a7ba4e7f> 0007 20
         ← 40 02 0007
         ← 30 * <$iothub/twin/res/200/?$rid=53ce5ca2-ae3d-4aa5-b6d0-d9d3a7ba4e7f> '{\"desired\":{\"$version\":1},\"reported\":{\"$version\":4}}'
         → 32 * <$iothub/twin/PATCH/properties/reported/?$rid=0d1b2c3d-0000-4000-8000-000000000001> 0008 '{\"x\": 1, \"y\": null}'
         ← 40 02 0008
         ← 30 * <$iothub/twin/res/204/?$rid=0d1b2c3d-0000-4000-8000-000000000001&$version=5>
         → c0 00
         ← d0 00
         --
         → 10 * <MQTT> 04 c0 003c <d.1> <hub/d.1/?api-version=2019-10-01> <token>
         ← 20 02 01 00
         → 32 * <$iothub/twin/GET/?$rid=0d1b2c3d-0000-4000-8000-000000000002> 0001 20
         ← 40 02 0001
         ← 32 * <devices/d.1/messages/devicebound/%24.to=%2Fdevices%2Fd.1%2Fmessages%2Fdevicebound> 0001 'c2d'
         → 40 02 0001
         → e0 00",
    );
}

#[test]
fn c_with_three_filters_in_one_packet() {
    replay(
        "→ 10 * <MQTT> 04 c0 00f0 <d.1> <hub/d.1/?api-version=2020-09-30> <token>
         ← 20 02 00 00
         → 82 * 0002 <devices/d.1/messages/devicebound/#> 01 <$iothub/twin/res/#> 00 <$iothub/methods/POST/#> 00
         ← 90 05 0002 01 00 00
         → 30 * <$iothub/twin/GET/?$rid=5>
         → 30 * <$iothub/twin/PATCH/properties/reported/?$rid=6> '{\"x\":1}'
         → 32 * <devices/d.1/messages/events/key1=v1&k2=c d&%24.cid=c1&%24.mid=mid1> 0007 'body'
         ← 40 02 0007
         ← 30 * <$iothub/twin/res/200/?$rid=5> '{\"desired\":{\"$version\":1},\"reported\":{\"$version\":1}}'
         → 82 * 0008 <$iothub/twin/PATCH/properties/desired/#> 00
         ← 90 03 0008 00
         → 3a * <devices/d.1/messages/events/> 0009 'sent again'
         ← 40 02 0009",
    );
}

#[test]
fn node() {
    replay(
        "→ 10 * <MQTT> 04 c0 00b4 <d.1> <hub/d.1/?api-version=2021-04-12> <token>
         ← 20 02 00 00
         → 32 * <devices/d.1/messages/events/b%20key(1)=v%2B&a=> 0001 'body'
         ← 40 02 0001
         → 82 * 0002 <devices/d.1/messages/devicebound/#> 01
         ← 90 03 0002 01
         → 82 * 0003 <$iothub/methods/POST/#> 00
         ← 90 03 0003 00
         → 82 * 0004 <$iothub/twin/res/#> 00
         ← 90 03 0004 00
         → 30 * <$iothub/twin/GET/?$rid=0d1b2c3d-0000-4000-8000-000000000003> 20
         → 82 * 0005 <$iothub/twin/PATCH/properties/desired/#> 00
         ← 90 03 0005 00
         ← 30 * <$iothub/twin/PATCH/properties/desired/?$version=2> '{\"interval\":5,\"$version\":2}'
         --
         → 10 * <MQTT> 04 c0 00b4 <d.1> <hub/d.1/?api-version=2021-04-12> <token>
         ← 20 02 01 00
         → 82 * 0001 <devices/d.1/messages/devicebound/#> 01
         ← 90 03 0001 01
         → 82 * 0002 <$iothub/methods/POST/#> 00
         ← 90 03 0002 00
         → a2 * 0003 <$iothub/methods/POST/#>
         ← b0 02 0003",
    );
}

#[test]
fn dotnet_with_a_certificate_a_will_and_a_wish_for_qos_2() {
    replay(
        "→ 10 * <MQTT> 04 8c 012c <d.1> <devices/d.1/messages/events/> <gone> <hub/d.1/?api-version=2020-09-30>
         ← 20 02 00 00
         → 82 * 0001 <$iothub/twin/res/#> 02
         ← 90 03 0001 01",
    );
}

fn replay(transcript: &str) {
    let mut server = Server::new();
    for line in transcript.lines().map(str::trim) {
        match line.split_once(' ') {
            Some(("→", notation)) => server.receive(&bytes(notation), line),
            Some(("←", notation)) if notation.starts_with('3') => send_to_device(&bytes(notation)),
            Some(("←", notation)) => server.expect(&bytes(notation), line),
            _ => server.cut(),
        }
    }
    server.cut();
}

/// Answers what the protocol obliges it to, at once.
struct Server {
    connection: Connection,
    input: BytesMut,
    acks: AckQueue<()>,
    out: BytesMut,
    has_session: bool,
}

impl Server {
    fn new() -> Self {
        Self {
            connection: Connection::new(DecodeLimits::CONNECTED),
            input: BytesMut::new(),
            acks: AckQueue::new(16),
            out: BytesMut::new(),
            has_session: false,
        }
    }

    fn cut(&mut self) {
        assert!(self.out.is_empty(), "the server said more: {:02x?}", &self.out[..]);
        assert!(
            self.input.is_empty(),
            "the server waits for the rest of {:02x?}",
            &self.input[..]
        );
        *self = Self {
            has_session: self.has_session,
            ..Self::new()
        };
    }

    fn expect(&mut self, expected: &[u8], line: &str) {
        assert!(
            self.out.starts_with(expected),
            "{line}, but the server said {:02x?}",
            &self.out[..]
        );
        self.out.advance(expected.len());
    }

    fn receive(&mut self, packet: &[u8], line: &str) {
        for (at, byte) in packet.iter().enumerate() {
            self.input.extend_from_slice(&[*byte]);
            let input = self.input.clone();
            let step = self
                .connection
                .handle_input(&input)
                .unwrap_or_else(|error| panic!("{line}: {error}"));
            let is_last = at + 1 == packet.len();
            assert_eq!(step.is_some(), is_last, "{line}: at byte {at}");
            if let Some((event, bytes)) = step {
                self.input.advance(bytes);
                self.answer(event);
            }
        }
    }

    fn answer(&mut self, event: Event<'_>) {
        match event {
            Event::Connect(connect) => {
                self.connection.accept(self.has_session, &mut self.out);
                self.has_session = !connect.clean_session;
            }
            Event::Publish(publish) => self.acknowledge(publish.delivery.packet_id()),
            Event::Subscribe(Subscribe {
                packet_id,
                subscriptions,
            }) => {
                let codes: Vec<_> = subscriptions.iter().map(|each| SubAckCode::grant(each.qos)).collect();
                encode_suback(&mut self.out, packet_id, &codes).unwrap();
            }
            Event::Unsubscribe(unsubscribe) => encode_unsuback(&mut self.out, unsubscribe.packet_id),
            Event::PingReq => encode_pingresp(&mut self.out),
            Event::PubAck(_) | Event::Disconnect => {}
        }
    }

    fn acknowledge(&mut self, packet_id: Option<PacketId>) {
        let Some(packet_id) = packet_id else { return };
        self.acks.push(packet_id, ()).unwrap();
        self.acks
            .poll_ready(|()| Poll::Ready(Ok::<(), Infallible>(())), &mut self.out)
            .unwrap();
    }
}

/// Reads a message as a device would and writes it as a server does.
fn send_to_device(wire: &[u8]) {
    let mut input = BytesMut::from(wire);
    let Ok(Some(Packet::Publish(publish))) = decode(&mut input, &DecodeLimits::CONNECTED) else {
        panic!("not a message: {wire:02x?}");
    };
    let mut out = BytesMut::new();
    encode_publish_to_device(&mut out, publish.topic.as_str(), &publish.payload, publish.delivery).unwrap();
    assert_eq!(out, wire);
}
