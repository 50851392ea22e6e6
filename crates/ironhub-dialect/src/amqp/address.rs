//! Link addresses: what a client wants to talk to.
//!
//! The scheme, the host and the slashes at both ends do not count: Node writes paths, C and Python whole addresses.
//! Words compare without letter case, since the SDKs disagree on `devicebound`.

use ironhub_amqp::{cbs, management};
use ironhub_model::{DeviceId, IdentityId, ModuleId, percent};

/// What is at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address<'a> {
    /// `$cbs`: takes tokens.
    Cbs,
    /// `$management`, or that of an event hub: tells about it.
    Management {
        /// The event hub, where the address names it.
        event_hub: Option<&'a str>,
    },
    /// Something of a device or module.
    Device(DeviceAddress),
    /// `messages/devicebound`: takes messages for devices.
    C2dSend,
    /// `messages/servicebound/feedback`: what became of them.
    Feedback,
    /// `messages/servicebound/filenotifications`.
    FileNotifications,
    /// `messages/events`, perhaps with `$management` behind it: the hub's own name for its event hub. Clients are sent
    /// on to the event hub's address.
    EventsOfHub,
    /// A partition of an event hub, as seen by a consumer group.
    Partition(PartitionAddress<'a>),
    /// An event hub, or a partition of it, without a consumer group: where events would be sent.
    EventHub {
        /// Its name.
        name: &'a str,
    },
}

/// A part of an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceAddress {
    /// Whose.
    pub id: IdentityId,
    /// What of it.
    pub endpoint: DeviceEndpoint,
}

/// What of an identity a link can be to. Which way it goes the link's role says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeviceEndpoint {
    /// `messages/events`: telemetry; input messages when a module receives.
    Events,
    /// `messages/devicebound`: cloud-to-device messages.
    C2d,
    /// `methods/devicebound`: calls and their answers.
    Methods,
    /// `twin`: requests and their answers.
    Twin,
}

/// `{event hub}/ConsumerGroups/{group}/Partitions/{partition}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionAddress<'a> {
    /// The event hub's name.
    pub event_hub: &'a str,
    /// The consumer group's name.
    pub consumer_group: &'a str,
    /// The partition as written.
    pub partition: &'a str,
}

impl<'a> Address<'a> {
    /// Takes an address apart; `None` when the hub has nothing of that form.
    pub fn parse(text: &'a str) -> Option<Self> {
        let path = path(text);
        let segments: Vec<&str> = path.split('/').collect();
        let lower: Vec<String> = segments.iter().map(|segment| segment.to_ascii_lowercase()).collect();
        let words: Vec<&str> = lower.iter().map(String::as_str).collect();
        let at = |index: usize| segments.get(index).copied().unwrap_or_default();
        Some(match words.as_slice() {
            [cbs::NODE] => Self::Cbs,
            [management::NODE] => Self::Management { event_hub: None },
            ["messages", "devicebound"] => Self::C2dSend,
            ["messages", "servicebound", "feedback"] => Self::Feedback,
            ["messages", "servicebound", "filenotifications"] => Self::FileNotifications,
            ["messages", "events"] | ["messages", "events", management::NODE] => Self::EventsOfHub,
            ["devices", _, "modules", _, endpoint @ ..] => device(at(1), Some(at(3)), endpoint)?,
            ["devices", _, endpoint @ ..] => device(at(1), None, endpoint)?,
            [_, management::NODE] => Self::Management { event_hub: Some(at(0)) },
            [_, "consumergroups", _, "partitions", _] => Self::Partition(PartitionAddress {
                event_hub: at(0),
                consumer_group: at(2),
                partition: at(4),
            }),
            [name, "partitions", _] | [name] if !name.is_empty() => Self::EventHub { name: at(0) },
            _ => return None,
        })
    }

    /// The event hub that the address names.
    pub fn event_hub(&self) -> Option<&'a str> {
        match self {
            Self::Management { event_hub } => *event_hub,
            Self::Partition(address) => Some(address.event_hub),
            Self::EventHub { name } => Some(name),
            Self::Cbs
            | Self::Device(_)
            | Self::C2dSend
            | Self::Feedback
            | Self::FileNotifications
            | Self::EventsOfHub => None,
        }
    }

    /// The entity that a back end's token has to cover, below the host; `None` for what devices use.
    pub fn entity(&self, own_event_hub: &str) -> Option<String> {
        Some(match self {
            Self::Cbs | Self::Device(_) => return None,
            Self::Management { event_hub } => format!("{}/$management", event_hub.unwrap_or(own_event_hub)),
            Self::C2dSend => "messages/devicebound".into(),
            Self::Feedback => "messages/servicebound/feedback".into(),
            Self::FileNotifications => "messages/servicebound/filenotifications".into(),
            Self::EventsOfHub => "messages/events/$management".into(),
            Self::Partition(PartitionAddress {
                event_hub,
                consumer_group,
                partition,
            }) => format!("{event_hub}/consumergroups/{consumer_group}/partitions/{partition}"),
            Self::EventHub { name } => (*name).into(),
        })
    }
}

