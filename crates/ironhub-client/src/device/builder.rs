//! How a device client is set up.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use ironhub_model::{ConnectionString, IdentityId};
use tokio::sync::{mpsc, watch};

use super::DeviceClient;
use super::c2d::Epoch;
use super::link::Connector;
use super::method::{Handlers, RunningMethods};
use super::session::Session;
use super::state::ConnectionState;
use super::twin::DesiredQueue;
use super::worker::{Leave, Worker};
use crate::credentials::{self, Credentials, SigningKey, TOKEN_LIFETIME_DEFAULT};
use crate::error::Error;
use crate::limits::{
    C2D_WAITING_MAX, COMMANDS_WAITING_MAX, KEEP_ALIVE_DEFAULT, KEEP_ALIVE_MAX, MESSAGES_IN_FLIGHT_DEFAULT,
    MESSAGES_WAITING_MAX,
};
use crate::retry::RetryPolicy;
use crate::stream::Endpoint;
use crate::tls::{ClientCertificate, Trust};

const MQTT_PORT: u16 = 8883;
const HTTPS_PORT: u16 = 443;
/// Shortest life of a token: shorter ones would be renewed for ever.
const TOKEN_LIFETIME_MIN: Duration = Duration::from_secs(2);

/// What device and hub speak.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Transport {
    /// MQTT 3.1.1 over TLS, port 8883.
    #[default]
    Mqtt,
    /// The same within a WebSocket on port 443, where firewalls let nothing else out.
    MqttOverWebSocket,
}

/// A device client before it connects; made by [`DeviceClient::builder`].
#[derive(Debug, Clone)]
pub struct DeviceClientBuilder {
    connection: ConnectionString,
    transport: Transport,
    trust: Option<Trust>,
    certificate: Option<Arc<ClientCertificate>>,
    port: Option<u16>,
    model_id: Option<String>,
    retry: RetryPolicy,
    token_lifetime: Duration,
    keep_alive: Duration,
    messages_in_flight_max: u16,
}

impl DeviceClientBuilder {
    pub(super) fn new(connection: ConnectionString) -> Self {
        Self {
            connection,
            transport: Transport::default(),
            trust: None,
            certificate: None,
            port: None,
            model_id: None,
            retry: RetryPolicy::default(),
            token_lifetime: TOKEN_LIFETIME_DEFAULT,
            keep_alive: KEEP_ALIVE_DEFAULT,
            messages_in_flight_max: MESSAGES_IN_FLIGHT_DEFAULT,
        }
    }

    /// MQTT alone unless set.
    pub fn transport(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// This machine's certificate store unless set.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = Some(trust);
        self
    }

    /// How a device with `x509=true` in its connection string proves itself.
    pub fn certificate(mut self, certificate: ClientCertificate) -> Self {
        self.certificate = Some(Arc::new(certificate));
        self
    }

    /// Another port than the transport's own.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// The Plug and Play model that the device announces, such as `dtmi:com:example:Thermostat;1`.
    pub fn model_id(mut self, model_id: impl Into<String>) -> Self {
        self.model_id = Some(model_id.into());
        self
    }

    /// When to try again.
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// How long each token is good for; an hour unless set, two seconds at least. The client replaces a token when 85 %
    /// of that have passed: it waits for what is under way, and reconnects.
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.token_lifetime = lifetime.max(TOKEN_LIFETIME_MIN);
        self
    }

    /// Silence after which the client asks the hub for a sign of life: a minute unless set; one second to 1177 s.
    pub fn keep_alive(mut self, interval: Duration) -> Self {
        self.keep_alive = interval.clamp(Duration::from_secs(1), KEEP_ALIVE_MAX);
        self
    }

    /// How many messages may be on their way without an acknowledgement: 64 unless set, 1000 at most.
    pub fn messages_in_flight_max(mut self, count: u16) -> Self {
        self.messages_in_flight_max = count;
        self
    }

    /// Connects. One attempt: who starts a device wants to hear that its key is wrong. From then on the client
    /// reconnects by itself.
    pub async fn connect(self) -> Result<DeviceClient, Error> {
        let (client, worker) = self.build()?;
        let link = worker.connector.dial().await?;
        tokio::spawn(worker.run(Some(link)));
        Ok(client)
    }

    /// Returns at once and connects behind the caller's back, as often as the retry policy says; for devices that
    /// start while their network does not. Must be called within a tokio runtime.
    pub fn start(self) -> Result<DeviceClient, Error> {
        let (client, worker) = self.build()?;
        tokio::spawn(worker.run(None));
        Ok(client)
    }

    fn build(self) -> Result<(DeviceClient, Worker), Error> {
        let messages_in_flight_max = self.messages_in_flight_max;
        let retry = self.retry.clone();
        let connector = self.connector()?;
        let (messages_in, messages) = mpsc::channel(MESSAGES_WAITING_MAX);
        let (commands_in, commands) = mpsc::channel(COMMANDS_WAITING_MAX);
        let (c2d, deliveries) = mpsc::channel(C2D_WAITING_MAX);
        let (close_in, close) = watch::channel(false);
        let (state, state_out) = watch::channel(ConnectionState::Connecting);
        let worker = Worker {
            session: Session::new(&connector.id, messages_in_flight_max),
            connector,
            retry,
            messages,
            commands,
            leave: Leave::new(close),
            state,
            epoch: Epoch::default(),
            c2d,
            desired: Arc::new(DesiredQueue::default()),
            handlers: Handlers::default(),
            running: RunningMethods::default(),
        };
        let client = DeviceClient::new(&worker, deliveries, (messages_in, commands_in), (close_in, state_out));
        Ok((client, worker))
    }

    fn connector(self) -> Result<Connector, Error> {
        let device = self.connection.device_id.clone();
        let device = device.ok_or_else(|| Error::Configuration("the connection string names no device".to_owned()))?;
        let id = match self.connection.module_id.clone() {
            Some(module) => IdentityId::module(device, module),
            None => IdentityId::device(device),
        };
        let credentials = match self.certificate {
            Some(certificate) => Credentials::Certificate(certificate),
            None if self.connection.x509 => {
                return Err(Error::Configuration(
                    "the connection string says x509=true: give the device's certificate and key".to_owned(),
                ));
            }
            None => Credentials::Key(SigningKey::new(&self.connection, self.token_lifetime)?),
        };
        let trust = self.trust.map_or_else(Trust::system, Ok)?;
        let certificate = match &credentials {
            Credentials::Certificate(certificate) => Some(certificate.as_ref()),
            Credentials::Key(_) => None,
        };
        let (host, https_port) = credentials::host(&self.connection.host_name);
        let gateway = self.connection.gateway_host_name.as_deref().unwrap_or(host);
        let (port, web_socket) = match self.transport {
            Transport::Mqtt => (MQTT_PORT, None),
            Transport::MqttOverWebSocket => (https_port.unwrap_or(HTTPS_PORT), Some("mqtt")),
        };
        Ok(Connector {
            tls: trust.tls_config(certificate)?,
            endpoint: Endpoint {
                host: gateway.to_owned(),
                port: self.port.unwrap_or(port),
                web_socket,
            },
            host: host.to_owned(),
            id,
            credentials,
            model_id: self.model_id,
            keep_alive: self.keep_alive,
            is_resumed: Arc::default(),
        })
    }
}

impl FromStr for DeviceClientBuilder {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Ok(Self::new(ConnectionString::parse(text)?))
    }
}
