//! What can be wrong with bytes that arrive, and with packets that are to leave.

use thiserror::Error;

use crate::packet::{ConnectRefusal, PacketKind};

/// Why bytes are not an MQTT 3.1.1 packet that this side accepts.
///
/// The stream cannot be read on after any of them: a receiver closes the connection ([MQTT-4.8.0-1]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Packet types 0 and 15 are reserved (MQTT 3.1.1, 2.2.1).
    #[error("packet type {0} is reserved")]
    PacketType(u8),
    /// The low four bits of the first byte are not those of the packet type ([MQTT-2.2.2-2]).
    #[error("{kind} with fixed header flags {flags:#06b}")]
    FixedHeaderFlags {
        /// The packet's type.
        kind: PacketKind,
        /// The four bits that came.
        flags: u8,
    },
    /// The remaining length goes on after its fourth byte (MQTT 3.1.1, 2.2.3).
    #[error("remaining length of more than four bytes")]
    RemainingLengthTooLong,
    /// The remaining length is padded with a zero byte.
    #[error("remaining length in more bytes than it needs")]
    RemainingLengthPadded,
    /// The packet announces more than the limit; nothing of its body needs to be buffered to know.
    #[error("{kind} of {bytes} bytes, limit is {bytes_max}")]
    PacketTooLarge {
        /// The packet's type.
        kind: PacketKind,
        /// Size of the whole packet as announced.
        bytes: usize,
        /// The limit in force.
        bytes_max: usize,
    },
    /// The remaining length ends inside a field, or before it.
    #[error("packet ends within its {field}")]
    Truncated {
        /// The field that did not fit.
        field: &'static str,
    },
    /// The remaining length is greater than what the packet's fields take.
    #[error("{kind} with {count} bytes after its last field")]
    TrailingBytes {
        /// The packet's type.
        kind: PacketKind,
        /// How many bytes are left over.
        count: usize,
    },
    /// A text field is not UTF-8 ([MQTT-1.5.3-1]).
    #[error("{field} is not UTF-8")]
    Utf8 {
        /// The field.
        field: &'static str,
    },
    /// A text field contains U+0000 ([MQTT-1.5.3-2]).
    #[error("{field} contains a NUL character")]
    Nul {
        /// The field.
        field: &'static str,
    },
    /// A packet identifier is zero ([MQTT-2.3.1-1]).
    #[error("{0} with packet identifier 0")]
    PacketIdZero(PacketKind),
    /// CONNECT names another protocol ([MQTT-3.1.2-1]).
    #[error("protocol name is not MQTT")]
    ProtocolName,
    /// CONNECT asks for another level of MQTT; the polite answer is a CONNACK, see [`DecodeError::refusal`]
    /// ([MQTT-3.1.2-2]).
    #[error("protocol level {0} is not 4")]
    ProtocolLevel(u8),
    /// Bit 0 of the connect flags is set ([MQTT-3.1.2-3]).
    #[error("reserved connect flag is set")]
    ConnectReservedFlag,
    /// Will QoS or will retain is set without a will ([MQTT-3.1.2-13], [MQTT-3.1.2-15]).
    #[error("will QoS or will retain without a will")]
    WillFlagsWithoutWill,
    /// Will QoS is 3 ([MQTT-3.1.2-14]).
    #[error("will QoS 3")]
    WillQos,
    /// The password flag is set without the user name flag ([MQTT-3.1.2-22]).
    #[error("password without user name")]
    PasswordWithoutUserName,
    /// PUBLISH with both QoS bits set ([MQTT-3.3.1-4]).
    #[error("PUBLISH with QoS 3")]
    PublishQos,
    /// PUBLISH with DUP and QoS 0 ([MQTT-3.3.1-2]).
    #[error("PUBLISH with DUP and QoS 0")]
    DupOnQos0,
    /// A topic or filter has no character ([MQTT-4.7.3-1]).
    #[error("{field} is empty")]
    EmptyTopic {
        /// The field.
        field: &'static str,
    },
    /// SUBSCRIBE, UNSUBSCRIBE or SUBACK carries nothing ([MQTT-3.8.3-3], [MQTT-3.10.3-2]).
    #[error("{0} without an entry")]
    NoEntries(PacketKind),
    /// SUBSCRIBE or UNSUBSCRIBE carries more filters than the limit.
    #[error("{kind} with more than {filters_max} filters")]
    TooManyFilters {
        /// The packet's type.
        kind: PacketKind,
        /// The limit in force.
        filters_max: usize,
    },
    /// A requested QoS is not 0, 1 or 2, or a reserved bit beside it is set ([MQTT-3-8.3-4]).
    #[error("requested QoS byte {0:#04x}")]
    RequestedQos(u8),
    /// CONNACK flags other than session present, or session present on a refusal ([MQTT-3.2.2-4]).
    #[error("CONNACK flags {0:#04x}")]
    ConnAckFlags(u8),
    /// A return code that MQTT 3.1.1 does not define (3.2.2.3).
    #[error("CONNACK return code {0}")]
    ConnAckCode(u8),
    /// A SUBACK return code that MQTT 3.1.1 reserves ([MQTT-3.9.3-2]).
    #[error("SUBACK return code {0:#04x}")]
    SubAckCode(u8),
}

