use super::{Connection, Event, Gone, LinkId, Phase, SessionId};
use crate::limits::CHANNEL_MAX;
use crate::link::{LinkEnd, LinkState};
use crate::performative::{AmqpError, Begin, End, Flow, LinkFlow, Performative, condition};
use crate::session::{Session, SessionState};

impl Connection {
    /// Begins a session; links can be asked for once [`Event::Begun`] has told that the peer answered. `None` when the
    /// peer takes no more sessions, and while the connection is not open.
    pub fn begin(&mut self) -> Option<SessionId> {
        if self.phase != Phase::Open {
            return None;
        }
        let session = self.insert_session(Session::new(SessionState::Requested))?;
        self.write_begin(session, None);
        Some(session)
    }

    /// Ends a session; its links are gone at once, and no event follows.
    pub fn end(&mut self, session: SessionId, error: Option<AmqpError>) -> Result<(), Gone> {
        let state = self.sessions.get(session.0).ok_or(Gone)?.state;
        if state == SessionState::Ending {
            return Err(Gone);
        }
        self.write(session.0.index, &Performative::End(End { error }));
        self.forget_links(session);
        if let Some(session) = self.sessions.get_mut(session.0) {
            *session = Session::new(SessionState::Ending);
        }
        Ok(())
    }

    pub(super) fn session_of(&self, channel: u16) -> Option<SessionId> {
        let index = self
            .channels
            .binary_search_by_key(&channel, |(theirs, _)| *theirs)
            .ok()?;
        self.channels.get(index).map(|(_, session)| *session)
    }

    pub(super) fn handle_begin(&mut self, channel: u16, begin: &Begin) -> Result<(), AmqpError> {
        if channel > CHANNEL_MAX {
            return Err(AmqpError::new(
                condition::FRAMING_ERROR,
                "The channel number is too high.",
            ));
        }
        if let Some(old) = self.session_of(channel) {
            if self
                .sessions
                .get(old.0)
                .is_some_and(|session| session.state != SessionState::Ending)
            {
                return Err(AmqpError::new(
                    condition::NOT_ALLOWED,
                    "The channel has a session already.",
                ));
            }
            self.forget_session(old); // The peer does not answer our end and begins anew.
        }
        let session = match begin.remote_channel {
            Some(ours) => self.requested_session(ours),
            None => self.insert_session(Session::new(SessionState::Active)),
        };
        let Some(id) = session else {
            return Err(AmqpError::new(
                condition::RESOURCE_LIMIT_EXCEEDED,
                "Too many sessions, or an answer to none.",
            ));
        };
        let place = self.channels.partition_point(|(theirs, _)| *theirs < channel);
        self.channels.insert(place, (channel, id));
        let Some(session) = self
            .sessions
            .get_mut(id.0)
            .filter(|session| session.state != SessionState::Ending)
        else {
            return Ok(()); // We ended it before the peer has answered; its end follows.
        };
        session.windows.handle_begin(begin);
        session.handle_max = begin.handle_max;
        session.state = SessionState::Active;
        if begin.remote_channel.is_none() {
            self.write_begin(id, Some(channel));
        }
        self.events.push_back(Event::Begun(id));
        Ok(())
    }

    pub(super) fn dispatch_session(&mut self, session: SessionId, performative: Performative, payload: &[u8]) {
        let is_ending = self
            .sessions
            .get(session.0)
            .is_none_or(|session| session.state == SessionState::Ending);
        match performative {
            Performative::End(end) => self.handle_end(session, end, is_ending),
            _ if is_ending => {}
            Performative::Attach(attach) => self.handle_attach(session, attach),
            Performative::Flow(flow) => self.handle_flow(session, &flow),
            Performative::Transfer(transfer) => self.handle_transfer(session, &transfer, payload),
            Performative::Disposition(disposition) => self.handle_disposition(session, disposition),
            Performative::Detach(detach) => self.handle_detach(session, detach),
            Performative::Open(_) | Performative::Begin(_) | Performative::Close(_) => {}
        }
    }

