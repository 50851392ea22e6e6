//! Reports on cloud-to-device messages, batch by batch.

use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{ETAG, HeaderValue};
use ironhub_dialect::https::feedback as dialect;
use ironhub_hub::{HubError, Ports};
use ironhub_model::{LockToken, Permission};

use super::answer::{self, Answer};
use super::call::Call;

const FEEDBACK: &[Permission] = &[Permission::ServiceConnect];
/// As long as the hub's settings say.
const LOCK: Duration = Duration::ZERO;

pub(super) async fn receive<P: Ports>(call: &Call<P>) -> Answer {
    call.authorize(FEEDBACK).await?;
    let Some(batch) = call.in_time(call.hub().feedback.receive(LOCK)).await? else {
        return Ok(answer::no_content());
    };
    let content_type = HeaderValue::from_static(dialect::CONTENT_TYPE);
    let mut response = answer::with_type(StatusCode::OK, content_type, dialect::batch_json(&batch));
    answer::set(&mut response, ETAG, &dialect::etag_header(&batch));
    Ok(response)
}

pub(super) async fn complete<P: Ports>(call: &Call<P>, token: Option<LockToken>) -> Answer {
    call.authorize(FEEDBACK).await?;
    let token = token.ok_or(HubError::LockLost)?;
    call.in_time(call.hub().feedback.complete(&token)).await?;
    Ok(answer::no_content())
}

pub(super) async fn abandon<P: Ports>(call: &Call<P>, token: Option<LockToken>) -> Answer {
    call.authorize(FEEDBACK).await?;
    let token = token.ok_or(HubError::LockLost)?;
    call.in_time(call.hub().feedback.abandon(&token)).await?;
    Ok(answer::no_content())
}
