//! Every bound of this crate, in one place.
//!
//! Bounds that the protocol sets are facts; the others are defaults, which a caller may tighten or widen through
//! [`DecodeLimits`] and the constructors that take a window.

/// Longest fixed header: one byte of kind and flags, four of remaining length (MQTT 3.1.1, 2.2.3).
pub const FIXED_HEADER_BYTES_MAX: usize = 5;

/// Largest remaining length that four bytes can carry (MQTT 3.1.1, 2.2.3).
pub const REMAINING_LENGTH_MAX: usize = 268_435_455;

/// Longest length-prefixed field: a topic, a client id, a password, a will message (MQTT 3.1.1, 1.5.3).
pub const FIELD_BYTES_MAX: usize = 65_535;

/// Default for the largest packet, fixed header included, that a connected peer may send.
///
/// It carries IoT Hub's largest device-to-cloud message, 256 KiB, under the longest topic.
pub const PACKET_BYTES_MAX: usize = 256 * 1024 + FIELD_BYTES_MAX + 16;

/// Default for the largest CONNECT packet.
///
/// The sender is unknown until it is decoded, so what it can make the server buffer is far below
/// [`PACKET_BYTES_MAX`]; user name and token of every known client fit in 2 KiB, the rest is left to a will.
pub const CONNECT_PACKET_BYTES_MAX: usize = 32 * 1024;

/// Default for the most filters in one SUBSCRIBE or UNSUBSCRIBE.
///
/// Without it, a 256 KiB packet could carry 65,000 one-letter filters and cost megabytes of small strings.
pub const FILTERS_PER_PACKET_MAX: usize = 64;

/// Most deliveries that an [`Inflight`](crate::inflight::Inflight) window can hold; a larger wish is reduced to it.
///
/// Looking up an acknowledgement scans the window, so it stays small.
pub const INFLIGHT_WINDOW_MAX: u16 = 1_024;

/// Most publishes that an [`AckQueue`](crate::ack_queue::AckQueue) can hold; a larger wish is reduced to it.
pub const ACK_QUEUE_MAX: u16 = 4_096;

const _: () = assert!(CONNECT_PACKET_BYTES_MAX < PACKET_BYTES_MAX);
const _: () = assert!(PACKET_BYTES_MAX <= REMAINING_LENGTH_MAX);
// A window must leave packet identifiers free, or allocation could not end.
const _: () = assert!(INFLIGHT_WINDOW_MAX < u16::MAX);

/// What one packet may cost; checked before its body is buffered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Largest packet in bytes, fixed header included.
    pub packet_bytes_max: usize,
    /// Most filters in one SUBSCRIBE or UNSUBSCRIBE.
    pub filters_max: usize,
}

impl DecodeLimits {
    /// For the first packet of a connection, whose sender has not proved anything yet.
    pub const BEFORE_CONNECT: Self = Self {
        packet_bytes_max: CONNECT_PACKET_BYTES_MAX,
        filters_max: FILTERS_PER_PACKET_MAX,
    };

    /// For a connected peer.
    pub const CONNECTED: Self = Self {
        packet_bytes_max: PACKET_BYTES_MAX,
        filters_max: FILTERS_PER_PACKET_MAX,
    };
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self::CONNECTED
    }
}
