//! A device's cloud-to-device queue over HTTPS, in the device's place: for tools that look at one message at a time.
//! Needs the permission `DeviceConnect`.

use std::time::Duration;

use hyper::Method;
use hyper::header::{ETAG, HeaderMap, HeaderName};
use ironhub_model::{AckRequest, C2dMessage, DeviceId, LockToken, Timestamp, percent};

use super::ServiceClient;
use super::http::Call;
use crate::error::Error;

const LOCK_TIMEOUT: HeaderName = HeaderName::from_static("iothub-messagelocktimeout");
/// Before the names of the sender's own properties.
const OWN_PREFIX: &str = "iothub-app-";

/// A message that is locked for whoever asked for it.
#[derive(Debug, Clone, PartialEq)]
pub struct QueuedMessage {
    /// Names this delivery.
    pub lock_token: LockToken,
    /// Names of own properties are in lower case: HTTP keeps none.
    pub message: C2dMessage,
    /// When it came into the queue.
    pub enqueued_at: Option<Timestamp>,
    /// Its place in the queue, when the hub tells it.
    pub sequence_number: Option<u64>,
    /// Which delivery this is, from 1.
    pub delivery_count: u32,
}

/// What shall become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// It is done.
    Complete,
    /// It goes back into the queue.
    Abandon,
    /// It is dead.
    Reject,
}

impl ServiceClient {
    /// Locks the oldest message that is not locked, for a minute unless said otherwise; none when there is none.
    pub async fn receive_c2d(&self, device: &DeviceId, lock: Option<Duration>) -> Result<Option<QueuedMessage>, Error> {
        let mut call = Call::new(Method::GET, queue_path(device));
        if let Some(lock) = lock {
            call = call.header(LOCK_TIMEOUT, lock.as_secs().to_string());
        }
        let (headers, body) = self.http().send(call).await?;
        let Some(token) = text(&headers, ETAG.as_str()) else {
            return Ok(None); // 204: there is no message.
        };
        let lock_token =
            LockToken::parse(token.trim_matches('"')).map_err(|error| Error::Protocol(error.to_string()))?;
        Ok(Some(read(lock_token, &headers, &body)))
    }

    /// Settles a message that was received. Fails with code 412002 when its lock is lost.
    pub async fn settle_c2d(&self, device: &DeviceId, token: LockToken, settlement: Settlement) -> Result<(), Error> {
        let path = format!("{}/{token}", queue_path(device));
        let call = match settlement {
            Settlement::Complete => Call::new(Method::DELETE, path),
            Settlement::Reject => Call::new(Method::DELETE, format!("{path}?reject=true")),
            Settlement::Abandon => Call::new(Method::POST, format!("{path}/abandon")),
        };
        self.http().send(call).await.map(drop)
    }
}

fn queue_path(device: &DeviceId) -> String {
    format!("/devices/{}/messages/devicebound", percent::encode(device.as_str()))
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn read(lock_token: LockToken, headers: &HeaderMap, body: &[u8]) -> QueuedMessage {
    let text = |name| text(headers, name);
    let own = headers.iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix(OWN_PREFIX)?;
        let name = percent::decode(name).map_or_else(|| name.to_owned(), Into::into);
        Some((name, String::from_utf8_lossy(value.as_bytes()).into_owned()))
    });
    let time = |name| text(name).and_then(|time| Timestamp::parse(&time).ok());
    let message = C2dMessage {
        message_id: text("iothub-messageid"),
        correlation_id: text("iothub-correlationid"),
        user_id: text("iothub-userid"),
        to: text("iothub-to").unwrap_or_default(),
        content_type: text("contenttype"),
        content_encoding: text("contentencoding"),
        ack: text("iothub-ack").and_then(|ack| AckRequest::parse(&ack)),
        expires_at: time("iothub-expiry"),
        properties: own.collect(),
        body: body.to_vec(),
    };
    QueuedMessage {
        lock_token,
        message,
        enqueued_at: time("iothub-enqueuedtime"),
        sequence_number: text("iothub-sequencenumber").and_then(|number| number.parse().ok()),
        delivery_count: text("iothub-deliverycount")
            .and_then(|count| count.parse().ok())
            .unwrap_or(0),
    }
}
