use bytes::{BufMut, BytesMut};

use super::{PacketId, PacketKind};
use crate::error::{DecodeError, EncodeError};
use crate::limits::DecodeLimits;
use crate::reader::Reader;
use crate::writer::{put_field, put_header, topic_bytes};

/// A client no longer wants messages (MQTT 3.1.1, 3.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsubscribe {
    /// What the UNSUBACK will name.
    pub packet_id: PacketId,
    /// Filters to drop, at least one, compared character by character ([MQTT-3.10.4-1]).
    pub filters: Vec<String>,
}

/// Appends an UNSUBSCRIBE.
pub fn encode_unsubscribe(out: &mut BytesMut, unsubscribe: &Unsubscribe) -> Result<(), EncodeError> {
    if unsubscribe.filters.is_empty() {
        return Err(EncodeError::NoEntries(PacketKind::Unsubscribe));
    }
    let mut remaining = 2;
    for filter in &unsubscribe.filters {
        remaining += topic_bytes("filter", filter)?;
    }
    put_header(
        out,
        PacketKind::Unsubscribe,
        PacketKind::Unsubscribe.fixed_flags(),
        remaining,
    )?;
    out.put_u16(unsubscribe.packet_id.value());
    for filter in &unsubscribe.filters {
        put_field(out, filter.as_bytes());
    }
    Ok(())
}

pub(super) fn decode(mut reader: Reader<'_>, limits: &DecodeLimits) -> Result<Unsubscribe, DecodeError> {
    let kind = PacketKind::Unsubscribe;
    let packet_id = reader.packet_id()?;
    let mut filters = Vec::new();
    while !reader.is_empty() {
        if filters.len() == limits.filters_max {
            return Err(DecodeError::TooManyFilters {
                kind,
                filters_max: limits.filters_max,
            });
        }
        filters.push(reader.topic("filter")?.to_owned());
    }
    if filters.is_empty() {
        return Err(DecodeError::NoEntries(kind));
    }
    Ok(Unsubscribe { packet_id, filters })
}
