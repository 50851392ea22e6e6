//! Decoding as most tests want it.

use bytes::BytesMut;
use ironhub_mqtt::packet::Packet;
use ironhub_mqtt::{DecodeError, DecodeLimits, decode};

/// Decodes the first packet of `input` under the default limits; what is left over is an error of the test.
pub(crate) fn decode_all(input: &[u8]) -> Result<Option<Packet>, DecodeError> {
    let mut buffer = BytesMut::from(input);
    let packet = decode(&mut buffer, &DecodeLimits::CONNECTED)?;
    if packet.is_some() {
        assert!(buffer.is_empty(), "left over: {buffer:?}");
    } else {
        assert_eq!(buffer, input, "an incomplete packet stays in the buffer");
    }
    Ok(packet)
}
