use super::ushort;
use crate::types::{DecodeError, Encoded, Fields, Value, encode};

/// Begins a session, or answers that (§2.7.2).
#[derive(Debug, Clone, PartialEq)]
pub struct Begin {
    /// In an answer: the channel on which the peer began the session.
    pub remote_channel: Option<u16>,
    /// Transfer-id of the sender's next transfer frame.
    pub next_outgoing_id: u32,
    /// Transfer frames the sender can take.
    pub incoming_window: u32,
    /// Transfer frames the sender may keep.
    pub outgoing_window: u32,
    /// Highest link handle the sender takes.
    pub handle_max: u32,
    /// Extensions the sender supports.
    pub offered_capabilities: Encoded,
    /// Extensions the sender would use.
    pub desired_capabilities: Encoded,
    /// Free properties.
    pub properties: Encoded,
}

impl Begin {
    pub(super) fn read(value: Value<'_>) -> Result<Self, DecodeError> {
        let mut fields = Fields::of(value)?;
        Ok(Self {
            remote_channel: fields.optional("remote-channel", ushort)?,
            next_outgoing_id: fields.uint("next-outgoing-id")?.unwrap_or(0),
            incoming_window: fields.uint("incoming-window")?.unwrap_or(0),
            outgoing_window: fields.uint("outgoing-window")?.unwrap_or(0),
            handle_max: fields.uint("handle-max")?.unwrap_or(u32::MAX),
            offered_capabilities: fields.value().into(),
            desired_capabilities: fields.value().into(),
            properties: fields.value().into(),
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        encode::composite(out, 0x11, |fields| {
            fields.push(self.remote_channel);
            fields.push(self.next_outgoing_id);
            fields.push(self.incoming_window);
            fields.push(self.outgoing_window);
            fields.push(self.handle_max);
            fields.push(&self.offered_capabilities);
            fields.push(&self.desired_capabilities);
            fields.push(&self.properties);
        });
    }
}
