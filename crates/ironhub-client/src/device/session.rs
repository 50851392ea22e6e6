//! What lasts longer than one connection: messages in flight, subscriptions, requests. No sockets, no clock.

mod subscriptions;
mod twin_requests;

use bytes::BytesMut;
use ironhub_dialect::mqtt::hub_topic::HubTopic;
use ironhub_dialect::mqtt::subscription::Subscription;
use ironhub_dialect::mqtt::topic::DeviceTopics;
use ironhub_dialect::mqtt::{c2d, methods};
use ironhub_model::{C2dMessage, IdentityId};
use ironhub_mqtt::inflight::Inflight;
use ironhub_mqtt::packet::{
    Delivery, Packet, PacketId, Publish, PublishRef, SubAck, encode_puback, encode_publish, encode_subscribe,
};
use tracing::debug;

use self::subscriptions::Subscriptions;
use self::twin_requests::{TwinDone, TwinRequests};
use super::command::{Answer, Command, Outgoing};
use super::method::{Answered, MethodRequest};
use super::twin::Section;
use crate::error::Error;
use crate::limits::{MESSAGE_BYTES_IN_FLIGHT_MAX, MESSAGES_IN_FLIGHT_MAX, OUTPUT_PENDING_BYTES_MAX};

/// A place in the packet window.
#[derive(Debug)]
enum Flight {
    Message(Outgoing),
    Subscribe(Vec<Subscription>),
}

/// What the hub wants of the device.
#[derive(Debug)]
pub(super) enum Event {
    C2d {
        message: C2dMessage,
        /// None where the hub wants no acknowledgement.
        packet_id: Option<PacketId>,
    },
    Method {
        request_id: String,
        request: MethodRequest,
    },
    /// All desired properties, after a request of the session's own.
    DesiredAll(Section),
    DesiredPatch(Section),
}

#[derive(Debug)]
pub(super) struct Session {
    topics: DeviceTopics,
    /// To be written to the socket.
    pub(super) out: BytesMut,
    flights: Inflight<Flight>,
    messages_max: usize,
    messages: usize,
    message_bytes: usize,
    subscriptions: Subscriptions,
    twins: TwinRequests,
    /// Counts connections.
    epoch: u64,
}

impl Session {
    pub(super) fn new(id: &IdentityId, messages_max: u16) -> Self {
        let messages_max = messages_max.clamp(1, MESSAGES_IN_FLIGHT_MAX);
        Self {
            topics: DeviceTopics::new(id),
            out: BytesMut::new(),
            flights: Inflight::new(u16::MAX), // Reduced to what the window may hold; the rest is for subscriptions.
            messages_max: messages_max.into(),
            messages: 0,
            message_bytes: 0,
            subscriptions: Subscriptions::default(),
            twins: TwinRequests::default(),
            epoch: 0,
        }
    }

    /// A new connection was accepted: asks for all subscriptions, then sends again what was not acknowledged.
    pub(super) fn begin(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.out.clear();
        self.drop_subscribes();
        self.twins.begin();
        for subscription in self.subscriptions.begin() {
            self.send_subscribe(subscription);
        }
        for (packet_id, flight) in self.flights.iter() {
            if let Flight::Message(message) = flight {
                put_message(&mut self.out, message, packet_id, true);
            }
        }
    }

    /// Is there room for one more message?
    pub(super) fn takes_messages(&self) -> bool {
        self.messages < self.messages_max
            && self.message_bytes < MESSAGE_BYTES_IN_FLIGHT_MAX
            && self.out.len() < OUTPUT_PENDING_BYTES_MAX
    }

    /// Is there room for one more command?
    pub(super) fn takes_commands(&self) -> bool {
        !self.twins.is_full() && self.out.len() < OUTPUT_PENDING_BYTES_MAX
    }

    /// Are there messages that the hub has not acknowledged?
    pub(super) fn has_messages(&self) -> bool {
        self.messages > 0
    }

    /// Is nothing waiting for the hub any more?
    pub(super) fn is_idle(&self) -> bool {
        self.messages == 0 && self.twins.is_idle()
    }

