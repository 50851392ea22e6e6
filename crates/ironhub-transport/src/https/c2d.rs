//! Cloud-to-device messages: sent and purged by back ends, received and settled by devices.

use axum::body::Body;
use axum::response::Response;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use ironhub_dialect::https::c2d as dialect;
use ironhub_hub::{HubError, Ports};
use ironhub_model::limits::{C2D_HEADERS_MAX, C2D_MESSAGE_BYTES_MAX};
use ironhub_model::{C2dDelivery, DeviceId, IdentityId, LockToken, Permission};

use super::answer::{self, Answer};
use super::call::Call;
use super::header_case;

/// The header, or query parameter, by which a receiver asks for a lock of so many seconds.
const LOCK_TIMEOUT: &str = "iothub-messagelocktimeout";

pub(super) async fn send<P: Ports>(call: &Call<P>, device: &DeviceId) -> Answer {
    call.authorize(&[Permission::ServiceConnect]).await?;
    let body = call.message_body(C2D_MESSAGE_BYTES_MAX).await?;
    let message = dialect::c2d_message(device, &call.message_headers().await, &body)?;
    call.in_time(call.hub().c2d.send(device, message)).await?;
    Ok(answer::no_content())
}

pub(super) async fn purge<P: Ports>(call: &Call<P>, device: &DeviceId) -> Answer {
    call.authorize(&[Permission::ServiceConnect]).await?;
    let purged = call.in_time(call.hub().c2d.purge(device)).await?;
    Ok(answer::json(dialect::purge_json(device, purged)))
}

pub(super) async fn receive<P: Ports>(call: &Call<P>, device: &DeviceId) -> Answer {
    let caller = call.authorize_device(&IdentityId::device(device.clone())).await?;
    let in_query = call.parameters().value(LOCK_TIMEOUT);
    let lock = dialect::lock_duration(call.header(LOCK_TIMEOUT).or(in_query.as_deref()))?;
    match call
        .in_time(call.hub().c2d.receive(&caller, lock.unwrap_or_default()))
        .await?
    {
        Some(delivery) => Ok(delivered(delivery).await),
        None => Ok(answer::no_content()),
    }
}

async fn delivered(delivery: C2dDelivery) -> Response {
    let headers = dialect::delivery_headers(&delivery);
    let headers = headers.get(..C2D_HEADERS_MAX).unwrap_or(&headers);
    let mut response = Response::new(Body::from(delivery.message.body));
    let mut spelled = Vec::with_capacity(headers.len());
    let mut map = HeaderMap::with_capacity(headers.len());
    for (spelling, value) in headers {
        let name = HeaderName::from_bytes(spelling.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
            spelled.push(spelling.as_str());
            map.append(name, value);
        }
    }
    *response.headers_mut() = map;
    *response.extensions_mut() = header_case::spelling(&spelled).await;
    response
}

/// Completes the message, or rejects it when the query says so.
pub(super) async fn complete<P: Ports>(call: &Call<P>, device: &DeviceId, token: Option<LockToken>) -> Answer {
    let caller = call.authorize_device(&IdentityId::device(device.clone())).await?;
    let token = token.ok_or(HubError::LockLost)?;
    if call.parameters().rejects() {
        call.in_time(call.hub().c2d.reject(&caller, &token)).await?;
    } else {
        call.in_time(call.hub().c2d.complete(&caller, &token)).await?;
    }
    Ok(answer::no_content())
}

pub(super) async fn abandon<P: Ports>(call: &Call<P>, device: &DeviceId, token: Option<LockToken>) -> Answer {
    let caller = call.authorize_device(&IdentityId::device(device.clone())).await?;
    let token = token.ok_or(HubError::LockLost)?;
    call.in_time(call.hub().c2d.abandon(&caller, &token)).await?;
    Ok(answer::no_content())
}
