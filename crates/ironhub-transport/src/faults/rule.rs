//! One rule, as it is written.

use std::str::FromStr;
use std::time::Duration;

use hyper::Method;
use hyper::header::HeaderName;

/// What to break, and how.
///
/// `mqtt:in:MATCH:ACTION` and `mqtt:out:MATCH:ACTION` break packets from and to clients: `MATCH` is a packet's name or
/// fits the topic of a PUBLISH. `https:METHOD PATH:ACTION` breaks requests whose decoded path fits. In both `*` stands
/// for any run of characters, and letter case does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub(super) target: Target,
    pub(super) action: Action,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    PacketIn(String),
    PacketOut(String),
    Request(Method, String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// The packet does not exist.
    Drop,
    /// The packet comes twice.
    Duplicate,
    /// Each byte of the payload, or of the answer's body, is replaced.
    Corrupt,
    /// The connection is closed instead.
    Close,
    /// It comes later.
    Delay(Duration),
    /// The code of a CONNACK.
    Connack(u8),
    /// The codes of a SUBACK.
    Suback(u8),
    /// The answer, without asking the hub.
    Status(u16),
    /// Neither the request nor its answer has this header.
    StripHeader(HeaderName),
    /// The answer's body is left out.
    EmptyBody,
}

/// The text is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("mqtt:in:MATCH:ACTION, mqtt:out:MATCH:ACTION or https:METHOD PATH:ACTION")]
pub struct InvalidRule;

impl FromStr for Rule {
    type Err = InvalidRule;

    fn from_str(text: &str) -> Result<Self, InvalidRule> {
        let (target, action) = text.rsplit_once(':').ok_or(InvalidRule)?;
        let target = target_of(target)?;
        let action = action_of(action)?;
        let is_for_requests = matches!(target, Target::Request(..));
        let fits = match action {
            Action::Corrupt | Action::Delay(_) => true,
            Action::Drop | Action::Duplicate | Action::Close | Action::Connack(_) | Action::Suback(_) => {
                !is_for_requests
            }
            Action::Status(_) | Action::StripHeader(_) | Action::EmptyBody => is_for_requests,
        };
        if fits {
            Ok(Self { target, action })
        } else {
            Err(InvalidRule)
        }
    }
}

fn target_of(text: &str) -> Result<Target, InvalidRule> {
    let lower = |text: &str| text.to_ascii_lowercase();
    if let Some(packet) = text.strip_prefix("mqtt:in:") {
        return Ok(Target::PacketIn(lower(packet)));
    }
    if let Some(packet) = text.strip_prefix("mqtt:out:") {
        return Ok(Target::PacketOut(lower(packet)));
    }
    let request = text.strip_prefix("https:").ok_or(InvalidRule)?;
    let (method, path) = request.split_once(' ').ok_or(InvalidRule)?;
    let method = method.parse().map_err(|_| InvalidRule)?;
    Ok(Target::Request(method, lower(path)))
}

fn action_of(text: &str) -> Result<Action, InvalidRule> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let code = || value.parse().map_err(|_| InvalidRule);
    Ok(match name {
        "drop" => Action::Drop,
        "duplicate" => Action::Duplicate,
        "corrupt" => Action::Corrupt,
        "close" => Action::Close,
        "empty-body" => Action::EmptyBody,
        "delay" => Action::Delay(Duration::from_millis(value.parse().map_err(|_| InvalidRule)?)),
        "connack" => Action::Connack(code()?),
        "suback" => Action::Suback(code()?),
        "status" => Action::Status(value.parse().map_err(|_| InvalidRule)?),
        "strip-header" => Action::StripHeader(value.parse().map_err(|_| InvalidRule)?),
        _ => return Err(InvalidRule),
    })
}

/// Does the text fit the pattern, which is in lower case?
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.split_once(part) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(Target, Action), InvalidRule>) {
        assert_eq!(text.parse(), expected.map(|(target, action)| Rule { target, action }));
    }

    #[test]
    fn rules() {
        let topic = "$iothub/twin/res/*".to_owned();
        check(
            "mqtt:out:$iothub/twin/res/*:drop",
            Ok((Target::PacketOut(topic), Action::Drop)),
        );
        check(
            "mqtt:in:CONNECT:close",
            Ok((Target::PacketIn("connect".into()), Action::Close)),
        );
        let request = Target::Request(Method::GET, "/devices/*".into());
        check(
            "https:GET /devices/*:status=404",
            Ok((request.clone(), Action::Status(404))),
        );
        let header = Action::StripHeader(HeaderName::from_static("if-match"));
        check("https:GET /Devices/*:strip-header=If-Match", Ok((request, header)));
        for bad in [
            "",
            "x",
            "mqtt:in:CONNECT",
            "https:GET:close",
            "https:GET /:duplicate",
            "mqtt:in:*:status=200",
            "mqtt:in:*:connack=x",
        ] {
            check(bad, Err(InvalidRule));
        }
    }

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("connect", "CONNECT", true),
            ("connect", "CONNACK", false),
            ("devices/*/events/*", "devices/d/messages/events/", true),
            ("devices/*/events/*", "devices/d/messages/events", false),
            ("/devices/*", "/devices/a/b", true),
            ("/devices/", "/devices/a", false),
            ("*a*", "bab", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }
}