    /// Sends a message; only while [`takes_messages`](Self::takes_messages).
    pub(super) fn send(&mut self, message: Outgoing) {
        let bytes = message.payload.len() + message.topic.len();
        let Ok(packet_id) = self.flights.push(Flight::Message(message)) else {
            // Not reached: the window is wider than `messages_max`. The sender hears of it all the same.
            debug!("no room for a message");
            return;
        };
        self.messages += 1;
        self.message_bytes += bytes;
        if let Some(Flight::Message(message)) = self.flights.tag_mut(packet_id) {
            put_message(&mut self.out, message, packet_id, false);
        }
    }

    pub(super) fn handle_command(&mut self, command: Command) {
        match command {
            Command::Subscribe(subscription, done) => self.subscribe(subscription, Some(done)),
            Command::TwinGet(done) => self.request_twin(TwinDone::Get(done)),
            Command::Report(patch, done) => self.request_twin(TwinDone::Report(patch, done)),
            Command::Complete { epoch, packet_id, done } => {
                let outcome = if epoch == self.epoch {
                    encode_puback(&mut self.out, packet_id);
                    Ok(())
                } else {
                    Err(Error::LockLost)
                };
                let _ = done.send(outcome);
            }
        }
    }

    /// Sends the answer to a method, unless its connection is gone and with it the call.
    pub(super) fn answer_method(&mut self, answered: Answered) {
        if answered.epoch == self.epoch {
            let (status, payload) = answered.response.into_parts();
            let topic = methods::response_topic(status, &answered.request_id);
            put_once(&mut self.out, &topic, &payload);
        }
    }

    /// Asks for all desired properties unless the last change is known with all that came before it.
    pub(super) fn check_desired(&mut self, is_known: bool) {
        if !is_known && self.twins.needs_resync() {
            self.request_twin(TwinDone::Resync);
        }
    }

    /// Takes a packet of the hub.
    pub(super) fn handle_packet(&mut self, packet: Packet) -> Result<Option<Event>, Error> {
        let kind = packet.kind();
        match packet {
            Packet::PubAck(packet_id) => {
                self.acknowledged(packet_id);
                Ok(None)
            }
            Packet::Publish(publish) => Ok(self.handle_publish(&publish)),
            Packet::SubAck(suback) => {
                self.subscribed(&suback);
                Ok(None)
            }
            Packet::PingResp | Packet::UnsubAck(_) => Ok(None),
            Packet::Connect(_)
            | Packet::ConnAck(_)
            | Packet::PubRec(_)
            | Packet::PubRel(_)
            | Packet::PubComp(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_)
            | Packet::PingReq
            | Packet::Disconnect => Err(Error::Protocol(format!("an unexpected {kind}"))),
        }
    }

    /// Tells everyone who waits why there is no use in waiting on.
    pub(super) fn fail(&mut self, error: &Error) {
        for (_, flight) in self.flights.drain() {
            if let Flight::Message(message) = flight {
                let _ = message.done.send(Err(error.clone()));
            }
        }
        (self.messages, self.message_bytes) = (0, 0);
        self.twins.fail(error);
        self.subscriptions.fail(error);
    }

    fn acknowledged(&mut self, packet_id: PacketId) {
        // An identifier that is not in flight was acknowledged before the connection broke, and now again.
        if let Some(Flight::Message(message)) = self.flights.ack(packet_id) {
            self.messages -= 1;
            self.message_bytes -= message.payload.len() + message.topic.len();
            let _ = message.done.send(Ok(()));
        }
    }

    fn handle_publish(&mut self, publish: &Publish) -> Option<Event> {
        let packet_id = publish.delivery.packet_id();
        let topic = self.topics.parse_from_hub(publish.topic.as_str());
        if let Some(HubTopic::C2d { bag }) = topic {
            let message = c2d::parse(bag, &publish.payload);
            return Some(Event::C2d { message, packet_id });
        }
        if let Some(packet_id) = packet_id {
            encode_puback(&mut self.out, packet_id);
        }
        match topic? {
            HubTopic::C2d { .. } => None,
            HubTopic::MethodCall { name, request_id } => Some(Event::Method {
                request_id: request_id.to_owned(),
                request: MethodRequest {
                    name: name.to_owned(),
                    payload: publish.payload.clone(),
                },
            }),
            HubTopic::Desired { .. } => {
                let patch = serde_json::from_slice(&publish.payload).ok();
                patch.and_then(Section::read).map(Event::DesiredPatch)
            }
            HubTopic::TwinResponse {
                status,
                request_id,
                version,
            } => {
                let all = self.twins.answered(request_id, (status, version), &publish.payload)?;
                if self.twins.needs_another_resync() {
                    self.request_twin(TwinDone::Resync);
                }
                Some(Event::DesiredAll(all))
            }
        }
    }

