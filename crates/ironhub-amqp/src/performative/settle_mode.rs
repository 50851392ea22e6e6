use crate::types::Value;

/// Whether the sender of a link settles what it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SenderSettleMode {
    /// Everything is sent unsettled.
    Unsettled,
    /// Everything is sent settled.
    Settled,
    /// The sender decides for each delivery; the standard's default.
    #[default]
    Mixed,
}

/// When the receiver of a link settles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReceiverSettleMode {
    /// At once, with its outcome; the standard's default.
    #[default]
    First,
    /// After the sender has settled: it sends its outcome, waits, and learns whether it took.
    Second,
}

impl SenderSettleMode {
    pub(super) fn read(value: Value<'_>) -> Option<Self> {
        match value.as_u64()? {
            0 => Some(Self::Unsettled),
            1 => Some(Self::Settled),
            2 => Some(Self::Mixed),
            _ => None,
        }
    }
}

impl ReceiverSettleMode {
    pub(super) fn read(value: Value<'_>) -> Option<Self> {
        match value.as_u64()? {
            0 => Some(Self::First),
            1 => Some(Self::Second),
            _ => None,
        }
    }
}

impl From<SenderSettleMode> for Value<'_> {
    fn from(mode: SenderSettleMode) -> Self {
        Self::Ubyte(match mode {
            SenderSettleMode::Unsettled => 0,
            SenderSettleMode::Settled => 1,
            SenderSettleMode::Mixed => 2,
        })
    }
}

impl From<ReceiverSettleMode> for Value<'_> {
    fn from(mode: ReceiverSettleMode) -> Self {
        Self::Ubyte(match mode {
            ReceiverSettleMode::First => 0,
            ReceiverSettleMode::Second => 1,
        })
    }
}
