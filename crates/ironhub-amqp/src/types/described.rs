use super::{Decoder, Value};

/// A value and the descriptor that says what it means, both checked when it was decoded.
#[derive(Clone, Copy)]
pub struct Described<'a> {
    bytes: &'a [u8],
    descriptor_len: usize,
}

/// What a described value is: the registered number or the registered name (AMQP 1.0 part 1, §1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Descriptor<'a> {
    /// Domain in the upper, identifier in the lower 32 bits; the standard's own have domain 0.
    Code(u64),
    /// For example `amqp:open:list` or `apache.org:selector-filter:string`.
    Name(&'a str),
    /// Reserved by the standard: neither number nor name.
    Other,
}

impl<'a> Descriptor<'a> {
    pub(crate) fn of(value: Value<'a>) -> Self {
        let name = value.as_text().map(Self::Name);
        name.or(value.as_u64().map(Self::Code)).unwrap_or(Self::Other)
    }
}

impl<'a> Described<'a> {
    /// `bytes` are descriptor and value; the descriptor takes the first `descriptor_len`.
    pub(crate) fn from_checked(bytes: &'a [u8], descriptor_len: usize) -> Self {
        Self { bytes, descriptor_len }
    }

    /// The encoded descriptor and value, without the leading zero.
    pub fn encoded(&self) -> &'a [u8] {
        self.bytes
    }

    /// What the value means.
    pub fn descriptor(&self) -> Descriptor<'a> {
        Decoder::new(self.bytes)
            .checked_value()
            .map_or(Descriptor::Other, Descriptor::of)
    }

    /// The value itself.
    pub fn value(&self) -> Value<'a> {
        let value = self.bytes.get(self.descriptor_len..).unwrap_or_default();
        Decoder::new(value).checked_value().unwrap_or(Value::Null)
    }
}

impl PartialEq for Described<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.descriptor() == other.descriptor() && self.value() == other.value()
    }
}

impl std::fmt::Debug for Described<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Described")
            .field(&self.descriptor())
            .field(&self.value())
            .finish()
    }
}
