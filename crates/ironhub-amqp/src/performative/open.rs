use super::ushort;
use crate::types::{DecodeError, Encoded, Fields, Value, encode};

/// Negotiates the connection (§2.7.1).
#[derive(Debug, Clone, PartialEq)]
pub struct Open {
    /// Names the sender of this frame.
    pub container_id: String,
    /// The host the client means to reach; selects the hub, as SNI does in TLS.
    pub hostname: Option<String>,
    /// Largest frame the sender takes, in bytes.
    pub max_frame_size: u32,
    /// Highest channel number the sender takes.
    pub channel_max: u16,
    /// The sender gives up when it hears nothing for this long; absent: never.
    pub idle_time_out_ms: Option<u32>,
    /// Locales of text the sender may send.
    pub outgoing_locales: Encoded,
    /// Locales of text the sender wants.
    pub incoming_locales: Encoded,
    /// Extensions the sender supports.
    pub offered_capabilities: Encoded,
    /// Extensions the sender would use.
    pub desired_capabilities: Encoded,
    /// Product, version, platform and the like.
    pub properties: Encoded,
}

impl Default for Open {
    /// The values that absent fields stand for.
    fn default() -> Self {
        Self {
            container_id: String::new(),
            hostname: None,
            max_frame_size: u32::MAX,
            channel_max: u16::MAX,
            idle_time_out_ms: None,
            outgoing_locales: Encoded::null(),
            incoming_locales: Encoded::null(),
            offered_capabilities: Encoded::null(),
            desired_capabilities: Encoded::null(),
            properties: Encoded::null(),
        }
    }
}

impl Open {
    pub(super) fn read(value: Value<'_>) -> Result<Self, DecodeError> {
        let mut fields = Fields::of(value)?;
        Ok(Self {
            container_id: fields.text("container-id")?.unwrap_or_default().to_owned(),
            hostname: fields.text("hostname")?.map(str::to_owned),
            max_frame_size: fields.uint("max-frame-size")?.unwrap_or(u32::MAX),
            channel_max: fields.optional("channel-max", ushort)?.unwrap_or(u16::MAX),
            idle_time_out_ms: fields.uint("idle-time-out")?,
            outgoing_locales: fields.value().into(),
            incoming_locales: fields.value().into(),
            offered_capabilities: fields.value().into(),
            desired_capabilities: fields.value().into(),
            properties: fields.value().into(),
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        encode::composite(out, 0x10, |fields| {
            fields.push(self.container_id.as_str());
            fields.push(self.hostname.as_deref());
            fields.push(self.max_frame_size);
            fields.push(self.channel_max);
            fields.push(self.idle_time_out_ms);
            fields.push(&self.outgoing_locales);
            fields.push(&self.incoming_locales);
            fields.push(&self.offered_capabilities);
            fields.push(&self.desired_capabilities);
            fields.push(&self.properties);
        });
    }
}
