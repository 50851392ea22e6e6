use bytes::{BufMut, BytesMut};

use super::PacketKind;
use crate::error::DecodeError;
use crate::reader::Reader;

/// Appends a DISCONNECT, two bytes (MQTT 3.1.1, 3.14).
pub fn encode_disconnect(out: &mut BytesMut) {
    out.put_slice(&[PacketKind::Disconnect.first_byte(0), 0]);
}

pub(super) fn decode(reader: Reader<'_>) -> Result<(), DecodeError> {
    reader.finish()
}
