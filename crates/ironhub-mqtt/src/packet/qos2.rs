//! PUBREC, PUBREL and PUBCOMP (MQTT 3.1.1, 3.5–3.7): read, so that a QoS 2 handshake can be refused by name.

use super::PacketId;
use crate::error::DecodeError;
use crate::reader::Reader;

pub(super) fn decode(reader: Reader<'_>) -> Result<PacketId, DecodeError> {
    reader.sole_packet_id()
}
