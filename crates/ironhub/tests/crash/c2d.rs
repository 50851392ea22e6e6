//! A back end that sends numbered messages to a device, which takes them over MQTT or HTTPS.
//!
//! MQTT does not answer a PUBACK, so a message may come again after a restart, however it was acknowledged. HTTPS
//! answers: what was completed never comes again.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::Duration;

use ironhub_mqtt::packet::{Packet, PacketId, Publish, QoS};

use crate::device::{self, Device};
use crate::dice::Dice;
use crate::hub_process::Hub;
use crate::service::{Caller, Dead};

/// The sender waits so long when the queue is full.
const FULL_PAUSE: Duration = Duration::from_millis(5);
/// The receiver looks again after so long when there is nothing.
const EMPTY_PAUSE: Duration = Duration::from_millis(5);
/// The hub's window is 16: with fewer held back the rest still moves.
const HELD_MAX: usize = 8;

/// How the device takes its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Mqtt,
    Https,
}

/// A queue and its ledgers.
pub(crate) struct C2d {
    device: String,
    way: Way,
    sender: Sender,
    receiver: Receiver,
}

#[derive(Default)]
struct Sender {
    next: u64,
    accepted: BTreeSet<u64>,
    /// Sent without an answer.
    open: BTreeSet<u64>,
}

#[derive(Default)]
struct Receiver {
    is_subscribed: bool,
    /// The first delivery of each message, in order.
    first_deliveries: Vec<u64>,
    delivered: BTreeMap<u64, Settled>,
}

/// What the device did about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settled {
    No,
    /// The hub may know of it.
    Perhaps,
    /// The hub has confirmed it.
    Yes,
}

impl C2d {
    pub(crate) fn new(device: impl Into<String>, way: Way) -> Self {
        Self {
            device: device.into(),
            way,
            sender: Sender::default(),
            receiver: Receiver::default(),
        }
    }

    pub(crate) fn device(&self) -> &str {
        &self.device
    }

    /// How many messages the hub has accepted.
    pub(crate) fn accepted(&self) -> usize {
        self.sender.accepted.len()
    }

    /// Sends and receives until the hub is dead.
    pub(crate) async fn load(mut self, hub: Hub, mut dice: Dice) -> Self {
        let sending = self.sender.send(&self.device, &hub);
        let receiving = async {
            match self.way {
                Way::Mqtt => self.receiver.receive_mqtt(&self.device, &hub, &mut dice).await,
                Way::Https => self.receiver.receive_https(&self.device, &hub).await,
            }
        };
        let (Err(Dead), Err(Dead)) = tokio::join!(sending, receiving);
        hub.assert_killed();
        self
    }

    /// What was accepted, and not settled by the device, is in the queue.
    pub(crate) async fn check(&mut self, caller: &mut Caller) -> Result<(), Dead> {
        let queued = count(&self.device, caller).await?;
        let waits = |number: &&u64| {
            self.receiver
                .delivered
                .get(*number)
                .is_none_or(|settled| *settled == Settled::No)
        };
        let accepted = &self.sender.accepted;
        let must = accepted.iter().filter(waits).count();
        let may = accepted.len() + self.sender.open.len() - self.receiver.settled();
        let device = &self.device;
        assert!(
            (must..=may).contains(&queued),
            "{device}: {queued} messages wait, expected {must} to {may}"
        );
        self.receiver.check(device);
        Ok(())
    }

    /// Receives until nothing is left: every accepted message must have come.
    pub(crate) async fn drain(&mut self, hub: &Hub, caller: &mut Caller) -> Result<(), Dead> {
        match self.way {
            Way::Mqtt => self.receiver.drain_mqtt(&self.device, hub, caller).await?,
            Way::Https => self.receiver.drain_https(&self.device, hub).await?,
        }
        self.receiver.check(&self.device);
        let delivered: BTreeSet<u64> = self.receiver.delivered.keys().copied().collect();
        let lost: Vec<_> = self.sender.accepted.difference(&delivered).collect();
        assert!(lost.is_empty(), "{}: accepted and lost: {lost:?}", self.device);
        let sent: BTreeSet<u64> = self.sender.accepted.union(&self.sender.open).copied().collect();
        let strange: Vec<_> = delivered.difference(&sent).collect();
        assert!(
            strange.is_empty(),
            "{}: never taken, but delivered: {strange:?}",
            self.device
        );
        Ok(())
    }
}

async fn count(device: &str, caller: &mut Caller) -> Result<usize, Dead> {
    let device = caller.call(&format!("GET /devices/{device}"), "").await?.expect(200);
    let count = device["cloudToDeviceMessageCount"].as_u64().unwrap();
    Ok(usize::try_from(count).unwrap())
}

