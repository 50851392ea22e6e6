use super::AmqpError;
use crate::types::{DecodeError, Fields, Value, encode};

/// Ends a session (§2.7.8).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct End {
    /// Why.
    pub error: Option<AmqpError>,
}

impl End {
    pub(super) fn read(value: Value<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            error: AmqpError::read(Fields::of(value)?.value())?,
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        encode::composite(out, 0x17, |fields| {
            fields.nested(|out| AmqpError::write(self.error.as_ref(), out));
        });
    }
}
