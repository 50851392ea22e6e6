use crate::types::{DecodeError, Descriptor, Encoded, Fields, Value, encode};

/// Where the messages of a link go (AMQP 1.0 part 3, §3.5.4).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Target {
    /// Address of the node.
    pub address: Option<String>,
    /// What of the target survives.
    pub durable: Option<u32>,
    /// When the target expires.
    pub expiry_policy: Option<String>,
    /// Seconds until it does.
    pub timeout_s: Option<u32>,
    /// Asks the peer to make a node.
    pub dynamic: Option<bool>,
    /// Properties of that node.
    pub dynamic_node_properties: Encoded,
    /// Extensions of the node.
    pub capabilities: Encoded,
}

impl Target {
    /// The node at `address`.
    pub fn at(address: impl Into<String>) -> Self {
        Self {
            address: Some(address.into()),
            ..Self::default()
        }
    }

    /// Reads a target field; null and a transaction coordinator (which the hub has not) are `None`.
    pub(super) fn read(value: Value<'_>) -> Result<Option<Self>, DecodeError> {
        let Some(described) = value.as_described() else {
            return Ok(None);
        };
        let (Descriptor::Code(0x29) | Descriptor::Name("amqp:target:list")) = described.descriptor() else {
            return Ok(None);
        };
        let mut fields = Fields::of(described.value())?;
        Ok(Some(Self {
            address: fields.text("target address")?.map(str::to_owned),
            durable: fields.uint("durable")?,
            expiry_policy: fields.text("expiry-policy")?.map(str::to_owned),
            timeout_s: fields.uint("timeout")?,
            dynamic: fields.optional("dynamic", |value| value.as_bool())?,
            dynamic_node_properties: fields.value().into(),
            capabilities: fields.value().into(),
        }))
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        encode::composite(out, 0x29, |fields| {
            fields.push(self.address.as_deref());
            fields.push(self.durable);
            fields.push_symbol(self.expiry_policy.as_deref());
            fields.push(self.timeout_s);
            fields.push(self.dynamic);
            fields.push(&self.dynamic_node_properties);
            fields.push(&self.capabilities);
        });
    }
}
