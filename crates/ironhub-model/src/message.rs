//! Messages from devices and to devices.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::feedback::AckRequest;
use crate::timestamp::Timestamp;

/// Properties that the hub knows by name. What a sender left out is `None`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SystemProperties<'a> {
    /// `message-id`, at most 128 characters.
    pub message_id: Option<Cow<'a, str>>,
    /// `correlation-id`.
    pub correlation_id: Option<Cow<'a, str>>,
    /// `user-id`.
    pub user_id: Option<Cow<'a, str>>,
    /// `to`; has no effect on telemetry and is passed on.
    pub to: Option<Cow<'a, str>>,
    /// `content-type`, for instance `application/json`.
    pub content_type: Option<Cow<'a, str>>,
    /// `content-encoding`, for instance `utf-8`.
    pub content_encoding: Option<Cow<'a, str>>,
    /// `absolute-expiry-time`.
    pub expires_at: Option<Timestamp>,
    /// `iothub-creation-time-utc`, as the device wrote it.
    pub creation_time: Option<Cow<'a, str>>,
    /// `iothub-interface-id`, which marks security messages.
    pub interface_id: Option<Cow<'a, str>>,
    /// `dt-subject`: the Plug and Play component.
    pub component: Option<Cow<'a, str>>,
    /// `iothub-message-schema`.
    pub message_schema: Option<Cow<'a, str>>,
    /// `iothub-outputname`: the output of a module that it was sent to.
    pub output_name: Option<Cow<'a, str>>,
}

/// The sender's own property: a name and a text, or nothing where MQTT carried a name without `=`.
pub type AppProperty<'a> = (Cow<'a, str>, Option<Cow<'a, str>>);

/// A device-to-cloud message as a device sent it, borrowed from the packet it came in.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct D2cMessage<'a> {
    /// Known by name.
    pub system: SystemProperties<'a>,
    /// The sender's own, in its order; a name occurs once.
    pub properties: Vec<AppProperty<'a>>,
    /// The body as sent; may be empty.
    pub body: &'a [u8],
}

/// A device-to-cloud message that came over AMQP: properties and body are stored as the device has encoded them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EncodedD2cMessage<'a> {
    /// `iothub-interface-id`, which marks security messages.
    pub interface_id: Option<&'a str>,
    /// `dt-subject`: the Plug and Play component.
    pub component: Option<&'a str>,
    /// `iothub-outputname`: the output of a module that it was sent to.
    pub output_name: Option<&'a str>,
    /// `Diagnostic-Id`: the trace that the message belongs to.
    pub trace_id: Option<&'a str>,
    /// `Correlation-Context`: what the trace carries along.
    pub trace_context: Option<&'a str>,
    /// Bytes as the limit counts them, like [`D2cMessage::size_bytes`].
    pub size_bytes: usize,
    /// The whole message, well-formed AMQP 1.0. Of its sections only properties, application properties and body are
    /// stored: a header and annotations are the business of the hop.
    pub encoded: &'a [u8],
}

impl SystemProperties<'_> {
    /// Bytes of the values, as the message size limit counts them.
    pub fn size_bytes(&self) -> usize {
        let texts = [
            &self.message_id,
            &self.correlation_id,
            &self.user_id,
            &self.to,
            &self.content_type,
            &self.content_encoding,
            &self.creation_time,
            &self.interface_id,
            &self.component,
            &self.message_schema,
            &self.output_name,
        ];
        let text: usize = texts.into_iter().flatten().map(|text| text.len()).sum();
        text + if self.expires_at.is_some() { 8 } else { 0 }
    }
}

impl D2cMessage<'_> {
    /// Bytes as the limit of 256 KiB counts them: body, system property values, names and values of the sender's own
    /// properties (Azure documentation "Create and read IoT Hub messages").
    pub fn size_bytes(&self) -> usize {
        let own = |(name, value): &AppProperty<'_>| name.len() + value.as_ref().map_or(0, |value| value.len());
        self.body.len() + self.system.size_bytes() + self.properties.iter().map(own).sum::<usize>()
    }
}

/// A cloud-to-device message as it lies in its device's queue. By default an empty one that asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct C2dMessage {
    /// The sender's ID for it; none is invented.
    pub message_id: Option<String>,
    /// The sender's reference to another message.
    pub correlation_id: Option<String>,
    /// Who sent it, by its own account.
    pub user_id: Option<String>,
    /// The address as the sender spelled it, `/devices/{id}/messages/devicebound` in some letter case.
    pub to: String,
    /// `content-type`.
    pub content_type: Option<String>,
    /// `content-encoding`.
    pub content_encoding: Option<String>,
    /// Reports asked for; `None` when the sender did not say, which devices can tell from an explicit `none`.
    pub ack: Option<AckRequest>,
    /// When the sender wants it dead; the hub's default time to live is kept apart.
    pub expires_at: Option<Timestamp>,
    /// The sender's own properties in its order.
    pub properties: Vec<(String, String)>,
    /// The body as sent; may be empty.
    #[serde(with = "base64_body")]
    pub body: Vec<u8>,
}

impl C2dMessage {
    /// Bytes as the limit of 64 KiB counts them, like [`D2cMessage::size_bytes`].
    pub fn size_bytes(&self) -> usize {
        let texts = [
            &self.message_id,
            &self.correlation_id,
            &self.user_id,
            &self.content_type,
            &self.content_encoding,
        ];
        let text: usize = texts.into_iter().flatten().map(String::len).sum();
        let own: usize = self
            .properties
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        self.body.len() + text + own + if self.expires_at.is_some() { 8 } else { 0 }
    }
}

/// Bodies are bytes; JSON holds them as base64 text.
mod base64_body {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(body: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(body))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        STANDARD
            .decode(String::deserialize(deserializer)?)
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_counts_body_values_and_own_names() {
        let message = D2cMessage {
            system: SystemProperties {
                message_id: Some("12345".into()),
                expires_at: Some(Timestamp::UNIX_EPOCH),
                ..SystemProperties::default()
            },
            properties: vec![("name".into(), Some("value".into())), ("flag".into(), None)],
            body: b"body",
        };
        assert_eq!(message.size_bytes(), 4 + 5 + 8 + 9 + 4);
    }
}
