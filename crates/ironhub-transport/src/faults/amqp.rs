//! AMQP links under fault rules: what they ask for, what they carry, and what is said of it.

use std::collections::HashMap;
use std::time::Duration;

use ironhub_amqp::connection::{Delivery, LinkId};
use ironhub_amqp::message::{Section, SectionKind, Sections, annotations, write_application_properties, write_data};
use ironhub_amqp::performative::{AmqpError, Attach, DeliveryState, Role};
use ironhub_amqp::types::{Encoded, Map, Value};
use ironhub_dialect::amqp::address;

use super::Faults;
use super::rule::{Action, LinkEvent, Outcome, Target, fits};

/// The links of one connection, and what the rules do to them.
#[derive(Debug, Default)]
pub(crate) struct BrokenLinks {
    faults: Faults,
    addresses: HashMap<LinkId, String>,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It goes its way, perhaps changed.
    Passes,
    /// It is taken and never seen again.
    Vanishes,
    /// It comes twice.
    Doubles,
    /// The connection ends instead.
    Closes,
}

impl BrokenLinks {
    pub(crate) fn new(faults: Faults) -> Self {
        Self {
            faults,
            addresses: HashMap::new(),
        }
    }

    /// Is nothing to be broken?
    pub(crate) fn is_idle(&self) -> bool {
        self.faults.is_empty()
    }