    fn subscribe(&mut self, subscription: Subscription, done: Option<Answer<()>>) {
        if self.subscriptions.want(subscription, done) {
            self.send_subscribe(subscription);
        }
    }

    fn send_subscribe(&mut self, subscription: Subscription) {
        let Some(filter) = self.topics.filter(subscription) else {
            self.subscriptions.answered(subscription, false);
            return;
        };
        match self.flights.push(Flight::Subscribe(vec![subscription])) {
            Ok(packet_id) => {
                let request = subscriptions::request(packet_id, filter);
                // A filter is a device's ID and some text: it always fits.
                let _ = encode_subscribe(&mut self.out, &request);
            }
            Err(_) => self.subscriptions.answered(subscription, false),
        }
    }

    fn subscribed(&mut self, suback: &SubAck) {
        let Some(Flight::Subscribe(asked)) = self.flights.ack(suback.packet_id) else {
            return;
        };
        for (subscription, code) in asked.into_iter().zip(&suback.codes) {
            self.subscriptions
                .answered(subscription, subscriptions::is_granted(*code));
            if subscription == Subscription::Desired {
                self.check_desired(false);
            }
        }
        if self.subscriptions.has(Subscription::TwinResponses) {
            self.twins.send_all(&mut self.out);
        } else if self.subscriptions.is_refused(Subscription::TwinResponses) {
            self.twins.fail(&Error::SubscriptionRefused("twin responses"));
        }
    }

    fn request_twin(&mut self, done: TwinDone) {
        self.twins.push(done);
        self.subscribe(Subscription::TwinResponses, None);
        if self.subscriptions.has(Subscription::TwinResponses) {
            self.twins.send_all(&mut self.out);
        }
    }

    /// The answers to these will not come any more.
    fn drop_subscribes(&mut self) {
        let asked: Vec<PacketId> = self
            .flights
            .iter()
            .filter(|(_, flight)| matches!(flight, Flight::Subscribe(_)))
            .map(|(packet_id, _)| packet_id)
            .collect();
        for packet_id in asked {
            self.flights.ack(packet_id);
        }
    }
}

fn put_message(out: &mut BytesMut, message: &Outgoing, packet_id: PacketId, dup: bool) {
    let publish = PublishRef {
        topic: &message.topic,
        payload: &message.payload,
        delivery: Delivery::AtLeastOnce { packet_id, dup },
        retain: false,
    };
    // The topic's length was checked when the message was taken.
    let _ = encode_publish(out, &publish);
}

/// Twin requests and method answers go at QoS 0, as in most SDKs: each has an answer, or needs none, of its own.
fn put_once(out: &mut BytesMut, topic: &str, payload: &[u8]) {
    let publish = PublishRef {
        topic,
        payload,
        delivery: Delivery::AtMostOnce,
        retain: false,
    };
    let _ = encode_publish(out, &publish);
}

#[cfg(test)]
mod tests {
    use ironhub_mqtt::packet::{QoS, SubAckCode, Text};
    use ironhub_mqtt::{DecodeLimits, decode};
    use serde_json::json;
    use tokio::sync::oneshot;
    use tokio::sync::oneshot::error::TryRecvError;

    use super::*;
    use crate::device::method::MethodResponse;

    fn session() -> Session {
        let mut session = Session::new(&IdentityId::parse("d").unwrap(), 2);
        session.begin(1);
        session
    }

    type Told<T> = oneshot::Receiver<Result<T, Error>>;

    fn send(session: &mut Session, body: &'static str) -> Told<()> {
        let (done, told) = oneshot::channel();
        session.send(Outgoing {
            topic: "t".into(),
            payload: body.into(),
            done,
        });
        told
    }

