//! What a connection knows between two packets, and what it makes of the next one.

use std::time::Duration;

use bytes::BytesMut;
use ironhub_dialect::mqtt::methods::{parse_request_id, request_topic};
use ironhub_dialect::mqtt::topic::{DeviceTopic, DeviceTopics};
use ironhub_dialect::mqtt::twin::desired_topic;
use ironhub_hub::{Hub, Link, LinkEvent, Ports, StoredFilter, TelemetrySender};
use ironhub_model::DeviceId;
use ironhub_model::limits::{KEEP_ALIVE_MAX, STALL_MAX};
use ironhub_mqtt::connection::{Connection, Event};
use ironhub_mqtt::keep_alive::KeepAlive;
use ironhub_mqtt::packet::{Delivery, PublishRef, Subscribe, Unsubscribe, encode_pingresp, encode_publish_to_device};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tracing::debug;

use super::acks::{Acks, Ticket};
use super::c2d::C2dWindow;
use super::connect::Accepted;
use super::end::End;
use super::operations::{Operation, Operations};
use super::subscriptions::{Subscriptions, features};
use super::wire::Wire;
use crate::method_answer::bring_answer;

/// What the connection knows between two packets.
pub(super) struct State<P: Ports> {
    pub(super) telemetry: TelemetrySender<P>,
    pub(super) acks: Acks,
    pub(super) operations: Operations<P>,
    pub(super) topics: DeviceTopics,
    pub(super) subscriptions: Subscriptions,
    pub(super) c2d: C2dWindow,
    /// The event log had no room for the packet that is next in the input.
    pub(super) is_log_full: bool,
    /// Since when output waits, without any progress.
    pub(super) unread_since: Option<Instant>,
    /// Since when nothing is read, without any progress.
    blocked_since: Option<Instant>,
    protocol: Connection,
    keep_alive: KeepAlive,
}

/// Was a packet taken?
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Yes,
    /// It has to be looked at again later, before anything behind it.
    NotYet,
}

/// A packet whose meaning takes the hub's word before the next is looked at.
pub(super) enum Pending {
    Subscribe(Subscribe),
    Unsubscribe(Unsubscribe),
}

impl<P: Ports> State<P> {
    pub(super) fn new(hub: Hub<P>, link: &Link<P>, accepted: Accepted) -> Self {
        let Accepted {
            protocol,
            session,
            topics,
            keep_alive_s,
        } = accepted;
        Self {
            telemetry: link.telemetry(),
            acks: Acks::new(),
            operations: Operations::new(hub, link.principal().clone()),
            subscriptions: Subscriptions::restored(session.filters, &topics),
            topics,
            c2d: C2dWindow::new(),
            is_log_full: false,
            unread_since: None,
            blocked_since: None,
            protocol,
            keep_alive: KeepAlive::new(keep_alive_s, KEEP_ALIVE_MAX, Instant::now().into_std()),
        }
    }

