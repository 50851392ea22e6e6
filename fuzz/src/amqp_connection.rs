//! Any frame in any state: a peer that says whatever it likes to a connection whose owner does whatever it may.

mod frames;
mod written;

use std::time::{Duration, Instant};

use ironhub_amqp::connection::{Config, Connection, Delivery, Event, LinkId, Outgoing, Sent, SessionId, Side};
use ironhub_amqp::limits::{ConnectionLimits, FRAME_BYTES_MAX, OUTPUT_BYTES_MAX};
use ironhub_amqp::performative::{AmqpError, Attach, DeliveryState, DeliveryTag, Role, Source, Target, condition};
use ironhub_amqp::sasl::Credentials;

use crate::script::Script;
use written::Written;

/// Things of one kind that the owner remembers; older ones are forgotten, as a careless owner would.
const REMEMBERED_MAX: usize = 32;

/// What one step may add to the output over the point at which the connection asks for no more input: answers to a step
/// of input, and one message of the owner's.
const STEP_OUTPUT_BYTES_MAX: usize = 2 * FRAME_BYTES_MAX;

pub(crate) fn run(data: &[u8]) {
    let mut script = Script::new(data);
    let mut scene = Scene::new(&mut script);
    while !script.is_over() {
        scene.step(&mut script);
        scene.take_events();
        scene.check();
    }
    scene.leave();
}

struct Scene {
    connection: Connection,
    limits: ConnectionLimits,
    now: Instant,
    written: Written,
    sessions: Vec<SessionId>,
    offered: Vec<(LinkId, Attach)>,
    links: Vec<LinkId>,
    deliveries: Vec<Delivery>,
    waiting: Vec<Sent>,
    is_closed: bool,
}

