use super::{SectionKind, Sections};
use crate::types::{List, Value, encode};

/// What a message carries.
#[derive(Debug, Clone)]
pub enum Body<'a> {
    /// No body section at all: several SDKs send a bodiless message for an empty payload.
    Empty,
    /// One or more data sections; the payload is their concatenation.
    Data(DataSections<'a>),
    /// One value of any type.
    Value(Value<'a>),
    /// One or more lists.
    Sequence(SequenceSections<'a>),
}

/// The bytes of each data section, in order.
#[derive(Debug, Clone)]
pub struct DataSections<'a>(pub(crate) Sections<'a>);

impl<'a> Iterator for DataSections<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<Self::Item> {
        let section = self
            .0
            .find_map(|section| section.ok().filter(|section| section.kind == SectionKind::Data))?;
        section.value().ok()?.as_binary()
    }
}

/// The list of each sequence section, in order.
#[derive(Debug, Clone)]
pub struct SequenceSections<'a>(pub(crate) Sections<'a>);

impl<'a> Iterator for SequenceSections<'a> {
    type Item = List<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let section = self
            .0
            .find_map(|section| section.ok().filter(|section| section.kind == SectionKind::Sequence))?;
        section.value().ok()?.as_list()
    }
}

/// Appends a data section.
pub fn write_data(out: &mut Vec<u8>, payload: &[u8]) {
    SectionKind::Data.write(out);
    encode::value(out, payload);
}

/// Appends an amqp-value section.
pub fn write_value<'a>(out: &mut Vec<u8>, value: impl Into<Value<'a>>) {
    SectionKind::Value.write(out);
    encode::value(out, value);
}
