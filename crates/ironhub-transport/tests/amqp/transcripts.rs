//! The conversations of `conformance/transcripts/amqp`, whose README explains the notation.

use std::time::Duration;

use ironhub_dialect::https::events::{StoredView, event_json};
use ironhub_hub::ports::{Clock, Start};
use ironhub_hub::{HubError, StoredEvent};
use ironhub_model::method::MethodName;
use ironhub_model::registry::Precondition;
use ironhub_model::twin::TwinPatch;
use ironhub_model::{
    AckRequest, C2dMessage, D2cMessage, IdentityId, MethodCall, MethodResponse, PartitionId, SequenceNumber, sas_token,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::hub::{DEVICE, EVENT_HUB, HOST, TestHub, device_id, policy_key, start};
use crate::json_pattern;
use crate::notation::{Frame, Names, Wanted, written};

/// Far longer than any step takes.
const WATCHDOG: Duration = Duration::from_mins(1);

macro_rules! transcripts {
    ($($name:ident)*) => {$(
        #[tokio::test]
        async fn $name() {
            replay(include_str!(concat!("../../../../conformance/transcripts/amqp/", stringify!($name), ".txt"))).await;
        }
    )*};
}

transcripts! { c_service iothub_explorer c_device dotnet_device java_device }

/// A transcript on a hub of its own.
struct Replay {
    hub: TestHub,
    socket: Option<TcpStream>,
    heard: Vec<u8>,
    names: Names,
    call: Option<JoinHandle<Result<MethodResponse, HubError>>>,
    /// The next event of the partition that the device's events are in.
    next_event: SequenceNumber,
}

async fn replay(transcript: &str) {
    let mut replay = Replay {
        hub: start().await,
        socket: None,
        heard: Vec::new(),
        names: Names::new(),
        call: None,
        next_event: SequenceNumber(0),
    };
    // A line that begins with a blank goes on with the one before.
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (number, line) in (1..).zip(transcript.lines()) {
        match lines.last_mut() {
            Some((_, before)) if line.starts_with(' ') => before.extend([" ", line.trim()]),
            _ => lines.push((number, line.trim_end().to_owned())),
        }
    }
    for (number, line) in &lines {
        let step = replay.step(line);
        let said = timeout(WATCHDOG, step).await;
        let wrong = said.unwrap_or_else(|_| Err("takes too long".into())).err();
        assert_eq!(wrong, None, "line {number}: {line}");
    }
}

impl Replay {
    /// Fails with what was wrong.
    async fn step(&mut self, line: &str) -> Result<(), String> {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("→", said) => {
                let frame = Wanted::parse(&self.filled(said)).frame(&self.names);
                self.socket().await.write_all(&frame.bytes()).await.unwrap();
                Ok(())
            }
            ("←", "closed") => match self.frame().await {
                None => {
                    self.socket = None;
                    Ok(())
                }
                Some(frame) => Err(format!("came: {}", written(&frame))),
            },
            ("←", expected) => {
                let wanted = Wanted::parse(&self.filled(expected));
                let frame = self.frame().await.ok_or("the hub has closed the connection")?;
                let is_it = wanted.matches(&frame, &mut self.names);
                is_it.then_some(()).ok_or_else(|| format!("came: {}", written(&frame)))
            }
            ("--", _) => {
                self.socket = None;
                Ok(())
            }
            ("!", action) => self.act(&self.filled(action)).await,
            ("#" | "", _) => Ok(()),
            _ => panic!("not a line of a transcript: {line}"),
        }
    }

    async fn socket(&mut self) -> &mut TcpStream {
        if self.socket.is_none() {
            self.socket = Some(TcpStream::connect(self.hub.address).await.unwrap());
            self.heard.clear();
        }
        self.socket.as_mut().unwrap()
    }

    /// The next frame of the hub's; `None` at the end of the connection.
    async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = Frame::take(&mut self.heard) {
                return Some(frame);
            }
            let mut bytes = [0; 4096];
            let count = self.socket().await.read(&mut bytes).await.unwrap_or(0);
            if count == 0 {
                return None;
            }
            self.heard.extend_from_slice(&bytes[..count]);
        }
    }

    /// With the names of this hub, and credentials for it.
    fn filled(&self, text: &str) -> String {
        let hub = &self.hub;
        let expires_at = hub.clock.now().saturating_add(Duration::from_hours(1));
        let events = format!("sb://{HOST}/{EVENT_HUB}");
        let key_text = policy_key().expose().as_bytes().to_vec();
        let events = sas_token::sign_with_bytes(&events, &key_text, expires_at, Some("iothubowner"));
        text.replace("{host}", HOST)
            .replace("{event-hub}", EVENT_HUB)
            .replace("{key}", policy_key().expose())
            .replace("{token}", &hub.policy_token("iothubowner", ""))
            .replace("{service-token}", &hub.policy_token("service", ""))
            .replace("{events-token}", &events)
            .replace("{device-token}", &hub.own_token(&format!("devices/{DEVICE}")))
            .replace(
                "{module-token}",
                &hub.own_token(&format!("devices/{DEVICE}/modules/m.1")),
            )
            .replace(
                "{wrong-token}",
                &hub.token(&format!("devices/{DEVICE}"), &policy_key(), None),
            )
    }

    async fn act(&mut self, action: &str) -> Result<(), String> {
        match action.split_once(' ').unwrap_or((action, "")) {
            ("telemetry", body) => self.send_telemetry(body).await,
            ("stored", expected) => {
                let (expected, heard) = (parsed(expected), self.stored().await);
                return compared(&expected, &heard);
            }
            ("c2d", message) => self
                .hub
                .hub
                .c2d
                .send(&device_id(), c2d(&parsed(message)))
                .await
                .unwrap(),
            ("received", expected) => {
                let (expected, heard) = (parsed(expected), self.received().await);
                return compared(&expected, &heard);
            }
            ("queued", count) => {
                let queued = self.hub.hub.c2d.count(&device_id()).await.unwrap();
                return compared(&parsed(count), &json!(queued));
            }
            ("purge", _) => drop(self.hub.hub.c2d.purge(&device_id()).await.unwrap()),
            ("desired", patch) => {
                let (tags, desired) = (None, Some(parsed(patch)));
                let patch = TwinPatch { tags, desired };
                let id = IdentityId::device(device_id());
                self.hub.hub.twins.patch(&id, patch, Precondition::None).await.unwrap();
            }
            ("method", call) => self.call(call),
            ("answer", expected) => {
                let answer = self.call.take().unwrap().await.unwrap().unwrap();
                let payload = answer.payload.as_deref().map_or(Value::Null, parsed);
                return compared(&parsed(expected), &json!([answer.status, payload]));
            }
            ("failed", expected) => {
                let error = self.call.take().unwrap().await.unwrap().unwrap_err();
                return compared(&json!(expected), &json!(format!("{error:?}")));
            }
            _ => panic!("not an action: {action}"),
        }
        Ok(())
    }

    async fn send_telemetry(&self, body: &str) {
        let hub = &self.hub.hub;
        let token = self.hub.own_token(&format!("devices/{DEVICE}"));
        let id = IdentityId::device(device_id());
        let principal = hub.auth.authorize_device(&id, Some(&token), &[]).await.unwrap();
        let message = D2cMessage {
            properties: vec![("alert".into(), Some("yes".into()))],
            body: body.as_bytes(),
            ..D2cMessage::default()
        };
        let sender = hub.telemetry.sender(&principal, None);
        sender.submit(&message).unwrap().durable().await.unwrap();
    }

    /// The next event of the device, as the hub's own API shows it.
    async fn stored(&mut self) -> Value {
        let events = &self.hub.hub.events;
        let mut partitions = (0..events.partitions()).map(PartitionId);
        let partition = partitions
            .find(|partition| events.bounds(*partition).unwrap().next.0 > 0)
            .unwrap();
        let records = events.read(partition, Start::At(self.next_event), 1).await.unwrap();
        let record = records.first().expect("an event");
        self.next_event = SequenceNumber(record.sequence.0 + 1);
        let event = StoredEvent::parse(&record.event).unwrap();
        let view = StoredView {
            partition,
            sequence: record.sequence,
            enqueued_at: record.enqueued_at,
            source: event.source,
            device: event.device,
            module: event.module,
            annotations: event.annotation_map().unwrap(),
            bare_message: event.bare_message,
        };
        parsed(&event_json(&view).unwrap())
    }

    /// The device takes the next message by HTTPS and completes it.
    async fn received(&self) -> Value {
        let hub = &self.hub.hub;
        let id = IdentityId::device(device_id());
        let token = self.hub.own_token(&format!("devices/{DEVICE}"));
        let caller = hub.auth.authorize_device(&id, Some(&token), &[]).await.unwrap();
        let delivery = hub.c2d.receive(&caller, Duration::ZERO).await.unwrap();
        let delivery = delivery.expect("a message");
        hub.c2d.complete(&caller, &delivery.lock_token).await.unwrap();
        let message = delivery.message;
        json!({
            "messageId": message.message_id,
            "correlationId": message.correlation_id,
            "to": message.to,
            "contentType": message.content_type,
            "ack": message.ack.map(AckRequest::as_str),
            "properties": message.properties,
            "body": String::from_utf8(message.body).unwrap(),
        })
    }

    fn call(&mut self, call: &str) {
        let (name, payload) = call
            .split_once(' ')
            .map_or((call, None), |(name, json)| (name, Some(json)));
        let call = MethodCall {
            name: MethodName::parse(name).unwrap(),
            payload: payload.map(Into::into),
            response_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(30),
        };
        let methods = self.hub.hub.methods.clone();
        let id = IdentityId::device(device_id());
        self.call = Some(tokio::spawn(async move { methods.invoke(&id, call).await }));
    }
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

fn compared(expected: &Value, heard: &Value) -> Result<(), String> {
    let is_it = json_pattern::matches(expected, heard, &mut json_pattern::Names::new());
    is_it.then_some(()).ok_or_else(|| format!("came: {heard}"))
}

fn c2d(message: &Value) -> C2dMessage {
    let text = |name: &str| message[name].as_str().map(str::to_owned);
    C2dMessage {
        message_id: text("messageId"),
        to: format!("/devices/{DEVICE}/messages/devicebound"),
        content_type: text("contentType"),
        ack: text("ack").and_then(|ack| AckRequest::parse(&ack)),
        properties: vec![("colour".into(), "red".into())],
        body: text("body").unwrap().into_bytes(),
        ..C2dMessage::default()
    }
}
