//! One connection: bytes in, events out; calls in, bytes out. No socket, no clock.
//!
//! The caller reads its socket into [`Connection::handle_bytes`], takes [`Connection::poll_event`] until there is none,
//! answers, and writes [`Connection::output`]. Time comes in as an argument: [`Connection::poll_timeout`] says when
//! [`Connection::handle_timeout`] is due.
//!
//! Sending is pulled, not queued: [`Connection::can_send`] tells whether the peer has granted credit, its window is
//! open and the output is not too full; it may become true after any input and after any output that was written.
//! Receiving is paid with credit: [`Connection::grant`] sets how many messages may be under way or in the caller's
//! hands, [`Connection::settle`] frees one. A caller that falls behind stops settling, and the peer stops sending.
//!
//! ```
//! use ironhub_amqp::connection::{Config, Connection, Event, Side};
//! use ironhub_amqp::performative::{AmqpError, DeliveryState, Role, condition};
//!
//! /// What a server does between two reads of its socket; `now` comes from its clock.
//! fn serve(connection: &mut Connection, bytes: &[u8], now: std::time::Instant) {
//!     connection.handle_bytes(bytes, now);
//!     while let Some(event) = connection.poll_event() {
//!         match event {
//!             Event::Authenticate { .. } => connection.decide_sasl(true),
//!             Event::Attach { link, attach, .. } if attach.role == Role::Sender => {
//!                 // A client that detached meanwhile makes these fail; there is nothing to do about it.
//!                 let _ = connection.accept(link, attach.answer());
//!                 let _ = connection.grant(link, 100);
//!             }
//!             Event::Attach { link, .. } => {
//!                 let error = AmqpError::new(condition::NOT_FOUND, "There is nothing to receive.");
//!                 let _ = connection.refuse(link, error);
//!             }
//!             Event::Delivery(delivery) => {
//!                 println!("{} bytes", delivery.payload.len());
//!                 let _ = connection.settle(delivery.receipt, DeliveryState::Accepted);
//!             }
//!             _ => {}
//!         }
//!     }
//! }
//!
//! # let now = std::time::Instant::now();
//! let mut connection = Connection::new(Config::server("DeviceGateway_1"), Side::Server, now);
//! serve(&mut connection, b"AMQP\x00\x01\x00\x00", now);
//! assert_eq!(connection.output(), b"AMQP\x00\x01\x00\x00");
//! ```

mod config;
mod event;
mod handshake;
mod heartbeat;
mod incoming;
mod input;
mod links;
mod outgoing;
mod output;
mod sessions;

pub use config::{Config, Side};
pub use event::{Delivery, Event, Receipt, Sent};
pub use outgoing::{Outgoing, SendError};

use std::collections::VecDeque;
use std::time::Instant;

use crate::frame::{self, FrameKind};
use crate::limits::{ConnectionLimits, FRAME_BYTES_MIN, OUTPUT_BYTES_MAX};
use crate::link::Link;
use crate::performative::{AmqpError, Close, Performative, condition};
use crate::session::Session;
use crate::slots::{Key, Slots};
use heartbeat::{Due, Heartbeat};
use output::Output;

/// Names a session of one connection; never names another one later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub(crate) Key);

/// Names a link of one connection; never names another one later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(pub(crate) Key);

/// The session or link that was named is no more: the peer ended it meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session or link is gone")]
pub struct Gone;

/// Where a connection stands; what it waits for next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The peer's first protocol header.
    Header,
    /// As a server: the client's choice of mechanism.
    SaslInit,
    /// As a server: the caller's decision. Nothing is read meanwhile.
    SaslDecision,
    /// As a client: the server's mechanisms.
    SaslMechanisms,
    /// As a client: how authentication ended.
    SaslOutcome,
    /// The protocol header behind SASL.
    HeaderAfterSasl,
    /// The peer's open frame.
    OpenFrame,
    /// Anything.
    Open,
    /// The peer's answer to our close.
    Closing,
    /// Nothing: the rest of the output is written and that is all.
    Done,
}

