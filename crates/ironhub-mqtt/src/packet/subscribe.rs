use bytes::{BufMut, BytesMut};

use super::{PacketId, PacketKind, QoS};
use crate::error::{DecodeError, EncodeError};
use crate::limits::DecodeLimits;
use crate::reader::Reader;
use crate::writer::{put_field, put_header, topic_bytes};

/// A client asks for messages (MQTT 3.1.1, 3.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    /// What the SUBACK will name.
    pub packet_id: PacketId,
    /// What is asked for, at least one, in the order of the SUBACK's codes.
    pub subscriptions: Vec<Subscription>,
}

/// One filter of a SUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The filter as it came: not empty, but not checked as [`TopicFilter`](crate::filter::TopicFilter) does, since
    /// device ids may contain `+` and `#`.
    pub filter: String,
    /// Highest quality of service wanted.
    pub qos: QoS,
}

/// Appends a SUBSCRIBE.
pub fn encode_subscribe(out: &mut BytesMut, subscribe: &Subscribe) -> Result<(), EncodeError> {
    if subscribe.subscriptions.is_empty() {
        return Err(EncodeError::NoEntries(PacketKind::Subscribe));
    }
    let mut remaining = 2;
    for subscription in &subscribe.subscriptions {
        remaining += topic_bytes("filter", &subscription.filter)? + 1;
    }
    put_header(
        out,
        PacketKind::Subscribe,
        PacketKind::Subscribe.fixed_flags(),
        remaining,
    )?;
    out.put_u16(subscribe.packet_id.value());
    for subscription in &subscribe.subscriptions {
        put_field(out, subscription.filter.as_bytes());
        out.put_u8(subscription.qos.value());
    }
    Ok(())
}

pub(super) fn decode(mut reader: Reader<'_>, limits: &DecodeLimits) -> Result<Subscribe, DecodeError> {
    let kind = PacketKind::Subscribe;
    let packet_id = reader.packet_id()?;
    let mut subscriptions = Vec::new();
    while !reader.is_empty() {
        if subscriptions.len() == limits.filters_max {
            return Err(DecodeError::TooManyFilters {
                kind,
                filters_max: limits.filters_max,
            });
        }
        let filter = reader.topic("filter")?.to_owned();
        let qos = reader.u8("requested QoS")?;
        let qos = QoS::from_bits(qos).ok_or(DecodeError::RequestedQos(qos))?;
        subscriptions.push(Subscription { filter, qos });
    }
    if subscriptions.is_empty() {
        return Err(DecodeError::NoEntries(kind));
    }
    Ok(Subscribe {
        packet_id,
        subscriptions,
    })
}
