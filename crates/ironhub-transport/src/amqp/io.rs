//! What a node may use while it is called.

use std::sync::Arc;

use ironhub_amqp::connection::{Gone, LinkId};
use ironhub_amqp::performative::{AmqpError, Attach};
use ironhub_hub::{Hub, Ports};
use tracing::debug;

use super::AmqpService;
use super::claims::Claims;
use super::protocol::Protocol;
use crate::peer::Peer;

/// What stays the same for a whole connection.
pub(super) struct Around<P: Ports> {
    /// What all connections share.
    pub(super) service: Arc<AmqpService<P>>,
    /// Who is at the other end.
    pub(super) peer: Peer,
    /// The hub's name by which the client called it, once it is known.
    pub(super) host: Option<Box<str>>,
}

/// The connection around a node: how it speaks to its peer and to the hub.
///
/// A node sends, grants and settles with [`Io::amqp`] itself; it accepts, refuses and detaches by the methods here, so
/// that the table of nodes knows which links are left.
pub(super) struct Io<'a, P: Ports> {
    /// The hub.
    pub(super) hub: &'a Hub<P>,
    /// The protocol.
    pub(super) amqp: &'a mut Protocol,
    /// What the peer has proved.
    pub(super) claims: &'a mut Claims<P>,
    /// Who is at the other end.
    pub(super) peer: &'a Peer,
    /// What all connections share.
    pub(super) service: &'a AmqpService<P>,
    /// The hub's name by which the client calls it.
    pub(super) host: &'a str,
    gone: Vec<LinkId>,
    wants_output: bool,
}

impl<'a, P: Ports> Io<'a, P> {
    pub(super) fn new(around: &'a Around<P>, amqp: &'a mut Protocol, claims: &'a mut Claims<P>) -> Self {
        let hub = &around.service.hub;
        let own_name = hub.info().host_names.first().map_or("localhost", String::as_str);
        Self {
            hub,
            amqp,
            claims,
            peer: &around.peer,
            service: &around.service,
            host: around.host.as_deref().unwrap_or(own_name),
            gone: Vec::new(),
            wants_output: false,
        }
    }

    /// Takes a link as `answer` says; see `Connection::accept`. Fails when the peer has left it meanwhile.
    pub(super) fn accept(&mut self, link: LinkId, answer: Attach) -> Result<(), Gone> {
        self.amqp.accept(link, answer)
    }

    /// Refuses a link. Its node hears no more of it.
    pub(super) fn refuse(&mut self, link: LinkId, error: AmqpError) {
        metrics::counter!("ironhub_amqp_attaches_refused_total", "condition" => error.condition.clone().into_owned())
            .increment(1);
        if let Some(held_back) = self.service.refusals.pass() {
            let (peer, condition) = (self.peer.address(), &*error.condition);
            debug!(%peer, condition, description = error.description.as_deref(), held_back, "link refused");
        }
        let _ = self.amqp.refuse(link, error); // A peer that has left it meanwhile needs no refusal.
        self.gone.push(link);
    }

    /// Ends a link. Its node hears no more of it.
    pub(super) fn detach(&mut self, link: LinkId, error: Option<AmqpError>) {
        let _ = self.amqp.detach(link, error); // A peer that has left it meanwhile needs no detach.
        self.gone.push(link);
    }

    /// Has the node polled again when output was written or input came: `Connection::can_send` may have become true.
    pub(super) fn want_output(&mut self) {
        self.wants_output = true;
    }

    pub(super) fn take_gone(&mut self) -> Vec<LinkId> {
        std::mem::take(&mut self.gone)
    }

    pub(super) fn take_wants_output(&mut self) -> bool {
        std::mem::take(&mut self.wants_output)
    }
}
