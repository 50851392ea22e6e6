use super::{DecodeError, Decoder, Value, check};

/// A map whose pairs were checked when it was decoded. Keys may repeat; the order is the sender's.
#[derive(Clone, Copy, Default)]
pub struct Map<'a> {
    pairs: usize,
    bytes: &'a [u8],
}

impl<'a> Map<'a> {
    pub(crate) fn from_checked(pairs: usize, bytes: &'a [u8]) -> Self {
        Self { pairs, bytes }
    }

    /// Reads `pairs` encoded keys and values that have no map header, as they are kept in a stored event.
    pub fn from_pairs(pairs: usize, bytes: &'a [u8]) -> Result<Self, DecodeError> {
        check::pairs(pairs, bytes)?;
        Ok(Self { pairs, bytes })
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.pairs
    }

    /// Whether there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.pairs == 0
    }

    /// The encoded keys and values, one after the other, without the map's own header.
    pub fn encoded(&self) -> &'a [u8] {
        self.bytes
    }

    /// The pairs in order.
    pub fn iter(&self) -> impl Iterator<Item = (Value<'a>, Value<'a>)> + use<'a> {
        let mut decoder = Decoder::new(self.bytes);
        (0..self.pairs).map_while(move |_| Some((decoder.checked_value().ok()?, decoder.checked_value().ok()?)))
    }

    /// The pairs whose key is text (string or symbol).
    pub fn iter_text(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> + use<'a> {
        self.iter().filter_map(|(key, value)| Some((key.as_text()?, value)))
    }

    /// The first value under a string or symbol key.
    pub fn value(&self, key: &str) -> Option<Value<'a>> {
        self.iter_text().find(|(name, _)| *name == key).map(|(_, value)| value)
    }
}

impl PartialEq for Map<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl std::fmt::Debug for Map<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
