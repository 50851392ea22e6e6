//! Every bound of this crate, in one place. A peer's input that passes one of them is an error, never a panic and
//! never an allocation of the peer's choosing.

/// Deepest nesting of lists, maps, arrays and described values inside one value. The deepest value that IoT clients
/// send is a filter map inside a source inside an attach: four levels.
pub const VALUE_DEPTH_MAX: usize = 16;

/// Most elements of an array whose elements take no bytes (`null`, `true`, the zeros, the empty list): their number
/// is not bounded by the bytes received.
pub const ARRAY_ZERO_WIDTH_COUNT_MAX: usize = 256;

/// Largest frame we take, and announce, in bytes. The real IoT Hub's number; every SDK is content with it.
pub const FRAME_BYTES_MAX: usize = 65_536;

/// Smallest number that a peer may announce as its largest frame (AMQP 1.0 part 2, §2.7.1); less is read as this.
pub const FRAME_BYTES_MIN: usize = 512;

/// Highest channel number we take; the real IoT Hub's number.
pub const CHANNEL_MAX: u16 = 8191;

/// Highest link handle we take; the real IoT Hub's number.
pub const HANDLE_MAX: u32 = 262_143;

/// Transfer frames we take on a session before we say so again.
pub const SESSION_WINDOW: u32 = 5000;

/// Longest link name in bytes. Event Hubs SDKs put an address and a uuid into it.
pub const LINK_NAME_BYTES_MAX: usize = 1024;

/// Largest message in bytes when a link does not say: what the real service announces on `$cbs`.
pub const MESSAGE_BYTES_MAX: u64 = 1 << 20;

/// Deliveries of ours per session whose outcome we wait for; at this number the session is not sendable.
pub const UNSETTLED_SENT_MAX: usize = 5000;

/// Deliveries on a link beyond its credit that are still taken. pyamqp starts to send before it has seen credit; a
/// peer that goes on and on is detached.
pub const DELIVERIES_BEYOND_CREDIT_MAX: u32 = 1024;

/// Output bytes at which nothing more is sendable until some were written to the socket.
pub const OUTPUT_BYTES_HIGH: usize = 64 * 1024;

/// Largest frame of the authentication phase in bytes: a token is the longest thing in it.
pub const SASL_FRAME_BYTES_MAX: usize = 8 * 1024;

/// Output bytes at which nothing more is read: a peer that asks and does not listen.
pub const OUTPUT_BYTES_MAX: usize = 4 * OUTPUT_BYTES_HIGH;

/// Bytes that may wait while the caller judges SASL credentials: azure-eventhub sends its first frames along.
pub const PIPELINED_BYTES_MAX: usize = 16 * 1024;

/// Replies on one node that wait for the client's credit.
pub const REPLIES_HELD_MAX: usize = 64;

/// What one connection may hold. The caller raises it once the peer is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Sessions at a time.
    pub sessions_max: usize,
    /// Links at a time, over all sessions.
    pub links_max: usize,
    /// Bytes for sessions, links and their names, unfinished frames and messages, and messages on links that wait for
    /// the caller's answer.
    pub held_bytes_max: usize,
}

impl ConnectionLimits {
    /// Before authentication: 64 KiB, whatever the peer declares. Java begins a session for each of up to 1,000 devices
    /// before it puts the first token, which just fits.
    pub const UNAUTHENTICATED: Self = Self {
        sessions_max: 1024,
        links_max: 64,
        held_bytes_max: 64 * 1024,
    };

    /// After it. Java multiplexes 1,000 devices with a session and six links each.
    pub const AUTHENTICATED: Self = Self {
        sessions_max: 2048,
        links_max: 8192,
        held_bytes_max: 8 << 20,
    };
}

// A frame of the largest size can be buffered while it is incomplete, and the standard's smallest is possible.
const _: () = assert!(FRAME_BYTES_MIN <= FRAME_BYTES_MAX);
const _: () = assert!(PIPELINED_BYTES_MAX <= FRAME_BYTES_MAX);
