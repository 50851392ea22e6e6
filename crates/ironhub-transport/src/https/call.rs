//! A request while it is being answered.

use std::future::Future;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use hyper::header::{AUTHORIZATION, EXPECT, HeaderMap};
use hyper::http::request::Parts;
use ironhub_dialect::https::etag;
use ironhub_dialect::https::path::Parameters;
use ironhub_hub::{DevicePrincipal, Hub, HubError, Ports, ServicePrincipal};
use ironhub_model::limits::D2C_BODY_BYTES_MAX;
use ironhub_model::registry::Precondition;
use ironhub_model::{IdentityId, LockToken, Permission};
use parking_lot::Mutex;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::time::timeout;

use super::refusal::Refusal;
use super::{Site, body, header_case};
use crate::peer::Peer;

/// A request, its caller, and what has been read of it.
pub(super) struct Call<P: Ports> {
    pub(super) site: Arc<Site<P>>,
    pub(super) head: Parts,
    /// The decoded path that is being tried: what a token has to cover.
    pub(super) path: String,
    /// Names the request in the answer and in logs.
    pub(super) id: LockToken,
    /// Behind a lock only because a body that is still being received cannot be shared.
    body: Mutex<ReadBody>,
}

/// The body, read at most once, since a path may be understood in two ways.
enum ReadBody {
    Unread(Body),
    Read(Bytes),
}

impl<P: Ports> Call<P> {
    pub(super) fn new(site: Arc<Site<P>>, request: Request) -> Self {
        let (head, body) = request.into_parts();
        Self {
            site,
            path: head.uri.path().to_owned(),
            head,
            id: random_id(),
            body: Mutex::new(ReadBody::Unread(body)),
        }
    }

    pub(super) fn hub(&self) -> &Hub<P> {
        &self.site.hub
    }

    pub(super) fn parameters(&self) -> Parameters<'_> {
        Parameters::new(self.head.uri.query())
    }

    /// The text of a header; one that is no text counts as absent.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }

    pub(super) fn precondition(&self) -> Precondition {
        etag::precondition(self.header("if-match"))
    }

    /// Lets a back end pass that has one of the rights.
    pub(super) async fn authorize(&self, any_of: &[Permission]) -> Result<ServicePrincipal, Refusal> {
        let authorization = self.authorization();
        let principal = self
            .hub()
            .auth
            .authorize_service(authorization, &self.path, any_of)
            .await?;
        self.authenticated();
        Ok(principal)
    }

    /// Lets an operator pass that has one of the rights; see [`ironhub_hub::Auth::authorize_operator`].
    pub(super) async fn authorize_operator(&self, any_of: &[Permission]) -> Result<ServicePrincipal, Refusal> {
        let authorization = self.authorization();
        let principal = self
            .hub()
            .auth
            .authorize_operator(authorization, &self.path, any_of)
            .await?;
        self.authenticated();
        Ok(principal)
    }

    /// Lets a device pass, by its token, its certificate, or a policy that stands in for it.
    pub(super) async fn authorize_device(&self, id: &IdentityId) -> Result<DevicePrincipal, Refusal> {
        let peer = self.head.extensions.get::<Peer>();
        let certificates = peer.map(Peer::certificates).unwrap_or_default();
        let authorization = self.authorization();
        let auth = &self.hub().auth;
        let principal = self
            .in_time(auth.authorize_device(id, authorization, &certificates))
            .await?;
        self.authenticated();
        Ok(principal)
    }

    /// Waits for the hub, but not for ever: where a store has no room its writes wait until it has. What was begun may
    /// still be done after a caller has been told to come again.
    pub(super) async fn in_time<T>(&self, work: impl Future<Output = Result<T, HubError>>) -> Result<T, HubError> {
        let wait_max = self.site.options.wait_max;
        timeout(wait_max, work).await.unwrap_or(Err(HubError::Busy))
    }

    fn authorization(&self) -> Option<&str> {
        self.head.headers.get(AUTHORIZATION)?.to_str().ok()
    }

    fn authenticated(&self) {
        if let Some(peer) = self.head.extensions.get::<Peer>() {
            peer.authenticated();
        }
    }

    /// The whole body; see [`body::read`].
    pub(super) async fn body(&self, bytes_max: usize) -> Result<Bytes, Refusal> {
        let unread = match &mut *self.body.lock() {
            ReadBody::Read(bytes) => return Ok(bytes.clone()),
            ReadBody::Unread(body) => std::mem::take(body),
        };
        let is_asking = self.head.headers.contains_key(EXPECT);
        let bytes = body::read(unread, bytes_max, is_asking).await?;
        *self.body.lock() = ReadBody::Read(bytes.clone());
        Ok(bytes)
    }

    /// The body that is a message, or a batch of them; `message_bytes_max` is the limit that its sender is told.
    pub(super) async fn message_body(&self, message_bytes_max: usize) -> Result<Bytes, Refusal> {
        let body = self.body(D2C_BODY_BYTES_MAX).await;
        if let Err(Refusal::BodyTooLarge { .. }) = body {
            let bytes_max = message_bytes_max;
            return Err(HubError::MessageTooLarge { bytes_max }.into());
        }
        body
    }

    /// The headers that carry a message's properties, with the letter case that they were sent in.
    pub(super) async fn message_headers(&self) -> Vec<(String, String)> {
        let is_message_header = |name: &str| name.starts_with("iothub-") || name == "dt-subject";
        let mut headers = HeaderMap::new();
        for (name, value) in &self.head.headers {
            if is_message_header(name.as_str()) {
                headers.append(name.clone(), value.clone());
            }
        }
        header_case::as_sent(headers, self.head.extensions.clone()).await
    }
}

/// Without randomness the ID is constant: it identifies, it protects nothing.
fn random_id() -> LockToken {
    let mut bytes = [0; 16];
    let _ = SystemRandom::new().fill(&mut bytes);
    LockToken::from_random(bytes)
}
