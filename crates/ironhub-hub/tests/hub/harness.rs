//! A hub for one test.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use ironhub_hub::ports::{
    Bounds, BusError, Claim, Completion, DeviceBus, Epoch, EventLog, Location, LogError, LogRecord, NodeHandler,
    NodeId, NodeReply, NodeRequest, Retention, Start, SubmitError, Watermark,
};
use ironhub_hub::{DevicePrincipal, Hub, HubConfig, HubError, Parts, Ports};
use ironhub_model::registry::{DeviceSpec, DeviceView, ModuleSpec, ModuleView, Precondition};
use ironhub_model::{
    AccessPolicy, Authentication, DeviceId, HubSettings, IdentityId, ModuleId, PartitionId, Permissions,
    SequenceNumber, SymmetricKey, Timestamp, sas_token,
};
use ironhub_storage_embedded::SqliteState;
use ironhub_testkit::FakeClock;

pub(crate) const HOST: &str = "hub.example.test";
/// Where the clock stands at first: the beginning of 2026.
pub(crate) const NOW_S: i64 = 1_767_225_600;
/// The allowance for clocks that differ, unless a test changes it.
pub(crate) const SKEW_S: i64 = 300;

pub(crate) struct TestPorts;

impl Ports for TestPorts {
    type State = SqliteState;
    type Log = StillLog;
    type Bus = RecordingBus;
    type Clock = FakeClock;
}

/// A hub and the ends of its parts that a test holds.
pub(crate) struct Stage {
    pub(crate) hub: Hub<TestPorts>,
    pub(crate) bus: RecordingBus,
    pub(crate) clock: FakeClock,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut HubConfig)) -> Self {
        let policies = AccessPolicy::defaults().into_iter().enumerate();
        let policies = policies.map(|(index, (name, permissions))| policy(name, permissions, index));
        let host_names = [HOST, "127.0.0.1"].map(String::from).to_vec();
        let mut config = HubConfig::new("hub", host_names, HubSettings::with_policies(policies.collect()));
        change(&mut config);
        let (bus, clock) = (RecordingBus::default(), FakeClock::default());
        let parts = Parts {
            state: SqliteState::open_in_memory().unwrap(),
            log: StillLog::default(),
            bus: bus.clone(),
            clock: clock.clone(),
        };
        let hub = Hub::start(config, parts).await.unwrap();
        Self { hub, bus, clock }
    }

    pub(crate) async fn device(&self, name: &str) -> DeviceView {
        let spec = DeviceSpec::new(device_id(name));
        self.hub.registry.put_device(spec, Precondition::None).await.unwrap()
    }

    pub(crate) async fn module(&self, device: &str, module: &str) -> ModuleView {
        let spec = ModuleSpec::new(device_id(device), module_id(module));
        self.hub.registry.put_module(spec, Precondition::None).await.unwrap()
    }

    /// The identity's principal, by a token that its primary key signs.
    pub(crate) async fn principal(&self, name: &str) -> DevicePrincipal {
        let id = id(name);
        let key = self.primary_key(&id).await;
        let token = own_token(&id, &key, NOW_S + 3600);
        self.hub
            .auth
            .connect_device(&id, HOST, Some(&token), &[])
            .await
            .unwrap()
    }

    pub(crate) async fn primary_key(&self, id: &IdentityId) -> SymmetricKey {
        let authentication = match &id.module {
            None => {
                self.hub
                    .registry
                    .device(&id.device)
                    .await
                    .unwrap()
                    .identity
                    .authentication
            }
            Some(module) => {
                self.hub
                    .registry
                    .module(&id.device, module)
                    .await
                    .unwrap()
                    .identity
                    .authentication
            }
        };
        let Authentication::Sas { primary, .. } = authentication else {
            panic!("{id} has no keys");
        };
        primary
    }

    pub(crate) fn policy_key(&self, name: &str) -> SymmetricKey {
        self.hub.settings.current().policy(name).unwrap().primary_key.clone()
    }

    pub(crate) fn policy_token(&self, name: &str, resource: &str) -> String {
        let key = self.policy_key(name);
        sas_token::sign(resource, &key, Timestamp::from_secs(NOW_S + 3600), Some(name))
    }
}

pub(crate) fn policy(name: &str, permissions: Permissions, number: usize) -> AccessPolicy {
    let number = u8::try_from(number).unwrap();
    AccessPolicy {
        name: name.into(),
        permissions,
        primary_key: key(100 + 2 * number),
        secondary_key: key(101 + 2 * number),
    }
}

pub(crate) fn key(number: u8) -> SymmetricKey {
    SymmetricKey::from_bytes(&[number; 32]).unwrap()
}

pub(crate) fn device_id(text: &str) -> DeviceId {
    DeviceId::parse(text).unwrap()
}

