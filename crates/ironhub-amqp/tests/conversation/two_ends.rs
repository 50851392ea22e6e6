//! Our client against our server, in pieces of any size: every message arrives once and in order, whatever the windows,
//! the credit and the frame size.

use std::time::Instant;

use ironhub_amqp::connection::{Config, Connection, Event, LinkId, Outgoing, SessionId, Side};
use ironhub_amqp::performative::{Attach, DeliveryState, DeliveryTag, Role, Source, Target, condition};
use ironhub_amqp::sasl::Credentials;
use proptest::prelude::*;

use crate::peer::start;

struct Pair {
    client: Connection,
    server: Connection,
    now: Instant,
}

impl Pair {
    fn new(credentials: Option<Credentials>) -> Self {
        let now = start();
        let client = Connection::new(Config::client("client", "hub"), Side::Client(credentials), now);
        Self {
            client,
            server: Connection::new(Config::server("ironhub"), Side::Server, now),
            now,
        }
    }

    /// Carries what either has said, at most `piece` bytes at a time; false when nobody had anything to say.
    fn carry(&mut self, piece: usize) -> bool {
        let has_client_moved = carry(&mut self.client, &mut self.server, piece, self.now);
        carry(&mut self.server, &mut self.client, piece, self.now) || has_client_moved
    }

    fn run(&mut self) {
        while self.carry(usize::MAX) {
            while let Some(event) = self.server.poll_event() {
                match event {
                    Event::Authenticate { .. } => self.server.decide_sasl(true),
                    Event::Attach { link, attach, .. } => {
                        self.server.accept(link, attach.answer()).unwrap();
                    }
                    _ => {}
                }
            }
        }
    }

    fn client_session(&mut self) -> SessionId {
        self.run();
        let session = self.client.begin().unwrap();
        self.run();
        while let Some(event) = self.client.poll_event() {
            if matches!(event, Event::Begun(begun) if begun == session) {
                return session;
            }
        }
        panic!("the session has not begun");
    }
}

fn carry(from: &mut Connection, to: &mut Connection, piece: usize, now: Instant) -> bool {
    let output = from.output();
    let part = output[..output.len().min(piece)].to_vec();
    from.handle_written(part.len(), now);
    if !part.is_empty() {
        to.handle_bytes(&part, now);
    }
    !part.is_empty()
}

fn link(name: &str, role: Role) -> Attach {
    Attach {
        source: Some(Source::at(name)),
        target: Some(Target::at(name)),
        ..Attach::new(name, role)
    }
}

#[test]
fn every_way_to_open() {
    let plain = Credentials::Plain {
        authorization_id: String::new(),
        user: "u".into(),
        password: "p".into(),
    };
    for credentials in [
        None,
        Some(Credentials::Mssbcbs),
        Some(Credentials::Anonymous),
        Some(plain),
    ] {
        let mut pair = Pair::new(credentials);
        pair.client_session();
    }
}

#[test]
fn refused_credentials_are_told() {
    let mut pair = Pair::new(Some(Credentials::External));
    while pair.carry(usize::MAX) {
        if let Some(Event::Authenticate { .. }) = pair.server.poll_event() {
            pair.server.decide_sasl(false);
        }
    }
    assert!(pair.client.is_finished() && pair.server.is_finished());
    let event = pair.client.poll_event();
    assert!(
        matches!(&event, Some(Event::Closed { error: Some(error) }) if error.condition == condition::UNAUTHORIZED_ACCESS)
    );
}

#[test]
fn a_session_ended_before_it_was_answered() {
    let mut pair = Pair::new(None);
    pair.run();
    let session = pair.client.begin().unwrap();
    pair.client.end(session, None).unwrap();
    pair.run();
    assert!(!pair.client.is_finished() && !pair.server.is_finished());
    assert_eq!(pair.client.session_and_link_count(), (0, 0));
    assert_eq!(pair.server.session_and_link_count(), (0, 0));
    pair.client_session();
}

