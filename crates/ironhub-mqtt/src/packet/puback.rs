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

pub(super) fn decode(reader: Reader<'_>) -> Result<PacketId, DecodeError> {
    reader.sole_packet_id()
}
