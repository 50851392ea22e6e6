//! The fourteen packets, a file each, with their layout on the wire in both directions.

mod connack;
mod connect;
mod disconnect;
mod kind;
mod packet_id;
mod ping;
mod puback;
mod publish;
mod qos;
mod qos2;
mod suback;
mod subscribe;
mod unsuback;
mod unsubscribe;

use bytes::BytesMut;

pub use self::connack::{ConnAck, ConnectRefusal, encode_connack};
pub use self::connect::{Connect, Login, Password, Will, encode_connect};
pub use self::disconnect::encode_disconnect;
pub use self::kind::PacketKind;
pub use self::packet_id::PacketId;
pub use self::ping::{encode_pingreq, encode_pingresp};
pub use self::puback::encode_puback;
pub use self::publish::{Delivery, Publish, PublishRef, Text, encode_publish, encode_publish_to_device};
pub use self::qos::QoS;
pub use self::suback::{SubAck, SubAckCode, encode_suback};
pub use self::subscribe::{Subscribe, Subscription, encode_subscribe};
pub use self::unsuback::encode_unsuback;
pub use self::unsubscribe::{Unsubscribe, encode_unsubscribe};

use crate::error::{DecodeError, EncodeError};
use crate::limits::DecodeLimits;
use crate::reader::Reader;
use crate::writer::put_id_packet;

/// One MQTT 3.1.1 control packet. `P` is how a PUBLISH holds its bytes: [`Publish`] owns, [`PublishRef`] borrows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet<P = Publish> {
    /// Client asks for a connection.
    Connect(Box<Connect>),
    /// Server answers CONNECT.
    ConnAck(ConnAck),
    /// A message, in either direction.
    Publish(P),
    /// Receiver has taken over a QoS 1 message.
    PubAck(PacketId),
    /// QoS 2, first answer: recognised so that it can be refused by name.
    PubRec(PacketId),
    /// QoS 2, release: recognised so that it can be refused by name.
    PubRel(PacketId),
    /// QoS 2, last answer: recognised so that it can be refused by name.
    PubComp(PacketId),
    /// Client asks for messages.
    Subscribe(Subscribe),
    /// Server answers SUBSCRIBE.
    SubAck(SubAck),
    /// Client no longer wants messages.
    Unsubscribe(Unsubscribe),
    /// Server answers UNSUBSCRIBE.
    UnsubAck(PacketId),
    /// Client is alive.
    PingReq,
    /// Server is alive.
    PingResp,
    /// Client leaves in good order.
    Disconnect,
}

/// A packet whose PUBLISH borrows from the input.
pub type PacketRef<'a> = Packet<PublishRef<'a>>;

impl<P> Packet<P> {
    /// The packet's type.
    pub fn kind(&self) -> PacketKind {
        match self {
            Self::Connect(_) => PacketKind::Connect,
            Self::ConnAck(_) => PacketKind::ConnAck,
            Self::Publish(_) => PacketKind::Publish,
            Self::PubAck(_) => PacketKind::PubAck,
            Self::PubRec(_) => PacketKind::PubRec,
            Self::PubRel(_) => PacketKind::PubRel,
            Self::PubComp(_) => PacketKind::PubComp,
            Self::Subscribe(_) => PacketKind::Subscribe,
            Self::SubAck(_) => PacketKind::SubAck,
            Self::Unsubscribe(_) => PacketKind::Unsubscribe,
            Self::UnsubAck(_) => PacketKind::UnsubAck,
            Self::PingReq => PacketKind::PingReq,
            Self::PingResp => PacketKind::PingResp,
            Self::Disconnect => PacketKind::Disconnect,
        }
    }

    /// The same packet with its PUBLISH, if it is one, held another way.
    pub fn map_publish<Q>(self, map: impl FnOnce(P) -> Q) -> Packet<Q> {
        match self {
            Self::Connect(connect) => Packet::Connect(connect),
            Self::ConnAck(connack) => Packet::ConnAck(connack),
            Self::Publish(publish) => Packet::Publish(map(publish)),
            Self::PubAck(packet_id) => Packet::PubAck(packet_id),
            Self::PubRec(packet_id) => Packet::PubRec(packet_id),
            Self::PubRel(packet_id) => Packet::PubRel(packet_id),
            Self::PubComp(packet_id) => Packet::PubComp(packet_id),
            Self::Subscribe(subscribe) => Packet::Subscribe(subscribe),
            Self::SubAck(suback) => Packet::SubAck(suback),
            Self::Unsubscribe(unsubscribe) => Packet::Unsubscribe(unsubscribe),
            Self::UnsubAck(packet_id) => Packet::UnsubAck(packet_id),
            Self::PingReq => Packet::PingReq,
            Self::PingResp => Packet::PingResp,
            Self::Disconnect => Packet::Disconnect,
        }
    }
}

impl Packet {
    /// Appends the packet to `out`; after an error `out` is as it was.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        match self {
            Self::Connect(connect) => return encode_connect(out, connect),
            Self::Publish(publish) => return encode_publish(out, &publish.borrow()),
            Self::Subscribe(subscribe) => return encode_subscribe(out, subscribe),
            Self::SubAck(suback) => return encode_suback(out, suback.packet_id, &suback.codes),
            Self::Unsubscribe(unsubscribe) => return encode_unsubscribe(out, unsubscribe),
            Self::ConnAck(connack) => encode_connack(out, *connack),
            Self::PubAck(packet_id) => encode_puback(out, *packet_id),
            Self::PubRec(packet_id) | Self::PubRel(packet_id) | Self::PubComp(packet_id) => {
                put_id_packet(out, self.kind(), *packet_id);
            }
            Self::UnsubAck(packet_id) => encode_unsuback(out, *packet_id),
            Self::PingReq => encode_pingreq(out),
            Self::PingResp => encode_pingresp(out),
            Self::Disconnect => encode_disconnect(out),
        }
        Ok(())
    }
}

/// Reads a packet's body, all of it.
#[inline]
pub(crate) fn decode_body<'a>(
    kind: PacketKind,
    flags: u8,
    body: &'a [u8],
    limits: &DecodeLimits,
) -> Result<PacketRef<'a>, DecodeError> {
    let reader = Reader::new(kind, body);
    Ok(match kind {
        PacketKind::Publish => Packet::Publish(publish::decode(flags, reader)?),
        PacketKind::PubAck => Packet::PubAck(puback::decode(reader)?),
        PacketKind::Connect => Packet::Connect(Box::new(connect::decode(reader)?)),
        PacketKind::ConnAck => Packet::ConnAck(connack::decode(reader)?),
        PacketKind::PubRec => Packet::PubRec(qos2::decode(reader)?),
        PacketKind::PubRel => Packet::PubRel(qos2::decode(reader)?),
        PacketKind::PubComp => Packet::PubComp(qos2::decode(reader)?),
        PacketKind::Subscribe => Packet::Subscribe(subscribe::decode(reader, limits)?),
        PacketKind::SubAck => Packet::SubAck(suback::decode(reader, limits)?),
        PacketKind::Unsubscribe => Packet::Unsubscribe(unsubscribe::decode(reader, limits)?),
        PacketKind::UnsubAck => Packet::UnsubAck(unsuback::decode(reader)?),
        PacketKind::PingReq => ping::decode(reader).map(|()| Packet::PingReq)?,
        PacketKind::PingResp => ping::decode(reader).map(|()| Packet::PingResp)?,
        PacketKind::Disconnect => disconnect::decode(reader).map(|()| Packet::Disconnect)?,
    })
}
