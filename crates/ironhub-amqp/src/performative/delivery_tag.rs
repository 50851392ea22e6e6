use crate::types::Value;

/// The sender's name for a delivery, at most 32 bytes. .NET builds a Guid from it, so what devices and back ends settle
/// has 16.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeliveryTag {
    len: u8,
    bytes: [u8; Self::LEN_MAX],
}

impl DeliveryTag {
    /// Longest tag in bytes (§2.8.7).
    pub const LEN_MAX: usize = 32;

    /// `None` when `tag` is longer than [`Self::LEN_MAX`].
    pub fn new(tag: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::LEN_MAX];
        bytes.get_mut(..tag.len())?.copy_from_slice(tag);
        Some(Self {
            len: u8::try_from(tag.len()).ok()?,
            bytes,
        })
    }

    /// The tag of the `number`th delivery, for links where nobody reads it: four bytes.
    pub fn counted(number: u32) -> Self {
        let mut bytes = [0; Self::LEN_MAX];
        if let Some(place) = bytes.first_chunk_mut() {
            *place = number.to_be_bytes();
        }
        Self { len: 4, bytes }
    }

    /// The bytes of the tag.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    pub(super) fn read(value: Value<'_>) -> Option<Self> {
        Self::new(value.as_binary()?)
    }
}

impl From<[u8; 16]> for DeliveryTag {
    fn from(id: [u8; 16]) -> Self {
        let mut bytes = [0; Self::LEN_MAX];
        if let Some(place) = bytes.first_chunk_mut() {
            *place = id;
        }
        Self { len: 16, bytes }
    }
}

impl std::fmt::Debug for DeliveryTag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
