use bytes::{BufMut, BytesMut};

use super::PacketKind;
use crate::error::DecodeError;
use crate::reader::Reader;

/// Appends a PINGREQ, two bytes (MQTT 3.1.1, 3.12).
pub fn encode_pingreq(out: &mut BytesMut) {
    out.put_slice(&[PacketKind::PingReq.first_byte(0), 0]);
}

/// Appends a PINGRESP, two bytes (MQTT 3.1.1, 3.13).
pub fn encode_pingresp(out: &mut BytesMut) {
    out.put_slice(&[PacketKind::PingResp.first_byte(0), 0]);
}

pub(super) fn decode(reader: Reader<'_>) -> Result<(), DecodeError> {
    reader.finish()
}
