use std::fmt;

use crate::error::DecodeError;

/// The type of a control packet (MQTT 3.1.1, 2.2.1). Prints as the specification writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PacketKind {
    /// 1, client to server.
    Connect = 1,
    /// 2, server to client.
    ConnAck,
    /// 3, both ways.
    Publish,
    /// 4, both ways.
    PubAck,
    /// 5, both ways.
    PubRec,
    /// 6, both ways.
    PubRel,
    /// 7, both ways.
    PubComp,
    /// 8, client to server.
    Subscribe,
    /// 9, server to client.
    SubAck,
    /// 10, client to server.
    Unsubscribe,
    /// 11, server to client.
    UnsubAck,
    /// 12, client to server.
    PingReq,
    /// 13, server to client.
    PingResp,
    /// 14, client to server.
    Disconnect,
}

impl PacketKind {
    #[inline]
    pub(crate) fn from_first_byte(first: u8) -> Result<Self, DecodeError> {
        Ok(match first >> 4 {
            1 => Self::Connect,
            2 => Self::ConnAck,
            3 => Self::Publish,
            4 => Self::PubAck,
            5 => Self::PubRec,
            6 => Self::PubRel,
            7 => Self::PubComp,
            8 => Self::Subscribe,
            9 => Self::SubAck,
            10 => Self::Unsubscribe,
            11 => Self::UnsubAck,
            12 => Self::PingReq,
            13 => Self::PingResp,
            14 => Self::Disconnect,
            reserved => return Err(DecodeError::PacketType(reserved)),
        })
    }

    pub(crate) fn first_byte(self, flags: u8) -> u8 {
        (self as u8) << 4 | flags
    }

    /// The flags that every packet of this type carries; a PUBLISH chooses its own (MQTT 3.1.1, 2.2.2).
    pub(crate) fn fixed_flags(self) -> u8 {
        match self {
            Self::PubRel | Self::Subscribe | Self::Unsubscribe => 0b0010,
            Self::Connect
            | Self::ConnAck
            | Self::Publish
            | Self::PubAck
            | Self::PubRec
            | Self::PubComp
            | Self::SubAck
            | Self::UnsubAck
            | Self::PingReq
            | Self::PingResp
            | Self::Disconnect => 0,
        }
    }

    #[inline]
    pub(crate) fn check_flags(self, flags: u8) -> Result<(), DecodeError> {
        if self == Self::Publish || flags == self.fixed_flags() {
            return Ok(());
        }
        Err(DecodeError::FixedHeaderFlags { kind: self, flags })
    }
}

impl fmt::Display for PacketKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Connect => "CONNECT",
            Self::ConnAck => "CONNACK",
            Self::Publish => "PUBLISH",
            Self::PubAck => "PUBACK",
            Self::PubRec => "PUBREC",
            Self::PubRel => "PUBREL",
            Self::PubComp => "PUBCOMP",
            Self::Subscribe => "SUBSCRIBE",
            Self::SubAck => "SUBACK",
            Self::Unsubscribe => "UNSUBSCRIBE",
            Self::UnsubAck => "UNSUBACK",
            Self::PingReq => "PINGREQ",
            Self::PingResp => "PINGRESP",
            Self::Disconnect => "DISCONNECT",
        })
    }
}