    /// What goes to the hub: a word or a topic, the packet identifier and the payload.
    fn sent(session: &mut Session) -> Vec<String> {
        let show = |packet: Packet| {
            if let Packet::Publish(publish) = &packet {
                let delivery = publish.delivery;
                let dup = if delivery.is_dup() { " DUP" } else { "" };
                let id = delivery.packet_id().map(|id| format!(" #{id}")).unwrap_or_default();
                let body = String::from_utf8_lossy(&publish.payload);
                return format!("{}{id}{dup} {body}", publish.topic.as_str());
            }
            if let Packet::Subscribe(subscribe) = &packet {
                let filter = &subscribe.subscriptions[0].filter;
                return format!("SUBSCRIBE #{} {filter}", subscribe.packet_id);
            }
            format!("{packet:?}")
        };
        let packets = std::iter::from_fn(|| decode(&mut session.out, &DecodeLimits::CONNECTED).unwrap());
        packets.map(show).collect()
    }

    fn id(id: u16) -> PacketId {
        PacketId::new(id).unwrap()
    }

    fn granted(packet_id: u16, code: SubAckCode) -> Packet {
        Packet::SubAck(SubAck {
            packet_id: id(packet_id),
            codes: vec![code],
        })
    }

    fn publish(topic: &str, payload: &'static str) -> Packet {
        Packet::Publish(Publish {
            topic: Text::from(topic.to_owned()),
            payload: payload.into(),
            delivery: Delivery::AtMostOnce,
            retain: false,
        })
    }

    const GRANTED: SubAckCode = SubAckCode::Granted(QoS::AtLeastOnce);

    #[test]
    fn messages_wait_for_their_acknowledgement_over_connections() {
        let mut session = session();
        let (mut a, mut b) = (send(&mut session, "a"), send(&mut session, "b"));
        assert!(!session.takes_messages() && !session.is_idle());
        assert_eq!(sent(&mut session), ["t #1 a", "t #2 b"]);
        session.handle_packet(Packet::PubAck(id(1))).unwrap();
        assert_eq!(a.try_recv(), Ok(Ok(())));
        session.begin(2);
        assert_eq!(sent(&mut session), ["t #2 DUP b"]);
        assert_eq!(b.try_recv(), Err(TryRecvError::Empty));
        // The acknowledgement of what the first connection carried as well.
        session.handle_packet(Packet::PubAck(id(1))).unwrap();
        session.handle_packet(Packet::PubAck(id(2))).unwrap();
        assert_eq!(b.try_recv(), Ok(Ok(())));
        assert!(session.is_idle() && session.takes_messages());
    }

    #[test]
    fn subscriptions_come_before_what_is_sent_again() {
        let mut session = session();
        let (done, mut told) = oneshot::channel();
        session.handle_command(Command::Subscribe(Subscription::Methods, done));
        let _a = send(&mut session, "a");
        assert_eq!(sent(&mut session), ["SUBSCRIBE #1 $iothub/methods/POST/#", "t #2 a"]);
        session.begin(2);
        assert_eq!(
            sent(&mut session),
            ["SUBSCRIBE #3 $iothub/methods/POST/#", "t #2 DUP a"]
        );
        session.handle_packet(granted(3, GRANTED)).unwrap();
        assert_eq!(told.try_recv(), Ok(Ok(())));
        let (done, mut told) = oneshot::channel();
        session.handle_command(Command::Subscribe(Subscription::Methods, done));
        assert_eq!((sent(&mut session).len(), told.try_recv()), (0, Ok(Ok(()))));
    }

    #[test]
    fn a_refused_subscription_is_told_and_may_be_asked_for_again() {
        let mut session = session();
        for packet_id in [1, 2] {
            let (done, mut told) = oneshot::channel();
            session.handle_command(Command::Subscribe(Subscription::C2d, done));
            session.handle_packet(granted(packet_id, SubAckCode::Failure)).unwrap();
            let refused = Err(Error::SubscriptionRefused("cloud-to-device messages"));
            assert_eq!(told.try_recv(), Ok(refused));
        }
    }

