use super::AmqpError;
use crate::types::{DecodeError, Fields, Value, encode};

/// Closes the connection (§2.7.9).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Close {
    /// Why.
    pub error: Option<AmqpError>,
}

impl Close {
    pub(super) fn read(value: Value<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            error: AmqpError::read(Fields::of(value)?.value())?,
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        encode::composite(out, 0x18, |fields| {
            fields.nested(|out| AmqpError::write(self.error.as_ref(), out));
        });
    }
}
