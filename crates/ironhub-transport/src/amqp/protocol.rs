//! The protocol of a connection, with fault rules between it and the nodes.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use ironhub_amqp::connection::{Connection, Event, Gone, LinkId, Outgoing, Receipt, SendError, Sent};
use ironhub_amqp::performative::DeliveryState;

use crate::faults::{BrokenLinks, Fate, Faults, LinkEvent};

/// A [`Connection`] whose sending and settling the rules can break; in all else it is that connection.
pub(super) struct Protocol {
    connection: Connection,
    pub(super) broken: BrokenLinks,
    /// Messages that a rule had vanish: they count as accepted.
    vanished: Vec<Sent>,
    must_close: bool,
    /// A rule has the connection wait so long before it does anything else.
    pause: Option<Duration>,
    /// What comes then.
    held: Option<Event>,
}

impl Protocol {
    pub(super) fn new(connection: Connection, faults: Faults) -> Self {
        Self {
            connection,
            broken: BrokenLinks::new(faults),
            vanished: Vec::new(),
            must_close: false,
            pause: None,
            held: None,
        }
    }

    /// The next event; none while the connection has to wait.
    pub(super) fn next_event(&mut self) -> Option<Event> {
        if self.pause.is_some() {
            return None;
        }
        let event = match self.held.take() {
            Some(event) => return Some(event),
            None => self.connection.poll_event()?,
        };
        if let Event::Delivery(delivery) = &event {
            self.pause = self.broken.delay(LinkEvent::In, delivery.receipt.link());
        }
        if self.pause.is_none() {
            return Some(event);
        }
        self.held = Some(event);
        None
    }

    /// How long the connection has to wait now.
    pub(super) fn take_pause(&mut self) -> Option<Duration> {
        self.pause.take()
    }

    /// Sends a message; see [`Connection::send`].
    pub(super) fn send(
        &mut self,
        link: LinkId,
        outgoing: Outgoing,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Sent, SendError> {
        if self.broken.is_idle() || !self.connection.can_send(link) {
            return self.connection.send(link, outgoing, write);
        }
        self.pause = self.pause.max(self.broken.delay(LinkEvent::Out, link));
        let mut payload = Vec::new();
        write(&mut payload);
        let fate = self.broken.handle_message(link, &mut payload);
        let copy = |out: &mut Vec<u8>| out.extend_from_slice(&payload);
        match fate {
            Fate::Passes => {}
            Fate::Doubles => drop(self.connection.send(link, outgoing, copy)),
            Fate::Closes => self.must_close = true,
            Fate::Vanishes => {
                let tag = outgoing.tag;
                let sent = Sent {
                    link,
                    delivery_id: 0,
                    tag,
                };
                self.vanished.extend((!outgoing.settled).then_some(sent));
                return Ok(sent);
            }
        }
        self.connection.send(link, outgoing, copy)
    }

    /// Says what became of a message; see [`Connection::settle`].
    pub(super) fn settle(&mut self, receipt: Receipt, state: DeliveryState) -> Result<(), Gone> {
        let state = self.broken.outcome(receipt.link()).unwrap_or(state);
        self.connection.settle(receipt, state)
    }

    /// Says of several messages that they were accepted; see [`Connection::accept_all`].
    pub(super) fn accept_all(&mut self, receipts: impl IntoIterator<Item = Receipt>) {
        if self.broken.is_idle() {
            return self.connection.accept_all(receipts);
        }
        for receipt in receipts {
            // Links that are gone are passed over.
            let _ = self.settle(receipt, DeliveryState::Accepted);
        }
    }

    /// A rule says that the connection is to end.
    pub(super) fn break_off(&mut self) {
        self.must_close = true;
    }

    pub(super) fn is_broken_off(&self) -> bool {
        self.must_close
    }

    pub(super) fn take_vanished(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.vanished)
    }
}

impl Deref for Protocol {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Protocol {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}
