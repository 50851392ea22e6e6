//! A hub with one device `d.1`, one module `d.1/m.1`, and a port without TLS.

use std::marker::PhantomData;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ironhub_hub::ports::{Clock, EventLog};
use ironhub_hub::{Hub, HubConfig, Parts, Ports};
use ironhub_model::registry::{DeviceSpec, ModuleSpec, Precondition};
use ironhub_model::{DeviceId, HubSettings, IdentityId, ModuleId, SymmetricKey, sas_token};
use ironhub_storage_embedded::disk::MemoryDisk;
use ironhub_storage_embedded::{LocalBus, Log, LogOptions, SqliteState};
use ironhub_testkit::FakeClock;
use ironhub_transport::listener::{AdmissionLimits, Admissions, Drain, Listener, ListenerOptions, PeerPolicy};
use ironhub_transport::mqtt::MqttService;
use tokio::task::JoinHandle;

pub(crate) const HOST: &str = "hub.example.test";
pub(crate) const DEVICE: &str = "d.1";
pub(crate) const MODULE: &str = "d.1/m.1";

/// Storage in memory, a clock that tests move, and the log of the test's choice.
pub(crate) struct TestPorts<L>(PhantomData<L>);

impl<L: EventLog> Ports for TestPorts<L> {
    type State = SqliteState;
    type Log = L;
    type Bus = LocalBus;
    type Clock = FakeClock;
}

pub(crate) struct TestHub<L: EventLog> {
    pub(crate) hub: Hub<TestPorts<L>>,
    pub(crate) clock: FakeClock,
    pub(crate) address: SocketAddr,
    pub(crate) drain: Drain,
    pub(crate) listener: JoinHandle<()>,
}

pub(crate) fn device_id() -> DeviceId {
    DeviceId::parse(DEVICE).unwrap()
}

/// The log that the hub runs on in production, over a disk in memory.
pub(crate) fn memory_log() -> Log {
    let clock = Arc::new(|| FakeClock::default().now());
    let options = LogOptions::new(2, clock, Box::new(|failure| panic!("{failure:?}"))).in_memory();
    Log::open(Arc::new(MemoryDisk::default()), Path::new("/log"), options).unwrap()
}

pub(crate) async fn start<L: EventLog>(log: L) -> TestHub<L> {
    let clock = FakeClock::default();
    let parts = Parts {
        state: SqliteState::open_in_memory().unwrap(),
        log,
        bus: LocalBus::new(),
        clock: clock.clone(),
    };
    let settings = HubSettings::with_policies(Vec::new());
    let config = HubConfig::new("hub", vec![HOST.into(), "127.0.0.1".into()], settings);
    let hub: Hub<TestPorts<L>> = Hub::start(config, parts).await.unwrap();
    let mut device = DeviceSpec::new(device_id());
    device.authentication.primary_key = Some(key().expose().into());
    hub.registry.put_device(device, Precondition::None).await.unwrap();
    let mut module = ModuleSpec::new(device_id(), ModuleId::parse("m.1").unwrap());
    module.authentication.primary_key = Some(key().expose().into());
    hub.registry.put_module(module, Precondition::None).await.unwrap();
    let options = ListenerOptions {
        name: "mqtt",
        tls: None,
        peers: PeerPolicy::LoopbackOnly,
        admissions: Admissions::new(AdmissionLimits::default()),
    };
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), options).await.unwrap();
    let (address, drain) = (listener.address(), Drain::new());
    let listener = tokio::spawn(listener.run(MqttService::new(hub.clone()), drain.clone()));
    TestHub {
        hub,
        clock,
        address,
        drain,
        listener,
    }
}

pub(crate) fn key() -> SymmetricKey {
    SymmetricKey::from_bytes(&[7; 32]).unwrap()
}

impl<L: EventLog> TestHub<L> {
    /// A token of this identity that is good for an hour.
    pub(crate) fn token(&self, id: &str) -> String {
        let expires_at = self.clock.now().saturating_add(Duration::from_hours(1));
        let id = IdentityId::parse(id).unwrap();
        let module = id
            .module
            .as_ref()
            .map(|module| format!("/modules/{module}"))
            .unwrap_or_default();
        sas_token::sign(
            &format!("{HOST}/devices/{}{module}", id.device),
            &key(),
            expires_at,
            None,
        )
    }
}
