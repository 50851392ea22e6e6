//! Telemetry over MQTT: the property bag in the topic.

use std::borrow::Cow;
use std::fmt::{Display, Write};

use ironhub_model::message::{AppProperty, D2cMessage, SystemProperties};
use ironhub_model::{Timestamp, percent};

use crate::own_properties::OwnProperties;

/// Reads a message from its bag and body. Lenient, as the C SDK sends bags unencoded by default: nothing a bag holds
/// ends the connection.
pub fn parse<'a>(bag: &'a str, body: &'a [u8]) -> D2cMessage<'a> {
    let mut message = D2cMessage {
        body,
        ..D2cMessage::default()
    };
    let mut own = OwnProperties::default();
    for pair in bag.split('&') {
        let (name, value) = match pair.split_once('=') {
            Some((name, value)) => (decode(name), Some(decode(value))),
            None => (decode(pair), None),
        };
        if name.is_empty() {
            continue;
        }
        if let Some((name, value)) = set_system(&mut message, name, value) {
            own.set(name, value);
        }
    }
    message.properties = own.into_list();
    message
}

/// The property bag of a message, as the current Python SDK writes it: the other direction of [`parse`].
pub fn bag(system: &SystemProperties<'_>, properties: &[AppProperty<'_>]) -> String {
    let expires_at = system.expires_at.map(Timestamp::to_round_trip);
    let known = [
        ("on", system.output_name.as_deref()),
        ("mid", system.message_id.as_deref()),
        ("cid", system.correlation_id.as_deref()),
        ("uid", system.user_id.as_deref()),
        ("to", system.to.as_deref()),
        ("ct", system.content_type.as_deref()),
        ("ce", system.content_encoding.as_deref()),
        ("ctime", system.creation_time.as_deref()),
        ("ifid", system.interface_id.as_deref()),
        ("sub", system.component.as_deref()),
        ("schema", system.message_schema.as_deref()),
        ("exp", expires_at.as_deref()),
    ];
    let mut bag = String::new();
    for (code, value) in known {
        if let Some(value) = value {
            push(&mut bag, format_args!("%24.{code}"), Some(value));
        }
    }
    for (name, value) in properties {
        push(&mut bag, percent::encode(name), value.as_deref());
    }
    bag
}

fn push(bag: &mut String, encoded_name: impl Display, value: Option<&str>) {
    let separator = if bag.is_empty() { "" } else { "&" };
    // Writing to a string cannot fail.
    let _ = write!(bag, "{separator}{encoded_name}");
    if let Some(value) = value {
        bag.push('=');
        percent::encode_into(bag, value);
    }
}

fn decode(text: &str) -> Cow<'_, str> {
    percent::decode(text).unwrap_or(Cow::Borrowed(text))
}

