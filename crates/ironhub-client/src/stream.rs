//! The way to a hub: TCP, TLS, and perhaps a WebSocket on top.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::{self, ClientConfig, HandshakeKind};

use crate::error::Error;
use crate::websocket;

/// Bytes in both directions.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

pub(crate) type Stream = Box<dyn Io>;

/// A way to a hub that has just been opened.
pub(crate) struct Opened {
    pub(crate) stream: Stream,
    /// The TLS handshake resumed a session.
    pub(crate) is_resumed: bool,
}

/// Where a hub listens.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    /// A name or an address; what the certificate has to be for.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The sub-protocol of a WebSocket; none means to speak on TLS itself.
    pub(crate) web_socket: Option<&'static str>,
}

impl Endpoint {
    /// Connects; the caller bounds the time.
    pub(crate) async fn connect(&self, tls: &Arc<ClientConfig>) -> Result<Opened, Error> {
        // TLS state is large and would make every future large that waits for this one.
        Box::pin(self.connect_unboxed(tls)).await
    }

    async fn connect_unboxed(&self, tls: &Arc<ClientConfig>) -> Result<Opened, Error> {
        let stream = self.connect_tls(tls).await?;
        Ok(Opened {
            is_resumed: stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed),
            stream: match self.web_socket {
                None => Box::new(stream),
                Some(protocol) => Box::new(websocket::upgrade(stream, self, protocol).await?),
            },
        })
    }

    async fn connect_tls(&self, tls: &Arc<ClientConfig>) -> Result<TlsStream<TcpStream>, Error> {
        let address = self.host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(address.to_owned())
            .map_err(|_| Error::Configuration(format!("{} is not a host name", self.host)))?;
        let unreachable = |error: io::Error| self.unreachable(&error);
        let socket = TcpStream::connect((address, self.port)).await.map_err(unreachable)?;
        socket.set_nodelay(true).map_err(unreachable)?;
        let handshake = TlsConnector::from(Arc::clone(tls)).connect(name, socket);
        handshake.await.map_err(|error| self.tls_failure(&error))
    }

    /// Nobody answers: not the network, or not the hub behind it.
    pub(crate) fn silent(&self, waited: Duration) -> Error {
        self.unreachable(&format_args!("no answer within {} s", waited.as_secs_f32()))
    }

    pub(crate) fn unreachable(&self, error: &dyn ToString) -> Error {
        Error::Unreachable {
            host: self.host.clone(),
            port: self.port,
            reason: error.to_string(),
        }
    }

    fn tls_failure(&self, error: &io::Error) -> Error {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match inner {
            Some(rustls::Error::InvalidCertificate(reason)) => Error::UntrustedCertificate {
                host: self.host.clone(),
                reason: reason.to_string(),
            },
            _ => self.unreachable(error),
        }
    }
}
