//! Puts fields at the end of a buffer. Everything that can fail is checked before the first byte is written.

use bytes::{BufMut, BytesMut};

use crate::error::EncodeError;
use crate::limits::{FIELD_BYTES_MAX, FIXED_HEADER_BYTES_MAX, REMAINING_LENGTH_MAX};
use crate::packet::{PacketId, PacketKind};

/// The size of a length-prefixed field on the wire.
pub(crate) fn field_bytes(field: &'static str, bytes: &[u8]) -> Result<usize, EncodeError> {
    if bytes.len() > FIELD_BYTES_MAX {
        return Err(EncodeError::FieldTooLong {
            field,
            bytes: bytes.len(),
        });
    }
    Ok(2 + bytes.len())
}

/// The size of a text field on the wire.
pub(crate) fn text_bytes(field: &'static str, text: &str) -> Result<usize, EncodeError> {
    if memchr::memchr(0, text.as_bytes()).is_some() {
        return Err(EncodeError::Nul { field });
    }
    field_bytes(field, text.as_bytes())
}

/// The size of a topic or filter on the wire.
pub(crate) fn topic_bytes(field: &'static str, topic: &str) -> Result<usize, EncodeError> {
    if topic.is_empty() {
        return Err(EncodeError::EmptyTopic { field });
    }
    text_bytes(field, topic)
}

/// Writes the fixed header and makes room for the body that it announces.
pub(crate) fn put_header(out: &mut BytesMut, kind: PacketKind, flags: u8, remaining: usize) -> Result<(), EncodeError> {
    if remaining > REMAINING_LENGTH_MAX {
        return Err(EncodeError::PacketTooLarge { bytes: remaining });
    }
    out.reserve(FIXED_HEADER_BYTES_MAX + remaining);
    out.put_u8(kind.first_byte(flags));
    put_remaining_length(out, remaining);
    Ok(())
}

/// Writes a field whose size was checked by one of the functions above.
pub(crate) fn put_field(out: &mut BytesMut, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.put_u16(length);
    out.put_slice(bytes);
}

/// Writes a packet that is a packet identifier and nothing else.
pub(crate) fn put_id_packet(out: &mut BytesMut, kind: PacketKind, packet_id: PacketId) {
    let [high, low] = packet_id.value().to_be_bytes();
    out.put_slice(&[kind.first_byte(kind.fixed_flags()), 2, high, low]);
}

fn put_remaining_length(out: &mut BytesMut, mut remaining: usize) {
    while remaining > 0x7f {
        let [low, ..] = remaining.to_le_bytes();
        out.put_u8(low | 0x80);
        remaining >>= 7;
    }
    let [low, ..] = remaining.to_le_bytes();
    out.put_u8(low);
}
