use super::{Connection, Event, Gone, LinkId, SessionId};
use crate::limits::{HANDLE_MAX, LINK_NAME_BYTES_MAX, MESSAGE_BYTES_MAX};
use crate::link::{Link, LinkEnd, LinkState};
use crate::performative::{AmqpError, Attach, Detach, LinkFlow, Performative, Role, condition};
use crate::session::SessionState;

impl Connection {
    /// Asks for a link; [`Event::Attached`] or [`Event::Detached`] follows. The handle of `attach` is ours to choose.
    pub fn attach(&mut self, session_id: SessionId, mut attach: Attach) -> Result<LinkId, Gone> {
        let session = self.sessions.get(session_id.0).ok_or(Gone)?;
        if session.state == SessionState::Ending || self.links.len() >= self.limits.links_max {
            return Err(Gone);
        }
        attach.handle = session.links().handles.free(session.handle_max).ok_or(Gone)?;
        let link = Link::requested(session_id, attach.handle, &attach);
        let id = self.insert_link(link).ok_or(Gone)?;
        self.write(session_id.0.index, &Performative::Attach(Box::new(attach)));
        Ok(id)
    }

    /// Takes a link that the peer asked for. `answer` is made by [`Attach::answer`] and changed at will; its source and
    /// target are written even when they are empty, since two nulls mean a refusal to every client.
    pub fn accept(&mut self, id: LinkId, mut answer: Attach) -> Result<(), Gone> {
        let link = self
            .links
            .get_mut(id.0)
            .filter(|link| link.state == LinkState::Offered)
            .ok_or(Gone)?;
        answer.handle = link.handle;
        answer.role = link.role();
        answer.source.get_or_insert_default();
        answer.target.get_or_insert_default();
        answer.max_message_size.get_or_insert(MESSAGE_BYTES_MAX);
        link.state = LinkState::Attached;
        match &mut link.end {
            LinkEnd::Sender(sender) => {
                answer.initial_delivery_count = Some(sender.delivery_count());
                sender.set_settle_mode(answer.rcv_settle_mode);
            }
            LinkEnd::Receiver(receiver) => receiver.set_limit(answer.max_message_size),
        }
        let session = link.session;
        self.write(session.0.index, &Performative::Attach(Box::new(answer)));
        self.report_credit(id);
        self.hand_over_early(id);
        Ok(())
    }

    /// Refuses a link that the peer asked for: an attach without source and target, then a detach with the reason.
    pub fn refuse(&mut self, id: LinkId, error: AmqpError) -> Result<(), Gone> {
        let link = self
            .links
            .get(id.0)
            .filter(|link| link.state == LinkState::Offered)
            .ok_or(Gone)?;
        let attach = refusal(link);
        self.write(link.session.0.index, &Performative::Attach(Box::new(attach)));
        self.write_detach(id, Some(error));
        Ok(())
    }

    /// Ends a link; no event follows. What was sent on it and is not settled never will be.
    pub fn detach(&mut self, id: LinkId, error: Option<AmqpError>) -> Result<(), Gone> {
        match self.links.get(id.0).ok_or(Gone)?.state {
            LinkState::Detaching => Err(Gone),
            LinkState::Requested | LinkState::Attached => {
                self.write_detach(id, error);
                Ok(())
            }
            LinkState::Offered => self.refuse(
                id,
                error.unwrap_or_else(|| AmqpError::new(condition::DETACH_FORCED, "The link is not needed.")),
            ),
        }
    }

    pub(super) fn handle_attach(&mut self, session_id: SessionId, attach: Box<Attach>) {
        if let Some(link) = self.requested_link(session_id, &attach) {
            return self.handle_attach_answer(link, attach);
        }
        if attach.name.len() > LINK_NAME_BYTES_MAX || attach.handle > HANDLE_MAX {
            let error = AmqpError::new(
                condition::INVALID_FIELD,
                "The link's name is too long or its handle too high.",
            );
            return self.fail_session(session_id, error);
        }
        if let Some(old) = self.link_of(session_id, attach.handle) {
            if self
                .links
                .get(old.0)
                .is_some_and(|link| link.state != LinkState::Detaching)
            {
                let error = AmqpError::new(condition::HANDLE_IN_USE, "The handle is attached already.");
                return self.fail_session(session_id, error);
            }
            self.forget_link(old); // The peer does not answer our detach and begins anew.
        }
        let Some(handle) = self
            .sessions
            .get(session_id.0)
            .and_then(|session| session.links().handles.free(session.handle_max))
        else {
            let error = AmqpError::new(condition::RESOURCE_LIMIT_EXCEEDED, "No handle is left.");
            return self.fail_session(session_id, error);
        };
        let Some(link) = self.insert_link(Link::offered(session_id, handle, &attach)) else {
            let error = AmqpError::new(condition::RESOURCE_LIMIT_EXCEEDED, "Too many links.");
            return self.fail_session(session_id, error);
        };
        self.events.push_back(Event::Attach {
            link,
            session: session_id,
            attach,
        });
    }

    pub(super) fn handle_detach(&mut self, session: SessionId, detach: Detach) {
        let Some(id) = self.link_of(session, detach.handle) else {
            return;
        };
        let Some(link) = self.links.get(id.0) else { return };
        let (handle, state) = (link.handle, link.state);
        if state == LinkState::Offered {
            let attach = refusal(link);
            self.write(session.0.index, &Performative::Attach(Box::new(attach)));
        }
        if state != LinkState::Detaching {
            let answer = Detach {
                handle,
                closed: detach.closed,
                error: None,
            };
            self.write(session.0.index, &Performative::Detach(answer));
            self.events.push_back(Event::Detached {
                link: id,
                error: detach.error,
            });
        }
        self.forget_link(id);
    }

