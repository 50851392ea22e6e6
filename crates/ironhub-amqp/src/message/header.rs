use super::SectionKind;
use crate::types::{DecodeError, Fields, Value, encode};

/// The transport header (AMQP 1.0 part 3, §3.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Must survive a restart of an intermediary.
    pub durable: bool,
    /// 0 to 9 in practice; 4 is the standard's default.
    pub priority: u8,
    /// Milliseconds the message may wait before it is worthless.
    pub ttl_ms: Option<u32>,
    /// Whether nobody acquired it before.
    pub first_acquirer: bool,
    /// Unsuccessful deliveries before this one.
    pub delivery_count: u32,
}

impl Default for Header {
    fn default() -> Self {
        Self {
            durable: false,
            priority: 4,
            ttl_ms: None,
            first_acquirer: false,
            delivery_count: 0,
        }
    }
}

impl Header {
    pub(crate) fn read(value: Value<'_>) -> Result<Self, DecodeError> {
        let mut fields = Fields::of(value)?;
        Ok(Self {
            durable: fields.flag("durable")?,
            priority: fields
                .optional("priority", |v| v.as_u64().and_then(|n| u8::try_from(n).ok()))?
                .unwrap_or(4),
            ttl_ms: fields.uint("ttl")?,
            first_acquirer: fields.flag("first-acquirer")?,
            delivery_count: fields.uint("delivery-count")?.unwrap_or(0),
        })
    }
}

/// Appends a header section with all five fields: .NET fails on an absent delivery count.
pub fn write_header(out: &mut Vec<u8>, header: &Header) {
    encode::composite(out, SectionKind::Header as u8, |fields| {
        fields.push(header.durable);
        fields.push(header.priority);
        fields.push(header.ttl_ms);
        fields.push(header.first_acquirer);
        fields.push(header.delivery_count);
    });
}
