//! MQTT 3.1.1 without I/O: bytes in, packets and decisions out.

pub mod ack_queue;
pub mod codec;
pub mod connection;
pub mod error;
pub mod filter;
pub mod inflight;
pub mod keep_alive;
pub mod limits;
pub mod packet;
mod reader;
mod writer;

pub use codec::decode;
pub use error::{DecodeError, EncodeError};
pub use limits::DecodeLimits;