/// The state of one connection.
#[derive(Debug)]
pub struct Connection {
    config: Config,
    side: Side,
    phase: Phase,
    limits: ConnectionLimits,
    /// A frame that has not come whole, or frames that wait for the caller's decision.
    input: Vec<u8>,
    output: Output,
    events: VecDeque<Event>,
    heartbeat: Heartbeat,
    peer_frame_bytes_max: usize,
    peer_channel_max: u16,
    sessions: Slots<Session>,
    /// Sessions by the peer's channel.
    channels: Vec<(u16, SessionId)>,
    links: Slots<Link>,
    /// Bytes of messages that are not the caller's yet, over all links.
    buffered_bytes: usize,
    /// Bytes of the names of all links.
    link_name_bytes: usize,
}

impl Connection {
    /// A connection on which nothing was said yet. A client's first bytes are in the output.
    pub fn new(config: Config, side: Side, now: Instant) -> Self {
        let mut connection = Self {
            heartbeat: Heartbeat::new(config.idle_time_out, now),
            config,
            side,
            phase: Phase::Header,
            limits: ConnectionLimits::UNAUTHENTICATED,
            input: Vec::new(),
            output: Output::default(),
            events: VecDeque::new(),
            peer_frame_bytes_max: FRAME_BYTES_MIN,
            peer_channel_max: u16::MAX,
            sessions: Slots::default(),
            channels: Vec::new(),
            links: Slots::default(),
            buffered_bytes: 0,
            link_name_bytes: 0,
        };
        connection.start();
        connection
    }

    /// What the peer may occupy from now on. A new connection has [`ConnectionLimits::UNAUTHENTICATED`].
    pub fn set_limits(&mut self, limits: ConnectionLimits) {
        self.limits = limits;
    }

    /// Takes bytes from the socket.
    pub fn handle_bytes(&mut self, bytes: &[u8], now: Instant) {
        self.heartbeat.handle_received(now);
        if self.input.is_empty() {
            let used = self.consume(bytes);
            self.keep_input(bytes.get(used..).unwrap_or_default());
        } else {
            self.keep_input(bytes);
            self.resume_input();
        }
        self.check_input();
    }

    /// Whether reading the socket makes sense: not while the caller owes a decision, not after the end, and not while
    /// the peer lets our answers pile up.
    pub fn wants_input(&self) -> bool {
        self.can_step() && self.output.len() < OUTPUT_BYTES_MAX
    }

    /// The next thing the peer did.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Bytes for the socket.
    pub fn output(&self) -> &[u8] {
        self.output.unwritten()
    }

    /// The first `len` bytes of the output were written to the socket.
    pub fn handle_written(&mut self, len: usize, now: Instant) {
        if len == 0 {
            return;
        }
        self.output.advance(len);
        self.heartbeat.handle_sent(now);
        self.send_unsent();
    }

