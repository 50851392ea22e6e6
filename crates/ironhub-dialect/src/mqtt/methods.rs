//! Direct methods over MQTT.

use ironhub_model::method::MethodName;

use super::hub_topic::HubTopic;
use super::topic::{DeviceTopic, split_query};

/// Reads the part of a topic behind `$iothub/`; `None` when it is not the answer to a method.
pub(super) fn parse(path: &str) -> Option<DeviceTopic<'_>> {
    let rest = path.strip_prefix("methods/res/")?;
    let Some((status, query)) = split_query(rest) else {
        return Some(DeviceTopic::Ignored("method_response_rid"));
    };
    match (status.parse(), query.request_id) {
        (Err(_), _) => Some(DeviceTopic::Ignored("method_response_status")),
        (_, None) => Some(DeviceTopic::Ignored("method_response_rid")),
        (Ok(status), Some(request_id)) => Some(DeviceTopic::MethodResponse { status, request_id }),
    }
}

/// The topic of a call. The request ID is a lower-case hexadecimal number, as the real hub counts per connection, and
/// the only item of the query: the C and .NET SDKs take everything behind `?$rid=`.
pub fn request_topic(name: &MethodName, request_id: u64) -> String {
    format!("$iothub/methods/POST/{}/?$rid={request_id:x}", name.as_str())
}

/// Reads a request ID back; the real hub compares them as numbers.
pub fn parse_request_id(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok().filter(|_| !text.starts_with('+'))
}

/// Reads the part of a hub's topic behind `$iothub/`; `None` when it is not a call.
pub(super) fn parse_from_hub(path: &str) -> Option<HubTopic<'_>> {
    let (path, query) = split_query(path)?;
    Some(HubTopic::MethodCall {
        name: path.strip_prefix("methods/POST/")?,
        request_id: query.request_id?,
    })
}

/// The topic of a device's answer; the request ID goes back as it came.
pub fn response_topic(status: i32, request_id: &str) -> String {
    format!("$iothub/methods/res/{status}/?$rid={request_id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_are_hexadecimal() {
        let name = MethodName::parse("comp*reboot").unwrap();
        assert_eq!(request_topic(&name, 26), "$iothub/methods/POST/comp*reboot/?$rid=1a");
        for (text, id) in [
            ("1a", Some(26)),
            ("1A", Some(26)),
            ("01a", Some(26)),
            ("", None),
            ("+1", None),
            ("g", None),
        ] {
            assert_eq!(parse_request_id(text), id, "{text}");
        }
    }
}