impl Scene {
    fn new(script: &mut Script<'_>) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "a starting point; time moves by the script alone"
        )]
        let now = Instant::now();
        let side = match script.byte() {
            ..=199 => Side::Server,
            200..=227 => Side::Client(None),
            _ => Side::Client(Some(Credentials::Anonymous)),
        };
        Self {
            written: Written::new(&side),
            connection: Connection::new(Config::server("ironhub"), side, now),
            limits: ConnectionLimits::UNAUTHENTICATED,
            now,
            sessions: Vec::new(),
            offered: Vec::new(),
            links: Vec::new(),
            deliveries: Vec::new(),
            waiting: Vec::new(),
            is_closed: false,
        }
    }

    fn step(&mut self, script: &mut Script<'_>) {
        match script.byte() % 24 {
            0 => self.hear(script.bytes(255)),
            1..=12 => self.hear(&frames::frame(script)),
            13 => self.hear(frames::header(script)),
            14 => self.hear(&frames::sasl(script)),
            15 => self.write(usize::from(script.byte()) * 16),
            16 => self.write(usize::MAX),
            17 => self.pass(script),
            18 => self.answer_attach(script),
            19 => self.settle(script),
            20 => self.send(script),
            21 => self.end_something(script),
            22 => self.begin_something(script),
            _ => self.decide(script),
        }
    }

    /// An owner does not read a socket that the connection does not want to hear.
    fn hear(&mut self, bytes: &[u8]) {
        if self.connection.wants_input() {
            self.connection.handle_bytes(bytes, self.now);
        }
    }

    fn write(&mut self, len_max: usize) {
        let output = self.connection.output();
        let len = output.len().min(len_max);
        self.written.push(output.get(..len).unwrap_or_default());
        self.connection.handle_written(len, self.now);
    }

    fn pass(&mut self, script: &mut Script<'_>) {
        self.now += Duration::from_secs(u64::from(script.byte()) * 4);
        if script.flag() {
            self.connection.handle_pause(self.now);
        }
        if self.connection.poll_timeout().is_some_and(|due| due <= self.now) {
            self.connection.handle_timeout(self.now);
            let due = self.connection.poll_timeout();
            assert!(
                due.is_none_or(|due| due > self.now),
                "a time-out that was handled is over"
            );
        }
    }

    fn answer_attach(&mut self, script: &mut Script<'_>) {
        if self.offered.is_empty() {
            return;
        }
        let index = usize::from(script.byte()) % self.offered.len();
        let (link, attach) = self.offered.swap_remove(index);
        if script.once_in(4) {
            let _ = self.connection.refuse(link, AmqpError::new(condition::NOT_FOUND, "no"));
        } else if self.connection.accept(link, attach.answer()).is_ok() {
            remember(&mut self.links, link);
            let _ = self.connection.grant(link, script.number().min(5000));
        }
    }

    fn settle(&mut self, script: &mut Script<'_>) {
        let state = frames::state(script).unwrap_or(DeliveryState::Accepted);
        if script.flag() {
            if let Some(sent) = self.waiting.pop() {
                let _ = self.connection.confirm(&sent, state);
            }
        } else if let Some(delivery) = self.deliveries.pop() {
            let _ = self.connection.settle(delivery.receipt, state);
        }
    }

    fn send(&mut self, script: &mut Script<'_>) {
        let Some(link) = script.choose(&self.links) else { return };
        let outgoing = Outgoing {
            tag: DeliveryTag::counted(script.number()),
            message_format: 0,
            settled: script.flag(),
        };
        let payload_bytes = usize::from(script.byte()) * usize::from(script.byte());
        let can_send = self.connection.can_send(link);
        let credit = self.connection.credit(link);
        let sent = self
            .connection
            .send(link, outgoing, |out| out.resize(out.len() + payload_bytes, 0x40));
        assert!(can_send || sent.is_err());
        if sent.is_ok() {
            assert_eq!(self.connection.credit(link), credit - 1, "a message costs one credit");
        }
        if script.once_in(4) {
            let _ = self.connection.drained(link);
        }
    }

    fn end_something(&mut self, script: &mut Script<'_>) {
        let error = script
            .flag()
            .then(|| AmqpError::new(condition::DETACH_FORCED, "enough"));
        match script.byte() % 8 {
            0 => self.connection.close(error),
            1 | 2 => {
                if let Some(session) = script.choose(&self.sessions) {
                    let _ = self.connection.end(session, error);
                }
            }
            _ => {
                if let Some(link) = script.choose(&self.links) {
                    let _ = self.connection.detach(link, error);
                }
            }
        }
    }

    fn begin_something(&mut self, script: &mut Script<'_>) {
        let session = script.choose(&self.sessions);
        if script.flag()
            && let Some(session) = session
        {
            let role = if script.flag() { Role::Sender } else { Role::Receiver };
            let mut attach = Attach::new(format!("ours-{}", script.byte()), role);
            attach.source = Some(Source::at("here"));
            attach.target = Some(Target::at("there"));
            let _ = self.connection.attach(session, attach);
        } else if let Some(session) = self.connection.begin() {
            remember(&mut self.sessions, session);
        }
    }

    fn decide(&mut self, script: &mut Script<'_>) {
        match script.byte() % 4 {
            0 => self.connection.decide_sasl(false),
            1 => {
                self.limits = ConnectionLimits::AUTHENTICATED;
                self.connection.set_limits(self.limits);
            }
            2 => self.connection.release_idle(),
            _ => self.connection.decide_sasl(true),
        }
    }

    fn take_events(&mut self) {
        while let Some(event) = self.connection.poll_event() {
            assert!(!self.is_closed, "nothing happens after the end: {event:?}");
            match event {
                Event::Begun(session) => remember(&mut self.sessions, session),
                Event::Attach { link, attach, .. } => remember(&mut self.offered, (link, *attach)),
                Event::Attached { link, .. } => remember(&mut self.links, link),
                Event::Delivery(delivery) => remember(&mut self.deliveries, delivery),
                Event::Disposition {
                    deliveries, settled, ..
                } => {
                    assert!(!deliveries.is_empty());
                    if !settled {
                        for sent in deliveries {
                            remember(&mut self.waiting, sent);
                        }
                    }
                }
                Event::Detached { link, .. } => self.links.retain(|other| *other != link),
                Event::Closed { .. } => self.is_closed = true,
                Event::Authenticate { .. } | Event::Opened(_) | Event::Credit { .. } | Event::Ended { .. } => {}
            }
        }
    }

    fn check(&self) {
        let (sessions, links) = self.connection.session_and_link_count();
        assert!(
            sessions
                <= ConnectionLimits::AUTHENTICATED
                    .sessions_max
                    .max(self.limits.sessions_max)
        );
        assert!(links <= self.limits.links_max);
        let output = self.connection.output().len();
        assert!(
            output <= OUTPUT_BYTES_MAX + STEP_OUTPUT_BYTES_MAX,
            "{output} bytes of output"
        );
        if self.connection.is_finished() {
            assert_eq!((sessions, links), (0, 0));
            assert!(!self.connection.wants_input());
            assert_eq!(self.connection.poll_timeout(), None);
        }
    }

    /// The peer is gone; what was said is what an AMQP peer can read.
    fn leave(mut self) {
        self.connection.close(None);
        self.write(usize::MAX);
        self.written.check();
    }
}

fn remember<T>(all: &mut Vec<T>, one: T) {
    if all.len() == REMEMBERED_MAX {
        all.remove(0);
    }
    all.push(one);
}