/// What an Event Hubs client's token is for, by the path below the host: an event hub and perhaps a consumer group.
/// `None` when the path is none of an event hub.
pub fn event_hub_of_audience(path: &str) -> Option<(&str, Option<&str>)> {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let event_hub = segments.next()?;
    let is_of_hub = [
        "devices",
        "messages",
        "twins",
        "jobs",
        "statistics",
        "configurations",
        "$cbs",
        "$management",
    ]
    .iter()
    .any(|word| event_hub.eq_ignore_ascii_case(word));
    if is_of_hub {
        return None;
    }
    let has_group = segments
        .next()
        .is_some_and(|word| word.eq_ignore_ascii_case("consumergroups"));
    Some((event_hub, segments.next().filter(|_| has_group)))
}

/// An address without scheme, host and the slashes around it.
pub fn path(text: &str) -> &str {
    let path = match text.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => text,
    };
    path.trim_matches('/')
}

/// IDs are decoded once: .NET and Node encode them.
fn device(device: &str, module: Option<&str>, endpoint: &[&str]) -> Option<Address<'static>> {
    let endpoint = match endpoint {
        ["messages", "events"] => DeviceEndpoint::Events,
        ["messages", "devicebound"] => DeviceEndpoint::C2d,
        ["methods", "devicebound"] => DeviceEndpoint::Methods,
        ["twin"] => DeviceEndpoint::Twin,
        _ => return None,
    };
    let device = DeviceId::parse(&percent::decode(device)?).ok()?;
    let id = match module {
        None => IdentityId::device(device),
        Some(module) => IdentityId::module(device, ModuleId::parse(&percent::decode(module)?).ok()?),
    };
    Some(Address::Device(DeviceAddress { id, endpoint }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let read = Address::parse(text).map_or_else(|| "none".to_owned(), |address| format!("{address:?}"));
        assert_eq!(read, expected, "{text}");
    }

    #[test]
    fn of_devices_and_modules() {
        let device = |id: &str, endpoint: &str| format!("Device(DeviceAddress {{ id: {id}, endpoint: {endpoint} }})");
        check("/devices/d/messages/events", &device("d", "Events"));
        check(
            "amqps://hub.example.test/devices/d/messages/events",
            &device("d", "Events"),
        );
        check("amqps://hub:5671/devices/d/messages/deviceBound", &device("d", "C2d"));
        check("/devices/d/modules/m/messages/events/", &device("d/m", "Events"));
        check("/devices/d/methods/devicebound", &device("d", "Methods"));
        check("devices/d/modules/m/twin", &device("d/m", "Twin"));
        check("/devices/Dev%3A01/twin", &device("Dev:01", "Twin"));
        // A device may have a name that is a word elsewhere.
        check("/devices/messages/messages/events", &device("messages", "Events"));
        for unknown in [
            "/devices/d",
            "/devices/d/modules/m",
            "/devices//twin",
            "/devices/a%2Fb/twin",
            "/devices/d/twin/x",
            "/devices/d/messages/servicebound",
        ] {
            check(unknown, "none");
        }
    }

    #[test]
    fn of_back_ends() {
        check("$cbs", "Cbs");
        check("amqps://hub/$cbs", "Cbs");
        check("/messages/devicebound", "C2dSend");
        check("amqps://hub/messages/deviceBound", "C2dSend");
        check("/messages/serviceBound/feedback", "Feedback");
        check("/messages/servicebound/FileNotifications", "FileNotifications");
        check("messages/events/", "EventsOfHub");
        check("amqps://hub/messages/events/$management", "EventsOfHub");
        check("/messages/events/$management", "EventsOfHub");
    }

    #[test]
    fn of_event_hubs() {
        let partition =
            r#"Partition(PartitionAddress { event_hub: "Eh", consumer_group: "$Default", partition: "0" })"#;
        check("Eh/ConsumerGroups/$Default/Partitions/0", partition);
        check("amqps://host/Eh/consumergroups/$Default/partitions/0", partition);
        check("$management", "Management { event_hub: None }");
        check("amqps://host/eh/$management", r#"Management { event_hub: Some("eh") }"#);
        check("eh", r#"EventHub { name: "eh" }"#);
        check("eh/Partitions/1", r#"EventHub { name: "eh" }"#);
        check("", "none");
        check("amqps://host", "none");
        check("eh/ConsumerGroups/g", "none");
    }

    #[test]
    fn entities_that_tokens_cover() {
        for (address, expected) in [
            ("$cbs", None),
            ("/devices/d/twin", None),
            ("$management", Some("own/$management")),
            ("other/$management", Some("other/$management")),
            ("messages/events/", Some("messages/events/$management")),
            (
                "eh/ConsumerGroups/g/Partitions/0",
                Some("eh/consumergroups/g/partitions/0"),
            ),
        ] {
            let entity = Address::parse(address).unwrap().entity("own");
            assert_eq!(entity.as_deref(), expected, "{address}");
        }
    }

    #[test]
    fn event_hubs_of_audiences() {
        for (path, expected) in [
            ("eh", Some(("eh", None))),
            ("eh/consumergroups/g", Some(("eh", Some("g")))),
            ("eh/ConsumerGroups/g/Partitions/0", Some(("eh", Some("g")))),
            ("eh/$management", Some(("eh", None))),
            ("", None),
            ("devices/d", None),
            ("messages/events/$management", None),
        ] {
            assert_eq!(event_hub_of_audience(path), expected, "{path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text: String) {
            let _ = Address::parse(&text);
            let _ = event_hub_of_audience(&text);
        }
    }
}
