//! Where events lie in the log, and what they tell of.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An ordered part of the event log, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartitionId(pub u32);

/// Position in a partition: contiguous from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SequenceNumber(pub u64);

impl SequenceNumber {
    /// The position after this one.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A position as clients hold it: the decimal text of the sequence number. Readers must not look inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub SequenceNumber);

/// Lets a reader of a partition displace others: no reader with a lower level, and none without a level, reads beside it.
/// Event Hubs calls it epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerLevel(pub i64);

impl Offset {
    /// Reads an offset back.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(|number| Self(SequenceNumber(number)))
    }
}

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for OwnerLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An independent reader set; names compare without letter case, as Event Hubs does, and keep their spelling.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ConsumerGroup(String);

/// The text is not a consumer group name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a consumer group has 1 to 50 characters: ASCII letters, digits and . _ - $")]
pub struct InvalidConsumerGroup;

impl ConsumerGroup {
    /// The group that always exists.
    pub const DEFAULT: &'static str = "$Default";

    /// Checks length and alphabet.
    pub fn parse(text: &str) -> Result<Self, InvalidConsumerGroup> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b"._-$".contains(&b);
        if (1..=50).contains(&text.len()) && text.bytes().all(legal) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidConsumerGroup)
        }
    }

    /// As spelled when it was made.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Does `name` mean this group?
    pub fn is_named(&self, name: &str) -> bool {
        self.0.eq_ignore_ascii_case(name)
    }
}

impl PartialEq for ConsumerGroup {
    fn eq(&self, other: &Self) -> bool {
        self.is_named(&other.0)
    }
}

impl Eq for ConsumerGroup {}

impl TryFrom<String> for ConsumerGroup {
    type Error = InvalidConsumerGroup;

    fn try_from(text: String) -> Result<Self, InvalidConsumerGroup> {
        Self::parse(&text)
    }
}

impl From<ConsumerGroup> for String {
    fn from(group: ConsumerGroup) -> Self {
        group.0
    }
}

/// What an event tells of: the source of routes and the annotation `iothub-message-source`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EventSource {
    /// Telemetry.
    DeviceMessages,
    /// A twin was updated or replaced.
    TwinChangeEvents,
    /// An identity was created or deleted.
    DeviceLifecycleEvents,
    /// A device connected or disconnected.
    DeviceConnectionStateEvents,
    /// A job changed on a device.
    DeviceJobLifecycleEvents,
    /// A digital twin changed.
    DigitalTwinChangeEvents,
}

impl EventSource {
    /// Every source, in the order of its stored code.
    pub const ALL: [Self; 6] = [
        Self::DeviceMessages,
        Self::TwinChangeEvents,
        Self::DeviceLifecycleEvents,
        Self::DeviceConnectionStateEvents,
        Self::DeviceJobLifecycleEvents,
        Self::DigitalTwinChangeEvents,
    ];

    /// The value of the annotation `iothub-message-source`.
    pub const fn annotation(self) -> &'static str {
        match self {
            Self::DeviceMessages => "Telemetry",
            Self::TwinChangeEvents => "twinChangeEvents",
            Self::DeviceLifecycleEvents => "deviceLifecycleEvents",
            Self::DeviceConnectionStateEvents => "deviceConnectionStateEvents",
            Self::DeviceJobLifecycleEvents => "deviceJobLifecycleEvents",
            Self::DigitalTwinChangeEvents => "digitalTwinChangeEvents",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consumer_groups_ignore_case_and_keep_spelling() {
        let group = ConsumerGroup::parse("MyGroup").unwrap();
        assert!(group.is_named("mygroup"));
        assert_eq!(group.as_str(), "MyGroup");
        assert!(ConsumerGroup::parse(ConsumerGroup::DEFAULT).is_ok());
        for bad in ["", "a b", "a/b", &"x".repeat(51)] {
            assert_eq!(ConsumerGroup::parse(bad), Err(InvalidConsumerGroup), "{bad}");
        }
    }

    #[test]
    fn offsets_are_decimal_sequence_numbers() {
        assert_eq!(Offset::parse("42").unwrap().to_string(), "42");
        for bad in ["", "-1", "@latest", "4x"] {
            assert_eq!(Offset::parse(bad), None, "{bad}");
        }
    }
}
