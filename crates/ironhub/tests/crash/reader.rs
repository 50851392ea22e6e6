//! A reader of one partition over AMQP, whose connection breaks again and again. It goes on behind the last offset that
//! it has seen, as an event processor with a checkpoint does.

use std::time::Duration;

use ironhub_amqp::connection::{Event as Happening, LinkId};
use ironhub_amqp::message::{Body, Message};
use ironhub_amqp::performative::DeliveryState;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::amqp::{AmqpClient, Wish};
use crate::dice::Dice;
use crate::events::Event;
use crate::hub_process::Hub;
use crate::service::Dead;

/// A connection breaks after so many events at the latest.
const EVENTS_BEFORE_CUT_MAX: u64 = 400;
const CREDIT_MAX: u64 = 500;
/// A hub that says nothing for so long, though devices send, has hung.
const SILENCE_MAX: Duration = Duration::from_mins(2);

/// What a reader has seen: every event once, in order.
pub(crate) struct Reader {
    partition: usize,
    dice: Dice,
    pub(crate) events: Vec<Event>,
    /// Counts the events of all readers.
    seen: watch::Sender<u64>,
    pub(crate) cuts: u64,
}

impl Reader {
    pub(crate) fn new(partition: usize, dice: Dice, seen: watch::Sender<u64>) -> Self {
        Self {
            partition,
            dice,
            events: Vec::new(),
            seen,
            cuts: 0,
        }
    }

    pub(crate) fn partition(&self) -> usize {
        self.partition
    }

    /// Reads until the hub is dead.
    pub(crate) async fn read_until_dead(mut self, hub: Hub) -> Self {
        while self.connection(&hub, u64::MAX).await.is_ok() {}
        hub.assert_killed();
        self
    }

    /// Reads until it has seen so many events.
    pub(crate) async fn read_up_to(&mut self, hub: &Hub, end: u64) -> Result<(), Dead> {
        while self.next() < end {
            self.connection(hub, end).await?;
        }
        assert_eq!(self.next(), end, "partition {} holds more", self.partition);
        Ok(())
    }

    /// The sequence number that comes next.
    pub(crate) fn next(&self) -> u64 {
        self.events.len() as u64
    }

    /// One connection, to the moment at which the reader cuts it: without a word, whatever is on its way.
    async fn connection(&mut self, hub: &Hub, end: u64) -> Result<(), Dead> {
        let (mut client, link) = self.connect(hub).await?;
        let credit = u32::try_from(1 + self.dice.below(CREDIT_MAX)).unwrap();
        client.amqp.grant(link, credit).map_err(|_| Dead)?;
        for _ in 0..self.dice.below(EVENTS_BEFORE_CUT_MAX) {
            if self.next() >= end {
                return Ok(());
            }
            self.event(&mut client, link).await?;
        }
        self.cuts += 1;
        Ok(())
    }

    async fn connect(&mut self, hub: &Hub) -> Result<(AmqpClient<TcpStream>, LinkId), Dead> {
        let socket = TcpStream::connect(("127.0.0.1", hub.amqp_port))
            .await
            .map_err(|_| Dead)?;
        let mut client = AmqpClient::open(socket, hub.events.credentials())
            .await
            .map_err(|_| Dead)?;
        let selector = match self.next().checked_sub(1) {
            Some(last) => format!("x-opt-offset > '{last}'"),
            None => "x-opt-offset > '-1'".to_owned(),
        };
        // A level, so that it displaces what may be left of its last connection.
        let wish = Wish {
            partition: self.partition.try_into().unwrap(),
            selector: &selector,
            level: Some(0),
        };
        let link = client.attach(hub.events.reader(&wish)).await.map_err(|_| Dead)?;
        Ok((client, link.unwrap_or_else(|refusal| panic!("{selector}: {refusal:?}"))))
    }

    async fn event(&mut self, client: &mut AmqpClient<TcpStream>, link: LinkId) -> Result<(), Dead> {
        loop {
            let happening = timeout(SILENCE_MAX, client.event()).await;
            let happening = happening.expect("the hub is silent").map_err(|_| Dead)?;
            let is_end = matches!(happening, Happening::Detached { .. });
            assert!(!is_end, "partition {}: {happening:?}", self.partition);
            if let Happening::Delivery(delivery) = happening {
                assert_eq!(delivery.receipt.link(), link);
                self.enter(&delivery.payload);
                return client
                    .amqp
                    .settle(delivery.receipt, DeliveryState::Accepted)
                    .map_err(|_| Dead);
            }
        }
    }

    fn enter(&mut self, payload: &[u8]) {
        let message = Message::parse(payload).unwrap();
        let annotation = |name: &str| message.message_annotations.value(name);
        let text = |name: &str| annotation(name).and_then(|value| value.as_text()).unwrap().to_owned();
        let next = self.next();
        let sequence = annotation("x-opt-sequence-number").and_then(|value| value.as_u64());
        assert_eq!(sequence, Some(next), "partition {}", self.partition);
        assert_eq!(text("x-opt-offset"), next.to_string());
        let Body::Data(data) = message.bare.body else {
            panic!("partition {}: no data", self.partition)
        };
        let body = String::from_utf8(data.collect::<Vec<_>>().concat()).unwrap();
        self.events.push(Event {
            source: text("iothub-message-source"),
            device: text("iothub-connection-device-id"),
            operation: String::new(),
            body: Value::String(body),
        });
        self.seen.send_modify(|seen| *seen += 1);
    }
}
