//! Binding the ports of a hub.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ironhub_transport::listener::{AdmissionLimits, Admissions, Listener, ListenerOptions, PeerPolicy};
use ironhub_transport::tls::{self, Alpn, Certificates};
use tracing::warn;

use crate::announcement::BoundPorts;
use crate::config::ServerConfig;
use crate::server::StartError;

/// The ports of a hub, bound and not yet served.
pub(crate) struct Bound {
    pub(crate) mqtt: Listener,
    pub(crate) amqp: Listener,
    pub(crate) https: Listener,
    pub(crate) mqtt_plain: Option<Listener>,
    pub(crate) amqp_plain: Option<Listener>,
    pub(crate) health: Listener,
}

impl Bound {
    /// Binds everything, or says which port could not be had and why.
    pub(crate) async fn bind(config: &ServerConfig, certificates: Arc<Certificates>) -> Result<Self, StartError> {
        let peers = if config.accept_remote_peers {
            PeerPolicy::Any
        } else {
            PeerPolicy::LoopbackOnly
        };
        let admissions = Admissions::new(AdmissionLimits::default());
        let options = |name, tls, peers| ListenerOptions {
            name,
            tls,
            peers,
            admissions: Arc::clone(&admissions),
        };
        let plain_tls = tls::server_config(Arc::clone(&certificates), Alpn::None)?;
        let https_tls = tls::server_config(certificates, Alpn::Http11)?;
        let listeners = &config.listeners;

        let bind_tls = async |key, name, port| {
            let options = options(name, Some(Arc::clone(&plain_tls)), peers);
            bind(key, listeners.address, port, options).await
        };
        let bind_plain = async |key, name, port: Option<u16>| match port {
            None => Ok(None),
            Some(port) => {
                let options = options(name, None, PeerPolicy::LoopbackOnly);
                bind(key, listeners.address, port, options).await.map(Some)
            }
        };

        let mqtt = bind_tls("mqtt-port", "mqtt", listeners.mqtt).await?;
        let amqp = bind_tls("amqp-port", "amqp", listeners.amqp).await?;
        let https = bind_https(config, options("https", Some(https_tls), peers)).await?;
        let mqtt_plain = bind_plain("plain-mqtt-port", "mqtt_plain", listeners.mqtt_plain).await?;
        let amqp_plain = bind_plain("plain-amqp-port", "amqp_plain", listeners.amqp_plain).await?;
        let options = options("health", None, PeerPolicy::Any);
        let health = bind("health-port", listeners.health_address, listeners.health, options).await?;
        Ok(Self {
            mqtt,
            amqp,
            https,
            mqtt_plain,
            amqp_plain,
            health,
        })
    }

    /// The ports as bound.
    pub(crate) fn ports(&self) -> BoundPorts {
        BoundPorts {
            mqtt: self.mqtt.address().port(),
            amqp: self.amqp.address().port(),
            https: self.https.address().port(),
            mqtt_plain: self.mqtt_plain.as_ref().map(|listener| listener.address().port()),
            amqp_plain: self.amqp_plain.as_ref().map(|listener| listener.address().port()),
            health: self.health.address().port(),
        }
    }
}

/// Takes the fallback only when the system refuses the port for want of rights.
async fn bind_https(config: &ServerConfig, options: ListenerOptions) -> Result<Listener, StartError> {
    let listeners = &config.listeners;
    let first = bind("https-port", listeners.address, listeners.https, options.clone()).await;
    match (first, listeners.https_fallback) {
        (Err(StartError::Bind { source, .. }), Some(fallback)) if source.kind() == io::ErrorKind::PermissionDenied => {
            warn!(
                port = listeners.https,
                fallback, "no right to bind the HTTPS port, taking another"
            );
            bind("https-port", listeners.address, fallback, options).await
        }
        (bound, _) => bound,
    }
}

async fn bind(key: &'static str, address: IpAddr, port: u16, options: ListenerOptions) -> Result<Listener, StartError> {
    let address = SocketAddr::new(address, port);
    Listener::bind(address, options)
        .await
        .map_err(|source| StartError::Bind { key, address, source })
}
