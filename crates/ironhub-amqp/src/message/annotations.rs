//! Annotations, and the form in which a stored event keeps them: encoded pairs without a map header, so that whoever
//! sends the event puts its own pairs before them and copies the rest.

use super::SectionKind;
use crate::types::encode::{self, patch};
use crate::types::{DecodeError, Map, Value};

/// Appends one pair, its key a symbol, without a map header. The caller counts the pairs.
pub fn push_entry<'a>(out: &mut Vec<u8>, key: &str, value: impl Into<Value<'a>>) {
    encode::symbol(out, key);
    encode::value(out, value);
}

/// Appends a message-annotations section of what `fill` pushes.
pub fn write_message_annotations(out: &mut Vec<u8>, fill: impl FnOnce(&mut AnnotationsWriter<'_>)) {
    write(out, SectionKind::MessageAnnotations, fill);
}

/// Appends a delivery-annotations section of what `fill` pushes.
pub fn write_delivery_annotations(out: &mut Vec<u8>, fill: impl FnOnce(&mut AnnotationsWriter<'_>)) {
    write(out, SectionKind::DeliveryAnnotations, fill);
}

/// The annotations that are being written.
#[derive(Debug)]
pub struct AnnotationsWriter<'o> {
    out: &'o mut Vec<u8>,
    pairs: usize,
}

impl AnnotationsWriter<'_> {
    /// Appends one pair, its key a symbol.
    pub fn push<'a>(&mut self, key: &str, value: impl Into<Value<'a>>) {
        push_entry(self.out, key, value);
        self.pairs += 1;
    }

    /// Appends pairs that [`push_entry`] encoded. The caller vouches that `bytes` are exactly `pairs` pairs.
    pub fn push_encoded(&mut self, pairs: usize, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
        self.pairs += pairs;
    }
}

/// The header is always the wide one: it is patched in place and nothing moves, whatever the size becomes.
fn write(out: &mut Vec<u8>, kind: SectionKind, fill: impl FnOnce(&mut AnnotationsWriter<'_>)) {
    const MAP_32: u8 = 0xd1;
    kind.write(out);
    out.extend_from_slice(&[MAP_32, 0, 0, 0, 0, 0, 0, 0, 0]);
    let body = out.len();
    let mut writer = AnnotationsWriter { out, pairs: 0 };
    fill(&mut writer);
    let count = u32::try_from(writer.pairs * 2).unwrap_or(u32::MAX);
    let size = u32::try_from(out.len() - body + 4).unwrap_or(u32::MAX);
    patch(out, body - 8, &size.to_be_bytes());
    patch(out, body - 4, &count.to_be_bytes());
}

/// The value of a section that is a map; an empty list and null count as an empty one.
pub(crate) fn read(value: Value<'_>) -> Result<Map<'_>, DecodeError> {
    let is_empty = value.is_null() || value.as_list().is_some_and(|list| list.is_empty());
    let map = value.as_map().or(is_empty.then(Map::default));
    map.ok_or(DecodeError::Expected("a map"))
}