    /// The peer broke the protocol on this link: it is told, and so is the caller.
    pub(super) fn fail_link(&mut self, id: LinkId, error: AmqpError) {
        if self.detach(id, Some(error.clone())).is_ok() {
            self.events.push_back(Event::Detached {
                link: id,
                error: Some(error),
            });
        }
    }

    pub(super) fn link_of(&self, session: SessionId, theirs: u32) -> Option<LinkId> {
        self.sessions.get(session.0)?.links().handles.by_theirs(theirs)
    }

    pub(super) fn forget_link(&mut self, id: LinkId) {
        self.clear_link(id);
        let Some(link) = self.links.remove(id.0) else { return };
        self.link_name_bytes -= link.name.len();
        let Some(session) = self.sessions.get_mut(link.session.0) else {
            return;
        };
        session.links_mut().handles.set_ours(link.handle, None);
        if let Some(theirs) = link.remote_handle {
            session.links_mut().handles.remove_theirs(theirs);
        }
    }

    pub(super) fn write_link_flow(&mut self, id: LinkId) {
        let Some(link) = self.links.get(id.0).filter(|link| link.state == LinkState::Attached) else {
            return;
        };
        let (delivery_count, credit) = match &link.end {
            LinkEnd::Sender(sender) => (sender.delivery_count(), sender.credit()),
            LinkEnd::Receiver(receiver) => (receiver.delivery_count(), receiver.credit()),
        };
        let flow = LinkFlow {
            handle: link.handle,
            delivery_count: Some(delivery_count),
            link_credit: Some(credit),
            available: Some(0),
            drain: false,
        };
        let session = link.session;
        self.write_flow(session, Some(flow));
    }

    /// Tells the caller that it may send, or that the peer wants its credit used up.
    pub(super) fn report_credit(&mut self, id: LinkId) {
        let Some(link) = self.links.get(id.0).filter(|link| link.state == LinkState::Attached) else {
            return;
        };
        if let LinkEnd::Sender(sender) = &link.end
            && (sender.credit() > 0 || sender.is_draining())
        {
            self.events.push_back(Event::Credit {
                link: id,
                drain: sender.is_draining(),
            });
        }
    }

    fn requested_link(&self, session: SessionId, attach: &Attach) -> Option<LinkId> {
        let mut links = self.sessions.get(session.0)?.links().handles.links();
        links.find(|id| {
            self.links.get(id.0).is_some_and(|link| {
                let is_ours = link.state == LinkState::Requested && link.remote_handle.is_none();
                is_ours && *link.name == *attach.name && link.role() != attach.role
            })
        })
    }

    fn handle_attach_answer(&mut self, id: LinkId, attach: Box<Attach>) {
        let Some(link) = self.links.get_mut(id.0) else { return };
        link.remote_handle = Some(attach.handle);
        if let Some(session) = self.sessions.get_mut(link.session.0) {
            session.links_mut().handles.insert_theirs(attach.handle, id);
        }
        let is_refused = match &mut link.end {
            LinkEnd::Sender(sender) => {
                sender.set_peer_limit(attach.max_message_size);
                sender.set_settle_mode(attach.rcv_settle_mode);
                attach.target.is_none()
            }
            LinkEnd::Receiver(receiver) => {
                receiver.set_delivery_count(attach.initial_delivery_count);
                attach.source.is_none()
            }
        };
        if !is_refused {
            link.state = LinkState::Attached;
            self.events.push_back(Event::Attached { link: id, attach });
        } // Else its detach with the reason follows.
    }

    fn insert_link(&mut self, link: Link) -> Option<LinkId> {
        if self.links.len() >= self.limits.links_max {
            return None;
        }
        let (session_id, handle, theirs) = (link.session, link.handle, link.remote_handle);
        self.link_name_bytes += link.name.len();
        let id = LinkId(self.links.insert(link, u16::MAX).ok()?);
        let session = self.sessions.get_mut(session_id.0)?;
        session.links_mut().handles.set_ours(handle, Some(id));
        if let Some(theirs) = theirs {
            session.links_mut().handles.insert_theirs(theirs, id);
        }
        Some(id)
    }

    /// Says that a link is over. It stays known, so that what the peer still sends on it is recognised and dropped.
    fn write_detach(&mut self, id: LinkId, error: Option<AmqpError>) {
        self.clear_link(id);
        let Some(link) = self.links.get_mut(id.0) else { return };
        link.state = LinkState::Detaching;
        let (session, detach) = (
            link.session,
            Detach {
                handle: link.handle,
                closed: true,
                error,
            },
        );
        self.write(session.0.index, &Performative::Detach(detach));
    }

    /// Lets go of what a link holds and what is held for it.
    fn clear_link(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(id.0) else { return };
        if let LinkEnd::Receiver(receiver) = &mut link.end {
            self.buffered_bytes -= receiver.buffered_bytes();
            receiver.clear();
        }
        if let Some(session) = self.sessions.get_mut(link.session.0) {
            let links = session.links_mut();
            links.unsettled.remove_link(id);
            links.unsent = links.unsent.take().filter(|unsent| unsent.link != id);
        }
    }
}

/// The attach that says no: without source and target.
fn refusal(link: &Link) -> Attach {
    let role = link.role();
    Attach {
        handle: link.handle,
        initial_delivery_count: (role == Role::Sender).then_some(0),
        max_message_size: Some(MESSAGE_BYTES_MAX),
        ..Attach::new(&*link.name, role)
    }
}
