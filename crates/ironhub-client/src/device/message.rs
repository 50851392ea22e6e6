//! Telemetry as a device writes it.

use bytes::Bytes;
use ironhub_dialect::mqtt::telemetry;
use ironhub_dialect::mqtt::topic::DeviceTopics;
use ironhub_model::limits::D2C_MESSAGE_BYTES_MAX;
use ironhub_model::message::{AppProperty, D2cMessage, SystemProperties};
use ironhub_mqtt::limits::FIELD_BYTES_MAX;
use serde::Serialize;

use crate::error::Error;

/// A device-to-cloud message: a body of at most 256 KiB together with its properties.
///
/// ```
/// use ironhub_client::Telemetry;
///
/// let wind = Telemetry::json(&serde_json::json!({ "windSpeed": 11.5 }))?
///     .message_id("42")
///     .property("alert", "false");
/// # let _ = wind;
/// # Ok::<(), ironhub_client::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Telemetry {
    body: Bytes,
    system: SystemProperties<'static>,
    properties: Vec<AppProperty<'static>>,
}

impl Telemetry {
    /// A message with this body and no properties.
    pub fn new(body: impl Into<Bytes>) -> Self {
        Self {
            body: body.into(),
            ..Self::default()
        }
    }

    /// A message whose body is this value as JSON, marked so that routes can look into it.
    pub fn json(value: &impl Serialize) -> Result<Self, Error> {
        let body = serde_json::to_vec(value)
            .map_err(|error| Error::Configuration(format!("the message is not JSON: {error}")))?;
        Ok(Self::new(body)
            .content_type("application/json")
            .content_encoding("utf-8"))
    }

    /// A property of the sender's own; the hub keeps the last of two with one name.
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.push((name.into().into(), Some(value.into().into())));
        self
    }

    /// The sender's ID for the message, at most 128 characters.
    pub fn message_id(mut self, id: impl Into<String>) -> Self {
        self.system.message_id = Some(id.into().into());
        self
    }

    /// A reference to another message.
    pub fn correlation_id(mut self, id: impl Into<String>) -> Self {
        self.system.correlation_id = Some(id.into().into());
        self
    }

    /// The media type of the body.
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.system.content_type = Some(content_type.into().into());
        self
    }

    /// The encoding of the body: routes read `utf-8`, `utf-16` and `utf-32`.
    pub fn content_encoding(mut self, encoding: impl Into<String>) -> Self {
        self.system.content_encoding = Some(encoding.into().into());
        self
    }

    /// All system properties at once, for those that have no method of their own.
    pub fn system(mut self, system: SystemProperties<'static>) -> Self {
        self.system = system;
        self
    }

    /// The topic and the payload that carry it.
    pub(super) fn into_packet(self, topics: &DeviceTopics) -> Result<(String, Bytes), Error> {
        let message = D2cMessage {
            body: &self.body,
            system: self.system,
            properties: self.properties,
        };
        let (bytes, bytes_max) = (message.size_bytes(), D2C_MESSAGE_BYTES_MAX);
        let topic = topics.telemetry(&telemetry::bag(&message.system, &message.properties));
        if bytes > bytes_max || topic.len() > FIELD_BYTES_MAX {
            return Err(Error::MessageTooLarge { bytes, bytes_max });
        }
        Ok((topic, self.body))
    }
}

impl From<Vec<u8>> for Telemetry {
    fn from(body: Vec<u8>) -> Self {
        Self::new(body)
    }
}

impl From<String> for Telemetry {
    fn from(body: String) -> Self {
        Self::new(body)
    }
}

impl From<&'static str> for Telemetry {
    fn from(body: &'static str) -> Self {
        Self::new(body)
    }
}

#[cfg(test)]
mod tests {
    use ironhub_model::IdentityId;

    use super::*;

    fn packet(message: Telemetry) -> Result<(String, Bytes), Error> {
        message.into_packet(&DeviceTopics::new(&IdentityId::parse("d").unwrap()))
    }

    #[test]
    fn properties_travel_in_the_topic() {
        let message = Telemetry::new("x").message_id("1").property("a b", "c&d");
        let (topic, body) = packet(message).unwrap();
        assert_eq!(topic, "devices/d/messages/events/%24.mid=1&a%20b=c%26d");
        assert_eq!(body, "x");
    }

    #[test]
    fn the_largest_message_passes_and_no_larger_one() {
        assert!(packet(Telemetry::new(vec![0; D2C_MESSAGE_BYTES_MAX])).is_ok());
        let error = Error::MessageTooLarge {
            bytes: D2C_MESSAGE_BYTES_MAX + 2,
            bytes_max: D2C_MESSAGE_BYTES_MAX,
        };
        let large = Telemetry::new(vec![0; D2C_MESSAGE_BYTES_MAX]).property("a", "b");
        assert_eq!(packet(large), Err(error));
        assert!(
            packet(Telemetry::new("").property("a", "é".repeat(20_000))).is_err(),
            "the topic is too long"
        );
    }
}