    /// When [`Self::handle_timeout`] is due next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.phase == Phase::Done {
            None
        } else {
            self.heartbeat.poll_timeout()
        }
    }

    /// Does what is due: an empty frame for a peer that wants to hear something, the end for a peer that is silent.
    pub fn handle_timeout(&mut self, now: Instant) {
        match self.heartbeat.due(now) {
            Due::Nothing => {}
            Due::Send => {
                self.heartbeat.handle_sent(now);
                if self.phase == Phase::Open && self.output.len() == 0 {
                    frame::write(self.output.bytes_mut(), FrameKind::Amqp, 0, |_| ());
                }
            }
            Due::GiveUp => {
                let ms = self.config.idle_time_out.unwrap_or_default().as_millis();
                let text = format!("The connection was inactive for more than the allowed {ms} milliseconds.");
                self.fail(AmqpError::new(condition::CONNECTION_FORCED, text));
            }
        }
    }

    /// The peer is not to blame for silence until `now`: we did not read.
    pub fn handle_pause(&mut self, now: Instant) {
        self.heartbeat.handle_received(now);
    }

    /// Gives back memory that an idle connection needs not. Call it before waiting with nothing to write.
    pub fn release_idle(&mut self) {
        self.output.release();
        self.events.shrink_to_fit();
    }

    /// Ends the connection; no event follows. The peer is to answer, which [`Self::is_finished`] tells; a caller that
    /// closes its socket after a few seconds without an answer does nothing wrong.
    pub fn close(&mut self, error: Option<AmqpError>) {
        match self.phase {
            Phase::Open => {
                self.write(0, &Performative::Close(Close { error }));
                self.phase = Phase::Closing;
                self.forget_all();
            }
            Phase::Closing => {}
            Phase::Header
            | Phase::SaslInit
            | Phase::SaslDecision
            | Phase::SaslMechanisms
            | Phase::SaslOutcome
            | Phase::HeaderAfterSasl
            | Phase::OpenFrame
            | Phase::Done => self.finish(),
        }
    }

    /// Whether all has been said: once the output is written, the socket can be closed.
    pub fn is_finished(&self) -> bool {
        self.phase == Phase::Done
    }

    /// Sessions and links at this moment, for metrics.
    pub fn session_and_link_count(&self) -> (usize, usize) {
        (self.sessions.len(), self.links.len())
    }

    /// The session a link is on; `None` when the link is gone.
    pub fn session_of_link(&self, link: LinkId) -> Option<SessionId> {
        self.links.get(link.0).map(|link| link.session)
    }

    fn handle_close(&mut self, close: Close) {
        if self.phase == Phase::Open {
            self.write(0, &Performative::Close(Close::default()));
            self.events.push_back(Event::Closed { error: close.error });
        }
        self.finish();
    }

    /// What the peer makes us hold: sessions, links, unfinished and early messages, an unfinished frame.
    fn held_bytes(&self) -> usize {
        const SESSION_BYTES: usize = size_of::<Option<(u32, Session)>>() + size_of::<(u16, SessionId)>();
        const LINK_BYTES: usize = size_of::<Option<(u32, Link)>>() + size_of::<(Option<LinkId>, (u32, LinkId))>();
        let tables = self.sessions.len() * SESSION_BYTES + self.links.len() * LINK_BYTES;
        tables + self.link_name_bytes + self.buffered_bytes + self.input.len()
    }

    fn check_held(&self) -> Result<(), AmqpError> {
        if self.held_bytes() <= self.limits.held_bytes_max {
            return Ok(());
        }
        Err(AmqpError::new(
            condition::RESOURCE_LIMIT_EXCEEDED,
            "The connection holds too much.",
        ))
    }

    /// The peer broke the protocol, or is gone: says so if it can be said, and ends.
    fn fail(&mut self, error: AmqpError) {
        if self.phase == Phase::OpenFrame && self.side == Side::Server {
            self.write(0, &Performative::Open(self.config.open()));
        }
        if matches!(self.phase, Phase::OpenFrame | Phase::Open) {
            self.write(
                0,
                &Performative::Close(Close {
                    error: Some(error.clone()),
                }),
            );
        }
        if self.phase != Phase::Closing {
            self.events.push_back(Event::Closed { error: Some(error) });
        }
        self.finish();
    }

    fn finish(&mut self) {
        self.phase = Phase::Done;
        self.input = Vec::new();
        self.forget_all();
    }

    fn forget_all(&mut self) {
        self.sessions = Slots::default();
        self.links = Slots::default();
        self.channels = Vec::new();
        self.buffered_bytes = 0;
        self.link_name_bytes = 0;
    }

    fn write(&mut self, channel: u16, performative: &Performative) {
        frame::write(self.output.bytes_mut(), FrameKind::Amqp, channel, |out| {
            performative.write(out);
        });
    }
}
