//! Reads a fuzzer's bytes as decisions; at the end of the bytes every decision is 0.

/// The bytes that are left.
pub(crate) struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// True once in `n` times.
    pub(crate) fn once_in(&mut self, n: u8) -> bool {
        self.byte().is_multiple_of(n)
    }

    /// At most `len_max` bytes.
    pub(crate) fn bytes(&mut self, len_max: usize) -> &'a [u8] {
        let len = usize::from(self.byte()).min(len_max).min(self.0.len());
        let (bytes, rest) = self.0.split_at(len);
        self.0 = rest;
        bytes
    }

    /// A small number mostly, at times one of the edges of 32 bits.
    pub(crate) fn number(&mut self) -> u32 {
        match self.byte() {
            small @ ..=239 => u32::from(small & 15),
            240..=243 => u32::MAX,
            244..=247 => u32::MAX / 2,
            248..=251 => 5000,
            _ => u32::from_be_bytes([self.byte(), self.byte(), self.byte(), self.byte()]),
        }
    }

    /// The same, cut to 16 bits.
    pub(crate) fn short_number(&mut self) -> u16 {
        u16::try_from(self.number() & 0xffff).unwrap_or_default()
    }

    pub(crate) fn optional_number(&mut self) -> Option<u32> {
        self.flag().then(|| self.number())
    }

    /// One of `all`; `None` only when there are none.
    pub(crate) fn choose<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        let index = usize::from(self.byte()).checked_rem(all.len())?;
        all.get(index).copied()
    }
}
