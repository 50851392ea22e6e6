use super::{ReceiverSettleMode, Role, SenderSettleMode, Source, Target};
use crate::limits::MESSAGE_BYTES_MAX;
use crate::types::encode::{self, value};
use crate::types::{DecodeError, Encoded, Fields, Value};

/// Attaches a link, or answers that (§2.7.3). The map of unsettled deliveries is not kept: links are never resumed.
#[derive(Debug, Clone, PartialEq)]
pub struct Attach {
    /// Names the link within the session and role.
    pub name: String,
    /// The number by which the sender of this frame calls the link.
    pub handle: u32,
    /// Which end the sender of this frame is.
    pub role: Role,
    /// Whether the link's sender settles what it sends; `None` leaves it open.
    pub snd_settle_mode: Option<SenderSettleMode>,
    /// When the link's receiver settles; `None` leaves it open.
    pub rcv_settle_mode: Option<ReceiverSettleMode>,
    /// Where messages come from; `None` together with the target refuses the link.
    pub source: Option<Source>,
    /// Where messages go.
    pub target: Option<Target>,
    /// Delivery count at the link's sender; must be there when that is who sends this frame.
    pub initial_delivery_count: Option<u32>,
    /// Largest message the sender of this frame takes, in bytes; `None` and 0 mean any.
    pub max_message_size: Option<u64>,
    /// Extensions the sender supports.
    pub offered_capabilities: Encoded,
    /// Extensions the sender would use.
    pub desired_capabilities: Encoded,
    /// Microsoft's `com.microsoft:…` link properties.
    pub properties: Encoded,
}

impl Attach {
    /// A link of that name with nothing else said.
    pub fn new(name: impl Into<String>, role: Role) -> Self {
        Self {
            name: name.into(),
            handle: 0,
            role,
            snd_settle_mode: None,
            rcv_settle_mode: None,
            source: None,
            target: None,
            initial_delivery_count: (role == Role::Sender).then_some(0),
            max_message_size: None,
            offered_capabilities: Encoded::null(),
            desired_capabilities: Encoded::null(),
            properties: Encoded::null(),
        }
    }

    /// The answer that takes the link as it was asked for: source, target, filters and properties are echoed, as the
    /// real service does. Where we receive we settle first: uamqp stalls when its wish for *second* is granted.
    pub fn answer(&self) -> Self {
        let role = self.role.opposite();
        let rcv_settle_mode = match role {
            Role::Receiver => Some(ReceiverSettleMode::First),
            Role::Sender => Some(self.rcv_settle_mode.unwrap_or_default()),
        };
        Self {
            handle: 0,
            role,
            rcv_settle_mode,
            snd_settle_mode: Some(self.snd_settle_mode.unwrap_or_default()),
            source: Some(self.source.clone().unwrap_or_default()),
            target: Some(self.target.clone().unwrap_or_default()),
            initial_delivery_count: (role == Role::Sender).then_some(0),
            max_message_size: Some(MESSAGE_BYTES_MAX),
            offered_capabilities: Encoded::null(),
            desired_capabilities: Encoded::null(),
            ..self.clone()
        }
    }

    pub(super) fn read(value: Value<'_>) -> Result<Self, DecodeError> {
        let mut fields = Fields::of(value)?;
        Ok(Self {
            name: fields.text("name")?.ok_or(DecodeError::Missing("name"))?.to_owned(),
            handle: fields.required("handle", |value| value.as_u32())?,
            role: fields.required("role", Role::read)?,
            snd_settle_mode: fields.optional("snd-settle-mode", SenderSettleMode::read)?,
            rcv_settle_mode: fields.optional("rcv-settle-mode", ReceiverSettleMode::read)?,
            source: Source::read(fields.value())?,
            target: Target::read(fields.value())?,
            initial_delivery_count: {
                let _unsettled = fields.value();
                let _incomplete_unsettled = fields.value();
                fields.uint("initial-delivery-count")?
            },
            max_message_size: fields.optional("max-message-size", |value| value.as_u64())?,
            offered_capabilities: fields.value().into(),
            desired_capabilities: fields.value().into(),
            properties: fields.value().into(),
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        encode::composite(out, 0x12, |fields| {
            fields.push(self.name.as_str());
            fields.push(self.handle);
            fields.push(self.role);
            fields.push(self.snd_settle_mode);
            fields.push(self.rcv_settle_mode);
            fields.nested(|out| match &self.source {
                Some(source) => source.write(out),
                None => value(out, Value::Null),
            });
            fields.nested(|out| match &self.target {
                Some(target) => target.write(out),
                None => value(out, Value::Null),
            });
            fields.push(Value::Null); // unsettled
            fields.push(Value::Null); // incomplete-unsettled
            fields.push(self.initial_delivery_count);
            fields.push(self.max_message_size);
            fields.push(&self.offered_capabilities);
            fields.push(&self.desired_capabilities);
            fields.push(&self.properties);
        });
    }
}