#[test]
fn a_refused_link_is_told() {
    let mut pair = Pair::new(None);
    let session = pair.client_session();
    let asked = pair.client.attach(session, link("nowhere", Role::Receiver)).unwrap();
    pair.carry(usize::MAX);
    while let Some(event) = pair.server.poll_event() {
        if let Event::Attach { link, .. } = event {
            pair.server
                .refuse(link, ironhub_amqp::performative::AmqpError::new("amqp:not-found", "no"))
                .unwrap();
        }
    }
    while pair.carry(usize::MAX) {}
    let events: Vec<_> = std::iter::from_fn(|| pair.client.poll_event()).collect();
    let [
        Event::Detached {
            link,
            error: Some(error),
        },
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((*link, &*error.condition), (asked, "amqp:not-found"));
    assert_eq!(
        (
            pair.client.session_and_link_count().1,
            pair.server.session_and_link_count().1
        ),
        (0, 0)
    );
}

/// One direction of messages, from whichever end.
fn send_all(pair: &mut Pair, is_from_client: bool, sizes: &[usize], window: u32, piece: usize) -> Vec<Vec<u8>> {
    let session = pair.client_session();
    let role = if is_from_client { Role::Sender } else { Role::Receiver };
    let client_link = pair.client.attach(session, link("l", role)).unwrap();
    let mut server_link = None;
    let mut received = Vec::new();
    let mut outcomes = 0;
    let mut next = 0;
    for _ in 0..1_000_000 {
        let has_moved = pair.carry(piece);
        let mut is_busy = has_moved;
        while let Some(event) = pair.server.poll_event() {
            if let Event::Attach { link, attach, .. } = event {
                pair.server.accept(link, attach.answer()).unwrap();
                server_link = Some(link);
                if is_from_client {
                    pair.server.grant(link, window).unwrap();
                }
            } else {
                handle(&mut pair.server, event, &mut received, &mut outcomes);
            }
            is_busy = true;
        }
        while let Some(event) = pair.client.poll_event() {
            if let Event::Attached { link, .. } = event {
                if !is_from_client {
                    pair.client.grant(link, window).unwrap();
                }
            } else {
                handle(&mut pair.client, event, &mut received, &mut outcomes);
            }
            is_busy = true;
        }
        let (end, link) = if is_from_client {
            (&mut pair.client, Some(client_link))
        } else {
            (&mut pair.server, server_link)
        };
        while let (Some(link), Some(size)) = (link.filter(|link| end.can_send(*link)), sizes.get(next)) {
            send(end, link, next, *size);
            next += 1;
            is_busy = true;
        }
        if !is_busy {
            break;
        }
    }
    assert_eq!(
        outcomes,
        sizes.len().div_ceil(2),
        "every second message is unsettled and gets one outcome"
    );
    received
}

fn send(end: &mut Connection, link: LinkId, number: usize, size: usize) {
    let number = u32::try_from(number).unwrap();
    let outgoing = Outgoing {
        tag: DeliveryTag::counted(number),
        message_format: 0,
        settled: number % 2 == 1,
    };
    end.send(link, outgoing, |out| out.extend(message(number, size)))
        .unwrap();
}

fn message(number: u32, size: usize) -> Vec<u8> {
    let digits = number..;
    digits.flat_map(u32::to_be_bytes).take(size).collect()
}

fn handle(end: &mut Connection, event: Event, received: &mut Vec<Vec<u8>>, outcomes: &mut usize) {
    match event {
        Event::Delivery(delivery) => {
            end.settle(delivery.receipt, DeliveryState::Accepted).unwrap();
            received.push(delivery.payload);
        }
        Event::Disposition {
            deliveries,
            state,
            settled,
        } => {
            assert_eq!((state, settled), (DeliveryState::Accepted, true));
            *outcomes += deliveries.len();
        }
        Event::Detached { error, .. } => panic!("detached: {error:?}"),
        Event::Closed { error } => panic!("closed: {error:?}"),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn every_message_arrives_once_and_in_order(
        is_from_client in any::<bool>(),
        sizes in prop::collection::vec(prop_oneof![0..200usize, 60_000..300_000usize], 1..20),
        window in 1..12u32,
        piece in prop_oneof![1..40usize, 1000..200_000usize],
    ) {
        // Small pieces of large messages only take long.
        let sizes: Vec<usize> = sizes.into_iter().map(|size| if piece < 40 { size % 500 } else { size }).collect();
        let mut pair = Pair::new(None);
        pair.server.set_limits(ironhub_amqp::limits::ConnectionLimits::AUTHENTICATED);
        pair.client.set_limits(ironhub_amqp::limits::ConnectionLimits::AUTHENTICATED);
        let received = send_all(&mut pair, is_from_client, &sizes, window, piece);
        let expected: Vec<_> = sizes.iter().zip(0..).map(|(size, number)| message(number, *size)).collect();
        prop_assert_eq!(received.len(), expected.len());
        prop_assert!(received == expected);
    }
}
