//! A server's side of one connection: which packet may come when. Meaning and answers are the caller's.

use bytes::BytesMut;
use thiserror::Error;

use crate::codec::{FixedHeader, Frame};
use crate::error::DecodeError;
use crate::limits::DecodeLimits;
use crate::packet::{
    ConnAck, Connect, ConnectRefusal, Delivery, Packet, PacketId, PacketKind, PacketRef, PublishRef, Subscribe,
    Unsubscribe, encode_connack,
};

/// The state of a connection as a server sees it.
///
/// Feed it with [`handle_input`](Self::handle_input), answer its CONNECT with [`accept`](Self::accept) or
/// [`refuse`](Self::refuse). After an error the caller closes; there is nothing else to say in MQTT 3.1.1.
#[derive(Debug)]
pub struct Connection {
    limits: DecodeLimits,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing has come yet.
    AwaitingConnect,
    /// CONNECT has come and is not answered; what follows it stays in the input.
    Connecting,
    Open,
    Closed,
}

/// What a client wants.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A connection: answer with [`Connection::accept`] or [`Connection::refuse`].
    Connect(Box<Connect>),
    /// A message of QoS 0 or 1; the latter is owed a PUBACK.
    Publish(PublishRef<'a>),
    /// It has taken over a message.
    PubAck(PacketId),
    /// Messages: owed a SUBACK with one code for each filter.
    Subscribe(Subscribe),
    /// Fewer messages: owed an UNSUBACK.
    Unsubscribe(Unsubscribe),
    /// A sign of life: owed a PINGRESP.
    PingReq,
    /// To leave in good order: close, and forget the will ([MQTT-3.14.4-3]).
    Disconnect,
}

/// A well-formed packet that may not come, or not now. The answer is to close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Violation {
    /// The first packet is not CONNECT ([MQTT-3.1.0-1]).
    #[error("first packet is {0}")]
    FirstPacket(PacketKind),
    /// A second CONNECT ([MQTT-3.1.0-2]).
    #[error("second CONNECT")]
    SecondConnect,
    /// A message at QoS 2 ("Communicate with an IoT hub using the MQTT protocol": not supported, connection closed).
    #[error("PUBLISH with QoS 2")]
    Qos2Publish,
    /// A packet of the QoS 2 handshake, which no one began.
    #[error("{0} without QoS 2")]
    Qos2Handshake(PacketKind),
    /// A packet that only servers send.
    #[error("{0} from a client")]
    ServerPacket(PacketKind),
}

/// Why a connection has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProtocolError {
    /// The bytes are not a packet.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The packet is out of place.
    #[error(transparent)]
    Violation(#[from] Violation),
}

impl ProtocolError {
    /// A short stable name: the label of a metric, never the peer's data.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Decode(error) => error.reason(),
            Self::Violation(violation) => violation.reason(),
        }
    }

    /// What to give [`Connection::refuse`] before closing, if anything is owed.
    pub fn refusal(&self) -> Option<ConnectRefusal> {
        match self {
            Self::Decode(error) => error.refusal(),
            Self::Violation(_) => None,
        }
    }
}

impl Violation {
    /// A short stable name: the label of a metric.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::FirstPacket(_) => "first_packet",
            Self::SecondConnect => "second_connect",
            Self::Qos2Publish => "qos_2_publish",
            Self::Qos2Handshake(_) => "qos_2_handshake",
            Self::ServerPacket(_) => "server_packet",
        }
    }
}

impl Connection {
    /// A connection whose first packet has not come; `limits` apply once it is accepted, and
    /// [`DecodeLimits::BEFORE_CONNECT`] till then.
    pub fn new(limits: DecodeLimits) -> Self {
        Self {
            limits,
            state: State::AwaitingConnect,
        }
    }