    /// The peer broke the protocol in this session: it is told, and so is the caller.
    pub(super) fn fail_session(&mut self, session: SessionId, error: AmqpError) {
        self.report_links(session);
        if self.end(session, Some(error.clone())).is_ok() {
            self.events.push_back(Event::Ended {
                session,
                error: Some(error),
            });
        }
    }

    /// Tells the peer our windows, and on a link our credit.
    pub(super) fn write_flow(&mut self, session: SessionId, link: Option<LinkFlow>) {
        let Some(state) = self.sessions.get_mut(session.0) else {
            return;
        };
        let flow = Flow {
            link,
            ..state.windows.flow()
        };
        self.write(session.0.index, &Performative::Flow(flow));
    }

    fn handle_end(&mut self, session: SessionId, end: End, is_ending: bool) {
        if !is_ending {
            self.report_links(session);
            self.forget_links(session);
            self.write(session.0.index, &Performative::End(End::default()));
            self.events.push_back(Event::Ended {
                session,
                error: end.error,
            });
        }
        self.forget_session(session);
    }

    fn handle_flow(&mut self, session_id: SessionId, flow: &Flow) {
        let Some(session) = self.sessions.get_mut(session_id.0) else {
            return;
        };
        session.windows.handle_flow(flow);
        match flow.link {
            None if flow.echo => self.write_flow(session_id, None),
            None => {}
            Some(link_flow) => {
                // A flow for a link that is gone is late, not wrong.
                if let Some(link) = session.links().handles.by_theirs(link_flow.handle) {
                    self.handle_link_flow(link, &link_flow);
                    if flow.echo {
                        self.write_link_flow(link);
                    }
                }
            }
        }
        self.send_unsent();
    }

    fn handle_link_flow(&mut self, id: LinkId, flow: &LinkFlow) {
        let Some(link) = self.links.get_mut(id.0) else { return };
        match &mut link.end {
            LinkEnd::Receiver(receiver) => receiver.handle_flow(flow.delivery_count),
            LinkEnd::Sender(sender) => {
                sender.handle_flow(flow);
                self.report_credit(id);
            }
        }
    }

    fn forget_session(&mut self, session: SessionId) {
        self.channels.retain(|(_, id)| *id != session);
        self.sessions.remove(session.0);
    }

    fn insert_session(&mut self, session: Session) -> Option<SessionId> {
        if self.sessions.len() >= self.limits.sessions_max {
            return None;
        }
        self.sessions
            .insert(session, self.peer_channel_max.min(CHANNEL_MAX))
            .ok()
            .map(SessionId)
    }

    fn requested_session(&self, ours: u16) -> Option<SessionId> {
        let mut sessions = self
            .sessions
            .iter()
            .map(|(key, session)| (SessionId(key), session.state));
        let (id, state) = sessions.find(|(id, _)| id.0.index == ours)?;
        let is_answered = self.channels.iter().any(|(_, answered)| *answered == id);
        (state != SessionState::Active && !is_answered).then_some(id)
    }

    fn write_begin(&mut self, id: SessionId, remote_channel: Option<u16>) {
        let Some(session) = self.sessions.get(id.0) else { return };
        let begin = session.windows.begin(remote_channel);
        self.write(id.0.index, &Performative::Begin(begin));
    }

    /// Tells the caller that the links of a session are over, without a reason of their own.
    fn report_links(&mut self, session: SessionId) {
        for link in self.links_of(session) {
            if self
                .links
                .get(link.0)
                .is_some_and(|link| link.state != LinkState::Detaching)
            {
                self.events.push_back(Event::Detached { link, error: None });
            }
        }
    }

    fn links_of(&self, session: SessionId) -> Vec<LinkId> {
        self.sessions
            .get(session.0)
            .map(|session| session.links().handles.links().collect())
            .unwrap_or_default()
    }

    fn forget_links(&mut self, session: SessionId) {
        for link in self.links_of(session) {
            self.forget_link(link);
        }
    }
}
