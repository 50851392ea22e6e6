//! One or more hubs over one store, log and switchboard, and devices to connect to them.

use std::sync::Arc;
use std::time::Duration;

use ironhub_hub::ports::NodeId;
use ironhub_hub::{
    DevicePrincipal, Features, Hub, HubConfig, HubError, Link, LinkEvent, LinkOptions, Parts, Ports, SessionState,
    StoredEvent, StoredFilter,
};
use ironhub_model::registry::{DeviceSpec, Precondition};
use ironhub_model::settings::Route;
use ironhub_model::{
    Authentication, DeviceId, EventSource, HubSettings, IdentityId, SymmetricKey, Timestamp, sas_token,
};
use ironhub_storage_embedded::{LocalBus, Switchboard};
use ironhub_testkit::FakeClock;

use crate::ports::{MemLog, MemState};

pub(crate) struct TestPorts;

impl Ports for TestPorts {
    type State = MemState;
    type Log = MemLog;
    type Bus = LocalBus;
    type Clock = FakeClock;
}

pub(crate) type TestHub = Hub<TestPorts>;
pub(crate) type TestLink = Link<TestPorts>;

pub(crate) struct World {
    pub(crate) state: MemState,
    pub(crate) log: MemLog,
    pub(crate) clock: FakeClock,
    pub(crate) settings: HubSettings,
    switchboard: Arc<Switchboard>,
    nodes: std::cell::Cell<u32>,
}

pub(crate) fn id(text: &str) -> IdentityId {
    IdentityId::parse(text).unwrap()
}

pub(crate) fn device(text: &str) -> DeviceId {
    DeviceId::parse(text).unwrap()
}

pub(crate) fn listening(methods: bool, desired: bool, c2d: bool) -> (Vec<StoredFilter>, Features) {
    let filter = |on: bool, filter: &str| {
        on.then(|| StoredFilter {
            filter: filter.into(),
            qos: 1,
        })
    };
    let filters = [
        filter(methods, "methods"),
        filter(desired, "desired"),
        filter(c2d, "c2d"),
    ];
    let features = Features { methods, desired, c2d };
    (filters.into_iter().flatten().collect(), features)
}

impl World {
    /// A world whose routes take everything.
    pub(crate) fn new() -> Self {
        let mut settings = HubSettings::with_policies(Vec::new());
        settings.routes = [
            EventSource::DeviceMessages,
            EventSource::TwinChangeEvents,
            EventSource::DeviceLifecycleEvents,
            EventSource::DeviceConnectionStateEvents,
        ]
        .map(|source| Route {
            name: source.annotation().into(),
            source,
            condition: true,
            is_enabled: true,
        })
        .into();
        Self {
            state: MemState::default(),
            log: MemLog::new(2),
            clock: FakeClock::default(),
            settings,
            switchboard: Switchboard::new(),
            nodes: std::cell::Cell::new(0),
        }
    }

    /// One more hub of this world.
    pub(crate) async fn hub(&self) -> TestHub {
        let node = self.nodes.get();
        self.nodes.set(node + 1);
        let parts = Parts {
            state: self.state.clone(),
            log: self.log.clone(),
            bus: LocalBus::join(&self.switchboard, NodeId(format!("node-{node}").into())),
            clock: self.clock.clone(),
        };
        let config = HubConfig::new("hub", vec!["hub.test".into()], self.settings.clone());
        Hub::start(config, parts).await.unwrap()
    }

    /// A hub with one registered device, `d`.
    pub(crate) async fn hub_with_device() -> (Self, TestHub) {
        let world = Self::new();
        let hub = world.hub().await;
        register(&hub, "d").await;
        (world, hub)
    }

    /// What a device shows after its connection was authorized for an hour.
    pub(crate) async fn principal(&self, hub: &TestHub, id: &IdentityId) -> Result<DevicePrincipal, HubError> {
        let key = key(hub, &id.device).await;
        let resource = format!("hub.test/devices/{}", id.device);
        let end = ironhub_hub::ports::Clock::now(&self.clock).saturating_add(Duration::from_hours(1));
        let token = sas_token::sign(&resource, &key, end, None);
        hub.auth.connect_device(id, "hub.test", Some(&token), &[]).await
    }

    pub(crate) async fn open(&self, hub: &TestHub, clean_session: bool) -> (TestLink, SessionState) {
        let principal = self.principal(hub, &id("d")).await.unwrap();
        let options = LinkOptions {
            clean_session,
            ..LinkOptions::default()
        };
        hub.connections.open(principal, options).await.unwrap()
    }

    pub(crate) async fn link(&self, hub: &TestHub) -> TestLink {
        self.open(hub, true).await.0
    }

    pub(crate) fn now(&self) -> Timestamp {
        ironhub_hub::ports::Clock::now(&self.clock)
    }

    /// `opType` or source of every event in the log, with its body.
    pub(crate) fn told(&self) -> Vec<(String, String)> {
        self.log.events().iter().map(|event| told(event)).collect()
    }
}

fn told(event: &[u8]) -> (String, String) {
    let event = StoredEvent::parse(event).unwrap();
    let bare = ironhub_amqp::message::BareMessage::parse(event.bare_message).unwrap();
    let operation = bare.application_properties.value("opType");
    let name = operation.and_then(|operation| operation.as_text());
    let ironhub_amqp::message::Body::Data(data) = bare.body else {
        panic!("no data")
    };
    let body: Vec<u8> = data.flatten().copied().collect();
    let name = name.unwrap_or(event.source.annotation());
    (name.to_owned(), String::from_utf8(body).unwrap())
}

pub(crate) async fn register(hub: &TestHub, name: &str) {
    let spec = DeviceSpec::new(device(name));
    hub.registry.put_device(spec, Precondition::None).await.unwrap();
}

pub(crate) async fn key(hub: &TestHub, device: &DeviceId) -> SymmetricKey {
    let view = hub.registry.device(device).await.unwrap();
    let Authentication::Sas { primary, .. } = view.identity.authentication else {
        panic!("no keys")
    };
    primary
}

/// The next event, which must come without anything else happening.
pub(crate) async fn next(link: &mut TestLink) -> LinkEvent {
    tokio::time::timeout(Duration::from_mins(1), link.next())
        .await
        .expect("an event")
}

/// Nothing comes, however long one waits.
pub(crate) async fn nothing(link: &mut TestLink) {
    let event = tokio::time::timeout(Duration::from_secs(10), link.next()).await;
    assert!(event.is_err(), "{event:?}");
}
