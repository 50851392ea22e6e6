use super::{DeliveryState, Role};
use crate::types::{DecodeError, Fields, Value, encode};

/// Tells the state of a range of deliveries (§2.7.6).
#[derive(Debug, Clone, PartialEq)]
pub struct Disposition {
    /// Which end of the deliveries the sender of this frame is.
    pub role: Role,
    /// First delivery-id of the range.
    pub first: u32,
    /// Last delivery-id of the range; absent: the first. Chosen by the peer, so never iterated over as it is.
    pub last: Option<u32>,
    /// The sender of this frame has settled them.
    pub settled: bool,
    /// Their state.
    pub state: Option<DeliveryState>,
}

impl Disposition {
    pub(super) fn read(value: Value<'_>) -> Result<Self, DecodeError> {
        let mut fields = Fields::of(value)?;
        Ok(Self {
            role: fields.required("role", Role::read)?,
            first: fields.required("first", |value| value.as_u32())?,
            last: fields.uint("last")?,
            settled: fields.flag("settled")?,
            state: DeliveryState::read(fields.value())?,
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        encode::composite(out, 0x15, |fields| {
            fields.push(self.role);
            fields.push(self.first);
            fields.push(self.last);
            fields.push(self.settled);
            fields.nested(|out| DeliveryState::write(self.state.as_ref(), out));
            fields.push(Value::Null); // batchable
        });
    }
}