    /// A link is asked for: it may be refused, or what it asks for may shrink.
    pub(crate) fn handle_attach(&mut self, link: LinkId, attach: &mut Attach) -> Result<(), AmqpError> {
        let text = match attach.role {
            Role::Sender => attach.target.as_ref().and_then(|target| target.address.as_deref()),
            Role::Receiver => attach.source.as_ref().and_then(|source| source.address.as_deref()),
        };
        self.addresses
            .insert(link, address::path(text.unwrap_or_default()).to_owned());
        match self.action(LinkEvent::Attach, link) {
            Some(Action::Refuse(condition)) => Err(AmqpError::new(condition.clone(), "A fault rule refuses the link.")),
            Some(Action::Strip(name)) => {
                strip(&mut attach.properties, name);
                if let Some(source) = &mut attach.source {
                    strip(&mut source.filter, name);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn forget(&mut self, link: LinkId) {
        self.addresses.remove(&link);
    }

    /// How much later a message comes, or goes out, on this link.
    pub(crate) fn delay(&self, event: LinkEvent, link: LinkId) -> Option<Duration> {
        match self.action(event, link) {
            Some(Action::Delay(delay)) => Some(*delay),
            _ => None,
        }
    }

    /// A message has come.
    pub(crate) fn handle_delivery(&self, delivery: &mut Delivery) -> Fate {
        let action = self.action(LinkEvent::In, delivery.receipt.link());
        let (fate, payload) = apply(action, &delivery.payload);
        if let Some(payload) = payload {
            delivery.payload = payload;
        }
        fate
    }

    /// A message is about to go out.
    pub(crate) fn handle_message(&self, link: LinkId, payload: &mut Vec<u8>) -> Fate {
        let (fate, changed) = apply(self.action(LinkEvent::Out, link), payload);
        if let Some(changed) = changed {
            *payload = changed;
        }
        fate
    }

    /// What is said of messages on this link, whoever says what.
    pub(crate) fn outcome(&self, link: LinkId) -> Option<DeliveryState> {
        match self.action(LinkEvent::Settle, link) {
            Some(Action::Outcome(Outcome::Accepted)) => Some(DeliveryState::Accepted),
            Some(Action::Outcome(Outcome::Released)) => Some(DeliveryState::Released),
            Some(Action::Outcome(Outcome::Rejected)) => Some(DeliveryState::Rejected(None)),
            _ => None,
        }
    }

    /// The status of replies to requests on this link.
    pub(crate) fn status(&self, link: LinkId) -> Option<i32> {
        match self.action(LinkEvent::Status, link) {
            Some(Action::Status(code)) => Some(i32::from(*code)),
            _ => None,
        }
    }

    fn action(&self, event: LinkEvent, link: LinkId) -> Option<&Action> {
        let address = self.addresses.get(&link)?;
        let rule = self.faults.0.iter().find(|rule| match &rule.target {
            Target::Link(of, pattern) => *of == event && fits(pattern, address),
            Target::PacketIn(_) | Target::PacketOut(_) | Target::Request(..) => false,
        })?;
        Some(&rule.action)
    }
}

fn apply(action: Option<&Action>, payload: &[u8]) -> (Fate, Option<Vec<u8>>) {
    match action {
        Some(Action::Drop) => (Fate::Vanishes, None),
        Some(Action::Duplicate) => (Fate::Doubles, None),
        Some(Action::Close) => (Fate::Closes, None),
        Some(Action::Corrupt) => (Fate::Passes, Some(rewritten(payload, corrupt))),
        Some(Action::Strip(name)) => (
            Fate::Passes,
            Some(rewritten(payload, |section, out| without(section, name, out))),
        ),
        _ => (Fate::Passes, None),
    }
}

/// Each section in turn, written anew.
fn rewritten(payload: &[u8], write: impl Fn(&Section<'_>, &mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len());
    for section in Sections::new(payload).flatten() {
        write(&section, &mut out);
    }
    out
}

fn corrupt(section: &Section<'_>, out: &mut Vec<u8>) {
    match section.value().ok().and_then(|value| value.as_binary()) {
        Some(data) if section.kind == SectionKind::Data => write_data(out, &vec![b'X'; data.len()]),
        _ => out.extend_from_slice(section.encoded),
    }
}

fn without(section: &Section<'_>, name: &str, out: &mut Vec<u8>) {
    let map = section.value().ok().and_then(|value| value.as_map());
    match (section.kind, map) {
        (SectionKind::ApplicationProperties, Some(map)) => write_application_properties(out, kept(map, name)),
        (SectionKind::MessageAnnotations, Some(map)) => {
            annotations::write_message_annotations(out, |annotations| {
                for (key, value) in kept(map, name) {
                    annotations.push(key, value);
                }
            });
        }
        _ => out.extend_from_slice(section.encoded),
    }
}

fn kept<'a>(map: Map<'a>, name: &str) -> Vec<(&'a str, Value<'a>)> {
    map.iter_text().filter(|(key, _)| *key != name).collect()
}

/// A map without one of its keys.
fn strip(map: &mut Encoded, name: &str) {
    let Some(pairs) = map.value().as_map() else { return };
    if pairs.value(name).is_none() {
        return;
    }
    *map = Encoded::map(|out| {
        for (key, value) in pairs.iter().filter(|(key, _)| key.as_text() != Some(name)) {
            out.push(key);
            out.push(value);
        }
    });
}

#[cfg(test)]
mod tests {
    use ironhub_amqp::message::{Body, Message};

    use super::*;

    fn message() -> Vec<u8> {
        let mut out = Vec::new();
        annotations::write_message_annotations(&mut out, |map| {
            map.push("x-opt-offset", "7");
            map.push("other", 1);
        });
        write_application_properties(&mut out, [("a", "1"), ("b", "2")]);
        write_data(&mut out, b"body");
        out
    }

    fn changed(action: &Action) -> (Fate, Vec<u8>) {
        let payload = message();
        let (fate, changed) = apply(Some(action), &payload);
        (fate, changed.unwrap_or(payload))
    }

    #[test]
    fn bodies_become_unreadable_and_nothing_else() {
        let (fate, payload) = changed(&Action::Corrupt);
        let message = Message::parse(&payload).unwrap();
        let Body::Data(mut data) = message.bare.body else {
            panic!("no data");
        };
        assert_eq!((fate, data.next()), (Fate::Passes, Some(&b"XXXX"[..])));
        assert_eq!(message.bare.application_properties.value("a"), Some(Value::String("1")));
    }

    #[test]
    fn names_are_left_out_wherever_they_are() {
        for (name, annotations, properties) in [("x-opt-offset", 1, 2), ("b", 2, 1), ("c", 2, 2)] {
            let (_, payload) = changed(&Action::Strip(name.into()));
            let message = Message::parse(&payload).unwrap();
            let counts = (
                message.message_annotations.len(),
                message.bare.application_properties.len(),
            );
            assert_eq!(counts, (annotations, properties), "{name}");
        }
    }

    #[test]
    fn messages_have_fates() {
        for (action, expected) in [
            (Action::Drop, Fate::Vanishes),
            (Action::Duplicate, Fate::Doubles),
            (Action::Close, Fate::Closes),
        ] {
            assert_eq!(changed(&action), (expected, message()));
        }
    }
}
