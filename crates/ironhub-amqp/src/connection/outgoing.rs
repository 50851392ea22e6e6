use super::{Connection, Event, Gone, LinkId, Sent, SessionId};
use crate::frame::{self, FrameKind};
use crate::limits::OUTPUT_BYTES_HIGH;
use crate::link::{Link, LinkEnd, LinkState};
use crate::performative::{DeliveryState, DeliveryTag, Disposition, Performative, Role, Transfer};
use crate::session::{Session, Unsent};

/// What a message of ours is sent with.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing {
    /// Our name for it; what .NET settles must have 16 bytes.
    pub tag: DeliveryTag,
    /// 0, or [`crate::message::batch::MESSAGE_FORMAT`].
    pub message_format: u32,
    /// Whether it is settled by being sent: no disposition follows then.
    pub settled: bool,
}

/// Why a message was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The link is not attached, or not for sending.
    #[error("the link is gone")]
    Gone,
    /// The peer has granted no credit; [`Event::Credit`] tells when it does.
    #[error("the link has no credit")]
    NoCredit,
    /// The peer's window is closed, too many messages are not settled, a large message is not yet out, or the output
    /// is full: try again after the next input or written output.
    #[error("the session is busy")]
    Busy,
    /// The peer takes no message of that size.
    #[error("the message is larger than the peer takes")]
    TooLarge,
}

impl Connection {
    /// Whether [`Self::send`] would send.
    pub fn can_send(&self, id: LinkId) -> bool {
        self.check_send(id).is_ok()
    }

    /// Messages that the peer still takes on a link on which we send.
    pub fn credit(&self, id: LinkId) -> u32 {
        match self.links.get(id.0).map(|link| &link.end) {
            Some(LinkEnd::Sender(sender)) => sender.credit(),
            Some(LinkEnd::Receiver(_)) | None => 0,
        }
    }

    /// Sends one message, which `write` appends. It is written once, straight into the output; only when it does not fit
    /// one frame of the peer it is moved.
    pub fn send(
        &mut self,
        id: LinkId,
        outgoing: Outgoing,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Sent, SendError> {
        self.check_send(id)?;
        let link = self.links.get_mut(id.0).ok_or(SendError::Gone)?;
        let session_id = link.session;
        let session = self.sessions.get_mut(session_id.0).ok_or(SendError::Gone)?;
        let LinkEnd::Sender(sender) = &mut link.end else {
            return Err(SendError::Gone);
        };

        let delivery_id = session.next_delivery_id;
        let transfer = transfer(link.handle, delivery_id, outgoing);
        let out = self.output.bytes_mut();
        let start = frame::begin(out, FrameKind::Amqp, session_id.0.index);
        transfer.write(out);
        let payload_start = out.len();
        write(out);
        let payload_len = u64::try_from(out.len() - payload_start).unwrap_or(u64::MAX);
        if payload_len > sender.message_bytes_max() {
            out.truncate(start);
            return Err(SendError::TooLarge);
        }
        let is_split = out.len() - start > self.peer_frame_bytes_max;
        if is_split {
            let payload = out.split_off(payload_start);
            out.truncate(start);
            session.links_mut().unsent = Some(Box::new(Unsent {
                link: id,
                transfer,
                payload,
                sent_bytes: 0,
            }));
        } else {
            frame::finish(out, start);
            session.windows.take_outgoing();
        }
        sender.take_credit();
        session.next_delivery_id = delivery_id.wrapping_add(1);
        let sent = Sent {
            link: id,
            delivery_id,
            tag: outgoing.tag,
        };
        if !outgoing.settled {
            session.links_mut().unsettled.push(sent);
        }
        if is_split {
            self.send_unsent_of(session_id);
        }
        Ok(sent)
    }

    /// There is nothing more to send on a link whose peer asked to use up its credit.
    pub fn drained(&mut self, id: LinkId) -> Result<(), Gone> {
        let link = self
            .links
            .get_mut(id.0)
            .filter(|link| link.state == LinkState::Attached)
            .ok_or(Gone)?;
        let LinkEnd::Sender(sender) = &mut link.end else {
            return Err(Gone);
        };
        if sender.drain() {
            self.write_drained(id);
        }
        Ok(())
    }

    /// Answers an outcome that the peer has not settled (receiver-settle-mode second) with what we made of it: the same
    /// state, or for example rejected when a lock was lost. This settles the message.
    pub fn confirm(&mut self, sent: &Sent, state: DeliveryState) -> Result<(), Gone> {
        let session_id = self.links.get(sent.link.0).ok_or(Gone)?.session;
        let session = self.sessions.get_mut(session_id.0).ok_or(Gone)?;
        if !session.links_mut().unsettled.remove(sent.delivery_id) {
            return Err(Gone);
        }
        let disposition = Disposition {
            role: Role::Sender,
            first: sent.delivery_id,
            last: None,
            settled: true,
            state: Some(state),
        };
        self.write(session_id.0.index, &Performative::Disposition(disposition));
        Ok(())
    }

    pub(super) fn handle_disposition(&mut self, session_id: SessionId, disposition: Disposition) {
        if disposition.role == Role::Sender {
            return; // The peer settles what it sent; we settled it when we received it.
        }
        let Some(session) = self.sessions.get_mut(session_id.0) else {
            return;
        };
        let state = disposition.state.unwrap_or(DeliveryState::Accepted);
        let (is_settled, is_outcome) = (disposition.settled, state.is_outcome());
        if !is_settled && !is_outcome {
            return; // Progress of a large message, or an extension's business.
        }
        let links = &self.links;
        let waits = |sent: &Sent| links.get(sent.link.0).is_some_and(settles_second);
        let last = disposition.last.unwrap_or(disposition.first);
        let deliveries = session
            .links_mut()
            .unsettled
            .take(disposition.first, last, |sent| is_settled || !waits(sent));
        let (waiting, done): (Vec<_>, Vec<_>) = deliveries.into_iter().partition(|sent| !is_settled && waits(sent));
        if !waiting.is_empty() {
            self.events.push_back(Event::Disposition {
                deliveries: waiting,
                state: state.clone(),
                settled: false,
            });
        }
        if !done.is_empty() {
            self.events.push_back(Event::Disposition {
                deliveries: done,
                state,
                settled: true,
            });
        }
    }

    /// Goes on with messages that did not fit the peer's windows or our output.
    pub(super) fn send_unsent(&mut self) {
        let waiting: Vec<SessionId> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.links().unsent.is_some())
            .map(|(key, _)| SessionId(key))
            .collect();
        for session in waiting {
            self.send_unsent_of(session);
        }
    }

