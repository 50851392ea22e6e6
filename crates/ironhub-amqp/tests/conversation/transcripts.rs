//! What unmodified clients sent to a server of this crate, replayed frame by frame. The snapshots show both sides; a
//! change in one is a change in what clients hear.

use std::collections::HashMap;
use std::fmt::Write;

use ironhub_amqp::cbs::PutToken;
use ironhub_amqp::connection::{Delivery, Event, LinkId, Outgoing, SessionId};
use ironhub_amqp::limits::ConnectionLimits;
use ironhub_amqp::management::ReadRequest;
use ironhub_amqp::message::{self, Message};
use ironhub_amqp::performative::{Attach, DeliveryState, Role, SenderSettleMode};
use ironhub_amqp::request::{Reply, Request, Responder, Status};
use ironhub_amqp::types::Encoded;

use crate::peer::{Peer, rendered};

/// A hub of a few lines: takes every token, knows one event hub, has three messages for whoever receives.
struct Hub {
    peer: Peer,
    cbs: Responder,
    management: Responder,
    nodes: HashMap<LinkId, Node>,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Node {
    Cbs,
    Management,
    Inbox,
    /// Messages for the client: how many are left, and whether they are sent settled.
    Outbox(u8, bool),
}

impl Hub {
    fn new() -> Self {
        let mut peer = Peer::new();
        peer.server.set_limits(ConnectionLimits::AUTHENTICATED);
        let (cbs, management) = (Responder::default(), Responder::default());
        Self {
            peer,
            cbs,
            management,
            nodes: HashMap::new(),
            text: String::new(),
        }
    }

    fn replay(mut self, transcript: &str) -> String {
        for line in transcript.lines().filter(|line| !line.starts_with('#')) {
            let bytes = unhex(line);
            self.note(">", &rendered(&bytes));
            self.peer.say_bytes(&bytes);
            for event in self.peer.events() {
                self.answer(event);
            }
            self.send();
            let heard = self.peer.hear();
            self.note("<", &heard);
        }
        self.text
    }

    fn note(&mut self, mark: &str, lines: &[String]) {
        for line in lines {
            writeln!(self.text, "{mark} {line}").unwrap();
        }
    }

    fn answer(&mut self, event: Event) {
        let server = &mut self.peer.server;
        match event {
            Event::Authenticate { .. } => server.decide_sasl(true),
            Event::Attach { link, session, attach } => self.take(link, session, &attach),
            Event::Credit { .. } => {
                self.cbs.send_held(server);
                self.management.send_held(server);
            }
            Event::Delivery(delivery) => self.receive(&delivery),
            Event::Disposition {
                deliveries,
                state,
                settled,
            } => {
                self.note(
                    "*",
                    &[format!("{} of ours: {state:?}, settled {settled}", deliveries.len())],
                );
            }
            Event::Detached { link, error } => {
                assert_eq!(error, None);
                self.nodes.remove(&link);
                self.cbs.handle_detached(link);
                self.management.handle_detached(link);
            }
            Event::Closed { error } => assert_eq!(error, None),
            Event::Opened(_) | Event::Begun(_) | Event::Attached { .. } | Event::Ended { .. } => {}
        }
    }

    fn take(&mut self, link: LinkId, session: SessionId, attach: &Attach) {
        let is_events = |address: &str| address.contains("/Partitions/");
        let target = attach.target.as_ref().and_then(|target| target.address.clone());
        let source = attach.source.as_ref().and_then(|source| source.address.clone());
        let address = if attach.role == Role::Sender { target } else { source }.unwrap_or_default();
        let node = match &*address {
            "$cbs" => Node::Cbs,
            "$management" | "hub/$management" => Node::Management,
            _ if attach.role == Role::Sender => Node::Inbox,
            _ => Node::Outbox(3, is_events(&address)),
        };
        let mut answer = attach.answer();
        if is_events(&address) {
            answer.snd_settle_mode = Some(SenderSettleMode::Settled);
        }
        self.peer.server.accept(link, answer).unwrap();
        match (attach.role, node) {
            (Role::Sender, _) => self.peer.server.grant(link, 100).unwrap(),
            (Role::Receiver, Node::Cbs) => self.cbs.handle_attached(session, link, attach),
            (Role::Receiver, Node::Management) => self.management.handle_attached(session, link, attach),
            (Role::Receiver, _) => {}
        }
        self.nodes.insert(link, node);
    }

    fn receive(&mut self, delivery: &Delivery) {
        let server = &mut self.peer.server;
        let node = self.nodes[&delivery.receipt.link()];
        if node == Node::Inbox {
            let message = Message::parse(&delivery.payload).unwrap();
            let to = message.bare.properties.to.unwrap_or("nobody");
            writeln!(
                self.text,
                "* a message to {to}: {:?}",
                message.bare.application_properties
            )
            .unwrap();
            return self
                .peer
                .server
                .settle(delivery.receipt, DeliveryState::Accepted)
                .unwrap();
        }
        let request = Request::read(&delivery.payload).unwrap();
        let (responder, body) = if node == Node::Cbs {
            let token = PutToken::read(&request).unwrap();
            writeln!(self.text, "* {token:?} {}", id_type(&request)).unwrap();
            (&mut self.cbs, Encoded::null())
        } else {
            let read = ReadRequest::read(&request).unwrap();
            writeln!(self.text, "* {read:?} {}", id_type(&request)).unwrap();
            (&mut self.management, Encoded::map(|_| ()))
        };
        let mut reply = Vec::new();
        Reply::write(
            &mut reply,
            request.message_id,
            request.reply_to,
            &Status::OK,
            body.value(),
        );
        responder
            .reply(server, delivery.receipt, request.reply_to, reply)
            .unwrap();
    }

    fn send(&mut self) {
        let mut links: Vec<_> = self.nodes.iter_mut().collect();
        links.sort_by_key(|(link, _)| **link);
        for (link, node) in links {
            while let Node::Outbox(left @ 1.., settled) = node
                && self.peer.server.can_send(*link)
            {
                let outgoing = Outgoing {
                    tag: [*left; 16].into(),
                    message_format: 0,
                    settled: *settled,
                };
                self.peer
                    .server
                    .send(*link, outgoing, |out| message::write_data(out, b"event"))
                    .unwrap();
                *left -= 1;
            }
        }
    }
}

fn id_type(request: &Request<'_>) -> &'static str {
    match request.message_id {
        Some(message::MessageId::Ulong(_)) => "id ulong",
        Some(message::MessageId::Uuid(_)) => "id uuid",
        Some(message::MessageId::String(_)) => "id string",
        Some(message::MessageId::Binary(_)) => "id binary",
        None => "no id",
    }
}

fn unhex(line: &str) -> Vec<u8> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    line.as_bytes().chunks(2).map(byte).collect()
}

macro_rules! transcripts {
    ($($test:ident => $file:literal),* $(,)?) => {
        $(#[test]
        fn $test() {
            insta::assert_snapshot!(Hub::new().replay(include_str!(concat!("../transcripts/", $file, ".txt"))));
        })*
    };
}

transcripts! {
    azure_iot_device_amqp => "azure-iot-device-amqp",
    azure_iothub => "azure-iothub",
    event_hubs_js => "event-hubs-js",
    azure_iot_hub => "azure-iot-hub",
    azure_eventhub_management => "azure-eventhub-management",
    azure_eventhub => "azure-eventhub",
    proton => "proton",
}
