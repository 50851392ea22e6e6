//! A running hub: opened, listening, and ended in order.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ironhub_hub::ports::Clock;
use ironhub_hub::{Hub, HubConfig, HubError};
use ironhub_model::{DeviceId, SymmetricKey};
use ironhub_storage_embedded::log::Log;
use ironhub_transport::amqp::AmqpService;
use ironhub_transport::faults::{Faults, break_requests};
use ironhub_transport::http::{AllowedOrigins, HttpService};
use ironhub_transport::https::{self, HttpsOptions, NodeOptions};
use ironhub_transport::listener::{Drain, Listener, Service};
use ironhub_transport::mqtt::MqttService;
use ironhub_transport::peer::Peer;
use ironhub_transport::socket::Socket;
use ironhub_transport::tls::{Certificates, CheckedChains, InvalidChain};
use ironhub_transport::websocket::{MqttAndAmqp, SubProtocol, WebSocketService, WebSocketStream};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::announcement::{Announcement, ConnectionStrings};
use crate::certificates::CertificateError;
use crate::clock::SystemClock;
use crate::config::{ConfigError, Profile, ServerConfig, Storage};
use crate::listeners::Bound;
use crate::storage::Embedded;
use crate::{chains, initial, metrics, storage};

/// How long connections may take to end by themselves when the hub stops.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// A running hub. Dropping it ends it at once; [`Server::shutdown`] ends it in order.
pub struct Server {
    hub: Hub<Embedded>,
    /// The hub's own, for its metrics.
    log: Log,
    config: ServerConfig,
    certificates: Arc<Certificates>,
    announcement: Announcement,
    listeners: JoinSet<()>,
    drain: Drain,
}

type DeviceKeys = Vec<(DeviceId, SymmetricKey)>;

