//! A device's connection: TLS, CONNECT with a token, CONNACK.

use std::sync::Arc;

use bytes::BytesMut;
use ironhub_amqp::performative::{Attach, Role, Source, Target};
use ironhub_model::{SymmetricKey, Timestamp, sas_token};
use ironhub_mqtt::packet::{ConnAck, Connect, Login, Packet, Password, encode_connect};
use ironhub_mqtt::{DecodeLimits, decode};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::Result;
use crate::amqp::{AmqpClient, Endpoint};
use crate::hub_process::{HubProcess, device_id};

const HOST_NAME: &str = "127.0.0.1";
/// The key of every device.
pub(crate) const KEY: &str = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=";
/// Far enough away for any run.
const TOKEN_EXPIRY_S: i64 = 4_000_000_000;
const KEEP_ALIVE_S: u16 = 1200;

pub(crate) type AmqpStream = AmqpClient<TlsStream<TcpStream>>;

/// How to reach the hub.
#[derive(Clone)]
pub(crate) struct Connector {
    tls: TlsConnector,
    port: u16,
    amqp_port: u16,
    endpoint: Endpoint,
    key: SymmetricKey,
}

impl Connector {
    pub(crate) fn new(hub: &HubProcess) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&hub.ca_pem) {
            roots.add(certificate?)?;
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
            port: hub.mqtt_port,
            amqp_port: hub.amqp_port,
            endpoint: Endpoint::parse(&hub.event_hubs).ok_or("an odd connection string")?,
            key: SymmetricKey::parse(KEY)?,
        })
    }

    /// Connects the device with this number.
    pub(crate) async fn connect(&self, number: usize) -> Result<TlsStream<TcpStream>> {
        let mut stream = self.stream(self.port).await?;
        let mut bytes = BytesMut::new();
        encode_connect(&mut bytes, &self.packet(&device_id(number)))?;
        stream.write_all(&bytes).await?;
        bytes.clear();
        while stream.read_buf(&mut bytes).await? > 0 {
            match decode(&mut bytes, &DecodeLimits::CONNECTED)? {
                None => {}
                Some(Packet::ConnAck(ConnAck::Accepted { .. })) => return Ok(stream),
                Some(other) => return Err(format!("CONNECT is answered {other:?}").into()),
            }
        }
        Err("CONNECT is not answered".into())
    }

    /// Connects a back end that reads events over AMQP.
    pub(crate) async fn read_events(&self) -> Result<(AmqpStream, Endpoint)> {
        let stream = self.stream(self.amqp_port).await?;
        let client = AmqpClient::open(stream, self.endpoint.credentials()).await?;
        Ok((client, self.endpoint.clone()))
    }

    /// Connects the device with this number over AMQP, with a link each way.
    pub(crate) async fn connect_amqp(&self, number: usize) -> Result<AmqpStream> {
        let id = device_id(number);
        let stream = self.stream(self.amqp_port).await?;
        let user = format!("{id}@sas.load");
        let mut client = AmqpClient::open(stream, (&user, &self.token(&id))).await?;
        let mut events = Attach::new("events", Role::Sender);
        events.target = Some(Target::at(format!("/devices/{id}/messages/events")));
        let mut c2d = Attach::new("c2d", Role::Receiver);
        c2d.source = Some(Source::at(format!("/devices/{id}/messages/devicebound")));
        for link in [events, c2d] {
            let attached = client.attach(link).await?;
            attached.map_err(|refusal| format!("{refusal:?}"))?;
        }
        Ok(client)
    }

    async fn stream(&self, port: u16) -> Result<TlsStream<TcpStream>> {
        let socket = TcpStream::connect((HOST_NAME, port)).await?;
        socket.set_nodelay(true)?;
        Ok(self.tls.connect(ServerName::try_from(HOST_NAME)?, socket).await?)
    }

    fn token(&self, id: &str) -> String {
        let expires_at = Timestamp::from_secs(TOKEN_EXPIRY_S);
        sas_token::sign(&format!("{HOST_NAME}/devices/{id}"), &self.key, expires_at, None)
    }

    fn packet(&self, id: &str) -> Connect {
        let token = self.token(id);
        let login = Login {
            user_name: format!("{HOST_NAME}/{id}/?api-version=2021-04-12&DeviceClientType=load"),
            password: Some(Password::new(token.into_bytes())),
        };
        Connect {
            client_id: id.into(),
            clean_session: true,
            keep_alive_s: KEEP_ALIVE_S,
            will: None,
            login: Some(login),
        }
    }
}
