//! AMQP 1.0 without I/O: bytes in, bytes out, no sockets and no clock.
//!
//! Three layers. [`types`] and [`message`] are the codec: borrowed views over received bytes, and writers that append
//! to a `Vec<u8>`. A value that was decoded has been checked to its last nested byte, so reading it cannot fail.
//! [`frame`], [`performative`] and [`sasl`] are what travels between peers. [`connection`] is the protocol: sessions,
//! links, credit, windows, time-outs, for either end; [`request`], [`cbs`] and [`management`] sit on top of it.
//!
//! "AMQP 1.0" in the documentation of this crate means the OASIS standard "Advanced Message Queuing Protocol Version
//! 1.0", parts 1 (types), 2 (transport), 3 (messaging) and 5 (security).

pub mod cbs;
pub mod connection;
pub mod frame;
pub mod limits;
mod link;
pub mod management;
pub mod message;
pub mod performative;
mod protocol_header;
pub mod request;
pub mod sasl;
mod serial;
mod session;
mod slots;

/// The AMQP type system (AMQP 1.0 part 1): values, their decoder and their encoder.
pub mod types {
    mod array;
    mod check;
    mod decode;
    mod described;
    pub mod encode;
    mod encoded;
    mod error;
    mod fields;
    mod format_code;
    mod list;
    mod map;
    mod value;

    pub use array::Array;
    pub use decode::Decoder;
    pub use described::{Described, Descriptor};
    pub use encoded::Encoded;
    pub use error::DecodeError;
    pub(crate) use fields::Fields;
    pub use list::List;
    pub use map::Map;
    pub use value::Value;
}
