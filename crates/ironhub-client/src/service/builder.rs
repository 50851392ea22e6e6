//! How a service client is set up.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use ironhub_model::ConnectionString;

use super::ServiceClient;
use super::amqp::AmqpConnector;
use super::http::Http;
use crate::credentials::{self, SigningKey, TOKEN_LIFETIME_DEFAULT};
use crate::error::Error;
use crate::retry::RetryPolicy;
use crate::stream::Endpoint;
use crate::tls::Trust;

const HTTPS_PORT: u16 = 443;
const AMQP_PORT: u16 = 5671;

/// A service client before it is used; made by [`ServiceClient::builder`].
#[derive(Debug)]
pub struct ServiceClientBuilder {
    connection: ConnectionString,
    trust: Option<Trust>,
    https_port: Option<u16>,
    amqp_port: Option<u16>,
    retry: RetryPolicy,
    token_lifetime: Duration,
}

impl ServiceClientBuilder {
    /// This machine's certificate store unless set.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = Some(trust);
        self
    }

    /// 443 unless set here or in the connection string.
    pub fn https_port(mut self, port: u16) -> Self {
        self.https_port = Some(port);
        self
    }

    /// 5671 unless set.
    pub fn amqp_port(mut self, port: u16) -> Self {
        self.amqp_port = Some(port);
        self
    }

    /// When readers of events and feedback connect again. Requests over HTTPS are not repeated.
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// How long each token is good for; an hour unless set. A new one is made in time.
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.token_lifetime = lifetime;
        self
    }

    /// The client; it connects when it has something to say.
    pub fn build(self) -> Result<ServiceClient, Error> {
        if self.connection.policy.is_none() {
            return Err(Error::Configuration(
                "the connection string has no SharedAccessKeyName: a back end needs that of a policy".to_owned(),
            ));
        }
        let key = Arc::new(SigningKey::new(&self.connection, self.token_lifetime)?);
        let tls = self.trust.map_or_else(Trust::system, Ok)?.tls_config(None)?;
        let (host, port) = credentials::host(&self.connection.host_name);
        let endpoint = |port| Endpoint {
            host: host.to_owned(),
            port,
            web_socket: None,
        };
        let https = endpoint(self.https_port.or(port).unwrap_or(HTTPS_PORT));
        let amqp = AmqpConnector {
            endpoint: endpoint(self.amqp_port.unwrap_or(AMQP_PORT)),
            tls: Arc::clone(&tls),
            key: Arc::clone(&key),
            retry: self.retry,
        };
        Ok(ServiceClient::new(Http::new(https, tls, key), amqp))
    }
}

impl FromStr for ServiceClientBuilder {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Ok(Self {
            connection: ConnectionString::parse(text)?,
            trust: None,
            https_port: None,
            amqp_port: None,
            retry: RetryPolicy::default(),
            token_lifetime: TOKEN_LIFETIME_DEFAULT,
        })
    }
}
