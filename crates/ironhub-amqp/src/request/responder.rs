use std::collections::VecDeque;

use crate::connection::{Connection, LinkId, Outgoing, Receipt, SendError, SessionId};
use crate::limits::REPLIES_HELD_MAX;
use crate::performative::{Attach, DeliveryState, DeliveryTag};

/// The answering side of one node (`$cbs` or `$management`) on one connection: finds the link that a reply goes to, and
/// holds replies until the client has granted credit, since uamqp asks first and grants later.
#[derive(Debug, Default)]
pub struct Responder {
    /// Links on which clients receive, oldest first.
    ends: Vec<End>,
    held: VecDeque<(LinkId, Vec<u8>)>,
    replies: u32,
}

#[derive(Debug)]
struct End {
    link: LinkId,
    session: SessionId,
    name: Box<str>,
    target: Option<Box<str>>,
}

/// Why a reply goes nowhere. The client times out; there is nobody to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// The session has no link on which the client receives from this node.
    #[error("no link for the reply")]
    NoLink,
    /// The client asks and asks and grants no credit.
    #[error("too many replies wait for credit")]
    TooManyHeld,
    /// The reply is larger than the client takes.
    #[error("the reply is larger than the client takes")]
    TooLarge,
}

impl Responder {
    /// A link on which the client receives from this node was accepted.
    pub fn handle_attached(&mut self, session: SessionId, link: LinkId, attach: &Attach) {
        let target = attach.target.as_ref().and_then(|target| target.address.as_deref());
        self.ends.push(End {
            link,
            session,
            name: attach.name.as_str().into(),
            target: target.map(Into::into),
        });
    }

    /// A link is gone; it may be none of ours.
    pub fn handle_detached(&mut self, link: LinkId) {
        self.ends.retain(|end| end.link != link);
        self.held.retain(|(to, _)| *to != link);
    }

    /// Sends what was held, oldest first, as far as credit and room go. Call it when the client has granted credit
    /// ([`crate::connection::Event::Credit`]) and when output was written.
    pub fn send_held(&mut self, connection: &mut Connection) {
        let mut waiting = VecDeque::new();
        while let Some((link, payload)) = self.held.pop_front() {
            let is_next = !waiting.iter().any(|(to, _)| *to == link);
            if is_next && connection.can_send(link) {
                // A reply that is too large for the client is lost for it either way.
                let _ = self.send(connection, link, &payload);
            } else {
                waiting.push_back((link, payload));
            }
        }
        self.held = waiting;
    }

    /// Whether replies wait for credit or room.
    pub fn has_held(&self) -> bool {
        !self.held.is_empty()
    }

    /// Settles the request and replies to it, in this order: uamqp wants to see its request accepted first.
    pub fn reply(
        &mut self,
        connection: &mut Connection,
        request: Receipt,
        reply_to: Option<&str>,
        payload: Vec<u8>,
    ) -> Result<(), ReplyError> {
        let session = connection.session_of_link(request.link()).ok_or(ReplyError::NoLink)?;
        let _ = connection.settle(request, DeliveryState::Accepted); // The link is there; it has just named its session.
        let link = self.route(session, reply_to).ok_or(ReplyError::NoLink)?;
        let is_next = !self.held.iter().any(|(to, _)| *to == link);
        if is_next && connection.can_send(link) {
            return self.send(connection, link, &payload);
        }
        if self.held.len() >= REPLIES_HELD_MAX {
            return Err(ReplyError::TooManyHeld);
        }
        self.held.push_back((link, payload));
        Ok(())
    }

    /// The link whose target or name is `reply_to`, else the session's newest: Node's receiver has no target, and uamqp
    /// sends no reply-to.
    fn route(&self, session: SessionId, reply_to: Option<&str>) -> Option<LinkId> {
        let ends = || self.ends.iter().rev().filter(|end| end.session == session);
        let named =
            ends().find(|end| reply_to.is_some_and(|name| end.target.as_deref() == Some(name) || *end.name == *name));
        named.or_else(|| ends().next()).map(|end| end.link)
    }

    fn send(&mut self, connection: &mut Connection, link: LinkId, payload: &[u8]) -> Result<(), ReplyError> {
        self.replies = self.replies.wrapping_add(1);
        let outgoing = Outgoing {
            tag: DeliveryTag::counted(self.replies),
            message_format: 0,
            settled: true,
        };
        match connection.send(link, outgoing, |out| out.extend_from_slice(payload)) {
            Ok(_) => Ok(()),
            Err(SendError::TooLarge) => Err(ReplyError::TooLarge),
            Err(SendError::Gone | SendError::NoCredit | SendError::Busy) => Err(ReplyError::NoLink),
        }
    }
}
