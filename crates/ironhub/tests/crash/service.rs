//! A back end: the service API over HTTPS. Also the device's side of HTTPS.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, HOST};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use ironhub_model::{ConnectionString, SymmetricKey, Timestamp, sas_token};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const HOST_NAME: &str = "127.0.0.1";
/// Far enough away for any run.
const TOKEN_EXPIRY_S: i64 = 4_000_000_000;
const ANSWER_MAX: Duration = Duration::from_mins(1);

/// The connection broke, or could not be made: the hub is dead. Anything else is a failed assertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dead;

/// How to call the hub.
#[derive(Clone)]
pub(crate) struct Service {
    port: u16,
    tls: TlsConnector,
    authorization: Arc<str>,
}

/// One connection, kept alive.
pub(crate) struct Caller {
    requests: SendRequest<Full<Bytes>>,
    authorization: Arc<str>,
}

/// What the hub said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) etag: Option<String>,
    pub(crate) body: Bytes,
}

impl Service {
    pub(crate) fn new(port: u16, ca_pem: &[u8], owner: ConnectionString) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(ca_pem) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let (key, policy) = (owner.key.unwrap(), owner.policy.unwrap());
        Self {
            port,
            tls: TlsConnector::from(Arc::new(config)),
            authorization: token(HOST_NAME, &key, Some(&policy)),
        }
    }

    /// A connection that speaks for the owner policy.
    pub(crate) async fn connect(&self) -> Result<Caller, Dead> {
        self.connect_with(Arc::clone(&self.authorization)).await
    }

    /// A connection that speaks for a device.
    pub(crate) async fn connect_as(&self, device: &str, key: &SymmetricKey) -> Result<Caller, Dead> {
        self.connect_with(token(&format!("{HOST_NAME}/devices/{device}"), key, None))
            .await
    }

    async fn connect_with(&self, authorization: Arc<str>) -> Result<Caller, Dead> {
        let socket = TcpStream::connect((HOST_NAME, self.port)).await.map_err(|_| Dead)?;
        socket.set_nodelay(true).map_err(|_| Dead)?;
        let name = ServerName::try_from(HOST_NAME).unwrap();
        let stream = self.tls.connect(name, socket).await.map_err(|_| Dead)?;
        let (requests, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|_| Dead)?;
        tokio::spawn(connection);
        Ok(Caller {
            requests,
            authorization,
        })
    }
}

/// The password or authorization of an identity or policy.
pub(crate) fn token(resource: &str, key: &SymmetricKey, policy: Option<&str>) -> Arc<str> {
    sas_token::sign(resource, key, Timestamp::from_secs(TOKEN_EXPIRY_S), policy).into()
}

impl Caller {
    /// Calls, and reads the whole answer.
    pub(crate) async fn call(&mut self, request: &str, body: impl Into<Bytes>) -> Result<Answer, Dead> {
        self.call_with(request, &[], body.into()).await
    }

    /// `request` is a method and a path, as in `GET /twins/d`.
    pub(crate) async fn call_with(
        &mut self,
        request: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Answer, Dead> {
        let answering = async {
            let response = self.begin(request, headers, body).await?;
            let status = response.status();
            let etag = response
                .headers()
                .get("etag")
                .map(|etag| etag.to_str().unwrap().trim_matches('"').to_owned());
            let body = response.into_body().collect().await.map_err(|_| Dead)?.to_bytes();
            Ok(Answer { status, etag, body })
        };
        tokio::time::timeout(ANSWER_MAX, answering)
            .await
            .unwrap_or_else(|_| panic!("no answer to {request}"))
    }

    /// Calls, and leaves the body to the caller.
    pub(crate) async fn begin(
        &mut self,
        request: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Response<Incoming>, Dead> {
        let (method, path) = request.split_once(' ').unwrap();
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut builder = Request::builder()
            .method(method)
            .uri(format!("{path}{separator}api-version=2021-04-12"))
            .header(HOST, HOST_NAME)
            .header(AUTHORIZATION, &*self.authorization);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        self.requests.ready().await.map_err(|_| Dead)?;
        let request = builder.body(Full::new(body)).unwrap();
        self.requests.send_request(request).await.map_err(|_| Dead)
    }
}

impl Answer {
    /// The body of an answer that must have this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status.as_u16(), status, "{text}");
        if self.body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&self.body).unwrap()
        }
    }
}
