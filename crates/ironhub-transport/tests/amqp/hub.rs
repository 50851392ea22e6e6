//! A hub with the usual policies, one device `d.1`, one module `d.1/m.1`, and a port without TLS.

use std::marker::PhantomData;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ironhub_hub::ports::{Clock, EventLog};
use ironhub_hub::{Hub, HubConfig, Parts, Ports};
use ironhub_model::registry::{DeviceSpec, ModuleSpec, Precondition};
use ironhub_model::{AccessPolicy, DeviceId, HubSettings, ModuleId, Permission, Permissions, SymmetricKey, sas_token};
use ironhub_storage_embedded::disk::MemoryDisk;
use ironhub_storage_embedded::{LocalBus, Log, LogOptions, SqliteState};
use ironhub_testkit::FakeClock;
use ironhub_transport::amqp::AmqpService;
use ironhub_transport::faults::Faults;
use ironhub_transport::listener::{AdmissionLimits, Admissions, Drain, Listener, ListenerOptions, PeerPolicy};
use tokio::task::JoinHandle;

pub(crate) const HOST: &str = "hub.example.test";
pub(crate) const EVENT_HUB: &str = "hub";
pub(crate) const DEVICE: &str = "d.1";

/// Storage in memory, a clock that tests move, and the log of the test's choice.
pub(crate) struct TestPorts<L = Log>(PhantomData<L>);

impl<L: EventLog> Ports for TestPorts<L> {
    type State = SqliteState;
    type Log = L;
    type Bus = LocalBus;
    type Clock = FakeClock;
}

pub(crate) struct TestHub<L: EventLog = Log> {
    pub(crate) hub: Hub<TestPorts<L>>,
    pub(crate) clock: FakeClock,
    pub(crate) address: SocketAddr,
    pub(crate) drain: Drain,
    pub(crate) listener: JoinHandle<()>,
}

pub(crate) fn device_id() -> DeviceId {
    DeviceId::parse(DEVICE).unwrap()
}

pub(crate) fn key() -> SymmetricKey {
    SymmetricKey::from_bytes(&[7; 32]).unwrap()
}

/// Of the policies.
pub(crate) fn policy_key() -> SymmetricKey {
    SymmetricKey::from_bytes(&[9; 32]).unwrap()
}

pub(crate) fn policies() -> Vec<AccessPolicy> {
    let policy = |name: &str, permissions| AccessPolicy {
        name: name.into(),
        permissions,
        primary_key: policy_key(),
        secondary_key: key(),
    };
    vec![
        policy("iothubowner", Permissions::ALL),
        policy("service", Permissions::of(&[Permission::ServiceConnect])),
        policy("device", Permissions::of(&[Permission::DeviceConnect])),
        policy("registryRead", Permissions::of(&[Permission::RegistryRead])),
    ]
}

/// Over the log that the hub runs on in production, on a disk in memory.
pub(crate) async fn start() -> TestHub {
    start_broken(&[]).await
}

/// The same under fault rules.
pub(crate) async fn start_broken(rules: &[&str]) -> TestHub {
    let clock = FakeClock::default();
    let log_clock = clock.clone();
    let log_clock = Arc::new(move || log_clock.now());
    let options = LogOptions::new(2, log_clock, Box::new(|failure| panic!("{failure:?}"))).in_memory();
    let log = Log::open(Arc::new(MemoryDisk::default()), Path::new("/log"), options).unwrap();
    let rules = rules.iter().map(|rule| rule.parse().unwrap()).collect();
    start_with(log, clock, Faults::new(rules)).await
}

pub(crate) async fn start_over<L: EventLog>(log: L, clock: FakeClock) -> TestHub<L> {
    start_with(log, clock, Faults::default()).await
}

async fn start_with<L: EventLog>(log: L, clock: FakeClock, faults: Faults) -> TestHub<L> {
    let parts = Parts {
        state: SqliteState::open_in_memory().unwrap(),
        log,
        bus: LocalBus::new(),
        clock: clock.clone(),
    };
    let config = HubConfig::new(
        EVENT_HUB,
        vec![HOST.into(), "127.0.0.1".into()],
        HubSettings::with_policies(policies()),
    );
    let hub: Hub<TestPorts<L>> = Hub::start(config, parts).await.unwrap();
    register(&hub).await;
    let options = ListenerOptions {
        name: "amqp",
        tls: None,
        peers: PeerPolicy::LoopbackOnly,
        admissions: Admissions::new(AdmissionLimits::default()),
    };
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), options).await.unwrap();
    let (address, drain) = (listener.address(), Drain::new());
    let listener = tokio::spawn(listener.run(AmqpService::broken(hub.clone(), faults), drain.clone()));
    TestHub {
        hub,
        clock,
        address,
        drain,
        listener,
    }
}

async fn register<L: EventLog>(hub: &Hub<TestPorts<L>>) {
    let mut device = DeviceSpec::new(device_id());
    device.authentication.primary_key = Some(key().expose().into());
    hub.registry.put_device(device, Precondition::None).await.unwrap();
    let mut module = ModuleSpec::new(device_id(), ModuleId::parse("m.1").unwrap());
    module.authentication.primary_key = Some(key().expose().into());
    hub.registry.put_module(module, Precondition::None).await.unwrap();
}

impl<L: EventLog> TestHub<L> {
    /// A token of a policy for a path below the host, good for an hour.
    pub(crate) fn policy_token(&self, policy: &str, path: &str) -> String {
        self.token(path, &policy_key(), Some(policy))
    }

    /// A token of an identity's own, good for an hour: `devices/d.1`.
    pub(crate) fn own_token(&self, path: &str) -> String {
        self.token(path, &key(), None)
    }

    pub(crate) fn token(&self, path: &str, key: &SymmetricKey, policy: Option<&str>) -> String {
        let expires_at = self.clock.now().saturating_add(Duration::from_hours(1));
        let resource = if path.is_empty() {
            HOST.to_owned()
        } else {
            format!("{HOST}/{path}")
        };
        sas_token::sign(&resource, key, expires_at, policy)
    }
}
