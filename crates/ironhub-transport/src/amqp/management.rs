//! `$management`: what the event hub and its partitions hold.

use std::task::Context;

use ironhub_amqp::connection::{Delivery, LinkId};
use ironhub_amqp::management::ReadRequest;
use ironhub_amqp::performative::{AmqpError, Role};
use ironhub_amqp::request::{Reply, Request, RequestError, Responder, Status};
use ironhub_amqp::types::{Encoded, Value};
use ironhub_dialect::amqp::management::{EventHubView, PartitionView, partition_id};
use ironhub_hub::{HubError, Ports};
use ironhub_model::limits::AMQP_REQUESTS_CREDIT;
use tracing::debug;

use super::io::Io;
use super::node::{NodeEvents, Offer};
use crate::error::{amqp_error, entity_not_found, wire_error};

/// The node of a connection: requests on any of its links, replies where they ask for them.
#[derive(Default)]
pub(super) struct Management {
    responder: Responder,
    links: Vec<LinkId>,
}

impl Management {
    pub(super) fn attach<P: Ports>(&mut self, io: &mut Io<'_, P>, offer: Offer) {
        let Offer { link, session, attach } = offer;
        if io.accept(link, attach.answer()).is_err() {
            return;
        }
        self.links.push(link);
        match attach.role {
            Role::Sender => {
                let _ = io.amqp.grant(link, AMQP_REQUESTS_CREDIT); // It was accepted just now.
            }
            Role::Receiver => self.responder.handle_attached(session, link, &attach),
        }
    }
}

impl<P: Ports> NodeEvents<P> for Management {
    fn handle_delivery(&mut self, io: &mut Io<'_, P>, delivery: Delivery) {
        let (message_id, reply_to) = Request::return_address(&delivery.payload);
        let mut reply = Vec::new();
        let answer = answer(io, &delivery.payload);
        let (mut status, body) = match &answer {
            Ok(body) => (Status::OK, body.value()),
            Err((code, error)) => {
                let status = Status {
                    code: *code,
                    description: error.description.as_deref().unwrap_or_default(),
                    condition: Some(&error.condition),
                };
                (status, Value::Null)
            }
        };
        status.code = io.amqp.broken.status(delivery.receipt.link()).unwrap_or(status.code);
        Reply::write(&mut reply, message_id, reply_to, &status, body);
        if let Err(error) = self.responder.reply(io.amqp, delivery.receipt, reply_to, reply) {
            debug!(peer = %io.peer.address(), %error, "a reply of $management is lost");
        }
    }

    fn handle_credit(&mut self, io: &mut Io<'_, P>, link: LinkId, drain: bool) {
        self.responder.send_held(io.amqp);
        if drain {
            let _ = io.amqp.drained(link); // Nothing is left to send on a link that is gone.
        }
    }

    fn handle_detached(&mut self, _: &mut Io<'_, P>, link: LinkId) {
        self.responder.handle_detached(link);
        self.links.retain(|own| *own != link);
    }

    fn handle_revoked(&mut self, io: &mut Io<'_, P>, error: &AmqpError) {
        for link in std::mem::take(&mut self.links) {
            self.responder.handle_detached(link);
            io.detach(link, Some(error.clone()));
        }
    }

    fn poll(&mut self, _: &mut Context<'_>, io: &mut Io<'_, P>) {
        self.responder.send_held(io.amqp);
        if self.responder.has_held() {
            io.want_output();
        }
    }
}

/// The body of the reply, or its status and what is wrong.
fn answer<P: Ports>(io: &Io<'_, P>, payload: &[u8]) -> Result<Encoded, (i32, AmqpError)> {
    let wrong = |error: RequestError| (400, AmqpError::new("com.microsoft:argument-error", error.to_string()));
    let request = Request::read(payload).map_err(wrong)?;
    let own = io.hub.info().hub_name.as_str();
    let check_name = |name: &str| {
        if name.eq_ignore_ascii_case(own) {
            Ok(())
        } else {
            Err((404, entity_not_found(name)))
        }
    };
    match ReadRequest::read(&request).map_err(wrong)? {
        ReadRequest::EventHub { name } => {
            check_name(name)?;
            let view = EventHubView {
                name: own,
                created_at: io.hub.info().created_at,
                partitions: io.hub.events.partitions(),
            };
            Ok(view.to_body())
        }
        ReadRequest::Partition { name, partition } => {
            check_name(name)?;
            let unknown = || (404, entity_not_found(&format!("{own}/Partitions/{partition}")));
            let partition = partition_id(partition).ok_or_else(unknown)?;
            let bounds = io.hub.events.bounds(partition).map_err(|error| {
                if error == HubError::PartitionNotFound {
                    return unknown();
                }
                (i32::from(wire_error(&error).status()), amqp_error(&error))
            })?;
            let view = PartitionView {
                event_hub: own,
                partition,
                first: bounds.first,
                next: bounds.next,
                last_enqueued_at: bounds.last_enqueued_at,
            };
            Ok(view.to_body())
        }
    }
}