    #[test]
    fn twin_requests_go_when_their_answer_can_be_heard() {
        let mut session = session();
        let (done, mut told) = oneshot::channel();
        session.handle_command(Command::Report(json!({ "a": 1 }), done));
        let (get_done, gone) = oneshot::channel();
        session.handle_command(Command::TwinGet(get_done));
        assert_eq!(sent(&mut session), ["SUBSCRIBE #1 $iothub/twin/res/#"]);
        session.handle_packet(granted(1, GRANTED)).unwrap();
        let report = "$iothub/twin/PATCH/properties/reported/?$rid=1 {\"a\":1}";
        assert_eq!(sent(&mut session), [report, "$iothub/twin/GET/?$rid=2 "]);
        // Who does not wait any more is not asked for again.
        drop(gone);
        session.begin(2);
        session.handle_packet(granted(2, GRANTED)).unwrap();
        assert_eq!(sent(&mut session), ["SUBSCRIBE #2 $iothub/twin/res/#", report]);
        session
            .handle_packet(publish("$iothub/twin/res/204/?$rid=1&$version=7", ""))
            .unwrap();
        assert_eq!(told.try_recv(), Ok(Ok(7)));
        assert!(session.is_idle());
    }

    #[test]
    fn what_belongs_to_an_older_connection_is_not_sent() {
        let mut session = session();
        session.begin(2);
        let answered = |epoch| Answered {
            epoch,
            request_id: "1a".into(),
            response: MethodResponse::status(200),
        };
        session.answer_method(answered(1));
        session.answer_method(answered(2));
        let complete = |epoch| {
            let (done, told) = oneshot::channel();
            let packet_id = id(9);
            (Command::Complete { epoch, packet_id, done }, told)
        };
        for (epoch, expected) in [(1, Err(Error::LockLost)), (2, Ok(()))] {
            let (command, mut told) = complete(epoch);
            session.handle_command(command);
            assert_eq!(told.try_recv(), Ok(expected));
        }
        assert_eq!(
            sent(&mut session),
            ["$iothub/methods/res/200/?$rid=1a ", "PubAck(PacketId(9))"]
        );
    }

    #[test]
    fn desired_properties_are_asked_for_once_more_when_a_change_was_missed_meanwhile() {
        let mut session = session();
        let (done, _told) = oneshot::channel();
        session.handle_command(Command::Subscribe(Subscription::Desired, done));
        session.handle_packet(granted(1, GRANTED)).unwrap();
        session.handle_packet(granted(2, GRANTED)).unwrap();
        session.check_desired(false);
        let asked = sent(&mut session);
        assert_eq!(asked.last().unwrap(), "$iothub/twin/GET/?$rid=1 ");
        assert_eq!(asked.len(), 3);
        let twin = r#"{"desired":{"$version":4},"reported":{"$version":1}}"#;
        let event = session
            .handle_packet(publish("$iothub/twin/res/200/?$rid=1", twin))
            .unwrap();
        assert!(
            matches!(event, Some(Event::DesiredAll(Section { version: 4, .. }))),
            "{event:?}"
        );
        assert_eq!(sent(&mut session), ["$iothub/twin/GET/?$rid=2 "]);
    }

    #[test]
    fn everyone_is_told_of_the_end() {
        let mut session = session();
        let mut message = send(&mut session, "a");
        let (done, mut twin) = oneshot::channel();
        session.handle_command(Command::TwinGet(done));
        let (done, mut subscription) = oneshot::channel();
        session.handle_command(Command::Subscribe(Subscription::C2d, done));
        session.fail(&Error::Closed);
        assert_eq!(message.try_recv(), Ok(Err(Error::Closed)));
        assert_eq!(twin.try_recv(), Ok(Err(Error::Closed)));
        assert_eq!(subscription.try_recv(), Ok(Err(Error::Closed)));
    }

    #[test]
    fn a_server_that_speaks_as_a_client_is_not_understood() {
        for packet in [Packet::PingReq, Packet::Disconnect, Packet::PubRec(id(1))] {
            assert!(matches!(session().handle_packet(packet), Err(Error::Protocol(_))));
        }
    }
}
