use super::{DeliveryState, DeliveryTag, ReceiverSettleMode};
use crate::types::{DecodeError, Fields, Value, encode};

/// Carries a message or a part of one, which follows the frame body (§2.7.5).
#[derive(Debug, Clone, PartialEq)]
pub struct Transfer {
    /// The number by which the sender calls the link.
    pub handle: u32,
    /// Position among the session's deliveries; may be left off after the first frame of a delivery.
    pub delivery_id: Option<u32>,
    /// The sender's name for the delivery; may be left off after the first frame.
    pub delivery_tag: Option<DeliveryTag>,
    /// 0 for AMQP messages, [`crate::message::batch::MESSAGE_FORMAT`] for Microsoft's batches.
    pub message_format: Option<u32>,
    /// The sender has settled the delivery.
    pub settled: bool,
    /// Another frame of this delivery follows.
    pub more: bool,
    /// When the receiver of this delivery is to settle.
    pub rcv_settle_mode: Option<ReceiverSettleMode>,
    /// State of the delivery at the sender.
    pub state: Option<DeliveryState>,
    /// Throw away what came of this delivery.
    pub aborted: bool,
}

impl Transfer {
    pub(super) fn read(value: Value<'_>) -> Result<Self, DecodeError> {
        let mut fields = Fields::of(value)?;
        Ok(Self {
            handle: fields.required("handle", |value| value.as_u32())?,
            delivery_id: fields.uint("delivery-id")?,
            delivery_tag: fields.optional("delivery-tag", DeliveryTag::read)?,
            message_format: fields.uint("message-format")?,
            settled: fields.flag("settled")?,
            more: fields.flag("more")?,
            rcv_settle_mode: fields.optional("rcv-settle-mode", ReceiverSettleMode::read)?,
            state: DeliveryState::read(fields.value())?,
            aborted: {
                let _resume = fields.value();
                fields.flag("aborted")?
            },
        })
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        encode::composite(out, 0x14, |fields| {
            fields.push(self.handle);
            fields.push(self.delivery_id);
            fields.push(self.delivery_tag.as_ref().map(DeliveryTag::as_bytes));
            fields.push(self.message_format);
            fields.push(self.settled);
            fields.push(self.more);
            fields.push(self.rcv_settle_mode);
            fields.nested(|out| DeliveryState::write(self.state.as_ref(), out));
            fields.push(Value::Null); // resume
            fields.push(self.aborted.then_some(true));
            fields.push(Value::Null); // batchable
        });
    }
}
