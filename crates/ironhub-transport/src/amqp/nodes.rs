//! The nodes of one connection, and which link talks to which.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use ironhub_amqp::connection::{Delivery, Event, LinkId, Sent};
use ironhub_amqp::performative::{AmqpError, DeliveryState, Role};
use ironhub_dialect::amqp::address::Address;
use ironhub_hub::{Ports, Unauthorized};
use ironhub_model::{IdentityId, Permission};

use super::claims::Change;
use super::io::Io;
use super::node::{Node, NodeEvents, Offer};
use super::ready::{NodeWaker, Ready};
use crate::error::{amqp_error, entity_not_found};
use crate::faults::Fate;

/// Names a node of one connection; never names another one later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct NodeId(pub(super) u32);

/// The nodes and their links.
pub(super) struct Nodes<P: Ports> {
    entries: HashMap<NodeId, Entry<P>>,
    links: HashMap<LinkId, NodeId>,
    /// Nodes that all links of the connection share.
    shared: HashMap<Shared, NodeId>,
    /// Nodes that wait for room in the output, or for the peer.
    waiting: Vec<NodeId>,
    /// How many nodes want nothing to come in.
    blocked: usize,
    next: u32,
    pub(super) ready: Ready,
}

struct Entry<P: Ports> {
    node: Node<P>,
    links: usize,
    shared: Option<Shared>,
    /// The entity that a claim of a back end's has to cover.
    entity: Option<Box<str>>,
    waker: Arc<NodeWaker>,
    is_waiting: bool,
    is_blocked: bool,
}

/// Which node it is that links share.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Shared {
    Cbs,
    Management,
    Device(IdentityId),
}

impl<P: Ports> Nodes<P> {
    pub(super) fn new() -> Self {
        Self {
            entries: HashMap::new(),
            links: HashMap::new(),
            shared: HashMap::new(),
            waiting: Vec::new(),
            blocked: 0,
            next: 0,
            ready: Ready::default(),
        }
    }

    /// Has the node concerned see to an event.
    pub(super) fn handle(&mut self, io: &mut Io<'_, P>, event: Event) {
        match event {
            Event::Attach {
                link,
                session,
                mut attach,
            } => match io.amqp.broken.handle_attach(link, &mut attach) {
                Ok(()) => self.attach(io, Offer { link, session, attach }),
                Err(error) => io.refuse(link, error),
            },
            Event::Delivery(delivery) => self.handle_delivery(io, delivery),
            Event::Disposition {
                deliveries,
                state,
                settled,
            } => self.handle_disposition(io, &deliveries, (&state, settled)),
            Event::Credit { link, drain } => self.with_link(io, link, |node, io| node.handle_credit(io, link, drain)),
            Event::Detached { link, .. } => {
                self.with_link(io, link, |node, io| node.handle_detached(io, link));
                self.forget(link);
                io.amqp.broken.forget(link);
            }
            Event::Authenticate { .. }
            | Event::Opened(_)
            | Event::Begun(_)
            | Event::Attached { .. }
            | Event::Ended { .. }
            | Event::Closed { .. } => {}
        }
    }

    /// Polls the nodes that were woken.
    pub(super) fn poll(&mut self, io: &mut Io<'_, P>) {
        for id in self.ready.take() {
            let Some(entry) = self.entries.get_mut(&id) else {
                continue;
            };
            entry.waker.begin_poll();
            let waker = Waker::from(Arc::clone(&entry.waker));
            entry.node.events().poll(&mut Context::from_waker(&waker), io);
            self.after(id, io);
        }
    }

