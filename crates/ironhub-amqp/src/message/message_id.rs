use crate::types::Value;

/// A message id or correlation id. The type matters: a reply must carry the very type of the request, since rhea sends
/// strings, uamqp ulongs and azure-eventhub uuids and each compares with its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageId<'a> {
    /// A number.
    Ulong(u64),
    /// 16 bytes in the order of RFC 4122.
    Uuid([u8; 16]),
    /// Any bytes.
    Binary(&'a [u8]),
    /// Text.
    String(&'a str),
}

impl<'a> MessageId<'a> {
    /// Reads any of the four types; a symbol counts as string and any unsigned integer as ulong.
    pub fn from_value(value: Value<'a>) -> Option<Self> {
        let uuid = value.as_uuid().map(Self::Uuid);
        uuid.or(value.as_text().map(Self::String))
            .or(value.as_binary().map(Self::Binary))
            .or(value.as_u64().map(Self::Ulong))
    }
}

impl<'a> From<MessageId<'a>> for Value<'a> {
    fn from(id: MessageId<'a>) -> Self {
        match id {
            MessageId::Ulong(number) => Self::Ulong(number),
            MessageId::Uuid(bytes) => Self::Uuid(bytes),
            MessageId::Binary(bytes) => Self::Binary(bytes),
            MessageId::String(text) => Self::String(text),
        }
    }
}
