//! Twins over MQTT.

use std::fmt::Write;

use super::hub_topic::HubTopic;
use super::methods::parse_request_id;
use super::topic::{DeviceTopic, split_query};

/// Reads the part of a topic behind `$iothub/`; `None` when it is not about twins.
pub(super) fn parse(path: &str) -> Option<DeviceTopic<'_>> {
    let (path, query) = match split_query(path) {
        Some((path, query)) => (path, Some(query)),
        None => (path.strip_suffix('/').unwrap_or(path), None),
    };
    let reported = match path {
        "twin/GET" => false,
        "twin/PATCH/properties/reported" => true,
        _ => return None,
    };
    let Some((query, request_id)) = query.and_then(|query| Some((query.version, query.request_id?))) else {
        return Some(DeviceTopic::Ignored("twin_request_rid"));
    };
    match query.map(str::parse) {
        _ if !reported => Some(DeviceTopic::TwinGet { request_id }),
        None => Some(DeviceTopic::TwinReported {
            request_id,
            version: None,
        }),
        Some(Ok(version)) => Some(DeviceTopic::TwinReported {
            request_id,
            version: Some(version),
        }),
        Some(Err(_)) => Some(DeviceTopic::Ignored("reported_version")),
    }
}

/// The topic of an answer. The Java and C SDKs want `$rid` first and `$version` last.
pub fn response_topic(status: u16, request_id: &str, version: Option<u64>) -> String {
    let mut topic = format!("$iothub/twin/res/{status}/?$rid={request_id}");
    if let Some(version) = version {
        // Writing to a string cannot fail.
        let _ = write!(topic, "&$version={version}");
    }
    topic
}

/// The topic of a notice that the desired properties have changed.
pub fn desired_topic(version: u64) -> String {
    format!("$iothub/twin/PATCH/properties/desired/?$version={version}")
}

/// The topic on which a device asks for its twin.
pub fn get_topic(request_id: u64) -> String {
    format!("$iothub/twin/GET/?$rid={request_id:x}")
}

/// The topic on which a device patches its reported properties, whatever their version.
pub fn reported_topic(request_id: u64) -> String {
    format!("$iothub/twin/PATCH/properties/reported/?$rid={request_id:x}")
}

/// Reads the part of a hub's topic behind `$iothub/`; `None` when it is not about twins.
pub(super) fn parse_from_hub(path: &str) -> Option<HubTopic<'_>> {
    let (path, query) = split_query(path)?;
    let version = query.version.and_then(|version| version.parse().ok());
    if path == "twin/PATCH/properties/desired" {
        return Some(HubTopic::Desired { version });
    }
    Some(HubTopic::TwinResponse {
        status: path.strip_prefix("twin/res/")?.parse().ok()?,
        request_id: parse_request_id(query.request_id?)?,
        version,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_the_order_that_parsers_want() {
        assert_eq!(
            response_topic(204, "5", Some(88)),
            "$iothub/twin/res/204/?$rid=5&$version=88"
        );
        assert_eq!(response_topic(200, "a-b", None), "$iothub/twin/res/200/?$rid=a-b");
        assert_eq!(desired_topic(3), "$iothub/twin/PATCH/properties/desired/?$version=3");
    }
}
