use crate::types::{DecodeError, Descriptor, Encoded, Fields, Value, encode};

/// Where the messages of a link come from (AMQP 1.0 part 3, §3.5.3). Fields that the hub does not act on are carried so
/// that an attach can be answered with what was asked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Source {
    /// Address of the node.
    pub address: Option<String>,
    /// What of the source survives.
    pub durable: Option<u32>,
    /// When the source expires.
    pub expiry_policy: Option<String>,
    /// Seconds until it does.
    pub timeout_s: Option<u32>,
    /// Asks the peer to make a node.
    pub dynamic: Option<bool>,
    /// Properties of that node.
    pub dynamic_node_properties: Encoded,
    /// Move or copy.
    pub distribution_mode: Option<String>,
    /// Map of filters by name; Event Hubs consumers put their start position here.
    pub filter: Encoded,
    /// Outcome of deliveries that end without one.
    pub default_outcome: Encoded,
    /// Outcomes that are possible.
    pub outcomes: Encoded,
    /// Extensions of the node.
    pub capabilities: Encoded,
}

impl Source {
    /// The node at `address`.
    pub fn at(address: impl Into<String>) -> Self {
        Self {
            address: Some(address.into()),
            ..Self::default()
        }
    }

    /// Reads a source field; null and terminus kinds that no surface of the hub knows are `None`.
    pub(super) fn read(value: Value<'_>) -> Result<Option<Self>, DecodeError> {
        let Some(described) = value.as_described() else {
            return Ok(None);
        };
        let (Descriptor::Code(0x28) | Descriptor::Name("amqp:source:list")) = described.descriptor() else {
            return Ok(None);
        };
        let mut fields = Fields::of(described.value())?;
        Ok(Some(Self {
            address: fields.text("source address")?.map(str::to_owned),
            durable: fields.uint("durable")?,
            expiry_policy: fields.text("expiry-policy")?.map(str::to_owned),
            timeout_s: fields.uint("timeout")?,
            dynamic: fields.optional("dynamic", |value| value.as_bool())?,
            dynamic_node_properties: fields.value().into(),
            distribution_mode: fields.text("distribution-mode")?.map(str::to_owned),
            filter: fields.value().into(),
            default_outcome: fields.value().into(),
            outcomes: fields.value().into(),
            capabilities: fields.value().into(),
        }))
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        encode::composite(out, 0x28, |fields| {
            fields.push(self.address.as_deref());
            fields.push(self.durable);
            fields.push_symbol(self.expiry_policy.as_deref());
            fields.push(self.timeout_s);
            fields.push(self.dynamic);
            fields.push(&self.dynamic_node_properties);
            fields.push_symbol(self.distribution_mode.as_deref());
            fields.push(&self.filter);
            fields.push(&self.default_outcome);
            fields.push(&self.outcomes);
            fields.push(&self.capabilities);
        });
    }
}
