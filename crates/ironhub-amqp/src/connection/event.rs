use super::{LinkId, SessionId};
use crate::performative::{AmqpError, Attach, DeliveryState, DeliveryTag, Open};
use crate::sasl::Credentials;

/// What the peer did that the caller has to know, in the order in which it happened.
#[derive(Debug)]
pub enum Event {
    /// A client presents credentials: answer with [`super::Connection::decide_sasl`]; nothing else is read before.
    Authenticate {
        /// What it says about itself.
        credentials: Credentials,
        /// The host it means to reach.
        hostname: Option<String>,
    },
    /// The connection is open; this is the peer's side of it.
    Opened(Box<Open>),
    /// A session has begun.
    Begun(SessionId),
    /// The peer wants a link: answer with [`super::Connection::accept`] or [`super::Connection::refuse`], now or
    /// later. Transfers that come before are kept, up to a limit.
    Attach {
        /// Our name for the link.
        link: LinkId,
        /// The session it is on.
        session: SessionId,
        /// What the peer asks for, seen from its end: role sender means that it sends.
        attach: Box<Attach>,
    },
    /// The peer took a link that we asked for; its answer.
    Attached {
        /// The link.
        link: LinkId,
        /// What the peer answered.
        attach: Box<Attach>,
    },
    /// A whole message has come.
    Delivery(Delivery),
    /// The peer says what became of messages of ours.
    Disposition {
        /// The messages, in the order they were sent; each is named once, however often the peer repeats itself.
        deliveries: Vec<Sent>,
        /// What became of them.
        state: DeliveryState,
        /// The matter is settled. If not, the link is in receiver-settle-mode second and the peer waits for
        /// [`super::Connection::confirm`].
        settled: bool,
    },
    /// The peer grants credit on a link on which we send, or asks to use it up.
    Credit {
        /// The link.
        link: LinkId,
        /// Send what there is, then call [`super::Connection::drained`].
        drain: bool,
    },
    /// The link is over. Messages of ours that were not settled will not be.
    Detached {
        /// The link.
        link: LinkId,
        /// Why, when the peer or the protocol gave a reason.
        error: Option<AmqpError>,
    },
    /// The session is over; its links were reported before.
    Ended {
        /// The session.
        session: SessionId,
        /// Why.
        error: Option<AmqpError>,
    },
    /// The connection is over, with all its sessions and links. Write the remaining output, then close the socket.
    Closed {
        /// Why: the peer's reason, or what the peer did wrong.
        error: Option<AmqpError>,
    },
}

/// A message that has come whole.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Hand this to [`super::Connection::settle`] when done, also for messages the peer has settled: it frees the
    /// credit.
    pub receipt: Receipt,
    /// The peer's name for it.
    pub tag: DeliveryTag,
    /// 0, or [`crate::message::batch::MESSAGE_FORMAT`].
    pub message_format: u32,
    /// The encoded message.
    pub payload: Vec<u8>,
}

/// Names a delivery that has come and is to be settled once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    pub(crate) link: LinkId,
    pub(crate) delivery_id: u32,
    pub(crate) settled: bool,
}

impl Receipt {
    /// The link it came on.
    pub fn link(&self) -> LinkId {
        self.link
    }

    /// Whether the peer settled it when sending: no outcome is reported then.
    pub fn is_settled(&self) -> bool {
        self.settled
    }
}

/// Names a message of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// The link it was sent on.
    pub link: LinkId,
    /// Its position among the session's deliveries.
    pub delivery_id: u32,
    /// The tag it was sent with.
    pub tag: DeliveryTag,
}
