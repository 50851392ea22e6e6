use bytes::{BufMut, BytesMut};

use super::{PacketId, PacketKind, QoS};
use crate::error::{DecodeError, EncodeError};
use crate::limits::DecodeLimits;
use crate::reader::Reader;
use crate::writer::put_header;

const FAILURE: u8 = 0x80;

/// A server's answer to SUBSCRIBE (MQTT 3.1.1, 3.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubAck {
    /// That of the SUBSCRIBE.
    pub packet_id: PacketId,
    /// One for each filter, in the order of the SUBSCRIBE ([MQTT-3.9.3-1]).
    pub codes: Vec<SubAckCode>,
}

/// The answer to one filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubAckCode {
    /// Subscribed, messages come with at most this quality of service.
    Granted(QoS),
    /// 0x80: not subscribed.
    Failure,
}

impl SubAckCode {
    /// Grants what was asked for, but at most QoS 1 ("Communicate with an IoT hub using the MQTT protocol").
    pub fn grant(requested: QoS) -> Self {
        Self::Granted(requested.min(QoS::AtLeastOnce))
    }

    fn byte(self) -> u8 {
        match self {
            Self::Granted(qos) => qos.value(),
            Self::Failure => FAILURE,
        }
    }

    fn from_byte(byte: u8) -> Result<Self, DecodeError> {
        match byte {
            FAILURE => Ok(Self::Failure),
            qos => QoS::from_bits(qos)
                .map(Self::Granted)
                .ok_or(DecodeError::SubAckCode(qos)),
        }
    }
}

/// Appends a SUBACK with one code for each filter of the SUBSCRIBE.
pub fn encode_suback(out: &mut BytesMut, packet_id: PacketId, codes: &[SubAckCode]) -> Result<(), EncodeError> {
    if codes.is_empty() {
        return Err(EncodeError::NoEntries(PacketKind::SubAck));
    }
    put_header(out, PacketKind::SubAck, 0, 2 + codes.len())?;
    out.put_u16(packet_id.value());
    out.extend(codes.iter().map(|code| code.byte()));
    Ok(())
}

pub(super) fn decode(mut reader: Reader<'_>, limits: &DecodeLimits) -> Result<SubAck, DecodeError> {
    let kind = PacketKind::SubAck;
    let packet_id = reader.packet_id()?;
    let bytes = reader.remainder();
    match bytes.len() {
        0 => Err(DecodeError::NoEntries(kind)),
        count if count > limits.filters_max => Err(DecodeError::TooManyFilters {
            kind,
            filters_max: limits.filters_max,
        }),
        _ => {
            let codes = bytes
                .iter()
                .map(|&byte| SubAckCode::from_byte(byte))
                .collect::<Result<_, _>>()?;
            Ok(SubAck { packet_id, codes })
        }
    }
}
