use bytes::BytesMut;

use super::{PacketId, PacketKind};
use crate::error::DecodeError;
use crate::reader::Reader;
use crate::writer::put_id_packet;

/// Appends a PUBACK, four bytes (MQTT 3.1.1, 3.4).
#[inline]
pub fn encode_puback(out: &mut BytesMut, packet_id: PacketId) {
    put_id_packet(out, PacketKind::PubAck, packet_id);
}

pub(super) fn decode(mut reader: Reader<'_>) -> Result<PacketId, DecodeError> {
    let packet_id = reader.packet_id()?;
    reader.finish()?;
    Ok(packet_id)
}