/// Takes a property that the hub knows; gives it back when it is the sender's own.
fn set_system<'a>(
    message: &mut D2cMessage<'a>,
    name: Cow<'a, str>,
    value: Option<Cow<'a, str>>,
) -> Option<AppProperty<'a>> {
    let Some(code) = name.strip_prefix("$.") else {
        return Some((name, value));
    };
    let system = &mut message.system;
    let field = match code {
        "mid" => &mut system.message_id,
        "cid" => &mut system.correlation_id,
        "uid" => &mut system.user_id,
        "to" => &mut system.to,
        "ct" => &mut system.content_type,
        "ce" => &mut system.content_encoding,
        "ctime" => &mut system.creation_time,
        "ifid" => &mut system.interface_id,
        "sub" => &mut system.component,
        "schema" => &mut system.message_schema,
        "on" => &mut system.output_name,
        // The hub writes down who sent a message; what the sender says of it does not count.
        "cdid" | "cmid" => return None,
        "exp" => match value.as_deref().map(Timestamp::parse) {
            Some(Ok(expires_at)) => {
                system.expires_at = Some(expires_at);
                return None;
            }
            _ => return Some((name, value)),
        },
        _ => return Some((name, value)),
    };
    *field = Some(value.unwrap_or_default());
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own<'a>(message: &'a D2cMessage<'_>) -> Vec<(&'a str, Option<&'a str>)> {
        message
            .properties
            .iter()
            .map(|(name, value)| (name.as_ref(), value.as_deref()))
            .collect()
    }

    #[test]
    fn python_bag() {
        let message = parse(
            "%24.mid=mid%201&%24.cid=c%2F1&%24.uid=u&%24.ct=application%2Fjson&%24.ce=utf-8\
             &%24.ifid=urn%3Aazureiot%3ASecurity%3ASecurityAgent%3A1&%24.exp=2030-01-01T00%3A00%3A00Z\
             &a=&b%20key=v%2B%20%26%C3%A9%2F",
            b"x",
        );
        let system = &message.system;
        assert_eq!(system.message_id.as_deref(), Some("mid 1"));
        assert_eq!(system.correlation_id.as_deref(), Some("c/1"));
        assert_eq!(system.user_id.as_deref(), Some("u"));
        assert_eq!(system.content_type.as_deref(), Some("application/json"));
        assert_eq!(system.content_encoding.as_deref(), Some("utf-8"));
        assert_eq!(
            system.interface_id.as_deref(),
            Some("urn:azureiot:Security:SecurityAgent:1")
        );
        assert_eq!(
            system.expires_at,
            Some(Timestamp::parse("2030-01-01T00:00:00Z").unwrap())
        );
        assert_eq!(own(&message), [("a", Some("")), ("b key", Some("v+ &é/"))]);
        assert_eq!(message.body, b"x");
    }

    #[test]
    fn a_bag_is_read_back() {
        let system = SystemProperties {
            message_id: Some("mid 1".into()),
            content_type: Some("application/json".into()),
            expires_at: Some(Timestamp::parse("2030-01-01T00:00:00Z").unwrap()),
            component: Some("comp".into()),
            output_name: Some("out1".into()),
            ..SystemProperties::default()
        };
        let properties = vec![
            ("b key".into(), Some("v+ &é/".into())),
            ("a".into(), Some("".into())),
            ("flag".into(), None),
        ];
        let text = bag(&system, &properties);
        let read = parse(&text, b"");
        assert_eq!((read.system, read.properties), (system, properties));
        assert_eq!(bag(&SystemProperties::default(), &[]), "");
    }

    /// The expected text is what the Python SDK 2.14.0 sent for such a message.
    #[test]
    fn a_bag_is_that_of_the_python_sdk() {
        let system = SystemProperties {
            message_id: Some("mid 1".into()),
            correlation_id: Some("c/1".into()),
            user_id: Some("u".into()),
            content_type: Some("application/json".into()),
            content_encoding: Some("utf-8".into()),
            ..SystemProperties::default()
        };
        let properties = [("a".into(), Some("".into())), ("b key".into(), Some("v+ &é/".into()))];
        let expected = "%24.mid=mid%201&%24.cid=c%2F1&%24.uid=u&%24.ct=application%2Fjson&%24.ce=utf-8\
                        &a=&b%20key=v%2B%20%26%C3%A9%2F";
        assert_eq!(bag(&system, &properties), expected);
    }

    #[test]
    fn c_bag_is_not_encoded() {
        let message = parse("key1=v1&a b=c&d&%24.cid=c1&%24.ct=application%2fjson&x=1=2&&=y", b"");
        assert_eq!(
            own(&message),
            [
                ("key1", Some("v1")),
                ("a b", Some("c")),
                ("d", None),
                ("x", Some("1=2"))
            ]
        );
        assert_eq!(message.system.content_type.as_deref(), Some("application/json"));
    }

    #[test]
    fn java_bag_has_raw_dollars_and_identity_does_not_count() {
        let message = parse("$.mid=m&$.cdid=other&$.cmid=x&$.sub=comp&$.on=out&$.new=1&%FF=z", b"");
        assert_eq!(message.system.message_id.as_deref(), Some("m"));
        assert_eq!(message.system.component.as_deref(), Some("comp"));
        assert_eq!(message.system.output_name.as_deref(), Some("out"));
        assert_eq!(own(&message), [("$.new", Some("1")), ("%FF", Some("z"))]);
    }

    #[test]
    fn an_expiry_that_is_no_time_stays_a_property() {
        let message = parse("%24.exp=soon&%24.mid", b"");
        assert_eq!(message.system.expires_at, None);
        assert_eq!(message.system.message_id.as_deref(), Some(""));
        assert_eq!(own(&message), [("$.exp", Some("soon"))]);
    }

    #[test]
    fn the_last_of_two_wins_with_few_and_with_many() {
        assert_eq!(own(&parse("a=1&b=2&a=3", b"")), [("a", Some("3")), ("b", Some("2"))]);
        let many: Vec<String> = (0..40).map(|n| format!("k{}={n}", n % 20)).collect();
        let bag = many.join("&");
        let message = parse(&bag, b"");
        assert_eq!(message.properties.len(), 20);
        assert_eq!(message.properties.last().unwrap().1.as_deref(), Some("39"));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bag: String) {
            let _ = parse(&bag, b"");
        }
    }
}
