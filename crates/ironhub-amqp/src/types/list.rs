use super::{Decoder, Value};

/// A list whose elements were checked when it was decoded.
#[derive(Clone, Copy, Default)]
pub struct List<'a> {
    count: usize,
    bytes: &'a [u8],
}

impl<'a> List<'a> {
    pub(crate) fn from_checked(count: usize, bytes: &'a [u8]) -> Self {
        Self { count, bytes }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The encoded elements, one after the other, without the list's own header.
    pub fn encoded(&self) -> &'a [u8] {
        self.bytes
    }

    /// The elements in order.
    pub fn iter(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let mut decoder = Decoder::new(self.bytes);
        (0..self.count).map_while(move |_| decoder.checked_value().ok())
    }
}

impl PartialEq for List<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl std::fmt::Debug for List<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
