//! Direct methods as back ends call them.

use ironhub_dialect::https::methods as dialect;
use ironhub_hub::Ports;
use ironhub_model::limits::REQUEST_BODY_BYTES_MAX;
use ironhub_model::{IdentityId, Permission};

use super::answer::{self, Answer};
use super::call::Call;

/// The request stays open while the device is waited for. A caller that goes away ends the wait, not the method.
pub(super) async fn invoke<P: Ports>(call: &Call<P>, id: &IdentityId) -> Answer {
    call.authorize(&[Permission::ServiceConnect]).await?;
    let method = dialect::method_call(&call.body(REQUEST_BODY_BYTES_MAX).await?)?;
    let response = call.hub().methods.invoke(id, method).await?;
    Ok(answer::json(dialect::method_response_json(&response)))
}
