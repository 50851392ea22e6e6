//! The eight bytes that come before any frame (AMQP 1.0 part 2, §2.2).

/// Bytes of a protocol header.
pub(crate) const BYTES: usize = 8;

/// What the bytes behind a protocol header speak. TLS inside the connection (id 2) is never used by any SDK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Amqp,
    Sasl,
}

impl Protocol {
    pub(crate) fn header(self) -> [u8; BYTES] {
        match self {
            Self::Amqp => *b"AMQP\x00\x01\x00\x00",
            Self::Sasl => *b"AMQP\x03\x01\x00\x00",
        }
    }

    /// `None` for anything that is not version 1.0.0 of one of the two.
    pub(crate) fn of(header: &[u8]) -> Option<Self> {
        [Self::Amqp, Self::Sasl]
            .into_iter()
            .find(|protocol| protocol.header() == header)
    }
}
