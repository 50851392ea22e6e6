//! Requests to the service API, over connections that are kept for the next one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, IF_MATCH, USER_AGENT};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use ironhub_model::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout};
use tokio_rustls::rustls::ClientConfig;

use super::error;
use crate::clock;
use crate::credentials::SigningKey;
use crate::error::Error;
use crate::limits::{CONNECT_WAIT_MAX, HTTP_CONNECTIONS_IDLE_MAX, REQUEST_WAIT_MAX, RESPONSE_BYTES_MAX};
use crate::stream::Endpoint;

const API_VERSION: &str = "2021-04-12";
const AGENT: &str = concat!("ironhub-client/", env!("CARGO_PKG_VERSION"));

type Connection = SendRequest<Full<Bytes>>;

/// Speaks HTTPS for one policy.
pub(super) struct Http {
    endpoint: Endpoint,
    tls: Arc<ClientConfig>,
    key: Arc<SigningKey>,
    token: Mutex<Option<KeptToken>>,
    idle: Mutex<Vec<Connection>>,
}

/// A token that goes with every request until it is time for another.
struct KeptToken {
    text: Arc<str>,
    made: Moment,
    renew_after: Duration,
}

/// The steady clock stands still while the machine sleeps, and the time of day is set now and then.
#[derive(Clone, Copy)]
struct Moment {
    steady: Instant,
    time: Timestamp,
}

/// One request.
pub(super) struct Call {
    method: Method,
    path: String,
    headers: Vec<(HeaderName, String)>,
    body: Bytes,
    wait: Duration,
    api_version: &'static str,
}

impl Call {
    /// To this path, its segments encoded, without a query.
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            headers: Vec::new(),
            body: Bytes::new(),
            wait: REQUEST_WAIT_MAX,
            api_version: API_VERSION,
        }
    }

    pub(super) fn json(mut self, body: &impl Serialize) -> Result<Self, Error> {
        let body = serde_json::to_vec(body);
        self.body = body
            .map_err(|error| Error::Configuration(format!("the request is not JSON: {error}")))?
            .into();
        Ok(self.header(CONTENT_TYPE, "application/json; charset=utf-8"))
    }

    pub(super) fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn if_match(self, value: String) -> Self {
        self.header(IF_MATCH, value)
    }

    /// For what came later than the usual version.
    pub(super) fn api_version(mut self, version: &'static str) -> Self {
        self.api_version = version;
        self
    }

    /// Adds to the time that the hub may take.
    pub(super) fn wait_longer(mut self, by: Duration) -> Self {
        self.wait += by;
        self
    }

    fn request(&self, host: &str, token: &str) -> Result<Request<Full<Bytes>>, Error> {
        let separator = if self.path.contains('?') { '&' } else { '?' };
        let mut request = Request::builder()
            .method(&self.method)
            .uri(format!("{}{separator}api-version={}", self.path, self.api_version))
            .header(HOST, host)
            .header(USER_AGENT, AGENT)
            .header(AUTHORIZATION, token);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request
            .body(Full::new(self.body.clone()))
            .map_err(|error| Error::Configuration(format!("the request cannot be written: {error}")))
    }
}

impl Http {
    pub(super) fn new(endpoint: Endpoint, tls: Arc<ClientConfig>, key: Arc<SigningKey>) -> Self {
        Self {
            endpoint,
            tls,
            key,
            token: Mutex::default(),
            idle: Mutex::default(),
        }
    }

    pub(super) fn host(&self) -> &str {
        &self.endpoint.host
    }