impl Sender {
    async fn send(&mut self, device: &str, hub: &Hub) -> Result<Infallible, Dead> {
        let mut caller = hub.service.connect().await?;
        loop {
            let number = self.next;
            self.next += 1;
            self.open.insert(number);
            let request = format!("POST /devices/{device}/messages/deviceBound");
            let answer = caller.call(&request, number.to_string()).await?;
            self.open.remove(&number);
            if answer.status == 403 {
                tokio::time::sleep(FULL_PAUSE).await;
            } else {
                answer.expect(204);
                self.accepted.insert(number);
            }
        }
    }
}

impl Receiver {
    /// Acknowledges most messages at once and a few never.
    async fn receive_mqtt(&mut self, id: &str, hub: &Hub, dice: &mut Dice) -> Result<Infallible, Dead> {
        let mut device = self.connect(id, hub).await?;
        let mut seen = BTreeSet::new();
        let mut held = 0;
        loop {
            let (number, packet_id) = message(device.next_if_any().await?);
            assert!(seen.insert(number), "{id}: {number} came twice on one connection");
            self.deliver(id, number);
            if held < HELD_MAX && dice.below(16) == 0 {
                held += 1;
                continue;
            }
            self.delivered.insert(number, Settled::Perhaps);
            device.acknowledge(packet_id).await?;
        }
    }

    async fn receive_https(&mut self, id: &str, hub: &Hub) -> Result<Infallible, Dead> {
        let mut caller = hub.service.connect_as(id, &device::key()).await?;
        loop {
            if !self.receive_one(id, &mut caller).await? {
                tokio::time::sleep(EMPTY_PAUSE).await;
            }
        }
    }

    /// Receives and completes a message; false when there is none.
    async fn receive_one(&mut self, id: &str, caller: &mut Caller) -> Result<bool, Dead> {
        let answer = caller
            .call(&format!("GET /devices/{id}/messages/deviceBound"), "")
            .await?;
        if answer.status == 204 {
            return Ok(false);
        }
        assert_eq!(answer.status, 200);
        let number = std::str::from_utf8(&answer.body).unwrap().parse().unwrap();
        self.deliver(id, number);
        self.delivered.insert(number, Settled::Perhaps);
        let lock_token = answer.etag.expect("a lock token");
        caller
            .call(&format!("DELETE /devices/{id}/messages/deviceBound/{lock_token}"), "")
            .await?
            .expect(204);
        self.delivered.insert(number, Settled::Yes);
        Ok(true)
    }

    async fn drain_mqtt(&mut self, id: &str, hub: &Hub, caller: &mut Caller) -> Result<(), Dead> {
        let mut device = self.connect(id, hub).await?;
        let left = count(id, caller).await?;
        for _ in 0..left {
            let (number, packet_id) = message(device.next().await?);
            self.deliver(id, number);
            self.delivered.insert(number, Settled::Perhaps);
            device.acknowledge(packet_id).await?;
        }
        Ok(())
    }

    async fn drain_https(&mut self, id: &str, hub: &Hub) -> Result<(), Dead> {
        let mut caller = hub.service.connect_as(id, &device::key()).await?;
        while self.receive_one(id, &mut caller).await? {}
        Ok(())
    }

    /// The device subscribes once in its life.
    async fn connect(&mut self, id: &str, hub: &Hub) -> Result<Device, Dead> {
        let mut device = Device::connect(hub, id).await?;
        if self.is_subscribed {
            assert!(device.session_present, "{id} has lost its session");
        } else {
            device
                .subscribe(&format!("devices/{id}/messages/devicebound/#"), QoS::AtLeastOnce)
                .await?;
            self.is_subscribed = true;
        }
        Ok(device)
    }

    fn deliver(&mut self, id: &str, number: u64) {
        let before = self.delivered.insert(number, Settled::No);
        assert_ne!(
            before,
            Some(Settled::Yes),
            "{id}: {number} was completed and came again"
        );
        if before.is_none() {
            self.first_deliveries.push(number);
        }
    }

    fn settled(&self) -> usize {
        self.delivered
            .values()
            .filter(|settled| **settled == Settled::Yes)
            .count()
    }

    fn check(&self, id: &str) {
        assert!(
            self.first_deliveries.is_sorted(),
            "{id}: out of order: {:?}",
            self.first_deliveries
        );
    }
}

fn message(packet: Packet) -> (u64, PacketId) {
    let Packet::Publish(Publish { payload, delivery, .. }) = packet else {
        panic!("not a message: {packet:?}")
    };
    let number = std::str::from_utf8(&payload).unwrap().parse().unwrap();
    (number, delivery.packet_id().expect("QoS 1, as subscribed"))
}
