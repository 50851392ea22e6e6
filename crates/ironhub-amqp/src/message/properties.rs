use super::{MessageId, SectionKind};
use crate::types::{DecodeError, Fields, Value, encode};

/// The sender's standard properties (AMQP 1.0 part 3, §3.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Properties<'a> {
    /// Names the message.
    pub message_id: Option<MessageId<'a>>,
    /// Who produced it.
    pub user_id: Option<&'a [u8]>,
    /// Address of the node it is meant for.
    pub to: Option<&'a str>,
    /// What it is about.
    pub subject: Option<&'a str>,
    /// Address replies go to.
    pub reply_to: Option<&'a str>,
    /// The message this one answers.
    pub correlation_id: Option<MessageId<'a>>,
    /// MIME type of the body. On the wire a symbol; a string is read too.
    pub content_type: Option<&'a str>,
    /// Content coding of the body. On the wire a symbol; a string is read too.
    pub content_encoding: Option<&'a str>,
    /// Expires then: milliseconds since 1970.
    pub absolute_expiry_time_ms: Option<i64>,
    /// Created then: milliseconds since 1970.
    pub creation_time_ms: Option<i64>,
    /// The group it belongs to.
    pub group_id: Option<&'a str>,
    /// Its place in the group.
    pub group_sequence: Option<u32>,
    /// The group replies belong to.
    pub reply_to_group_id: Option<&'a str>,
}

impl<'a> Properties<'a> {
    pub(crate) fn read(value: Value<'a>) -> Result<Self, DecodeError> {
        let mut fields = Fields::of(value)?;
        Ok(Self {
            message_id: fields.optional("message-id", MessageId::from_value)?,
            user_id: fields.optional("user-id", bytes)?,
            to: fields.text("to")?,
            subject: fields.text("subject")?,
            reply_to: fields.text("reply-to")?,
            correlation_id: fields.optional("correlation-id", MessageId::from_value)?,
            content_type: fields.text("content-type")?,
            content_encoding: fields.text("content-encoding")?,
            absolute_expiry_time_ms: fields.optional("absolute-expiry-time", time_ms)?,
            creation_time_ms: fields.optional("creation-time", time_ms)?,
            group_id: fields.text("group-id")?,
            group_sequence: fields.uint("group-sequence")?,
            reply_to_group_id: fields.text("reply-to-group-id")?,
        })
    }
}

fn bytes(value: Value<'_>) -> Option<&[u8]> {
    value.as_binary().or_else(|| value.as_text().map(str::as_bytes))
}

fn time_ms(value: Value<'_>) -> Option<i64> {
    value.as_timestamp_ms().or_else(|| value.as_i64())
}

/// Appends a properties section with all thirteen fields.
pub fn write_properties(out: &mut Vec<u8>, properties: &Properties<'_>) {
    encode::composite(out, SectionKind::Properties as u8, |fields| {
        fields.push(properties.message_id);
        fields.push(properties.user_id);
        fields.push(properties.to);
        fields.push(properties.subject);
        fields.push(properties.reply_to);
        fields.push(properties.correlation_id);
        fields.push_symbol(properties.content_type);
        fields.push_symbol(properties.content_encoding);
        fields.push(properties.absolute_expiry_time_ms.map(Value::Timestamp));
        fields.push(properties.creation_time_ms.map(Value::Timestamp));
        fields.push(properties.group_id);
        fields.push(properties.group_sequence);
        fields.push(properties.reply_to_group_id);
    });
}
