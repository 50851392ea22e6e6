use std::{fmt, str};

use bytes::{BufMut, Bytes, BytesMut};

use super::{PacketId, PacketKind, QoS};
use crate::error::{DecodeError, EncodeError};
use crate::reader::Reader;
use crate::writer::{put_field, put_header, topic_bytes};

const RETAIN: u8 = 0b0001;
const QOS_SHIFT: u8 = 1;
const DUP: u8 = 0b1000;

/// A message that borrows from the input (MQTT 3.1.1, 3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishRef<'a> {
    /// Where it goes. Not empty, no NUL; `+` and `#` are let through, since a property bag in the topic may carry them.
    pub topic: &'a str,
    /// The message body, possibly empty.
    pub payload: &'a [u8],
    /// Quality of service, with what belongs to each.
    pub delivery: Delivery,
    /// From a client: whether the server should keep it for later subscribers.
    pub retain: bool,
}

/// A message that owns slices of the buffer it arrived in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// Where it goes, as in [`PublishRef::topic`].
    pub topic: Text,
    /// The message body, possibly empty.
    pub payload: Bytes,
    /// Quality of service, with what belongs to each.
    pub delivery: Delivery,
    /// As in [`PublishRef::retain`].
    pub retain: bool,
}

/// Quality of service with the fields that exist only above QoS 0 ([MQTT-2.3.1-5], [MQTT-3.3.1-2]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// QoS 0.
    AtMostOnce,
    /// QoS 1: answered by PUBACK.
    AtLeastOnce {
        /// What the PUBACK will name.
        packet_id: PacketId,
        /// Whether it may have been sent before.
        dup: bool,
    },
    /// QoS 2: decoded so that it can be refused by name.
    ExactlyOnce {
        /// What the PUBREC would name.
        packet_id: PacketId,
        /// Whether it may have been sent before.
        dup: bool,
    },
}

impl Delivery {
    /// The quality of service alone.
    pub fn qos(self) -> QoS {
        match self {
            Self::AtMostOnce => QoS::AtMostOnce,
            Self::AtLeastOnce { .. } => QoS::AtLeastOnce,
            Self::ExactlyOnce { .. } => QoS::ExactlyOnce,
        }
    }

    /// The packet identifier, above QoS 0.
    pub fn packet_id(self) -> Option<PacketId> {
        match self {
            Self::AtMostOnce => None,
            Self::AtLeastOnce { packet_id, .. } | Self::ExactlyOnce { packet_id, .. } => Some(packet_id),
        }
    }

    /// Whether the sender marks it as possibly sent before.
    pub fn is_dup(self) -> bool {
        match self {
            Self::AtMostOnce => false,
            Self::AtLeastOnce { dup, .. } | Self::ExactlyOnce { dup, .. } => dup,
        }
    }

    fn flags(self) -> u8 {
        self.qos().value() << QOS_SHIFT | if self.is_dup() { DUP } else { 0 }
    }
}

impl Publish {
    /// The same message, borrowed.
    pub fn borrow(&self) -> PublishRef<'_> {
        PublishRef {
            topic: self.topic.as_str(),
            payload: &self.payload,
            delivery: self.delivery,
            retain: self.retain,
        }
    }
}

impl PublishRef<'_> {
    /// The same message as slices of `packet`, which it was decoded from.
    pub(crate) fn to_owned_in(self, packet: &Bytes) -> Publish {
        Publish {
            topic: Text(packet.slice_ref(self.topic.as_bytes())),
            payload: packet.slice_ref(self.payload),
            delivery: self.delivery,
            retain: self.retain,
        }
    }
}

/// UTF-8 text in shared memory.
#[derive(Clone, PartialEq, Eq)]
pub struct Text(Bytes);

impl Text {
    /// The text; costs a UTF-8 check, since the bytes are held as such.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The bytes of the text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Bytes::from(text))
    }
}

impl From<&'static str> for Text {
    fn from(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(formatter)
    }
}

/// Appends a PUBLISH as it is given: a client's way.
#[inline]
pub fn encode_publish(out: &mut BytesMut, publish: &PublishRef<'_>) -> Result<(), EncodeError> {
    let packet_id = publish.delivery.packet_id();
    let id_bytes = if packet_id.is_some() { 2 } else { 0 };
    let remaining = topic_bytes("topic", publish.topic)? + id_bytes + publish.payload.len();
    let flags = publish.delivery.flags() | if publish.retain { RETAIN } else { 0 };
    put_header(out, PacketKind::Publish, flags, remaining)?;
    put_field(out, publish.topic.as_bytes());
    if let Some(packet_id) = packet_id {
        out.put_u16(packet_id.value());
    }
    out.put_slice(publish.payload);
    Ok(())
}

/// Appends a PUBLISH that a server sends for a subscription: RETAIN is never set ([MQTT-3.3.1-9]).
///
/// Microsoft's C client (azure-umqtt-c, `mqtt_client.c`) takes DUP or RETAIN at QoS 0 for QoS 2; neither can leave here.
pub fn encode_publish_to_device(
    out: &mut BytesMut,
    topic: &str,
    payload: &[u8],
    delivery: Delivery,
) -> Result<(), EncodeError> {
    encode_publish(
        out,
        &PublishRef {
            topic,
            payload,
            delivery,
            retain: false,
        },
    )
}

#[inline]
pub(super) fn decode(flags: u8, mut reader: Reader<'_>) -> Result<PublishRef<'_>, DecodeError> {
    let qos = QoS::from_bits(flags >> QOS_SHIFT & 0b11).ok_or(DecodeError::PublishQos)?;
    let dup = flags & DUP != 0;
    if dup && qos == QoS::AtMostOnce {
        return Err(DecodeError::DupOnQos0);
    }
    let topic = reader.topic("topic")?;
    let delivery = match qos {
        QoS::AtMostOnce => Delivery::AtMostOnce,
        QoS::AtLeastOnce => Delivery::AtLeastOnce {
            packet_id: reader.packet_id()?,
            dup,
        },
        QoS::ExactlyOnce => Delivery::ExactlyOnce {
            packet_id: reader.packet_id()?,
            dup,
        },
    };
    Ok(PublishRef {
        topic,
        payload: reader.remainder(),
        delivery,
        retain: flags & RETAIN != 0,
    })
}
