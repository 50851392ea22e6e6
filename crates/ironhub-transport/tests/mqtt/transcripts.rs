//! The conversations of `conformance/transcripts/mqtt`, whose README explains the notation.

use std::time::Duration;

use ironhub_hub::HubError;
use ironhub_hub::ports::EventLog;
use ironhub_model::identity::DeviceStatus;
use ironhub_model::message::C2dMessage;
use ironhub_model::method::MethodName;
use ironhub_model::registry::{ConnectionState, DeviceSpec, Precondition};
use ironhub_model::twin::TwinPatch;
use ironhub_model::{IdentityId, MethodCall, MethodResponse};
use tokio::io::AsyncWriteExt;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::client::{Client, WATCHDOG};
use crate::hub::{DEVICE, HOST, MODULE, TestHub, device_id, key, memory_log, start};
use crate::notation::packet;

macro_rules! transcripts {
    ($($name:ident)*) => {$(
        #[tokio::test]
        async fn $name() {
            replay(include_str!(concat!("../../../../conformance/transcripts/mqtt/", stringify!($name), ".txt"))).await;
        }
    )*};
}

transcripts! { python c node old_forms module misuse }

/// A transcript on a hub of its own.
struct Replay<L: EventLog> {
    hub: TestHub<L>,
    client: Option<Client>,
    call: Option<JoinHandle<Result<MethodResponse, HubError>>>,
}

async fn replay(transcript: &str) {
    let mut replay = Replay {
        hub: start(memory_log()).await,
        client: None,
        call: None,
    };
    for (number, line) in (1..).zip(transcript.lines()) {
        let line = line.trim();
        let step = replay.step(line);
        assert!(
            timeout(WATCHDOG, step).await.is_ok(),
            "line {number} takes too long: {line}"
        );
    }
}

impl<L: EventLog> Replay<L> {
    async fn step(&mut self, line: &str) {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("→", notation) => self.send(notation).await,
            ("←", "closed") => {
                let left = self.client().await.receive_bytes(usize::MAX).await;
                assert!(left.is_empty(), "before the end: {left:02x?}");
                self.client = None;
            }
            ("←", notation) => self.expect(notation, line).await,
            ("--", _) => self.cut().await,
            ("!", action) => self.act(action).await,
            ("#" | "", _) => {}
            _ => panic!("not a line of a transcript: {line}"),
        }
    }

    async fn client(&mut self) -> &mut Client {
        if self.client.is_none() {
            self.client = Some(Client::open(self.hub.address).await);
        }
        self.client.as_mut().unwrap()
    }

    /// Cuts the connection, and waits until the hub knows.
    async fn cut(&mut self) {
        self.client = None;
        let registry = &self.hub.hub.registry;
        while registry.device(&device_id()).await.unwrap().connection.state == ConnectionState::Connected {
            tokio::task::yield_now().await;
        }
    }

    async fn send(&mut self, notation: &str) {
        let notation = notation
            .replace("{host}", HOST)
            .replace("{token}", &self.hub.token(DEVICE))
            .replace("{module-token}", &self.hub.token(MODULE));
        let (bytes, _) = packet(&notation);
        self.client().await.stream.write_all(&bytes).await.unwrap();
    }

    async fn expect(&mut self, notation: &str, line: &str) {
        if let Some(start) = notation.strip_suffix('…') {
            // The remaining length is the hub's to say.
            let (_, body) = start.split_once('*').expect("a remaining length");
            let (expected, _) = packet(&format!("{body}'"));
            let head = self.client().await.receive_bytes(3).await;
            let length = usize::from(head[1] & 0x7f) + usize::from(head[2]) * 128;
            assert!(head[1] & 0x80 != 0, "{line}");
            let body = self.client().await.receive_bytes(length).await;
            let text = String::from_utf8_lossy(&body);
            assert!(body.starts_with(&expected), "{line}\ncame: {text}");
            return;
        }
        let (expected, _) = packet(notation);
        let received = self.client().await.receive_bytes(expected.len()).await;
        let (text, hex) = (String::from_utf8_lossy(&received), format!("{received:02x?}"));
        assert!(received == expected, "{line}\ncame: {text}\n{hex}");
    }

    async fn act(&mut self, action: &str) {
        let hub = &self.hub.hub;
        let id = IdentityId::device(device_id());
        match action.split_once(' ').unwrap_or((action, "")) {
            ("desired", patch) => {
                let patch = TwinPatch {
                    tags: None,
                    desired: Some(serde_json::from_str(patch).unwrap()),
                };
                hub.twins.patch(&id, patch, Precondition::None).await.unwrap();
            }
            ("c2d", body) => hub.c2d.send(&device_id(), c2d_message(body)).await.unwrap(),
            ("method", call) => {
                let (name, payload) = call
                    .split_once(' ')
                    .map_or((call, None), |(name, json)| (name, Some(json)));
                let call = MethodCall {
                    name: MethodName::parse(name).unwrap(),
                    payload: payload.map(Into::into),
                    response_timeout: Duration::from_secs(30),
                    connect_timeout: Duration::ZERO,
                };
                let methods = hub.methods.clone();
                self.call = Some(tokio::spawn(async move { methods.invoke(&id, call).await }));
            }
            ("answer", "invalid") => {
                let answer = self.call.take().unwrap().await.unwrap();
                assert_eq!(answer.unwrap_err(), HubError::InvalidMethodResponse);
            }
            ("answer", expected) => {
                let (status, payload) = expected
                    .split_once(' ')
                    .map_or((expected, None), |(s, json)| (s, Some(json)));
                let answer = self.call.take().unwrap().await.unwrap().unwrap();
                assert_eq!(
                    (answer.status.to_string().as_str(), answer.payload.as_deref()),
                    (status, payload)
                );
            }
            ("disable", _) => {
                let mut spec = DeviceSpec::new(device_id());
                spec.status = Some(DeviceStatus::Disabled);
                spec.authentication.primary_key = Some(key().expose().into());
                hub.registry.put_device(spec, Precondition::Any).await.unwrap();
            }
            _ => panic!("not an action: {action}"),
        }
    }
}

pub(crate) fn c2d_message(body: &str) -> C2dMessage {
    C2dMessage {
        to: format!("/devices/{DEVICE}/messages/devicebound"),
        body: body.into(),
        ..C2dMessage::default()
    }
}
