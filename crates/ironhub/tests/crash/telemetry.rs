//! Devices that send numbered messages, many in flight.
//!
//! After each restart a device begins with its first message that was not acknowledged, as one with a store of its own
//! does. So what a round leaves in the log is a run of numbers without a gap: it begins where the device began, reaches
//! at least to the last acknowledged one, and ends at the latest with the last one sent.

use std::collections::VecDeque;
use std::ops::Range;

use ironhub_mqtt::packet::{Packet, PacketId};

use crate::device::Device;
use crate::events::Event;
use crate::hub_process::Hub;
use crate::service::Dead;

/// A device and its ledger.
pub(crate) struct Telemetry {
    device: String,
    shape: Shape,
    /// The first message that is not acknowledged: where the next round begins.
    first_open: u64,
    /// What was sent this round.
    sent: Range<u64>,
    duplicates: u64,
}

/// How a device sends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Messages in flight at most.
    pub(crate) window: usize,
    /// A body has fewer bytes than this, the number before it aside.
    pub(crate) body_bytes: u64,
    /// Messages a round at most: bounds the time that reading takes.
    pub(crate) messages: u64,
}

impl Telemetry {
    pub(crate) fn new(device: impl Into<String>, shape: Shape) -> Self {
        Self {
            device: device.into(),
            shape,
            first_open: 0,
            sent: 0..0,
            duplicates: 0,
        }
    }

    pub(crate) fn device(&self) -> &str {
        &self.device
    }

    /// Acknowledged messages, and those that came to be in the log twice.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.first_open, self.duplicates)
    }

    /// Sends so many messages, and waits until all are acknowledged.
    pub(crate) async fn fill(&mut self, hub: &Hub, messages: u64) -> Result<(), Dead> {
        self.send(hub, messages).await.map(drop)
    }

    /// Sends until the hub is dead.
    pub(crate) async fn load(mut self, hub: Hub) -> Self {
        if let Ok(mut device) = self.send(&hub, self.shape.messages).await {
            let after = device.next_if_any().await;
            assert!(after.is_err(), "{} got {after:?}", self.device);
        }
        hub.assert_killed();
        self
    }

    async fn send(&mut self, hub: &Hub, messages: u64) -> Result<Device, Dead> {
        let mut device = Device::connect(hub, &self.device).await?;
        let topic = format!("devices/{}/messages/events/", self.device);
        let mut in_flight: VecDeque<PacketId> = VecDeque::new();
        let end = self.first_open + messages;
        let mut next = self.first_open;
        while self.first_open < end {
            while in_flight.len() < self.shape.window && next < end {
                in_flight.push_back(device.queue_publish(&topic, self.body(next).as_bytes()));
                next += 1;
                self.sent.end = self.sent.end.max(next);
            }
            device.flush().await?;
            let packet = device.next_if_any().await?;
            let Packet::PubAck(packet_id) = packet else {
                panic!("{} got {packet:?}", self.device)
            };
            assert_eq!(
                Some(packet_id),
                in_flight.pop_front(),
                "{}: PUBACKs out of order",
                self.device
            );
            self.first_open += 1;
        }
        Ok(device)
    }

    /// Judges what the round has left in the log.
    pub(crate) fn check(&mut self, events: &[Event]) {
        let own = events
            .iter()
            .filter(|event| event.device == self.device && event.source == "Telemetry");
        let mut next = self.sent.start;
        for event in own {
            assert_eq!(event.body, self.body(next), "{}: message {next}", self.device);
            next += 1;
        }
        let device = &self.device;
        assert!(
            next >= self.first_open,
            "{device}: {} acknowledged, the log ends at {next}",
            self.first_open
        );
        assert!(next <= self.sent.end, "{device}: {next} is more than was sent");
        // These come again, and then they are in the log twice.
        self.duplicates += next - self.first_open;
        self.sent = self.first_open..self.first_open;
    }

    fn body(&self, number: u64) -> String {
        let bytes = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % self.shape.body_bytes;
        let fill = usize::try_from(bytes).unwrap();
        format!("{} {number} {}", self.device, "x".repeat(fill))
    }
}
