use ironhub_amqp::performative::{AmqpError, Attach};
use ironhub_model::OwnerLevel;

use crate::amqp::condition::ARGUMENT_ERROR;

const EPOCH: &str = "com.microsoft:epoch";
const RECEIVER_NAME: &str = "com.microsoft:receiver-name";
const RUNTIME_METRIC: &str = "com.microsoft:enable-receiver-runtime-metric";

/// What a reader asks for besides its place in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderOptions {
    /// What it calls itself, or its link; other readers are told.
    pub name: String,
    /// Link property `com.microsoft:epoch`.
    pub level: Option<OwnerLevel>,
    /// It wants [`super::RuntimeMetrics`] with every event.
    pub wants_metrics: bool,
}

impl ReaderOptions {
    /// Reads the properties and capabilities of a reader's link.
    pub fn of(attach: &Attach) -> Result<Self, AmqpError> {
        let name = attach.properties.entry(RECEIVER_NAME);
        let name = name.and_then(|name| name.as_text()).unwrap_or(&attach.name);
        let level = match attach.properties.entry(EPOCH).filter(|level| !level.is_null()) {
            None => None,
            Some(level) => Some(OwnerLevel(level.as_i64().ok_or_else(wrong_level)?)),
        };
        Ok(Self {
            name: name.to_owned(),
            level,
            wants_metrics: attach.desired_capabilities.texts().any(|name| name == RUNTIME_METRIC),
        })
    }
}

fn wrong_level() -> AmqpError {
    AmqpError::new(ARGUMENT_ERROR, format!("The link property '{EPOCH}' must be a long."))
}

#[cfg(test)]
mod tests {
    use ironhub_amqp::performative::Role;
    use ironhub_amqp::types::{Encoded, Value};

    use super::*;

    #[track_caller]
    fn check(properties: Encoded, capabilities: Encoded, expected: &str) {
        let attach = Attach {
            properties,
            desired_capabilities: capabilities,
            ..Attach::new("link", Role::Receiver)
        };
        let options = match ReaderOptions::of(&attach) {
            Ok(options) => format!("{} {:?} {}", options.name, options.level, options.wants_metrics),
            Err(error) => error.condition.into_owned(),
        };
        assert_eq!(options, expected);
    }

    fn property(name: &str, value: Value<'_>) -> Encoded {
        Encoded::map(|map| {
            map.push(Value::Symbol(name));
            map.push(value);
        })
    }

    #[test]
    fn properties_and_capabilities() {
        check(Encoded::null(), Encoded::null(), "link None false");
        check(
            property(EPOCH, Value::Long(3)),
            Encoded::symbols(["com.microsoft:georeplication", RUNTIME_METRIC]),
            "link Some(OwnerLevel(3)) true",
        );
        check(
            property(EPOCH, Value::Uint(0)),
            Encoded::from(Value::Symbol(RUNTIME_METRIC)),
            "link Some(OwnerLevel(0)) true",
        );
        check(
            property(RECEIVER_NAME, Value::String("r")),
            Encoded::null(),
            "r None false",
        );
        check(property(EPOCH, Value::Null), Encoded::null(), "link None false");
        check(property(EPOCH, Value::String("3")), Encoded::null(), ARGUMENT_ERROR);
        check(Encoded::from(Value::Long(3)), Encoded::null(), "link None false");
    }
}
