use bytes::BytesMut;

use super::{PacketId, PacketKind};
use crate::error::DecodeError;
use crate::reader::Reader;
use crate::writer::put_id_packet;

/// Appends an UNSUBACK, four bytes (MQTT 3.1.1, 3.11).
pub fn encode_unsuback(out: &mut BytesMut, packet_id: PacketId) {
    put_id_packet(out, PacketKind::UnsubAck, packet_id);
}

pub(super) fn decode(reader: Reader<'_>) -> Result<PacketId, DecodeError> {
    reader.sole_packet_id()
}