/// Why a hub did not start. Says what, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting cannot be.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A port cannot be had.
    #[error("cannot listen on {address}: {source}; free it or set another with --{key} (0 picks a free one)")]
    Bind {
        /// The setting that names the port.
        key: &'static str,
        /// The address that was tried.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The data directory is not this hub's, or others can get at it.
    #[error(transparent)]
    Directory(#[from] ironhub_storage_embedded::MetaError),
    /// The state store does not open.
    #[error(transparent)]
    State(#[from] ironhub_storage_embedded::StateOpenError),
    /// The event log does not open.
    #[error(transparent)]
    Log(#[from] ironhub_storage_embedded::log::OpenError),
    /// There is no server certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// A configured certificate file cannot be used.
    #[error("cannot use the certificate file {path}: {reason}", path = .path.display())]
    CertificateFile {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A certificate does not fit its key.
    #[error(transparent)]
    Chain(#[from] InvalidChain),
    /// TLS cannot be set up.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// Something of the seed was refused.
    #[error("the seed's {what} was refused: {error}")]
    Seed {
        /// What.
        what: String,
        /// Why.
        error: HubError,
    },
    /// The configuration declares settings that cannot be.
    #[error("the configuration declares what cannot be: {reason}")]
    Settings {
        /// Key, value, and what was expected.
        reason: String,
    },
    /// A production hub is told a key that everyone knows.
    #[error("the key of {id} is a public development key; give it another, or leave it out to have one generated")]
    PublicKey {
        /// Whose.
        id: String,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers for keys")]
    Random,
    /// The hub itself does not start.
    #[error("the hub does not start: {0}")]
    Hub(#[from] HubError),
}

impl StartError {
    /// Does the configuration or the seed say what cannot be? A start with the same will fail again.
    pub fn is_misconfiguration(&self) -> bool {
        matches!(
            self,
            Self::Config(_) | Self::Seed { .. } | Self::Settings { .. } | Self::PublicKey { .. }
        )
    }
}

impl Server {
    /// Opens storage, brings it in line with the configuration, and listens. When this returns, everything listens.
    pub async fn start(config: ServerConfig) -> Result<Self, StartError> {
        config.check()?;
        let (certificates, ca_file) = chains::load(&config)?;
        let (hub, log, device_keys) = start_hub(&config).await?;
        let bound = Bound::bind(&config, Arc::clone(&certificates)).await?;
        let announcement = Announcement {
            host_name: config.host_name.clone(),
            ports: bound.ports(),
            health_url: health_url(bound.health.address()),
            ca_file,
            connection_strings: connection_strings(&hub, &config, device_keys),
            keys_in: keys_in(&config),
        };
        let mut server = Self {
            hub,
            log,
            certificates,
            announcement,
            listeners: JoinSet::new(),
            drain: Drain::new(),
            config,
        };
        server.serve(bound);
        Ok(server)
    }

    /// What clients need to know: ports as bound, connection strings, the CA.
    pub fn announcement(&self) -> &Announcement {
        &self.announcement
    }

    /// The hub itself, for Rust programs that run one inside.
    pub fn hub(&self) -> &Hub<Embedded> {
        &self.hub
    }

    /// Puts the certificates and declared settings of `config` in force, which otherwise should be the configuration
    /// that the hub was started with. When one of them cannot be, nothing changes.
    pub async fn reload(&self, config: &ServerConfig) -> Result<(), StartError> {
        config.check()?;
        let (chains, _) = chains::read(config, SystemClock.now())?;
        let chains = CheckedChains::new(chains)?;
        initial::declare(&self.hub, config).await?;
        self.certificates.replace(chains);
        let waiting = config.changes_that_wait(&self.config);
        if !waiting.is_empty() {
            warn!(
                keys = waiting.join(" "),
                "changed settings that take effect at the next start"
            );
        }
        info!("certificates and declared settings reloaded");
        Ok(())
    }

    /// Takes no more connections, tells the open ones, lets what is under way end, writes everything down.
    pub async fn shutdown(mut self) {
        self.drain.begin(Instant::now() + DRAIN_MAX);
        self.hub.drain().await;
        while self.listeners.join_next().await.is_some() {}
        info!("stopped");
    }

    fn serve(&mut self, bound: Bound) {
        let faults = Faults::new(self.config.faults.clone());
        let mqtt = MqttService::broken(self.hub.clone(), faults.clone());
        let amqp = AmqpService::broken(self.hub.clone(), faults.clone());
        let hosts = self.hub.info().host_names.clone();
        let origins = AllowedOrigins::new(hosts, self.config.allowed_origins.clone());
        let router = break_requests(https::router(self.hub.clone(), HttpsOptions::default()), faults);
        let web_sockets = MqttAndAmqp {
            mqtt: Arc::clone(&mqtt),
            amqp: Arc::clone(&amqp),
        };
        let api = HttpService::new(router, origins, Arc::new(web_sockets));
        let node = HttpService::new(
            https::node_router(self.node_options()),
            AllowedOrigins::default(),
            Arc::new(NoWebSockets),
        );
        self.run(bound.mqtt, Arc::clone(&mqtt));
        self.run(bound.amqp, Arc::clone(&amqp));
        self.run(bound.https, Arc::new(api));
        self.run(bound.health, Arc::new(node));
        if let Some(listener) = bound.mqtt_plain {
            self.run(listener, mqtt);
        }
        if let Some(listener) = bound.amqp_plain {
            self.run(listener, amqp);
        }
    }

    fn node_options(&self) -> NodeOptions {
        let (hub, log) = (self.hub.clone(), self.log.clone());
        NodeOptions {
            health: Arc::new(move || hub.health()),
            metrics: Arc::new(move || metrics::render(&log)),
            ca_pem: self.ca_pem().map(Arc::from),
        }
    }

    fn run<S: Service>(&mut self, listener: Listener, service: Arc<S>) {
        self.listeners.spawn(listener.run(service, self.drain.clone()));
    }

    fn ca_pem(&self) -> Option<String> {
        std::fs::read_to_string(self.announcement.ca_file.as_ref()?).ok()
    }
}

/// The plain port upgrades nothing: a stream that is meant for another protocol ends at once.
struct NoWebSockets;

impl WebSocketService for NoWebSockets {
    async fn serve(self: Arc<Self>, _: SubProtocol, _: WebSocketStream<Socket>, _: Peer, _: Drain) {}
}

/// The hub, its event log, and the keys of its seeded devices.
async fn start_hub(config: &ServerConfig) -> Result<(Hub<Embedded>, Log, DeviceKeys), StartError> {
    metrics::install();
    let mut host_names = vec![config.host_name.clone()];
    host_names.extend(config.host_aliases.iter().cloned());
    host_names.extend(config.machine_name.clone());
    host_names.extend(["localhost", "127.0.0.1", "::1", "[::1]"].map(String::from));
    host_names.push(config.listeners.address.to_string());
    // The name in events and in the Event Hubs-compatible path: Azure's is the first label of the host name.
    let hub_name = match config.host_name.parse::<std::net::IpAddr>() {
        Ok(_) => "ironhub",
        Err(_) => config.host_name.split('.').next().unwrap_or("ironhub"),
    };
    let (parts, created_at) = storage::open(config, hub_name)?;
    let mut hub_config = HubConfig::new(hub_name, host_names, initial::settings(config)?);
    hub_config.created_at = created_at;
    hub_config.dev = config.profile == Profile::Dev;
    let log = parts.log.clone();
    let hub = Hub::start(hub_config, parts).await?;
    let device_keys = initial::apply(&hub, config).await?;
    Ok((hub, log, device_keys))
}

/// `localhost` where that leads there.
fn health_url(address: SocketAddr) -> String {
    let port = address.port();
    if address.ip() == std::net::Ipv4Addr::LOCALHOST || address.ip().is_unspecified() {
        format!("http://localhost:{port}/health")
    } else {
        format!("http://{address}/health")
    }
}

fn keys_in(config: &ServerConfig) -> Option<PathBuf> {
    match (config.profile, &config.storage) {
        (Profile::Production, Storage::Directory(directory)) => Some(directory.clone()),
        _ => None,
    }
}

fn connection_strings(hub: &Hub<Embedded>, config: &ServerConfig, device_keys: DeviceKeys) -> ConnectionStrings {
    let settings = hub.settings.current();
    let policies = settings.policies.iter();
    ConnectionStrings::new(
        (&config.host_name, &hub.info().hub_name),
        policies.map(|policy| (policy.name.as_str(), policy.primary_key.clone())),
        device_keys,
    )
}
