use bytes::BytesMut;

use super::{PacketId, PacketKind};
use crate::error::DecodeError;
use crate::reader::Reader;
use crate::writer::put_id_packet;

/// Appends an UNSUBACK, four bytes (MQTT 3.1.1, 3.11).
pub fn encode_unsuback(out: &mut BytesMut, packet_id: PacketId) {
    put_id_packet(out, PacketKind::UnsubAck, packet_id);
}

pub(super) fn decode(mut reader: Reader<'_>) -> Result<PacketId, DecodeError> {
    let packet_id = reader.packet_id()?;
    reader.finish()?;
    Ok(packet_id)
}