    /// The answer as a value.
    pub(super) async fn fetch<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        Ok(self.fetch_with_headers(call).await?.0)
    }

    pub(super) async fn fetch_with_headers<T: DeserializeOwned>(&self, call: Call) -> Result<(T, HeaderMap), Error> {
        let (headers, body) = self.send(call).await?;
        let value = serde_json::from_slice(&body);
        let value = value.map_err(|error| Error::Protocol(format!("the answer is not what it should be: {error}")))?;
        Ok((value, headers))
    }

    /// The answer's headers and body, when it is a success. A body is empty where the service has nothing to say.
    pub(super) async fn send(&self, call: Call) -> Result<(HeaderMap, Bytes), Error> {
        let wait = call.wait;
        timeout(wait, self.exchange(call))
            .await
            .unwrap_or(Err(Error::Timeout(wait)))
    }

    async fn exchange(&self, call: Call) -> Result<(HeaderMap, Bytes), Error> {
        let request = call.request(&self.endpoint.host, &self.token())?;
        let (connection, response) = self.begin(request).await?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, RESPONSE_BYTES_MAX).collect().await;
        let body = body.map_err(|error| Error::Lost(error.to_string()))?.to_bytes();
        self.keep(connection);
        if head.status.is_success() {
            Ok((head.headers, body))
        } else {
            Err(error::read(head.status, &head.headers, &body).into())
        }
    }

    /// Sends over a connection that is there, or over a new one. A kept connection that the hub has closed meanwhile
    /// gives back the request that it has not sent.
    async fn begin(&self, mut request: Request<Full<Bytes>>) -> Result<(Connection, Response<Incoming>), Error> {
        while let Some(mut kept) = self.take_idle() {
            match kept.try_send_request(request).await {
                Ok(response) => return Ok((kept, response)),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(Error::Lost(error.into_error().to_string())),
                },
            }
        }
        let mut connection = self.connect().await?;
        let response = connection.send_request(request).await;
        let response = response.map_err(|error| Error::Lost(error.to_string()))?;
        Ok((connection, response))
    }

    async fn connect(&self) -> Result<Connection, Error> {
        let connecting = timeout(CONNECT_WAIT_MAX, self.endpoint.connect(&self.tls));
        let connected = connecting.await;
        let opened = connected.unwrap_or_else(|_| Err(self.endpoint.silent(CONNECT_WAIT_MAX)))?;
        let handshake = http1::handshake(TokioIo::new(opened.stream)).await;
        let (sender, connection) = handshake.map_err(|error| self.endpoint.unreachable(&error))?;
        // Ends with its sender, or with the hub's end; whoever waits for an answer hears of it through the sender.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }

    fn take_idle(&self) -> Option<Connection> {
        let mut idle = lock(&self.idle);
        idle.retain(|connection| !connection.is_closed());
        idle.pop()
    }

    fn keep(&self, connection: Connection) {
        let mut idle = lock(&self.idle);
        if idle.len() < HTTP_CONNECTIONS_IDLE_MAX {
            idle.push(connection);
        }
    }

    fn token(&self) -> Arc<str> {
        let now = Moment {
            steady: Instant::now(),
            time: clock::now(),
        };
        let mut current = lock(&self.token);
        if let Some(kept) = current.as_ref().filter(|kept| kept.is_fresh(now)) {
            return Arc::clone(&kept.text);
        }
        let token = self.key.token(now.time);
        let text: Arc<str> = token.text.into();
        *current = Some(KeptToken {
            text: Arc::clone(&text),
            made: now,
            renew_after: token.renew_after,
        });
        text
    }
}

impl KeptToken {
    fn is_fresh(&self, now: Moment) -> bool {
        let steady = now.steady.saturating_duration_since(self.made.steady);
        let is_set_back = now.time < self.made.time;
        !is_set_back && steady.max(now.time.since(self.made.time)) < self.renew_after
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token made at 1000 s of the day, to be replaced after 100 s.
    #[track_caller]
    fn check(steady_s: u64, time_s: i64, is_fresh: bool) {
        let begin = Instant::now();
        let token = KeptToken {
            text: "t".into(),
            made: Moment {
                steady: begin,
                time: Timestamp::from_secs(1000),
            },
            renew_after: Duration::from_secs(100),
        };
        let now = Moment {
            steady: begin + Duration::from_secs(steady_s),
            time: Timestamp::from_secs(time_s),
        };
        assert_eq!(token.is_fresh(now), is_fresh, "{steady_s} {time_s}");
    }

    #[test]
    fn tokens_are_made_anew_by_either_clock() {
        check(0, 1000, true);
        check(99, 1099, true);
        check(100, 1100, false);
        check(1, 5000, false); // The machine slept, or its clock was set.
        check(1, 999, false);
    }
}
