//! What a device says by publishing to a topic.

use ironhub_model::{IdentityId, identity::ModuleId};

use super::{methods, twin};

/// The topics of one connection, with its identity already spelled out: compared, not parsed, for each message.
#[derive(Debug, Clone)]
pub struct DeviceTopics {
    telemetry: String,
    device: String,
    module: Option<String>,
}

/// What a topic means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceTopic<'a> {
    /// Telemetry with this property bag, still encoded.
    Telemetry {
        /// Between the topic's fixed part and its end.
        bag: &'a str,
    },
    /// The device asks for its twin.
    TwinGet {
        /// To be echoed exactly.
        request_id: &'a str,
    },
    /// The device patches its reported properties.
    TwinReported {
        /// To be echoed exactly.
        request_id: &'a str,
        /// The reported version that it expects to change.
        version: Option<u64>,
    },
    /// The device answers a direct method.
    MethodResponse {
        /// Any integer the device chose.
        status: i32,
        /// As the hub gave it, in any letter case.
        request_id: &'a str,
    },
    /// One of the topics above, misspelled in a way that deserves no more than a log line. Says how in
    /// one word, for logs and metrics.
    Ignored(&'static str),
}

impl DeviceTopics {
    /// The topics of this identity.
    pub fn new(id: &IdentityId) -> Self {
        let device = format!("devices/{}", id.device);
        let module = id
            .module
            .as_ref()
            .map(|module: &ModuleId| format!("{device}/modules/{module}"));
        let telemetry = format!("{}/messages/events", module.as_deref().unwrap_or(&device));
        Self {
            telemetry,
            device,
            module,
        }
    }

    /// What a PUBLISH to this topic means; `None` for a foreign or unknown topic, which ends the connection (Azure
    /// documentation "Communicate with an IoT hub using the MQTT protocol").
    pub fn parse<'a>(&self, topic: &'a str) -> Option<DeviceTopic<'a>> {
        if let Some(bag) = self.telemetry_bag(topic) {
            return Some(DeviceTopic::Telemetry { bag });
        }
        let path = topic.strip_prefix("$iothub/")?;
        twin::parse(path).or_else(|| methods::parse(path))
    }

    /// The property bag, when the topic is this identity's telemetry topic: without the `?` that may precede it and
    /// the `/` that Node and .NET put behind it.
    pub fn telemetry_bag<'a>(&self, topic: &'a str) -> Option<&'a str> {
        match topic.strip_prefix(self.telemetry.as_str())? {
            "" => Some(""),
            rest => {
                let bag = rest.strip_prefix('/')?;
                let bag = bag.strip_prefix('?').unwrap_or(bag);
                Some(bag.strip_suffix('/').unwrap_or(bag))
            }
        }
    }

    /// The topic of a message with this property bag: a device's way.
    pub fn telemetry(&self, bag: &str) -> String {
        format!("{}/{bag}", self.telemetry)
    }

    /// `devices/{device}`.
    pub(crate) fn device(&self) -> &str {
        &self.device
    }

    /// `devices/{device}/modules/{module}` for a module.
    pub(crate) fn module(&self) -> Option<&str> {
        self.module.as_deref()
    }
}

/// Splits `{path}/?$rid={id}[&$version={n}]`. Pairs come in any order; unknown ones are ignored.
pub(super) fn split_query(path: &str) -> Option<(&str, Query<'_>)> {
    let (path, query) = path.split_once("/?")?;
    let value = |name: &str| {
        let mut pairs = query.split('&');
        pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    };
    Some((
        path,
        Query {
            request_id: value("$rid").filter(|id| !id.is_empty()),
            version: value("$version"),
        },
    ))
}

/// The part of a `$iothub` topic behind `/?`.
pub(super) struct Query<'a> {
    pub(super) request_id: Option<&'a str>,
    pub(super) version: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(id: &str, topic: &str, expected: &str) {
        let topics = DeviceTopics::new(&IdentityId::parse(id).unwrap());
        assert_eq!(format!("{:?}", topics.parse(topic)), expected, "{topic}");
    }

    #[test]
    fn telemetry_in_all_spellings() {
        for (topic, bag) in [
            ("devices/d/messages/events", ""),
            ("devices/d/messages/events/", ""),
            ("devices/d/messages/events/a=b", "a=b"),
            ("devices/d/messages/events/?a=b", "a=b"),
            ("devices/d/messages/events/%24.on=out1&a=b/", "%24.on=out1&a=b"),
        ] {
            check("d", topic, &format!("Some(Telemetry {{ bag: {bag:?} }})"));
        }
        check(
            "d/m",
            "devices/d/modules/m/messages/events/a=b",
            r#"Some(Telemetry { bag: "a=b" })"#,
        );
    }

    #[test]
    fn foreign_and_unknown_topics_mean_nothing() {
        for topic in [
            "",
            "devices/e/messages/events/",
            "devices/D/messages/events/",
            "devices/d/messages/eventsX",
            "devices/d/messages/devicebound/",
            "devices/d/modules/m/messages/events/",
            "$iothub/twin/PUT/?$rid=1",
            "$iothub/methods/POST/reboot/?$rid=1",
            "$iothub/",
            "telemetry",
        ] {
            check("d", topic, "None");
        }
        check("d/m", "devices/d/messages/events/", "None");
    }

    #[test]
    fn twin_and_method_topics() {
        check("d", "$iothub/twin/GET/?$rid=7", r#"Some(TwinGet { request_id: "7" })"#);
        check(
            "d",
            "$iothub/twin/PATCH/properties/reported/?$rid=a-1",
            r#"Some(TwinReported { request_id: "a-1", version: None })"#,
        );
        check(
            "d",
            "$iothub/twin/PATCH/properties/reported/?$rid=a&$version=5",
            r#"Some(TwinReported { request_id: "a", version: Some(5) })"#,
        );
        check(
            "d",
            "$iothub/methods/res/-5/?$rid=1A",
            r#"Some(MethodResponse { status: -5, request_id: "1A" })"#,
        );
        check("d", "$iothub/twin/GET/", r#"Some(Ignored("twin_request_rid"))"#);
        check("d", "$iothub/twin/GET/?$rid=", r#"Some(Ignored("twin_request_rid"))"#);
        check(
            "d",
            "$iothub/twin/PATCH/properties/reported/?$rid=1&$version=x",
            r#"Some(Ignored("reported_version"))"#,
        );
        check(
            "d",
            "$iothub/methods/res/ok/?$rid=1",
            r#"Some(Ignored("method_response_status"))"#,
        );
        check(
            "d",
            "$iothub/methods/res/200/",
            r#"Some(Ignored("method_response_rid"))"#,
        );
    }
}
