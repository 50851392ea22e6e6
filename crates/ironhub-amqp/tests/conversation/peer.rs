//! A client made of single frames, and what it hears as text.

use std::time::Instant;

use ironhub_amqp::connection::{Config, Connection, Delivery, Event, LinkId, SessionId, Side};
use ironhub_amqp::frame::{self, FrameKind};
use ironhub_amqp::performative::{
    AmqpError, Attach, Begin, DeliveryState, DeliveryTag, Disposition, Flow, LinkFlow, Open, Performative, Role,
    Source, Target, Transfer,
};
use ironhub_amqp::sasl::SaslFrame;
use ironhub_amqp::types::Encoded;

pub(crate) const AMQP: &[u8] = b"AMQP\x00\x01\x00\x00";
pub(crate) const SASL: &[u8] = b"AMQP\x03\x01\x00\x00";

#[expect(
    clippy::disallowed_methods,
    reason = "a starting point; the tests do not look at the clock again"
)]
pub(crate) fn start() -> Instant {
    Instant::now()
}

pub(crate) struct Peer {
    pub(crate) server: Connection,
    pub(crate) now: Instant,
}

impl Peer {
    pub(crate) fn new() -> Self {
        let now = start();
        Self {
            server: Connection::new(Config::server("ironhub"), Side::Server, now),
            now,
        }
    }

    /// Without SASL up to an open session on channel 0; what was said meanwhile is thrown away.
    pub(crate) fn with_session() -> (Self, SessionId) {
        Self::with_session_of(&open(), &begin())
    }

    pub(crate) fn with_session_of(open: &Open, begin: &Begin) -> (Self, SessionId) {
        let mut peer = Self::new();
        peer.say_bytes(AMQP);
        peer.say(0, &Performative::Open(open.clone()));
        peer.say(0, &Performative::Begin(begin.clone()));
        peer.hear();
        let session = peer.events().into_iter().find_map(|event| match event {
            Event::Begun(session) => Some(session),
            _ => None,
        });
        (peer, session.expect("a session"))
    }

    pub(crate) fn say_bytes(&mut self, bytes: &[u8]) {
        self.server.handle_bytes(bytes, self.now);
    }

    pub(crate) fn say(&mut self, channel: u16, performative: &Performative) {
        self.say_bytes(&encoded(channel, performative, b""));
    }

    pub(crate) fn say_transfer(&mut self, transfer: Transfer, payload: &[u8]) {
        self.say_bytes(&encoded(0, &Performative::Transfer(transfer), payload));
    }

    /// Asks for a link on channel 0; the server's name for it.
    pub(crate) fn attach(&mut self, attach: Attach) -> LinkId {
        self.say(0, &Performative::Attach(Box::new(attach)));
        self.attached()
    }

    /// The link that was asked for last.
    pub(crate) fn attached(&mut self) -> LinkId {
        let mut links = self.events().into_iter().filter_map(|event| match event {
            Event::Attach { link, .. } => Some(link),
            _ => None,
        });
        links.next_back().expect("an attach")
    }

    /// Asks for a link on channel 0 and has the server take it as it is.
    pub(crate) fn attach_accepted(&mut self, attach: Attach) -> LinkId {
        let answer = attach.answer();
        let link = self.attach(attach);
        self.server.accept(link, answer).expect("the link is there");
        self.hear();
        link
    }

    /// What the server said since the last time.
    pub(crate) fn hear(&mut self) -> Vec<String> {
        let output = self.server.output().to_vec();
        self.server.handle_written(output.len(), self.now);
        rendered(&output)
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, expected: &[&str]) {
        assert_eq!(self.hear(), expected);
    }

    pub(crate) fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.server.poll_event()).collect()
    }

    pub(crate) fn deliveries(&mut self) -> Vec<Delivery> {
        let events = self.events().into_iter();
        events
            .filter_map(|event| {
                if let Event::Delivery(delivery) = event {
                    Some(delivery)
                } else {
                    None
                }
            })
            .collect()
    }
}

pub(crate) fn encoded(channel: u16, performative: &Performative, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::write(&mut out, FrameKind::Amqp, channel, |out| {
        performative.write(out);
        out.extend_from_slice(payload);
    });
    out
}

pub(crate) fn open() -> Open {
    Open {
        container_id: "client".into(),
        ..Open::default()
    }
}

pub(crate) fn begin() -> Begin {
    Begin {
        remote_channel: None,
        next_outgoing_id: 0,
        incoming_window: 2048,
        outgoing_window: u32::MAX,
        handle_max: 255,
        offered_capabilities: Encoded::null(),
        desired_capabilities: Encoded::null(),
        properties: Encoded::null(),
    }
}

/// A link on which the client sends to `address`.
pub(crate) fn sender(handle: u32, address: &str) -> Attach {
    Attach {
        handle,
        source: Some(Source::default()),
        target: Some(Target::at(address)),
        ..Attach::new(format!("to {address}"), Role::Sender)
    }
}

/// A link on which the client receives from `address`.
pub(crate) fn receiver(handle: u32, address: &str) -> Attach {
    Attach {
        handle,
        source: Some(Source::at(address)),
        target: Some(Target::default()),
        ..Attach::new(format!("from {address}"), Role::Receiver)
    }
}

