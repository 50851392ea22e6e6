//! Twins as back ends read and change them.

use ironhub_dialect::https::twin as dialect;
use ironhub_hub::Ports;
use ironhub_model::limits::REQUEST_BODY_BYTES_MAX;
use ironhub_model::{IdentityId, Permission};

use super::answer::{self, Answer};
use super::call::Call;

const TWINS: &[Permission] = &[Permission::ServiceConnect];

pub(super) async fn get<P: Ports>(call: &Call<P>, id: &IdentityId) -> Answer {
    call.authorize(TWINS).await?;
    let twin = call.in_time(call.hub().twins.get(id)).await?;
    Ok(answer::json(dialect::twin_json(&twin)))
}

pub(super) async fn patch<P: Ports>(call: &Call<P>, id: &IdentityId) -> Answer {
    call.authorize(TWINS).await?;
    let patch = dialect::twin_patch(&call.body(REQUEST_BODY_BYTES_MAX).await?)?;
    let twin = call
        .in_time(call.hub().twins.patch(id, patch, call.precondition()))
        .await?;
    Ok(answer::json(dialect::twin_json(&twin)))
}

pub(super) async fn replace<P: Ports>(call: &Call<P>, id: &IdentityId) -> Answer {
    call.authorize(TWINS).await?;
    let sections = dialect::twin_patch(&call.body(REQUEST_BODY_BYTES_MAX).await?)?;
    let twin = call
        .in_time(call.hub().twins.replace(id, sections, call.precondition()))
        .await?;
    Ok(answer::json(dialect::twin_json(&twin)))
}