pub(crate) fn module_id(text: &str) -> ModuleId {
    ModuleId::parse(text).unwrap()
}

pub(crate) fn id(text: &str) -> IdentityId {
    IdentityId::parse(text).unwrap()
}

pub(crate) fn own_token(id: &IdentityId, key: &SymmetricKey, expires_s: i64) -> String {
    let resource = match &id.module {
        None => format!("{HOST}/devices/{}", id.device),
        Some(module) => format!("{HOST}/devices/{}/modules/{module}", id.device),
    };
    sas_token::sign(&resource, key, Timestamp::from_secs(expires_s), None)
}

/// Compares an outcome with the debug text of what is expected; `Ok` is enough for a success.
#[track_caller]
pub(crate) fn check<T>(what: &str, outcome: Result<T, HubError>, expected: &str) {
    let text = match outcome {
        Ok(_) => "Ok".to_owned(),
        Err(error) => format!("{error:?}"),
    };
    assert_eq!(text, expected, "{what}");
}

/// Remembers requests; identities are connected when a test says so.
#[derive(Clone, Default)]
pub(crate) struct RecordingBus(Arc<Mutex<BusRecord>>);

#[derive(Default)]
struct BusRecord {
    connected: HashSet<IdentityId>,
    requests: Vec<NodeRequest>,
    claims: u64,
}

impl RecordingBus {
    pub(crate) fn connect(&self, name: &str) {
        self.0.lock().unwrap().connected.insert(id(name));
    }

    /// What was asked since the last look, as `revoke d` or `desired d 2 {…}`.
    pub(crate) fn take(&self) -> Vec<String> {
        let requests = std::mem::take(&mut self.0.lock().unwrap().requests);
        let text = |request| match request {
            NodeRequest::Revoke { id } => format!("revoke {id}"),
            NodeRequest::Desired { id, version, patch } => format!("desired {id} {version} {patch}"),
            NodeRequest::Evict { id, .. } => format!("evict {id}"),
            NodeRequest::Method { id, .. } => format!("method {id}"),
            NodeRequest::C2dReady { id } => format!("c2d {id}"),
        };
        requests.into_iter().map(text).collect()
    }
}

impl DeviceBus for RecordingBus {
    fn node(&self) -> NodeId {
        NodeId("node".into())
    }

    fn serve(&self, _handler: Arc<dyn NodeHandler>) {}

    async fn claim(&self, id: &IdentityId) -> Result<Claim, BusError> {
        let mut record = self.0.lock().unwrap();
        record.claims += 1;
        let epoch = Epoch(record.claims);
        Ok(Claim { id: id.clone(), epoch })
    }

    async fn release(&self, claim: &Claim) {
        self.0.lock().unwrap().connected.remove(&claim.id);
    }

    async fn locate(&self, id: &IdentityId) -> Result<Option<Location>, BusError> {
        let is_connected = self.0.lock().unwrap().connected.contains(id);
        let (node, epoch) = (self.node(), Epoch(1));
        Ok(is_connected.then_some(Location { node, epoch }))
    }

    async fn claimed(&self, _id: &IdentityId) {
        std::future::pending::<()>().await;
    }

    async fn call(&self, _node: &NodeId, request: NodeRequest, _timeout: Duration) -> Result<NodeReply, BusError> {
        self.0.lock().unwrap().requests.push(request);
        Ok(NodeReply::Done)
    }

    async fn connected(&self) -> Result<u64, BusError> {
        Ok(self.0.lock().unwrap().connected.len() as u64)
    }
}

/// Takes every event and keeps none: nothing here reads them.
pub(crate) struct StillLog(Arc<Watermark>);

impl Default for StillLog {
    fn default() -> Self {
        Self(Watermark::new())
    }
}

impl EventLog for StillLog {
    fn partitions(&self) -> u32 {
        4
    }

    fn submit(&self, _partition: PartitionId, _event: &[u8]) -> Result<Completion, SubmitError> {
        self.0.advance(1);
        Ok(self.0.completion(1))
    }

    async fn ready(&self) -> Result<(), SubmitError> {
        Ok(())
    }

    async fn read(&self, _: PartitionId, _: Start, _: usize) -> Result<Vec<LogRecord>, LogError> {
        Ok(Vec::new())
    }

    async fn wait(&self, _: PartitionId, _: SequenceNumber) -> Result<(), LogError> {
        std::future::pending().await
    }

    fn bounds(&self, _: PartitionId) -> Result<Bounds, LogError> {
        Ok(Bounds {
            first: SequenceNumber(0),
            next: SequenceNumber(0),
            last_enqueued_at: Timestamp::NEVER,
        })
    }

    fn trouble(&self) -> Option<String> {
        None
    }

    fn set_retention(&self, _: Retention) {}
}
