use bytes::{BufMut, BytesMut};

use super::PacketKind;
use crate::error::DecodeError;
use crate::reader::Reader;

const SESSION_PRESENT: u8 = 0b0000_0001;

/// A server's answer to CONNECT (MQTT 3.1.1, 3.2). A refusal has no session ([MQTT-3.2.2-4]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnAck {
    /// Return code 0.
    Accepted {
        /// Whether the server has stored state, such as subscriptions, for this client.
        session_present: bool,
    },
    /// Any other return code; the server closes the connection behind it ([MQTT-3.2.2-5]).
    Refused(ConnectRefusal),
}

/// Why a server does not accept a connection (MQTT 3.1.1, 3.2.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ConnectRefusal {
    /// 1: the server does not speak the level that the client asked for.
    UnacceptableProtocolVersion = 1,
    /// 2: the client id is not allowed.
    IdentifierRejected,
    /// 3: try again later.
    ServerUnavailable,
    /// 4: the user name or password is malformed.
    BadUserNameOrPassword,
    /// 5: the client is not who it says, or may not connect.
    NotAuthorized,
}

impl ConnectRefusal {
    /// The return code on the wire.
    pub fn code(self) -> u8 {
        self as u8
    }

    fn from_code(code: u8) -> Result<Self, DecodeError> {
        Ok(match code {
            1 => Self::UnacceptableProtocolVersion,
            2 => Self::IdentifierRejected,
            3 => Self::ServerUnavailable,
            4 => Self::BadUserNameOrPassword,
            5 => Self::NotAuthorized,
            reserved => return Err(DecodeError::ConnAckCode(reserved)),
        })
    }
}

/// Appends a CONNACK, four bytes.
pub fn encode_connack(out: &mut BytesMut, connack: ConnAck) {
    let (flags, code) = match connack {
        ConnAck::Accepted { session_present } => (u8::from(session_present) * SESSION_PRESENT, 0),
        ConnAck::Refused(refusal) => (0, refusal.code()),
    };
    out.put_slice(&[PacketKind::ConnAck.first_byte(0), 2, flags, code]);
}

pub(super) fn decode(mut reader: Reader<'_>) -> Result<ConnAck, DecodeError> {
    let flags = reader.u8("acknowledge flags")?;
    let code = reader.u8("return code")?;
    reader.finish()?;
    match (flags, code) {
        (0, 0) => Ok(ConnAck::Accepted { session_present: false }),
        (SESSION_PRESENT, 0) => Ok(ConnAck::Accepted { session_present: true }),
        (0, code) => ConnectRefusal::from_code(code).map(ConnAck::Refused),
        (flags, _) => Err(DecodeError::ConnAckFlags(flags)),
    }
}
