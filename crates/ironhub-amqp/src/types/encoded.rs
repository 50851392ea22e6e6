use super::encode::{self, Elements};
use super::{DecodeError, Decoder, Value};

/// One value that owns its bytes, encoded: filters, properties and capabilities are kept and echoed in this form.
#[derive(Clone, Default)]
pub struct Encoded(Box<[u8]>);

impl Encoded {
    /// The null value; takes no memory.
    pub fn null() -> Self {
        Self::default()
    }

    /// A map of what `fill` pushes: key, value, key, value.
    pub fn map(fill: impl FnOnce(&mut Elements<'_>)) -> Self {
        let mut out = Vec::new();
        encode::map(&mut out, fill);
        Self(out.into())
    }

    /// An array of symbols.
    pub fn symbols<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        let mut out = Vec::new();
        encode::symbol_array(&mut out, texts);
        Self(out.into())
    }

    /// Takes over bytes that hold exactly one value.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let value = decoder.value()?;
        if decoder.is_empty() {
            Ok(Self::from(value))
        } else {
            Err(DecodeError::LeftOver)
        }
    }

    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        self.0.is_empty()
    }

    /// The value.
    pub fn value(&self) -> Value<'_> {
        Decoder::new(&self.0).checked_value().unwrap_or(Value::Null)
    }

    /// The value under a string or symbol key, when this is a map.
    pub fn entry(&self, key: &str) -> Option<Value<'_>> {
        self.value().as_map()?.value(key)
    }

    /// The texts of a field that the standard marks `multiple`: null, one symbol, or an array of symbols.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let value = self.value();
        let array = if let Value::Array(array) = value {
            Some(array)
        } else {
            None
        };
        value.as_text().into_iter().chain(
            array
                .into_iter()
                .flat_map(|array| array.iter())
                .filter_map(|v| v.as_text()),
        )
    }

    /// Bytes held.
    pub fn len_bytes(&self) -> usize {
        self.0.len()
    }
}

impl From<Value<'_>> for Encoded {
    fn from(value: Value<'_>) -> Self {
        if value.is_null() {
            return Self::null();
        }
        let mut out = Vec::new();
        encode::value(&mut out, value);
        Self(out.into())
    }
}

impl<'a> From<&'a Encoded> for Value<'a> {
    fn from(encoded: &'a Encoded) -> Self {
        encoded.value()
    }
}

impl PartialEq for Encoded {
    fn eq(&self, other: &Self) -> bool {
        self.value() == other.value()
    }
}

impl std::fmt::Debug for Encoded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.value().fmt(f)
    }
}