    /// Takes packets from the input until it is empty, nothing more may come in, or the hub has to be waited for.
    pub(super) fn take_packets<S>(&mut self, wire: &mut Wire<S>, link: &Link<P>) -> Result<Option<Pending>, End>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if wire.input.is_empty() {
            return Ok(None);
        }
        let input = std::mem::take(&mut wire.input);
        let mut used = 0;
        let pending = loop {
            if self.is_blocked(wire) {
                break None;
            }
            let Some((event, bytes)) = self.protocol.handle_input(input.get(used..).unwrap_or_default())? else {
                break None;
            };
            match self.take_event(event, link, &mut wire.output)? {
                Step::Taken => used += bytes,
                Step::NotYet => {
                    self.is_log_full = true;
                    break None;
                }
                Step::Pending(pending) => {
                    used += bytes;
                    break Some(pending);
                }
            }
        };
        if used > 0 {
            self.keep_alive.handle_packet(Instant::now().into_std());
        }
        wire.input = input;
        wire.consume(used);
        Ok(pending)
    }

    fn take_event(&mut self, event: Event<'_>, link: &Link<P>, out: &mut BytesMut) -> Result<Step, End> {
        if let Event::Publish(publish) = &event
            && let Some(bag) = self.topics.telemetry_bag(publish.topic)
        {
            return Ok(match self.take_telemetry(publish, bag)? {
                Taken::Yes => Step::Taken,
                Taken::NotYet => Step::NotYet,
            });
        }
        // Telemetry asks for itself; all else may not pass a link that was cut either.
        link.check_open()?;
        match event {
            Event::Publish(publish) => self.take_publish(&publish, link)?,
            Event::PubAck(packet_id) => {
                if let Some(lock_token) = self.c2d.acknowledged(packet_id) {
                    self.operations.push(Operation::CompleteC2d(lock_token));
                }
            }
            Event::Subscribe(subscribe) => return Ok(Step::Pending(Pending::Subscribe(subscribe))),
            Event::Unsubscribe(unsubscribe) => return Ok(Step::Pending(Pending::Unsubscribe(unsubscribe))),
            Event::PingReq => encode_pingresp(out),
            Event::Disconnect => return Err(End::Disconnected),
            // The protocol does not let it pass.
            Event::Connect(_) => {}
        }
        Ok(Step::Taken)
    }

    /// A message that is not telemetry.
    fn take_publish(&mut self, publish: &PublishRef<'_>, link: &Link<P>) -> Result<(), End> {
        let ticket = match self.topics.parse(publish.topic).ok_or(End::Topic)? {
            DeviceTopic::TwinGet { request_id } => self.queue(Operation::TwinGet {
                request_id: request_id.to_owned(),
            }),
            DeviceTopic::TwinReported { request_id, version } => self.queue(Operation::TwinReported {
                request_id: request_id.to_owned(),
                version,
                patch: publish.payload.to_vec(),
            }),
            DeviceTopic::MethodResponse { status, request_id } => {
                match parse_request_id(request_id) {
                    Some(request_id) => bring_answer(link, request_id, status, publish.payload),
                    None => ignore("method_response_rid"),
                }
                Ticket::Now
            }
            DeviceTopic::Ignored(reason) => {
                ignore(reason);
                Ticket::Now
            }
            // Was looked for before.
            DeviceTopic::Telemetry { .. } => Ticket::Now,
        };
        if let Delivery::AtLeastOnce { packet_id, .. } = publish.delivery {
            self.acks.push(packet_id, ticket, publish.payload.len());
        }
        Ok(())
    }

    fn queue(&mut self, operation: Operation) -> Ticket {
        Ticket::Operation(self.operations.push(operation))
    }

    /// Tells the device what the hub wants of it.
    pub(super) fn tell(&mut self, event: LinkEvent, out: &mut BytesMut) -> Result<(), End> {
        match event {
            LinkEvent::Method { request_id, call } => {
                let payload = call.payload.as_deref().unwrap_or_default();
                publish(out, &request_topic(&call.name, request_id), payload.as_bytes());
            }
            LinkEvent::Desired { version, patch } => publish(out, &desired_topic(version), patch.as_bytes()),
            LinkEvent::C2dReady => self.c2d.ready(),
            LinkEvent::Close(reason) => return Err(End::Cut(reason)),
        }
        Ok(())
    }

    pub(super) async fn set_filters(&mut self, link: &mut Link<P>, filters: Vec<StoredFilter>) -> Result<(), End> {
        let features = features(&filters, &self.topics);
        link.set_filters(filters.clone(), features).await?;
        self.subscriptions.replace(filters, &self.topics);
        Ok(())
    }

    pub(super) fn send_acks(&mut self, out: &mut BytesMut) -> Result<usize, End> {
        self.acks.send(self.operations.done(), out)
    }

    /// May no packet come in now?
    pub(super) fn is_blocked<S>(&self, wire: &Wire<S>) -> bool
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.is_log_full || self.acks.is_full() || self.operations.is_full() || wire.is_output_full()
    }

    /// The keep alive stands still while nothing is read, and what does not move has its time.
    pub(super) fn note_progress<S>(&mut self, wire: &Wire<S>, has_acked: bool, now: Instant)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if !self.is_blocked(wire) {
            if self.blocked_since.take().is_some() {
                self.keep_alive.resume(now.into_std());
            }
        } else if self.blocked_since.is_none() || has_acked {
            self.blocked_since = Some(now);
            self.keep_alive.pause(now.into_std());
        }
        if wire.has_output() {
            self.unread_since.get_or_insert(now);
        } else {
            self.unread_since = None;
        }
    }

    pub(super) fn check_deadlines(&mut self, now: Instant, device: &DeviceId, out: &mut BytesMut) -> Result<(), End> {
        let is_over = |since: Option<Instant>| since.is_some_and(|since| now >= since + STALL_MAX);
        if is_over(self.unread_since) {
            return Err(End::NotReading);
        }
        if is_over(self.blocked_since) {
            return Err(End::Stalled);
        }
        if self.keep_alive.is_expired(now.into_std()) {
            return Err(End::KeepAlive);
        }
        self.c2d.send_again(device, now, out);
        Ok(())
    }

    pub(super) fn next_deadline(&self, now: Instant) -> Instant {
        let stall = |since: Option<Instant>| since.map(|since| since + STALL_MAX);
        let deadlines = [
            self.keep_alive.poll_timeout().map(Instant::from_std),
            stall(self.blocked_since),
            stall(self.unread_since),
            self.c2d.next_deadline(),
        ];
        let next = deadlines.into_iter().flatten().min();
        next.unwrap_or(now + Duration::from_mins(10))
    }
}

/// What became of a packet.
enum Step {
    Taken,
    NotYet,
    Pending(Pending),
}

fn ignore(reason: &'static str) {
    metrics::counter!("ironhub_mqtt_messages_ignored_total", "reason" => reason).increment(1);
    debug!(reason, "message ignored");
}

/// All that the hub says at QoS 0, as Azure does even to subscriptions at QoS 1.
pub(super) fn publish(out: &mut BytesMut, topic: &str, payload: &[u8]) {
    if let Err(error) = encode_publish_to_device(out, topic, payload, Delivery::AtMostOnce) {
        // A $rid of more than 65,000 bytes, echoed: nobody can be told.
        debug!(%error, "an answer does not fit into MQTT");
    }
}