    /// Output was written or input came: those who waited for it are polled.
    pub(super) fn wake_waiting(&mut self) {
        for id in std::mem::take(&mut self.waiting) {
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.is_waiting = false;
                entry.waker.wake_by_ref();
            }
        }
    }

    /// Must nothing come in for now?
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked > 0
    }

    /// Claims came, went or were renewed: links that none covers any more end.
    pub(super) fn handle_claims_changed(&mut self, io: &mut Io<'_, P>, change: Change) {
        let ids: Vec<NodeId> = match change {
            Change::Identity(id) => self.shared.get(&Shared::Device(id)).copied().into_iter().collect(),
            Change::Any => self.entries.keys().copied().collect(),
        };
        for id in ids {
            let Some(entry) = self.entries.get_mut(&id) else {
                continue;
            };
            let refusal = entry
                .entity
                .as_deref()
                .and_then(|entity| io.claims.service(Permission::ServiceConnect, entity).err());
            match refusal {
                Some(error) => entry.node.events().handle_revoked(io, &amqp_error(&error)),
                None => entry.node.events().handle_claims_changed(io),
            }
            entry.waker.wake_by_ref();
            self.after(id, io);
        }
    }

    fn attach(&mut self, io: &mut Io<'_, P>, offer: Offer) {
        let attach = &offer.attach;
        let address = match attach.role {
            Role::Sender => attach.target.as_ref().and_then(|target| target.address.as_deref()),
            Role::Receiver => attach.source.as_ref().and_then(|source| source.address.as_deref()),
        };
        let text = address.unwrap_or_default().to_owned();
        match authorize(io, &text) {
            Ok((address, entity)) => self.attach_to(io, offer, (address, entity)),
            Err(error) => io.refuse(offer.link, error),
        }
    }

    fn attach_to(&mut self, io: &mut Io<'_, P>, offer: Offer, (address, entity): (Address<'_>, Option<String>)) {
        let Some(shared) = Shared::of(&address) else {
            let link = offer.link;
            match Node::of_link(io, &offer, &address) {
                Some(node) => {
                    let id = self.insert(node, None, entity);
                    self.take_link(io, (id, link), |_, _| ());
                }
                None => drop(io.take_gone()),
            }
            return;
        };
        let known = self.shared.get(&shared).copied();
        let id = known.unwrap_or_else(|| self.insert(Node::shared(&shared), Some(shared), entity));
        self.take_link(io, (id, offer.link), |node, io| node.attach(io, offer, &address));
    }

    fn take_link(
        &mut self,
        io: &mut Io<'_, P>,
        (id, link): (NodeId, LinkId),
        attach: impl FnOnce(&mut Node<P>, &mut Io<'_, P>),
    ) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.links += 1;
        self.links.insert(link, id);
        attach(&mut entry.node, io);
        entry.waker.wake_by_ref();
        self.after(id, io);
    }

    fn handle_delivery(&mut self, io: &mut Io<'_, P>, mut delivery: Delivery) {
        let link = delivery.receipt.link();
        match io.amqp.broken.handle_delivery(&mut delivery) {
            Fate::Passes => {}
            Fate::Doubles => {
                let first = delivery.clone();
                self.with_link(io, link, |node, io| node.handle_delivery(io, first));
            }
            Fate::Vanishes => {
                let _ = io.amqp.settle(delivery.receipt, DeliveryState::Accepted); // Its link is there.
                return;
            }
            Fate::Closes => return io.amqp.break_off(),
        }
        self.with_link(io, link, |node, io| node.handle_delivery(io, delivery));
    }

    /// One disposition of the peer's may be about messages of many links.
    fn handle_disposition(&mut self, io: &mut Io<'_, P>, deliveries: &[Sent], outcome: (&DeliveryState, bool)) {
        let (state, settled) = outcome;
        for of_link in deliveries.chunk_by(|a, b| a.link == b.link) {
            let Some(first) = of_link.first() else { continue };
            let broken = io.amqp.broken.outcome(first.link);
            self.with_link(io, first.link, |node, io| {
                node.handle_disposition(io, of_link, broken.as_ref().unwrap_or(state), settled);
            });
        }
    }

    fn with_link(
        &mut self,
        io: &mut Io<'_, P>,
        link: LinkId,
        act: impl FnOnce(&mut dyn NodeEvents<P>, &mut Io<'_, P>),
    ) {
        let Some(id) = self.links.get(&link).copied() else {
            return;
        };
        let Some(entry) = self.entries.get_mut(&id) else { return };
        act(entry.node.events(), io);
        entry.waker.wake_by_ref();
        self.after(id, io);
    }

    /// Follows up on what a node did when it was called.
    fn after(&mut self, id: NodeId, io: &mut Io<'_, P>) {
        if let Some(entry) = self.entries.get_mut(&id) {
            if io.take_wants_output() && !std::mem::replace(&mut entry.is_waiting, true) {
                self.waiting.push(id);
            }
            let is_blocked = entry.node.events().is_blocked();
            match (std::mem::replace(&mut entry.is_blocked, is_blocked), is_blocked) {
                (false, true) => self.blocked += 1,
                (true, false) => self.blocked -= 1,
                (false, false) | (true, true) => {}
            }
        }
        for sent in io.amqp.take_vanished() {
            if let Some(entry) = self.entries.get_mut(&id) {
                let node = entry.node.events();
                node.handle_disposition(io, &[sent], &DeliveryState::Accepted, true);
                entry.waker.wake_by_ref();
            }
        }
        for link in io.take_gone() {
            self.forget(link);
        }
    }

    /// A link is no more; a node goes with its last one.
    fn forget(&mut self, link: LinkId) {
        let Some(id) = self.links.remove(&link) else { return };
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.links -= 1;
        if entry.links > 0 {
            return;
        }
        let Some(entry) = self.entries.remove(&id) else { return };
        self.blocked -= usize::from(entry.is_blocked);
        if let Some(shared) = entry.shared {
            self.shared.remove(&shared);
        }
    }

    fn insert(&mut self, node: Node<P>, shared: Option<Shared>, entity: Option<String>) -> NodeId {
        self.next = self.next.wrapping_add(1);
        let id = NodeId(self.next);
        if let Some(shared) = &shared {
            self.shared.insert(shared.clone(), id);
        }
        let entry = Entry {
            node,
            links: 0,
            shared,
            entity: entity.map(Into::into),
            waker: self.ready.waker(id),
            is_waiting: false,
            is_blocked: false,
        };
        self.entries.insert(id, entry);
        id
    }
}

/// What is at an address, and the entity that has to be covered, if the peer may come near it. Devices are asked who
/// they are by their node.
fn authorize<'a, P: Ports>(io: &Io<'_, P>, text: &'a str) -> Result<(Address<'a>, Option<String>), AmqpError> {
    let own = &io.hub.info().hub_name;
    let address = Address::parse(text);
    if address != Some(Address::Cbs) && io.claims.is_stranger() {
        return Err(amqp_error(&Unauthorized::NoCredentials.into()));
    }
    let address = address.ok_or_else(|| entity_not_found(text))?;
    let entity = address.entity(own);
    if let Some(entity) = &entity {
        let claim = io.claims.service(Permission::ServiceConnect, entity);
        claim.map_err(|error| amqp_error(&error))?;
    }
    match address.event_hub() {
        Some(name) if !name.eq_ignore_ascii_case(own) => Err(entity_not_found(text)),
        _ => Ok((address, entity)),
    }
}

impl Shared {
    fn of(address: &Address<'_>) -> Option<Self> {
        match address {
            Address::Cbs => Some(Self::Cbs),
            Address::Management { .. } => Some(Self::Management),
            Address::Device(address) => Some(Self::Device(address.id.clone())),
            Address::C2dSend
            | Address::Feedback
            | Address::FileNotifications
            | Address::EventsOfHub
            | Address::Partition(_)
            | Address::EventHub { .. } => None,
        }
    }
}
