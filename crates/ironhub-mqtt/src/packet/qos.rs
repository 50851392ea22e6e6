/// Quality of service: how hard sender and receiver try (MQTT 3.1.1, 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum QoS {
    /// 0: sent once, not acknowledged.
    AtMostOnce,
    /// 1: sent until acknowledged.
    AtLeastOnce,
    /// 2: decoded so that it can be refused or reduced; IoT Hub does not offer it.
    ExactlyOnce,
}

impl QoS {
    /// From the two bits on the wire; 3 is reserved.
    #[inline]
    pub(crate) fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }

    /// The number on the wire.
    pub fn value(self) -> u8 {
        self as u8
    }
}
