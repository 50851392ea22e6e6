//! What the hub says by publishing to a topic: the client's view.

use super::topic::DeviceTopics;
use super::{methods, twin};

/// What a topic means that came from the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HubTopic<'a> {
    /// A cloud-to-device message with this property bag, still encoded.
    C2d {
        /// Between the topic's fixed part and its end.
        bag: &'a str,
    },
    /// The answer to a twin request.
    TwinResponse {
        /// As in HTTP: 200 for a twin, 204 for a patch that was taken.
        status: u16,
        /// Of the request.
        request_id: u64,
        /// The new reported version, after a patch.
        version: Option<u64>,
    },
    /// Desired properties have changed.
    Desired {
        /// Their new version.
        version: Option<u64>,
    },
    /// A direct method is called.
    MethodCall {
        /// The method.
        name: &'a str,
        /// To be echoed exactly.
        request_id: &'a str,
    },
}

impl DeviceTopics {
    /// What a PUBLISH of the hub to this topic means; `None` for one that this client does not know.
    pub fn parse_from_hub<'a>(&self, topic: &'a str) -> Option<HubTopic<'a>> {
        if let Some(path) = topic.strip_prefix("$iothub/") {
            return twin::parse_from_hub(path).or_else(|| methods::parse_from_hub(path));
        }
        let bag = topic
            .strip_prefix(self.device())?
            .strip_prefix("/messages/devicebound")?;
        match bag {
            "" => Some(HubTopic::C2d { bag }),
            bag => bag.strip_prefix('/').map(|bag| HubTopic::C2d { bag }),
        }
    }
}

#[cfg(test)]
mod tests {
    use ironhub_model::IdentityId;
    use ironhub_model::method::MethodName;

    use super::*;

    #[track_caller]
    fn check(topic: &str, expected: &str) {
        let topics = DeviceTopics::new(&IdentityId::parse("d").unwrap());
        assert_eq!(format!("{:?}", topics.parse_from_hub(topic)), expected, "{topic}");
    }

    #[test]
    fn topics_of_the_hub() {
        check(
            &twin::response_topic(204, "1a", Some(88)),
            "Some(TwinResponse { status: 204, request_id: 26, version: Some(88) })",
        );
        check(
            &twin::response_topic(200, "5", None),
            "Some(TwinResponse { status: 200, request_id: 5, version: None })",
        );
        check(&twin::desired_topic(3), "Some(Desired { version: Some(3) })");
        check(
            &methods::request_topic(&MethodName::parse("reboot").unwrap(), 26),
            r#"Some(MethodCall { name: "reboot", request_id: "1a" })"#,
        );
        check(
            "devices/d/messages/devicebound/%24.to=x&a=b",
            r#"Some(C2d { bag: "%24.to=x&a=b" })"#,
        );
        check("devices/d/messages/devicebound", r#"Some(C2d { bag: "" })"#);
    }

    #[test]
    fn what_a_client_does_not_know() {
        for topic in [
            "devices/e/messages/devicebound/",
            "devices/d/messages/devicebound2",
            "$iothub/twin/res/ok/?$rid=1",
            "$iothub/twin/res/200/?$rid=x",
            "$iothub/twin/res/200/",
            "$iothub/methods/POST/reboot/",
            "$iothub/other/?$rid=1",
            "x",
        ] {
            check(topic, "None");
        }
    }

    #[test]
    fn requests_of_a_device_are_what_the_hub_reads() {
        let topics = DeviceTopics::new(&IdentityId::parse("d/m").unwrap());
        let parse = |topic: &str| format!("{:?}", topics.parse(topic));
        assert_eq!(parse(&twin::get_topic(26)), r#"Some(TwinGet { request_id: "1a" })"#);
        assert_eq!(
            parse(&twin::reported_topic(1)),
            r#"Some(TwinReported { request_id: "1", version: None })"#
        );
        assert_eq!(
            parse(&methods::response_topic(-5, "1A")),
            r#"Some(MethodResponse { status: -5, request_id: "1A" })"#
        );
        assert_eq!(parse(&topics.telemetry("a=b")), r#"Some(Telemetry { bag: "a=b" })"#);
    }
}