    /// Takes the next packet from the start of `input` and returns what it asks for and how many bytes it took.
    ///
    /// `None` means that there is nothing to do yet: the packet is incomplete, or CONNECT is not answered, or the
    /// connection is over. Costs nothing but the decoding: a message borrows from `input`.
    #[inline]
    pub fn handle_input<'a>(&mut self, input: &'a [u8]) -> Result<Option<(Event<'a>, usize)>, ProtocolError> {
        let limits = match self.state {
            State::AwaitingConnect => self.expect_connect(input)?,
            State::Open => self.limits,
            State::Connecting | State::Closed => return Ok(None),
        };
        let step = self.handle_frame(input, &limits);
        if step.is_err() && self.state == State::Open {
            self.state = State::Closed;
        }
        step
    }

    /// Answers the CONNECT; further packets are then taken. Does nothing unless a CONNECT waits for it.
    pub fn accept(&mut self, session_present: bool, out: &mut BytesMut) {
        if self.state == State::Connecting {
            self.state = State::Open;
            encode_connack(out, ConnAck::Accepted { session_present });
        }
    }

    /// Answers the first packet with a refusal; the caller closes behind it. Does nothing once a CONNACK was sent.
    pub fn refuse(&mut self, refusal: ConnectRefusal, out: &mut BytesMut) {
        if matches!(self.state, State::AwaitingConnect | State::Connecting) {
            self.state = State::Closed;
            encode_connack(out, ConnAck::Refused(refusal));
        }
    }

    /// Whether a CONNECT has come and was accepted, and nothing has ended the connection since.
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Judges the first packet by its fixed header, before anything of it needs to be buffered.
    fn expect_connect(&self, input: &[u8]) -> Result<DecodeLimits, ProtocolError> {
        let limits = DecodeLimits {
            packet_bytes_max: self
                .limits
                .packet_bytes_max
                .min(DecodeLimits::BEFORE_CONNECT.packet_bytes_max),
            ..self.limits
        };
        match FixedHeader::parse(input, &limits)? {
            Some(header) if header.kind() != PacketKind::Connect => Err(Violation::FirstPacket(header.kind()).into()),
            _ => Ok(limits),
        }
    }

    #[inline]
    fn handle_frame<'a>(
        &mut self,
        input: &'a [u8],
        limits: &DecodeLimits,
    ) -> Result<Option<(Event<'a>, usize)>, ProtocolError> {
        let Some(frame) = Frame::parse(input, limits)? else {
            return Ok(None);
        };
        let event = self.handle_packet(frame.decode(limits)?)?;
        Ok(Some((event, frame.packet_bytes())))
    }

    #[inline]
    fn handle_packet<'a>(&mut self, packet: PacketRef<'a>) -> Result<Event<'a>, Violation> {
        let kind = packet.kind();
        match packet {
            Packet::Publish(publish) => match publish.delivery {
                Delivery::AtMostOnce | Delivery::AtLeastOnce { .. } => Ok(Event::Publish(publish)),
                Delivery::ExactlyOnce { .. } => Err(Violation::Qos2Publish),
            },
            Packet::Connect(connect) => self.handle_connect(connect),
            Packet::PubAck(packet_id) => Ok(Event::PubAck(packet_id)),
            Packet::Subscribe(subscribe) => Ok(Event::Subscribe(subscribe)),
            Packet::Unsubscribe(unsubscribe) => Ok(Event::Unsubscribe(unsubscribe)),
            Packet::PingReq => Ok(Event::PingReq),
            Packet::Disconnect => {
                self.state = State::Closed;
                Ok(Event::Disconnect)
            }
            Packet::PubRec(_) | Packet::PubRel(_) | Packet::PubComp(_) => Err(Violation::Qos2Handshake(kind)),
            Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
                Err(Violation::ServerPacket(kind))
            }
        }
    }

    fn handle_connect<'a>(&mut self, connect: Box<Connect>) -> Result<Event<'a>, Violation> {
        if self.state != State::AwaitingConnect {
            return Err(Violation::SecondConnect);
        }
        self.state = State::Connecting;
        Ok(Event::Connect(connect))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECT: &[u8] = b"\x10\x0d\0\x04MQTT\x04\0\0\x3c\0\x01d";

    fn open() -> Connection {
        let mut connection = Connection::new(DecodeLimits::CONNECTED);
        connection.handle_input(CONNECT).unwrap();
        connection.accept(false, &mut BytesMut::new());
        connection
    }

    #[track_caller]
    fn check(mut connection: Connection, input: &[u8], expected: &str) {
        let outcome = match connection.handle_input(input) {
            Ok(Some((event, bytes))) => {
                assert_eq!(bytes, input.len());
                format!("{event:?}").split(['(', ' ']).next().unwrap().to_owned()
            }
            Ok(None) => "nothing".to_owned(),
            Err(error) => error.reason().to_owned(),
        };
        assert_eq!(outcome, expected, "{input:02x?}");
    }

    #[test]
    fn first_packet() {
        let new = || Connection::new(DecodeLimits::CONNECTED);
        check(new(), CONNECT, "Connect");
        check(new(), b"", "nothing");
        check(new(), &CONNECT[..14], "nothing");
        check(new(), b"\xc0\0", "first_packet");
        // Known from the fixed header: nobody waits for the 100 bytes.
        check(new(), b"\x30\x64", "first_packet");
        check(new(), b"\x10\x80\x80\x04", "packet_too_large");
        check(new(), b"\x10\x0d\0\x04MQTT\x03\0\0\x3c\0\x01d", "protocol_level");
    }

    #[test]
    fn packets_of_an_open_connection() {
        check(open(), b"\x30\x04\0\x01tx", "Publish");
        check(open(), b"\x32\x05\0\x01t\0\x01", "Publish");
        check(open(), b"\x40\x02\0\x01", "PubAck");
        check(open(), b"\x82\x06\0\x01\0\x01t\x02", "Subscribe");
        check(open(), b"\xa2\x05\0\x01\0\x01t", "Unsubscribe");
        check(open(), b"\xc0\0", "PingReq");
        check(open(), b"\xe0\0", "Disconnect");
        check(open(), CONNECT, "second_connect");
        check(open(), b"\x34\x05\0\x01t\0\x01", "qos_2_publish");
        check(open(), b"\x50\x02\0\x01", "qos_2_handshake");
        check(open(), b"\x62\x02\0\x01", "qos_2_handshake");
        check(open(), b"\x70\x02\0\x01", "qos_2_handshake");
        check(open(), b"\x20\x02\0\0", "server_packet");
        check(open(), b"\x90\x03\0\x01\0", "server_packet");
        check(open(), b"\xb0\x02\0\x01", "server_packet");
        check(open(), b"\xd0\0", "server_packet");
        check(open(), b"\xc1\0", "fixed_header_flags");
    }

    #[test]
    fn nothing_is_taken_before_connack_and_after_the_end() {
        let mut connection = Connection::new(DecodeLimits::CONNECTED);
        let mut out = BytesMut::new();
        connection.accept(false, &mut out);
        assert!(out.is_empty(), "there is nothing to accept yet");
        connection.handle_input(CONNECT).unwrap();
        assert_eq!(
            connection.handle_input(b"\xc0\0"),
            Ok(None),
            "a client may send on, but has to wait"
        );
        connection.accept(true, &mut out);
        assert_eq!(out, &b"\x20\x02\x01\0"[..]);
        assert_eq!(connection.handle_input(b"\xc0\0"), Ok(Some((Event::PingReq, 2))));
        assert_eq!(connection.handle_input(b"\xe0\0"), Ok(Some((Event::Disconnect, 2))));
        assert_eq!(connection.handle_input(b"\xc0\0"), Ok(None));
        assert!(!connection.is_open());
    }

    #[test]
    fn a_refusal_is_sent_once_and_only_in_place_of_a_connack() {
        let mut out = BytesMut::new();
        let mut connection = Connection::new(DecodeLimits::CONNECTED);
        let error = connection
            .handle_input(b"\x10\x0d\0\x04MQTT\x05\0\0\x3c\0\x01d")
            .unwrap_err();
        connection.refuse(error.refusal().unwrap(), &mut out);
        connection.refuse(ConnectRefusal::NotAuthorized, &mut out);
        assert_eq!(out, &b"\x20\x02\0\x01"[..]);

        let mut connection = open();
        connection
            .handle_input(b"\x10\x0d\0\x04MQTT\x05\0\0\x3c\0\x01d")
            .unwrap_err();
        connection.refuse(ConnectRefusal::UnacceptableProtocolVersion, &mut out);
        assert_eq!(out.len(), 4, "a CONNACK on an open connection would be one too many");
    }

    #[test]
    fn an_error_ends_the_connection() {
        let mut connection = open();
        connection.handle_input(b"\xf0\0").unwrap_err();
        assert_eq!(connection.handle_input(b"\xc0\0"), Ok(None));
    }
}
