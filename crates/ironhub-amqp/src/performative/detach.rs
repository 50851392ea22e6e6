use super::AmqpError;
use crate::types::{DecodeError, Fields, Value, encode};

/// Detaches a link (§2.7.7).
#[derive(Debug, Clone, PartialEq)]
pub struct Detach {
    /// The number by which the sender calls the link.
    pub handle: u32,
    /// The link is over for good, not only unattached.
    pub closed: bool,
    /// Why.
    pub error: Option<AmqpError>,
}

impl Detach {
    pub(super) fn read(value: Value<'_>) -> Result<Self, DecodeError> {
        let mut fields = Fields::of(value)?;
        Ok(Self {
            handle: fields.required("handle", |value| value.as_u32())?,
            closed: fields.flag("closed")?,
            error: AmqpError::read(fields.value())?,
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        encode::composite(out, 0x16, |fields| {
            fields.push(self.handle);
            fields.push(self.closed);
            fields.nested(|out| AmqpError::write(self.error.as_ref(), out));
        });
    }
}