pub(crate) fn transfer(handle: u32, delivery_id: u32) -> Transfer {
    Transfer {
        handle,
        delivery_id: Some(delivery_id),
        delivery_tag: Some(DeliveryTag::counted(delivery_id)),
        message_format: Some(0),
        settled: false,
        more: false,
        rcv_settle_mode: None,
        state: None,
        aborted: false,
    }
}

pub(crate) fn credit(handle: u32, delivery_count: u32, link_credit: u32) -> Performative {
    let link = LinkFlow {
        handle,
        delivery_count: Some(delivery_count),
        link_credit: Some(link_credit),
        available: None,
        drain: false,
    };
    Performative::Flow(Flow {
        link: Some(link),
        ..window(0, 2048)
    })
}

pub(crate) fn window(next_incoming_id: u32, incoming_window: u32) -> Flow {
    Flow {
        next_incoming_id: Some(next_incoming_id),
        incoming_window,
        next_outgoing_id: 0,
        outgoing_window: 2048,
        link: None,
        echo: false,
    }
}

pub(crate) fn disposition(first: u32, last: u32, settled: bool, state: DeliveryState) -> Performative {
    Performative::Disposition(Disposition {
        role: Role::Receiver,
        first,
        last: Some(last),
        settled,
        state: Some(state),
    })
}

pub(crate) fn rendered(mut bytes: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    while !bytes.is_empty() {
        if bytes.starts_with(b"AMQP") {
            lines.push(if bytes.starts_with(AMQP) {
                "AMQP".into()
            } else {
                "SASL".into()
            });
            bytes = &bytes[8..];
            continue;
        }
        let (frame, len) = frame::first(bytes, usize::MAX)
            .expect("a frame")
            .expect("a whole frame");
        bytes = &bytes[len..];
        lines.push(match frame.kind {
            FrameKind::Sasl => sasl(frame.body),
            FrameKind::Amqp if frame.body.is_empty() => "heartbeat".into(),
            FrameKind::Amqp => format!("{} {}", frame.channel, amqp(frame.body)),
        });
    }
    lines
}

fn sasl(body: &[u8]) -> String {
    match SaslFrame::read(body).expect("a SASL frame") {
        SaslFrame::Mechanisms(names) => format!("mechanisms {}", names.texts().collect::<Vec<_>>().join(" ")),
        SaslFrame::Init { mechanism, .. } => format!("init {mechanism}"),
        SaslFrame::Outcome(outcome) => format!("outcome {outcome:?}"),
    }
}

fn amqp(body: &[u8]) -> String {
    let (performative, payload) = Performative::read(body).expect("a performative");
    match performative {
        Performative::Open(open) => format!("open {}", open.container_id),
        Performative::Begin(begin) => format!("begin for {}", optional(begin.remote_channel)),
        Performative::Attach(attach) => format!(
            "attach #{} {} {} -> {}",
            attach.handle,
            role(attach.role),
            attach
                .source
                .map_or("null".into(), |source| source.address.unwrap_or_default()),
            attach
                .target
                .map_or("null".into(), |target| target.address.unwrap_or_default()),
        ),
        Performative::Flow(flow) => match flow.link {
            None => format!(
                "flow next {} window {}",
                optional(flow.next_incoming_id),
                flow.incoming_window
            ),
            Some(link) => format!(
                "flow #{} count {} credit {}{}",
                link.handle,
                optional(link.delivery_count),
                optional(link.link_credit),
                if link.drain { " drain" } else { "" },
            ),
        },
        Performative::Transfer(transfer) => format!(
            "transfer #{} id {} {} bytes{}{}",
            transfer.handle,
            optional(transfer.delivery_id),
            payload.len(),
            if transfer.settled { " settled" } else { "" },
            if transfer.more { " more" } else { "" },
        ),
        Performative::Disposition(disposition) => format!(
            "disposition {} {} {}{}",
            role(disposition.role),
            match disposition.last.filter(|last| *last != disposition.first) {
                Some(last) => format!("{}..{last}", disposition.first),
                None => disposition.first.to_string(),
            },
            disposition.state.map_or("none", state),
            if disposition.settled { " settled" } else { "" },
        ),
        Performative::Detach(detach) => format!("detach #{}{}", detach.handle, reason(detach.error)),
        Performative::End(end) => format!("end{}", reason(end.error)),
        Performative::Close(close) => format!("close{}", reason(close.error)),
    }
}

fn optional<T: ToString>(value: Option<T>) -> String {
    value.map_or("null".into(), |value| value.to_string())
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Sender => "sender",
        Role::Receiver => "receiver",
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is the function of a map_or")]
fn state(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Accepted => "accepted",
        DeliveryState::Rejected(_) => "rejected",
        DeliveryState::Released => "released",
        DeliveryState::Modified { .. } => "modified",
        DeliveryState::Received { .. } => "received",
        DeliveryState::Other => "other",
    }
}

fn reason(error: Option<AmqpError>) -> String {
    error.map(|error| format!(" {}", error.condition)).unwrap_or_default()
}
