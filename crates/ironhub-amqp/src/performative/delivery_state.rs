use super::AmqpError;
use crate::types::{DecodeError, Descriptor, Encoded, Fields, Value, encode};

/// What became of a delivery (AMQP 1.0 part 3, §3.4).
#[derive(Debug, Clone, PartialEq)]
pub enum DeliveryState {
    /// Not an outcome: how much of the message has arrived.
    Received {
        /// Section of the message.
        section_number: u32,
        /// Byte in that section.
        section_offset: u64,
    },
    /// Taken: *complete* in IoT Hub's words.
    Accepted,
    /// Refused, with the reason: *reject*.
    Rejected(Option<AmqpError>),
    /// Not taken, may be delivered again: *abandon*.
    Released,
    /// Not taken, with a remark.
    Modified {
        /// Counts as an unsuccessful delivery.
        delivery_failed: bool,
        /// Must not come to this link again.
        undeliverable_here: bool,
        /// To be merged into the message annotations.
        message_annotations: Encoded,
    },
    /// Something of an extension, such as a transaction.
    Other,
}

impl DeliveryState {
    /// Whether this ends the delivery.
    pub fn is_outcome(&self) -> bool {
        !matches!(self, Self::Received { .. } | Self::Other)
    }

    pub(super) fn read(value: Value<'_>) -> Result<Option<Self>, DecodeError> {
        if value.is_null() {
            return Ok(None);
        }
        let described = value.as_described().ok_or(DecodeError::Expected("a delivery state"))?;
        let fields = || Fields::of(described.value());
        Ok(Some(match described.descriptor() {
            Descriptor::Code(0x23) | Descriptor::Name("amqp:received:list") => {
                let mut fields = fields()?;
                Self::Received {
                    section_number: fields.uint("section-number")?.unwrap_or(0),
                    section_offset: fields.optional("section-offset", |value| value.as_u64())?.unwrap_or(0),
                }
            }
            Descriptor::Code(0x24) | Descriptor::Name("amqp:accepted:list") => Self::Accepted,
            Descriptor::Code(0x25) | Descriptor::Name("amqp:rejected:list") => {
                Self::Rejected(AmqpError::read(fields()?.value())?)
            }
            Descriptor::Code(0x26) | Descriptor::Name("amqp:released:list") => Self::Released,
            Descriptor::Code(0x27) | Descriptor::Name("amqp:modified:list") => {
                let mut fields = fields()?;
                Self::Modified {
                    delivery_failed: fields.flag("delivery-failed")?,
                    undeliverable_here: fields.flag("undeliverable-here")?,
                    message_annotations: fields.value().into(),
                }
            }
            Descriptor::Code(_) | Descriptor::Name(_) | Descriptor::Other => Self::Other,
        }))
    }

    /// Appends the state, or null. States without fields are written with the empty list `45`, which every client
    /// takes inside another composite.
    pub(super) fn write(state: Option<&Self>, out: &mut Vec<u8>) {
        match state {
            None | Some(Self::Other) => encode::value(out, Value::Null),
            Some(Self::Accepted) => out.extend_from_slice(&[0x00, 0x53, 0x24, 0x45]),
            Some(Self::Released) => out.extend_from_slice(&[0x00, 0x53, 0x26, 0x45]),
            Some(Self::Rejected(error)) => encode::composite(out, 0x25, |fields| {
                fields.nested(|out| AmqpError::write(error.as_ref(), out));
            }),
            Some(Self::Modified {
                delivery_failed,
                undeliverable_here,
                message_annotations,
            }) => {
                encode::composite(out, 0x27, |fields| {
                    fields.push(*delivery_failed);
                    fields.push(*undeliverable_here);
                    fields.push(message_annotations);
                });
            }
            Some(Self::Received {
                section_number,
                section_offset,
            }) => encode::composite(out, 0x23, |fields| {
                fields.push(*section_number);
                fields.push(*section_offset);
            }),
        }
    }
}
