//! A hub, devices on it, and what its event log holds.

use std::time::Duration;

use ironhub_client::{
    ConnectionString, DeviceClient, DeviceClientBuilder, RetryPolicy, ServiceClient, ServiceClientBuilder, Trust,
};
use ironhub_dialect::https::events::{StoredView, event_json};
use ironhub_hub::StoredEvent;
use ironhub_hub::ports::{LogRecord, Start};
use ironhub_model::{IdentityId, PartitionId, SequenceNumber};
use ironhub_server::{Seed, Server, ServerConfig};
use serde_json::Value;
use tempfile::TempDir;

/// The seeded device.
pub(crate) const DEVICE: &str = "wind-1";
const READ_BYTES: usize = 1 << 20;
/// How long tokens live where their renewal is tested; the long run sets this variable to 60.
const TOKEN_VARIABLE: &str = "IRONHUB_CLIENT_TOKEN_S";
/// Clients renew a token when 85 of a hundred parts of its life are over: here with a second left.
const TOKEN_S_DEFAULT: u64 = 7;

#[expect(
    clippy::disallowed_methods,
    reason = "the length of a test run is the runner's choice"
)]
pub(crate) fn token_lifetime() -> Duration {
    let wish = std::env::var(TOKEN_VARIABLE).ok();
    Duration::from_secs(wish.and_then(|wish| wish.parse().ok()).unwrap_or(TOKEN_S_DEFAULT))
}

pub(crate) struct TestHub {
    pub(crate) server: Server,
    pub(crate) trust: Trust,
    /// Holds the authority.
    _directory: TempDir,
}

impl TestHub {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// With devices `wind-1` and its module `m1`, and what `change` makes of the configuration.
    pub(crate) async fn with(change: impl FnOnce(&mut ServerConfig)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = ServerConfig::for_tests(directory.path().join("ca"));
        config.seed =
            Seed::parse("[[device]]\nid = 'wind-1'\ndesired = { interval = 5 }\n[[device.module]]\nid = 'm1'\n")
                .unwrap();
        change(&mut config);
        let server = Server::start(config).await.unwrap();
        let trust = Trust::ca_file(server.announcement().ca_file.as_ref().unwrap()).unwrap();
        Self {
            server,
            trust,
            _directory: directory,
        }
    }

    pub(crate) fn mqtt_port(&self) -> u16 {
        self.server.announcement().ports.mqtt
    }

    pub(crate) fn connection_string(&self) -> ConnectionString {
        let strings = &self.server.announcement().connection_strings;
        ConnectionString::parse(&strings.devices[DEVICE]).unwrap()
    }

    /// A client of the seeded device that comes back fast.
    pub(crate) fn device(&self) -> DeviceClientBuilder {
        self.client(self.connection_string())
    }

    pub(crate) fn client(&self, connection: ConnectionString) -> DeviceClientBuilder {
        DeviceClient::builder_for(connection)
            .trust(self.trust.clone())
            .port(self.mqtt_port())
            .retry(eager())
    }

    /// A back end that may do everything.
    pub(crate) fn service(&self) -> ServiceClientBuilder {
        let announcement = self.server.announcement();
        ServiceClient::builder(&announcement.connection_strings.policies["iothubowner"])
            .unwrap()
            .trust(self.trust.clone())
            .https_port(announcement.ports.https)
            .amqp_port(announcement.ports.amqp)
            .retry(eager())
    }

    /// All telemetry in the log: bodies as text, in the order of each partition.
    pub(crate) async fn telemetry(&self) -> Vec<String> {
        let events = self.events().await;
        let telemetry = events.iter().filter(|event| event["source"] == "Telemetry");
        telemetry
            .map(|event| event["body"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Waits until the hub has taken note of all acknowledgements: MQTT tells a device nothing of that.
    pub(crate) async fn c2d_is_empty(&self) {
        while self.server.hub().c2d.count(&Self::id().device).await.unwrap() > 0 {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) async fn events(&self) -> Vec<Value> {
        let log = &self.server.hub().events;
        let mut events = Vec::new();
        for partition in (0..log.partitions()).map(PartitionId) {
            let end = log.bounds(partition).unwrap().next;
            let mut next = SequenceNumber(0);
            while next < end {
                for record in log.read(partition, Start::At(next), READ_BYTES).await.unwrap() {
                    next = record.sequence.next();
                    events.push(print(partition, &record));
                }
            }
        }
        events
    }

    pub(crate) fn id() -> IdentityId {
        IdentityId::parse(DEVICE).unwrap()
    }
}

/// A policy that loses no time.
pub(crate) fn eager() -> RetryPolicy {
    RetryPolicy {
        first_delay: Duration::from_millis(1),
        delay_max: Duration::from_millis(20),
        give_up_after: None,
    }
}

fn print(partition: PartitionId, record: &LogRecord) -> Value {
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
    serde_json::from_str(&event_json(&view).unwrap()).unwrap()
}