    fn send_unsent_of(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id.0) else {
            return;
        };
        let Some(mut unsent) = session.links_mut().unsent.take() else {
            return;
        };
        while session.windows.outgoing_left() > 0 && self.output.len() < OUTPUT_BYTES_HIGH {
            let out = self.output.bytes_mut();
            let start = frame::begin(out, FrameKind::Amqp, id.0.index);
            let is_last = unsent.write_frame(out, self.peer_frame_bytes_max - frame::HEADER_BYTES);
            frame::finish(out, start);
            session.windows.take_outgoing();
            if is_last {
                return;
            }
        }
        session.links_mut().unsent = Some(unsent);
    }

    fn check_send(&self, id: LinkId) -> Result<(), SendError> {
        let link = self
            .links
            .get(id.0)
            .filter(|link| link.state == LinkState::Attached)
            .ok_or(SendError::Gone)?;
        let session = self.sessions.get(link.session.0).ok_or(SendError::Gone)?;
        let LinkEnd::Sender(sender) = &link.end else {
            return Err(SendError::Gone);
        };
        if sender.credit() == 0 {
            return Err(SendError::NoCredit);
        }
        if self.output.len() >= OUTPUT_BYTES_HIGH || is_busy(session) {
            Err(SendError::Busy)
        } else {
            Ok(())
        }
    }

    fn write_drained(&mut self, id: LinkId) {
        // The flow says drain again: that is how the peer knows which of its requests was answered.
        let Some(link) = self.links.get(id.0) else { return };
        let LinkEnd::Sender(sender) = &link.end else { return };
        let flow = crate::performative::LinkFlow {
            handle: link.handle,
            delivery_count: Some(sender.delivery_count()),
            link_credit: Some(0),
            available: Some(0),
            drain: true,
        };
        let session = link.session;
        self.write_flow(session, Some(flow));
    }
}

fn is_busy(session: &Session) -> bool {
    let links = session.links();
    links.unsent.is_some() || session.windows.outgoing_left() == 0 || links.unsettled.is_full()
}

fn settles_second(link: &Link) -> bool {
    matches!(&link.end, LinkEnd::Sender(sender) if sender.settles_second())
}

fn transfer(handle: u32, delivery_id: u32, outgoing: Outgoing) -> Transfer {
    Transfer {
        handle,
        delivery_id: Some(delivery_id),
        delivery_tag: Some(outgoing.tag),
        message_format: Some(outgoing.message_format),
        settled: outgoing.settled,
        more: false,
        rcv_settle_mode: None,
        state: None,
        aborted: false,
    }
}
