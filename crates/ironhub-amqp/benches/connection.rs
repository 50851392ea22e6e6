//! Cost of one event through a connection: sent to a reader, and received from a device.
#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot be set up has nothing to measure"
)]

use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use ironhub_amqp::connection::{Config, Connection, Event, LinkId, Outgoing, Side};
use ironhub_amqp::frame::{self, FrameKind};
use ironhub_amqp::limits::ConnectionLimits;
use ironhub_amqp::message::annotations;
use ironhub_amqp::performative::{
    Attach, DeliveryState, DeliveryTag, Flow, LinkFlow, Performative, Role, Source, Target,
};
use ironhub_amqp::types::Value;

struct Pair {
    client: Connection,
    server: Connection,
    now: Instant,
}

impl Pair {
    #[expect(clippy::disallowed_methods, reason = "a starting point for a benchmark")]
    fn new() -> Self {
        let now = Instant::now();
        let client = Connection::new(Config::client("client", "hub"), Side::Client(None), now);
        let mut server = Connection::new(Config::server("ironhub"), Side::Server, now);
        server.set_limits(ConnectionLimits::AUTHENTICATED);
        Self { client, server, now }
    }

    /// Carries everything; gives what the caller has to know.
    fn run(&mut self) -> (Vec<Event>, Vec<Event>) {
        let (mut from_client, mut from_server) = (Vec::new(), Vec::new());
        loop {
            let (upward, downward) = (self.client.output().to_vec(), self.server.output().to_vec());
            self.client.handle_written(upward.len(), self.now);
            self.server.handle_written(downward.len(), self.now);
            self.server.handle_bytes(&upward, self.now);
            self.client.handle_bytes(&downward, self.now);
            from_client.extend(std::iter::from_fn(|| self.client.poll_event()));
            from_server.extend(std::iter::from_fn(|| self.server.poll_event()));
            if upward.is_empty() && downward.is_empty() {
                return (from_client, from_server);
            }
        }
    }

    /// A link for messages from the client or to it, with all the credit there is; the link at both ends.
    fn attach(&mut self, role: Role) -> (LinkId, LinkId) {
        self.run();
        let session = self.client.begin().expect("a session");
        self.run();
        let ends = (Some(Source::at("a")), Some(Target::at("a")));
        let attach = Attach {
            source: ends.0,
            target: ends.1,
            ..Attach::new("a", role)
        };
        let client_link = self.client.attach(session, attach).expect("a link");
        let (_, events) = self.run();
        let server_link = events.into_iter().find_map(|event| {
            let Event::Attach { link, attach, .. } = event else {
                return None;
            };
            self.server.accept(link, attach.answer()).ok().map(|()| link)
        });
        let server_link = server_link.expect("an attach");
        self.run();
        match role {
            Role::Sender => self.server.grant(server_link, u32::MAX),
            Role::Receiver => self.client.grant(client_link, u32::MAX),
        }
        .expect("the link is there");
        self.run();
        (client_link, server_link)
    }
}

fn write_event(out: &mut Vec<u8>, stored: &[u8]) {
    annotations::write_message_annotations(out, |map| {
        map.push("x-opt-sequence-number", 123_456i64);
        map.push("x-opt-offset", "123456");
        map.push("x-opt-enqueued-time", Value::Timestamp(1_700_000_000_000));
    });
    out.extend_from_slice(stored);
}

fn send_to_reader(criterion: &mut Criterion) {
    let mut pair = Pair::new();
    let (_, link) = pair.attach(Role::Receiver);
    let stored = vec![b'x'; 500];
    let mut number = 0u32;
    criterion.bench_function("connection/send an event to a reader", |b| {
        b.iter(|| {
            number += 1;
            let outgoing = Outgoing {
                tag: DeliveryTag::counted(number),
                message_format: 0,
                settled: true,
            };
            let sent = pair.server.send(link, outgoing, |out| write_event(out, &stored));
            assert!(sent.is_ok());
            if number.is_multiple_of(64) {
                let len = pair.server.output().len();
                pair.server.handle_written(len, pair.now);
            }
            if number.is_multiple_of(1024) {
                pair.server.handle_bytes(&flow(number), pair.now);
                while pair.server.poll_event().is_some() {}
            }
        });
    });
}

/// The reader has taken `number` events and takes 2,048 more.
fn flow(number: u32) -> Vec<u8> {
    let link = LinkFlow {
        handle: 0,
        delivery_count: Some(number),
        link_credit: Some(2048),
        available: None,
        drain: false,
    };
    let flow = Flow {
        next_incoming_id: Some(number.wrapping_add(1)),
        incoming_window: 2048,
        next_outgoing_id: 0,
        outgoing_window: 2048,
        link: Some(link),
        echo: false,
    };
    let mut out = Vec::new();
    frame::write(&mut out, FrameKind::Amqp, 0, |out| Performative::Flow(flow).write(out));
    out
}

fn receive_from_device(criterion: &mut Criterion) {
    let mut pair = Pair::new();
    let (link, _) = pair.attach(Role::Sender);
    let outgoing = Outgoing {
        tag: DeliveryTag::counted(0),
        message_format: 0,
        settled: false,
    };
    pair.client
        .send(link, outgoing, |out| write_event(out, &[b'x'; 200]))
        .expect("sent");
    let frame = pair.client.output().to_vec();
    criterion.bench_function("connection/receive and accept a message", |b| {
        b.iter(|| {
            pair.server.handle_bytes(black_box(&frame), pair.now);
            while let Some(event) = pair.server.poll_event() {
                if let Event::Delivery(delivery) = event {
                    let _ = pair.server.settle(delivery.receipt, DeliveryState::Accepted);
                }
            }
            let len = pair.server.output().len();
            pair.server.handle_written(len, pair.now);
        });
    });
}

criterion_group!(group, send_to_reader, receive_from_device);
criterion_main!(group);
