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
///
/// `amqp:attach ADDRESS:ACTION` breaks the attaching of links whose address fits (without scheme and host), `amqp:in
/// ADDRESS:ACTION` and `amqp:out ADDRESS:ACTION` the messages from and to clients on them, `amqp:settle ADDRESS:OUTCOME`
/// what either side says of a message, `amqp:status ADDRESS:CODE` the status of replies.
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
    Link(LinkEvent, String),
}

/// What happens on an AMQP link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkEvent {
    Attach,
    In,
    Out,
    Settle,
    Status,
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
    /// The link is refused with this condition.
    Refuse(String),
    /// A link property, filter, annotation or application property of this name is left out.
    Strip(String),
    /// What becomes of messages.
    Outcome(Outcome),
}

/// What an AMQP disposition says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Accepted,
    Released,
    Rejected,
}

/// The text is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "mqtt:in:MATCH:ACTION, mqtt:out:MATCH:ACTION, https:METHOD PATH:ACTION or amqp:attach|in|out|settle|status ADDRESS:ACTION"
)]
pub struct InvalidRule;

impl FromStr for Rule {
    type Err = InvalidRule;

    fn from_str(text: &str) -> Result<Self, InvalidRule> {
        let (target, action) = split(text).ok_or(InvalidRule)?;
        let target = target_of(target)?;
        let action = action_of(action)?;
        if can_be(&target, &action) {
            Ok(Self { target, action })
        } else {
            Err(InvalidRule)
        }
    }
}

/// Conditions and names of filters have colons of their own.
fn split(text: &str) -> Option<(&str, &str)> {
    let named = [":refuse=", ":strip="].iter().find_map(|word| text.find(word));
    match named {
        Some(at) => Some((text.get(..at)?, text.get(at + 1..)?)),
        None => text.rsplit_once(':'),
    }
}

fn can_be(target: &Target, action: &Action) -> bool {
    match target {
        Target::PacketIn(_) | Target::PacketOut(_) => matches!(
            action,
            Action::Drop
                | Action::Duplicate
                | Action::Close
                | Action::Connack(_)
                | Action::Suback(_)
                | Action::Corrupt
                | Action::Delay(_)
        ),
        Target::Request(..) => matches!(
            action,
            Action::Status(_) | Action::StripHeader(_) | Action::EmptyBody | Action::Corrupt | Action::Delay(_)
        ),
        Target::Link(LinkEvent::Attach, _) => matches!(action, Action::Refuse(_) | Action::Strip(_)),
        Target::Link(LinkEvent::In, _) => {
            matches!(
                action,
                Action::Drop | Action::Duplicate | Action::Corrupt | Action::Close | Action::Delay(_)
            )
        }
        Target::Link(LinkEvent::Out, _) => matches!(
            action,
            Action::Drop | Action::Duplicate | Action::Corrupt | Action::Close | Action::Delay(_) | Action::Strip(_)
        ),
        Target::Link(LinkEvent::Settle, _) => matches!(action, Action::Outcome(_)),
        Target::Link(LinkEvent::Status, _) => matches!(action, Action::Status(_)),
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
    if let Some(link) = text.strip_prefix("amqp:") {
        // `in` and `out` also with a colon, as for packets.
        let (event, address) = link.split_once([' ', ':']).ok_or(InvalidRule)?;
        let event = match event {
            "attach" => LinkEvent::Attach,
            "in" => LinkEvent::In,
            "out" => LinkEvent::Out,
            "settle" => LinkEvent::Settle,
            "status" => LinkEvent::Status,
            _ => return Err(InvalidRule),
        };
        return Ok(Target::Link(event, lower(address)));
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
        "refuse" => Action::Refuse(value.to_owned()),
        "strip" => Action::Strip(value.to_owned()),
        "accepted" => Action::Outcome(Outcome::Accepted),
        "released" => Action::Outcome(Outcome::Released),
        "rejected" => Action::Outcome(Outcome::Rejected),
        // A status that is no number of a reply's is none of a request's either.
        _ if value.is_empty() && name.bytes().all(|b| b.is_ascii_digit()) => {
            Action::Status(name.parse().map_err(|_| InvalidRule)?)
        }
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
        let link = |event, address: &str| Target::Link(event, address.to_owned());
        check(
            "amqp:attach *DeviceBound:refuse=amqp:not-found",
            Ok((
                link(LinkEvent::Attach, "*devicebound"),
                Action::Refuse("amqp:not-found".into()),
            )),
        );
        check(
            "amqp:attach eh/*:strip=apache.org:selector-filter:string",
            Ok((
                link(LinkEvent::Attach, "eh/*"),
                Action::Strip("apache.org:selector-filter:string".into()),
            )),
        );
        check("amqp:in:*:drop", Ok((link(LinkEvent::In, "*"), Action::Drop)));
        let late = Action::Delay(Duration::from_millis(50));
        check("amqp:in *:delay=50", Ok((link(LinkEvent::In, "*"), late.clone())));
        check("amqp:out:d/*:delay=50", Ok((link(LinkEvent::Out, "d/*"), late)));
        check(
            "amqp:out *:strip=x",
            Ok((link(LinkEvent::Out, "*"), Action::Strip("x".into()))),
        );
        let rejected = Action::Outcome(Outcome::Rejected);
        check(
            "amqp:settle d/*:rejected",
            Ok((link(LinkEvent::Settle, "d/*"), rejected)),
        );
        check(
            "amqp:status $cbs:401",
            Ok((link(LinkEvent::Status, "$cbs"), Action::Status(401))),
        );
        for bad in [
            "",
            "amqp:in *:refuse=x",
            "amqp:settle *:drop",
            "amqp:status $cbs:x",
            "amqp:settle *:delay=1",
            "amqp:in *:delay=x",
            "amqp:else *:drop",
            "mqtt:in:*:accepted",
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
