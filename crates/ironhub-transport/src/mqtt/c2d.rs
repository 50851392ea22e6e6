//! Cloud-to-device messages on their way to a device.

use std::time::Duration;

use bytes::BytesMut;
use ironhub_dialect::mqtt::c2d::delivery_topic;
use ironhub_model::limits::{C2D_IN_FLIGHT_PER_CONNECTION_MAX, C2D_LOCK_DEFAULT};
use ironhub_model::{C2dDelivery, DeviceId, LockToken};
use ironhub_mqtt::inflight::Inflight;
use ironhub_mqtt::limits::INFLIGHT_WINDOW_MAX;
use ironhub_mqtt::packet::{Delivery, PacketId, QoS, encode_publish_to_device};
use tokio::time::Instant;
use tracing::warn;

use super::operations::Operation;

#[expect(clippy::cast_possible_truncation, reason = "asserted below")]
const WINDOW: u16 = C2D_IN_FLIGHT_PER_CONNECTION_MAX as u16;
const _: () = assert!(C2D_IN_FLIGHT_PER_CONNECTION_MAX <= INFLIGHT_WINDOW_MAX as usize);

/// How long to wait after the hub could not hand out messages.
const RETRY_WAIT: Duration = Duration::from_secs(1);

/// The messages that are out for acknowledgement, and when to look for more.
#[derive(Debug)]
pub(super) struct C2dWindow {
    in_flight: Inflight<Sent>,
    /// Completions that the hub has not confirmed: they fill the window too.
    completing: usize,
    has_more: bool,
    retry_at: Option<Instant>,
}

#[derive(Debug)]
struct Sent {
    delivery: Box<C2dDelivery>,
    at: Instant,
}

impl C2dWindow {
    pub(super) fn new() -> Self {
        Self {
            in_flight: Inflight::new(WINDOW),
            completing: 0,
            has_more: false,
            retry_at: None,
        }
    }

    /// The queue may have messages.
    pub(super) fn ready(&mut self) {
        self.has_more = true;
    }

    /// How many messages may be fetched now.
    pub(super) fn room(&self, now: Instant) -> usize {
        if !self.has_more || self.retry_at.is_some_and(|at| now < at) {
            return 0;
        }
        C2D_IN_FLIGHT_PER_CONNECTION_MAX.saturating_sub(self.in_flight.len() + self.completing)
    }

    /// So many messages were fetched where there was room for `room`.
    pub(super) fn fetched(&mut self, count: usize, room: usize) {
        self.retry_at = None;
        self.has_more = count == room;
    }

    /// The hub cannot hand out messages now.
    pub(super) fn fetch_failed(&mut self, now: Instant) {
        self.retry_at = Some(now + RETRY_WAIT);
    }

    /// Sends a message. Returns what has to be done at once: a subscription at QoS 0 knows no PUBACK, and a message
    /// whose properties have outgrown a topic in percent-encoding can never be sent.
    pub(super) fn send(
        &mut self,
        delivery: &C2dDelivery,
        device: &DeviceId,
        (qos, now): (QoS, Instant),
        out: &mut BytesMut,
    ) -> Option<Operation> {
        let (lock_token, dup) = (delivery.lock_token, delivery.redelivered);
        let wire = match qos {
            QoS::AtMostOnce => Delivery::AtMostOnce,
            QoS::AtLeastOnce | QoS::ExactlyOnce => {
                let sent = Sent {
                    delivery: Box::new(delivery.clone()),
                    at: now,
                };
                // Cannot be full: no more is fetched than there is room.
                let packet_id = self.in_flight.push(sent).ok()?;
                Delivery::AtLeastOnce { packet_id, dup }
            }
        };
        let topic = delivery_topic(device, &delivery.message);
        if let Err(error) = encode_publish_to_device(out, &topic, &delivery.message.body, wire) {
            warn!(device_id = %device, %error, "a C2D message does not fit into MQTT and is rejected");
            wire.packet_id().and_then(|packet_id| self.in_flight.ack(packet_id));
            self.completing += 1;
            return Some(Operation::RejectC2d(lock_token));
        }
        if wire.packet_id().is_some() {
            return None;
        }
        self.completing += 1;
        Some(Operation::CompleteC2d(lock_token))
    }

    /// PUBACK: returns the token to complete the message by. An unknown packet identifier means nothing.
    pub(super) fn acknowledged(&mut self, packet_id: PacketId) -> Option<LockToken> {
        let sent = self.in_flight.ack(packet_id)?;
        self.completing += 1;
        Some(sent.delivery.lock_token)
    }

    /// A completion is confirmed.
    pub(super) fn settled(&mut self) {
        self.completing = self.completing.saturating_sub(1);
    }

    /// Sends again what has not been acknowledged within a lock's time, with DUP.
    pub(super) fn send_again(&mut self, device: &DeviceId, now: Instant, out: &mut BytesMut) {
        let is_due = |sent: &Sent| now >= sent.at + C2D_LOCK_DEFAULT;
        let due: Vec<PacketId> = self
            .in_flight
            .iter()
            .filter(|(_, sent)| is_due(sent))
            .map(|(packet_id, _)| packet_id)
            .collect();
        for packet_id in due {
            let Some(sent) = self.in_flight.tag_mut(packet_id) else {
                continue;
            };
            sent.at = now;
            let message = &sent.delivery.message;
            let delivery = Delivery::AtLeastOnce { packet_id, dup: true };
            // Has been encoded before.
            let _ = encode_publish_to_device(out, &delivery_topic(device, message), &message.body, delivery);
        }
    }

    /// When there is something to do without being told.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let again = self.in_flight.iter().map(|(_, sent)| sent.at + C2D_LOCK_DEFAULT).min();
        [again, self.retry_at.filter(|_| self.has_more)]
            .into_iter()
            .flatten()
            .min()
    }
}
