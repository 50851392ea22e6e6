//! What a link talks to.

use std::task::Context;

use ironhub_amqp::connection::{Delivery, LinkId, Sent, SessionId};
use ironhub_amqp::performative::{AmqpError, Attach, DeliveryState, condition};
use ironhub_dialect::amqp::address::Address;
use ironhub_hub::Ports;

use super::c2d_send::C2dSend;
use super::cbs::Cbs;
use super::device::Device;
use super::events::Events;
use super::feedback::Feedback;
use super::file_notifications::FileNotifications;
use super::io::Io;
use super::management::Management;
use super::nodes::Shared;
use super::redirect;

/// A link that the peer asks for.
pub(super) struct Offer {
    /// Our name for it.
    pub(super) link: LinkId,
    /// The session it is on.
    pub(super) session: SessionId,
    /// What the peer asks for, seen from its end: role sender means that it sends.
    pub(super) attach: Box<Attach>,
}

/// All kinds of nodes.
pub(super) enum Node<P: Ports> {
    Cbs(Box<Cbs>),
    Management(Box<Management>),
    Events(Box<Events<P>>),
    C2dSend(Box<C2dSend<P>>),
    Feedback(Box<Feedback<P>>),
    FileNotifications(Box<FileNotifications>),
    Device(Box<Device<P>>),
}

/// What every node is told. Nothing here waits: a node keeps futures of its own and drives them in [`NodeEvents::poll`],
/// which is called after each of the other calls too.
pub(super) trait NodeEvents<P: Ports>: Send {
    /// A message has come. It is to be settled exactly once, which frees its credit.
    fn handle_delivery(&mut self, io: &mut Io<'_, P>, delivery: Delivery);

    /// The peer says what became of messages of ours, all of one link. If it is not settled the peer waits for
    /// `io.amqp.confirm`.
    fn handle_disposition(&mut self, io: &mut Io<'_, P>, deliveries: &[Sent], state: &DeliveryState, settled: bool) {
        let _ = (io, deliveries, state, settled);
    }

    /// The peer has granted credit, or asks to use it up: then `io.amqp.drained` ends the answer.
    fn handle_credit(&mut self, io: &mut Io<'_, P>, link: LinkId, drain: bool) {
        let _ = (io, link, drain);
    }

    /// The peer has left a link. A node without links is dropped.
    fn handle_detached(&mut self, io: &mut Io<'_, P>, link: LinkId) {
        let _ = (io, link);
    }

    /// A token was put or renewed, or has ended. Nodes that rest on a policy are looked after by their table.
    fn handle_claims_changed(&mut self, io: &mut Io<'_, P>) {
        let _ = io;
    }

    /// No claim covers the node any more: it detaches all its links with this condition.
    fn handle_revoked(&mut self, io: &mut Io<'_, P>, error: &AmqpError);

    /// Must nothing come in for now? While one node says so the connection is not read; it is ended when that lasts
    /// too long. Asked after each of the other calls.
    fn is_blocked(&self) -> bool {
        false
    }

    /// Drives the node's own futures, and sends what can be sent.
    fn poll(&mut self, cx: &mut Context<'_>, io: &mut Io<'_, P>) {
        let _ = (cx, io);
    }
}

impl<P: Ports> Node<P> {
    /// A node that all links of the connection share.
    pub(super) fn shared(which: &Shared) -> Self {
        match which {
            Shared::Cbs => Self::Cbs(Box::default()),
            Shared::Management => Self::Management(Box::default()),
            Shared::Device(id) => Self::Device(Box::new(Device::new(id.clone()))),
        }
    }

    /// The node that one link alone talks to. The link has been accepted then; `None` when it was refused.
    pub(super) fn of_link(io: &mut Io<'_, P>, offer: &Offer, address: &Address<'_>) -> Option<Self> {
        Some(match address {
            Address::Partition(address) => Self::Events(Box::new(Events::attach(io, offer, address)?)),
            Address::C2dSend => Self::C2dSend(Box::new(C2dSend::attach(io, offer)?)),
            Address::Feedback => Self::Feedback(Box::new(Feedback::attach(io, offer)?)),
            Address::FileNotifications => Self::FileNotifications(Box::new(FileNotifications::attach(io, offer)?)),
            Address::EventsOfHub => {
                io.refuse(offer.link, redirect::to_event_hub(io.host, &io.hub.info().hub_name));
                return None;
            }
            Address::EventHub { name } => {
                io.refuse(offer.link, redirect::no_senders(name));
                return None;
            }
            // These are shared.
            Address::Cbs | Address::Management { .. } | Address::Device(_) => return None,
        })
    }

    /// A link to a node that all links of the connection share is asked for: accept or refuse it, now or in a later
    /// call. A device still has to say who it is.
    pub(super) fn attach(&mut self, io: &mut Io<'_, P>, offer: Offer, address: &Address<'_>) {
        match (self, address) {
            (Self::Cbs(node), _) => node.attach(io, offer),
            (Self::Management(node), _) => node.attach(io, offer),
            (Self::Device(node), Address::Device(address)) => node.attach(io, offer, address.endpoint),
            // Nodes are found by their address.
            _ => io.refuse(offer.link, not_implemented()),
        }
    }

    pub(super) fn events(&mut self) -> &mut dyn NodeEvents<P> {
        match self {
            Self::Cbs(node) => &mut **node,
            Self::Management(node) => &mut **node,
            Self::Events(node) => &mut **node,
            Self::C2dSend(node) => &mut **node,
            Self::Feedback(node) => &mut **node,
            Self::FileNotifications(node) => &mut **node,
            Self::Device(node) => &mut **node,
        }
    }
}

/// The answer to what the hub does not do.
pub(super) fn not_implemented() -> AmqpError {
    AmqpError::new(condition::NOT_IMPLEMENTED, "The hub does not offer this.")
}

/// The answer to who sends where one receives, or receives where one sends.
pub(super) fn not_allowed() -> AmqpError {
    AmqpError::new(condition::NOT_ALLOWED, "Links to this address go the other way.")
}
