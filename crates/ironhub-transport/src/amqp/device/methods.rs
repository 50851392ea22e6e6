//! Direct methods: calls to the device on one link, its answers on another. It listens while both are up.

use ironhub_amqp::connection::{Delivery, LinkId, Outgoing, Sent};
use ironhub_amqp::performative::{Attach, DeliveryState, DeliveryTag};
use ironhub_dialect::amqp::methods::{CallIds, parse_answer, write_call};
use ironhub_hub::{Link, Ports};
use ironhub_model::MethodCall;
use ironhub_model::limits::AMQP_METHOD_ANSWER_BYTES_MAX;
use ring::rand::{SecureRandom, SystemRandom};
use tracing::debug;

use super::pair::Pair;
use crate::amqp::io::Io;
use crate::amqp::protocol::Protocol;
use crate::method_answer::bring_answer;

/// The two links, and how calls are named on them.
pub(super) struct Methods {
    pub(super) links: Pair,
    ids: CallIds,
}

impl Methods {
    pub(super) fn new() -> Self {
        let mut bits = [0; 8];
        // Without randomness the names are those of other connections too, whose answers then find other calls.
        let _ = SystemRandom::new().fill(&mut bits);
        Self {
            links: Pair::default(),
            ids: CallIds::from_random(u64::from_be_bytes(bits)),
        }
    }

    pub(super) fn attach<P: Ports>(&mut self, io: &mut Io<'_, P>, link: LinkId, attach: &Attach) {
        self.links.attach(io, link, attach, AMQP_METHOD_ANSWER_BYTES_MAX);
    }

    /// Would a call go out now?
    pub(super) fn can_call(&self, amqp: &Protocol) -> bool {
        self.links.is_whole() && self.links.to_device.is_some_and(|link| amqp.can_send(link))
    }

    /// Sends a call, for which there is room.
    pub(super) fn call<P: Ports>(&self, amqp: &mut Protocol, hub_link: &Link<P>, request_id: u64, call: &MethodCall) {
        let Some(link) = self.links.to_device else { return };
        let uuid = self.ids.uuid(request_id);
        let outgoing = Outgoing {
            tag: DeliveryTag::from(uuid),
            message_format: 0,
            settled: self.links.sends_settled,
        };
        let sent = amqp.send(link, outgoing, |out| {
            write_call(out, uuid, &call.name, call.payload.as_deref());
        });
        if let Err(error) = sent {
            debug!(%error, "a method call cannot be sent to its device");
            hub_link.method_response_invalid(request_id);
        }
    }

    /// The device says that it cannot read a call: nothing else will come.
    pub(super) fn handle_disposition<P: Ports>(&self, hub_link: &Link<P>, deliveries: &[Sent], state: &DeliveryState) {
        if *state == DeliveryState::Accepted {
            return;
        }
        for sent in deliveries {
            let uuid = sent.tag.as_bytes().try_into().ok();
            if let Some(request_id) = uuid.and_then(|uuid| self.ids.request_id(uuid)) {
                hub_link.method_response_invalid(request_id);
            }
        }
    }

    pub(super) fn handle_answer<P: Ports>(&self, amqp: &mut Protocol, hub_link: &Link<P>, delivery: &Delivery) {
        let state = match parse_answer(&delivery.payload) {
            Ok(answer) => {
                if let Some(request_id) = self.ids.request_id(answer.uuid) {
                    bring_answer(hub_link, request_id, answer.status, &answer.payload);
                }
                DeliveryState::Accepted
            }
            Err(error) => DeliveryState::Rejected(Some(error)),
        };
        // A link that is gone meanwhile needs no answer.
        let _ = amqp.settle(delivery.receipt, state);
    }
}
