use super::format_code::DESCRIBED;
use super::{Decoder, Value};

/// An array whose elements were checked when it was decoded: all of one type.
#[derive(Clone, Copy)]
pub struct Array<'a> {
    count: usize,
    bytes: &'a [u8],
}

impl<'a> Array<'a> {
    /// `bytes` are the element constructor and the elements.
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

    /// The element constructor and the elements, without the array's own header.
    pub fn encoded(&self) -> &'a [u8] {
        self.bytes
    }

    /// The elements in order. Of described elements it gives the value without its descriptor, which all share.
    pub fn iter(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let mut decoder = Decoder::new(self.bytes);
        let code = element_code(&mut decoder);
        (0..self.count).map_while(move |_| decoder.checked_value_of(code?).ok())
    }
}

fn element_code(decoder: &mut Decoder<'_>) -> Option<u8> {
    match decoder.byte().ok()? {
        DESCRIBED => {
            decoder.checked_value().ok()?;
            decoder.byte().ok()
        }
        code => Some(code),
    }
}

impl PartialEq for Array<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl std::fmt::Debug for Array<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
