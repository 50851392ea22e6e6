//! What the device wants to hear, and what the hub has agreed to on this connection.

use ironhub_dialect::mqtt::subscription::Subscription;
use ironhub_mqtt::packet::{PacketId, QoS, SubAckCode, Subscribe, Subscription as Wanted};

use crate::device::command::Answer;
use crate::error::Error;

#[derive(Debug, Default)]
pub(super) struct Subscriptions(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    subscription: Subscription,
    status: Status,
    waiting: Vec<Answer<()>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Asked,
    Granted,
    Refused,
}

impl Subscriptions {
    /// Returns whether the hub has to be asked.
    pub(super) fn want(&mut self, subscription: Subscription, done: Option<Answer<()>>) -> bool {
        let Some(entry) = self.0.iter_mut().find(|entry| entry.subscription == subscription) else {
            self.0.push(Entry {
                subscription,
                status: Status::Asked,
                waiting: done.into_iter().collect(),
            });
            return true;
        };
        if entry.status == Status::Granted {
            done.map(|done| done.send(Ok(())));
            return false;
        }
        entry.waiting.extend(done);
        let was_refused = entry.status == Status::Refused;
        entry.status = Status::Asked;
        was_refused
    }

    /// A new connection: everything has to be asked for anew, since a hub may have forgotten the session.
    pub(super) fn begin(&mut self) -> Vec<Subscription> {
        for entry in &mut self.0 {
            entry.status = Status::Asked;
        }
        self.0.iter().map(|entry| entry.subscription).collect()
    }

    pub(super) fn answered(&mut self, subscription: Subscription, granted: bool) {
        let Some(entry) = self.0.iter_mut().find(|entry| entry.subscription == subscription) else {
            return;
        };
        entry.status = if granted { Status::Granted } else { Status::Refused };
        for done in entry.waiting.drain(..) {
            let outcome = if granted { Ok(()) } else { Err(refused(subscription)) };
            let _ = done.send(outcome);
        }
    }

    pub(super) fn has(&self, subscription: Subscription) -> bool {
        self.is(subscription, Status::Granted)
    }

    pub(super) fn is_refused(&self, subscription: Subscription) -> bool {
        self.is(subscription, Status::Refused)
    }

    pub(super) fn fail(&mut self, error: &Error) {
        for done in self.0.iter_mut().flat_map(|entry| entry.waiting.drain(..)) {
            let _ = done.send(Err(error.clone()));
        }
    }

    fn is(&self, subscription: Subscription, status: Status) -> bool {
        self.0
            .iter()
            .any(|entry| entry.subscription == subscription && entry.status == status)
    }
}

pub(super) fn request(packet_id: PacketId, filter: String) -> Subscribe {
    Subscribe {
        packet_id,
        subscriptions: vec![Wanted {
            filter,
            qos: QoS::AtLeastOnce,
        }],
    }
}

pub(super) fn is_granted(code: SubAckCode) -> bool {
    matches!(code, SubAckCode::Granted(_))
}

fn refused(subscription: Subscription) -> Error {
    Error::SubscriptionRefused(match subscription {
        Subscription::C2d => "cloud-to-device messages",
        Subscription::TwinResponses => "twin responses",
        Subscription::Desired => "desired properties",
        Subscription::Methods => "direct methods",
        Subscription::Silent => "inputs",
    })
}
