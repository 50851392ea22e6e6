use super::SectionKind;
use crate::types::{Value, encode};

/// Appends an application-properties section: the sender's own properties, keys as strings (AMQP 1.0 part 3, §3.2.5).
/// Without properties it appends nothing: the section is optional.
pub fn write_application_properties<'a, V: Into<Value<'a>>>(
    out: &mut Vec<u8>,
    properties: impl IntoIterator<Item = (&'a str, V)>,
) {
    let mut properties = properties.into_iter().peekable();
    if properties.peek().is_none() {
        return;
    }
    SectionKind::ApplicationProperties.write(out);
    encode::map(out, |map| {
        for (key, value) in properties {
            map.push(key);
            map.push(value);
        }
    });
}
