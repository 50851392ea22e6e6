use std::fmt;
use std::num::NonZeroU16;

/// A packet identifier: never zero ([MQTT-2.3.1-1]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketId(NonZeroU16);

impl PacketId {
    /// The first one.
    pub const MIN: Self = Self(NonZeroU16::MIN);

    /// `None` for zero.
    pub const fn new(value: u16) -> Option<Self> {
        match NonZeroU16::new(value) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }

    /// The number on the wire.
    pub const fn value(self) -> u16 {
        self.0.get()
    }

    /// The following one; 1 follows 65,535.
    #[must_use]
    pub fn next(self) -> Self {
        self.0.checked_add(1).map_or(Self::MIN, Self)
    }
}

impl fmt::Display for PacketId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
