//! Devices and modules: telemetry, cloud-to-device messages, methods, twins, and several of them on one connection.

mod c2d;
mod certificate;
mod links;
mod methods;
mod telemetry;
mod twin;

use ironhub_amqp::connection::{Delivery, Event, LinkId, Outgoing};
use ironhub_amqp::frame::{self, FrameKind};
use ironhub_amqp::limits::FRAME_BYTES_MAX;
use ironhub_amqp::performative::{Attach, DeliveryState, DeliveryTag, Performative, Role, Source, Target, Transfer};
use ironhub_amqp::types::Encoded;
use ironhub_hub::ports::EventLog;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::Client;
use crate::hub::{DEVICE, TestHub};

/// A client that has proved itself as `d.1`.
async fn device(hub: &TestHub<impl EventLog>) -> Client {
    Client::with_token(hub, &hub.own_token("devices/d.1")).await
}

fn address(suffix: &str) -> String {
    format!("/devices/{DEVICE}/{suffix}")
}

/// What a device asks a link with, sending to or receiving from `address`.
fn attach(name: &str, role: Role, address: &str) -> Attach {
    let own = "client";
    let (source, target) = match role {
        Role::Sender => (own, address),
        Role::Receiver => (address, own),
    };
    Attach {
        source: Some(Source::at(source)),
        target: Some(Target::at(target)),
        ..Attach::new(name, role)
    }
}

fn with_property(attach: Attach, name: &str, value: &str) -> Attach {
    Attach {
        properties: Encoded::map(|map| {
            map.push_symbol(name);
            map.push(value);
        }),
        ..attach
    }
}

impl Client {
    /// Sends a message of this format once there is credit.
    async fn send_as(&mut self, link: LinkId, message_format: u32, payload: &[u8]) {
        while !self.amqp.can_send(link) {
            self.event().await.expect("the connection lives");
        }
        let outgoing = Outgoing {
            tag: DeliveryTag::counted(1),
            message_format,
            settled: false,
        };
        self.amqp
            .send(link, outgoing, |out| out.extend_from_slice(payload))
            .unwrap();
        self.flush().await;
    }

    /// The next outcomes that the hub tells: of which messages, and what.
    async fn outcomes(&mut self) -> (Vec<u32>, DeliveryState) {
        self.until(|event| match event {
            Event::Disposition { deliveries, state, .. } => {
                let ids = deliveries.iter().map(|sent| sent.delivery_id).collect();
                Some((ids, state))
            }
            _ => None,
        })
        .await
    }

    /// The condition with which the hub rejects the next message.
    async fn rejection(&mut self) -> String {
        let (_, state) = self.outcomes().await;
        let DeliveryState::Rejected(Some(error)) = state else {
            panic!("{state:?}")
        };
        error.condition.into_owned()
    }

    pub(crate) async fn delivery(&mut self) -> Delivery {
        self.until(|event| match event {
            Event::Delivery(delivery) => Some(delivery),
            _ => None,
        })
        .await
    }

    /// Waits for the answer to something else: what the hub had to say before has been said, and is given back.
    async fn round_trip(&mut self, name: &str) -> Vec<Event> {
        let link = self
            .amqp
            .attach(self.session.unwrap(), attach(name, Role::Sender, "/nowhere"))
            .unwrap();
        let mut seen = Vec::new();
        loop {
            match self.event().await.expect("the connection lives") {
                Event::Detached { link: own, .. } if own == link => return seen,
                event => seen.push(event),
            }
        }
    }

    /// Says something that the protocol's state knows nothing of: what follows is heard by [`Self::hear`] alone.
    pub(crate) async fn say(&mut self, performative: &Performative, payload: &[u8]) {
        let mut out = Vec::new();
        frame::write(&mut out, FrameKind::Amqp, 0, |out| {
            performative.write(out);
            out.extend_from_slice(payload);
        });
        self.stream.write_all(&out).await.unwrap();
    }

    /// Says a message on the link that was attached behind those of `$cbs`, in frames that the hub takes.
    async fn say_message(&mut self, delivery_id: u32, payload: &[u8]) {
        let mut frames = payload.chunks(FRAME_BYTES_MAX / 2).peekable();
        while let Some(part) = frames.next() {
            let transfer = Transfer {
                handle: 2,
                delivery_id: Some(delivery_id),
                delivery_tag: Some(DeliveryTag::counted(delivery_id)),
                message_format: Some(0),
                settled: false,
                more: frames.peek().is_some(),
                rcv_settle_mode: None,
                state: None,
                aborted: false,
            };
            self.say(&Performative::Transfer(transfer), part).await;
        }
    }

    pub(crate) async fn hear<T>(&mut self, mut choose: impl FnMut(Performative) -> Option<T>) -> T {
        let mut bytes = Vec::new();
        loop {
            while let Some((frame, len)) = frame::first(&bytes, FRAME_BYTES_MAX).unwrap() {
                let chosen = match frame.body {
                    [] => None,
                    body => choose(Performative::read(body).unwrap().0),
                };
                if let Some(chosen) = chosen {
                    return chosen;
                }
                bytes.drain(..len);
            }
            let count = self.stream.read_buf(&mut bytes).await.unwrap();
            assert!(count > 0, "the connection lives");
        }
    }

    /// The next outcome that the hub confirms: of which delivery, and `accepted` or the condition of its refusal.
    pub(crate) async fn confirmed(&mut self) -> (u32, String) {
        let heard = self
            .hear(|performative| match performative {
                Performative::Disposition(said) if said.role == Role::Sender && said.settled => Some(said),
                _ => None,
            })
            .await;
        let outcome = match heard.state {
            Some(DeliveryState::Accepted) => "accepted".to_owned(),
            Some(DeliveryState::Rejected(Some(error))) => error.condition.into_owned(),
            other => panic!("{other:?}"),
        };
        (heard.first, outcome)
    }
}