impl DecodeError {
    /// A short stable name: the label of a metric, never the peer's data.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::PacketType(_) => "packet_type",
            Self::FixedHeaderFlags { .. } => "fixed_header_flags",
            Self::RemainingLengthTooLong => "remaining_length_too_long",
            Self::RemainingLengthPadded => "remaining_length_padded",
            Self::PacketTooLarge { .. } => "packet_too_large",
            Self::Truncated { .. } => "truncated",
            Self::TrailingBytes { .. } => "trailing_bytes",
            Self::Utf8 { .. } => "utf8",
            Self::Nul { .. } => "nul",
            Self::PacketIdZero(_) => "packet_id_zero",
            Self::ProtocolName => "protocol_name",
            Self::ProtocolLevel(_) => "protocol_level",
            Self::ConnectReservedFlag => "connect_reserved_flag",
            Self::WillFlagsWithoutWill => "will_flags_without_will",
            Self::WillQos => "will_qos",
            Self::PasswordWithoutUserName => "password_without_user_name",
            Self::PublishQos => "publish_qos",
            Self::DupOnQos0 => "dup_on_qos_0",
            Self::EmptyTopic { .. } => "empty_topic",
            Self::NoEntries(_) => "no_entries",
            Self::TooManyFilters { .. } => "too_many_filters",
            Self::RequestedQos(_) => "requested_qos",
            Self::ConnAckFlags(_) => "connack_flags",
            Self::ConnAckCode(_) => "connack_code",
            Self::SubAckCode(_) => "suback_code",
        }
    }

    /// The CONNACK that a server owes before it closes, when this is the outcome of a connection's first packet.
    ///
    /// Only a wrong protocol level has one; everything else is closed without a word.
    pub fn refusal(&self) -> Option<ConnectRefusal> {
        matches!(self, Self::ProtocolLevel(_)).then_some(ConnectRefusal::UnacceptableProtocolVersion)
    }
}

/// Why a packet cannot be written; the output is then as it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// A field is longer than [`FIELD_BYTES_MAX`](crate::limits::FIELD_BYTES_MAX).
    #[error("{field} of {bytes} bytes, limit is 65535")]
    FieldTooLong {
        /// The field.
        field: &'static str,
        /// Its size.
        bytes: usize,
    },
    /// A text field contains U+0000, which every receiver must refuse ([MQTT-1.5.3-2]).
    #[error("{field} contains a NUL character")]
    Nul {
        /// The field.
        field: &'static str,
    },
    /// A topic or filter has no character ([MQTT-4.7.3-1]).
    #[error("{field} is empty")]
    EmptyTopic {
        /// The field.
        field: &'static str,
    },
    /// SUBSCRIBE, UNSUBSCRIBE or SUBACK without an entry.
    #[error("{0} without an entry")]
    NoEntries(PacketKind),
    /// The remaining length would exceed [`REMAINING_LENGTH_MAX`](crate::limits::REMAINING_LENGTH_MAX).
    #[error("remaining length of {bytes} bytes, limit is 268435455")]
    PacketTooLarge {
        /// The remaining length.
        bytes: usize,
    },
}
