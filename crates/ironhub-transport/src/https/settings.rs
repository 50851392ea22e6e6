//! The hub's settings and its certificate authorities.

use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{ETAG, HeaderValue};
use ironhub_dialect::https::etag;
use ironhub_dialect::https::settings::{self as dialect, Keys};
use ironhub_hub::{HubError, Ports, ServicePrincipal, Unauthorized};
use ironhub_model::limits::REQUEST_BODY_BYTES_MAX;
use ironhub_model::registry::Precondition;
use ironhub_model::{Permission, Permissions};

use super::answer::{self, Answer};
use super::call::Call;
use super::refusal::Refusal;

const READ: &[Permission] = &[Permission::RegistryRead, Permission::ServiceConnect];

/// The description of this API, also a page of the book.
const DESCRIPTION: &str = include_str!("../../../../docs/reference/openapi.yaml");

pub(super) async fn get<P: Ports>(call: &Call<P>) -> Answer {
    let caller = call.authorize_operator(READ).await?;
    let keys = if caller.permissions == Permissions::ALL {
        Keys::Shown
    } else {
        Keys::Redacted
    };
    let (settings, etag) = call.in_time(call.hub().settings.get()).await?;
    let declared = call.hub().settings.declared();
    let mut response = answer::json(dialect::settings_json(&settings, &declared, keys));
    answer::set(&mut response, ETAG, &etag::header(&etag));
    Ok(response)
}

pub(super) async fn put<P: Ports>(call: &Call<P>) -> Answer {
    operator(call).await?;
    let settings = dialect::parse_settings(&call.body(REQUEST_BODY_BYTES_MAX).await?)?;
    let body = dialect::settings_json(&settings, &call.hub().settings.declared(), Keys::Shown);
    let etag = call
        .in_time(call.hub().settings.replace(settings, call.precondition()))
        .await?;
    let mut response = answer::json(body);
    answer::set(&mut response, ETAG, &etag::header(&etag));
    Ok(response)
}

pub(super) async fn add_certificate<P: Ports>(call: &Call<P>) -> Answer {
    operator(call).await?;
    let certificate = dialect::parse_certificate(&call.body(REQUEST_BODY_BYTES_MAX).await?)?;
    let settings = &call.hub().settings;
    let adding = settings.add_ca_certificate(&certificate.name, &certificate.pem, certificate.is_verified);
    call.in_time(adding).await?;
    Ok(answer::no_content())
}

pub(super) async fn remove_certificate<P: Ports>(call: &Call<P>, name: &str) -> Answer {
    operator(call).await?;
    let (mut settings, etag) = call.in_time(call.hub().settings.get()).await?;
    let before = settings.ca_certificates.len();
    settings.ca_certificates.retain(|authority| authority.name != name);
    if settings.ca_certificates.len() == before {
        return Err(HubError::InvalidArgument(format!("there is no certificate {name:?}")).into());
    }
    let unchanged = Precondition::Match(vec![etag]);
    call.in_time(call.hub().settings.replace(settings, unchanged)).await?;
    Ok(answer::no_content())
}

pub(super) async fn verification_code<P: Ports>(call: &Call<P>, name: &str) -> Answer {
    operator(call).await?;
    let code = call.in_time(call.hub().settings.ca_verification_code(name)).await?;
    Ok(answer::json(dialect::verification_code_json(&code)))
}

pub(super) async fn verify_certificate<P: Ports>(call: &Call<P>, name: &str) -> Answer {
    operator(call).await?;
    let proof = dialect::parse_proof(&call.body(REQUEST_BODY_BYTES_MAX).await?)?;
    call.in_time(call.hub().settings.verify_ca_certificate(name, &proof))
        .await?;
    Ok(answer::no_content())
}

/// Settings hold keys with every right, so whoever changes them needs every right.
async fn operator<P: Ports>(call: &Call<P>) -> Result<ServicePrincipal, Refusal> {
    let caller = call.authorize_operator(&[Permission::RegistryWrite]).await?;
    if caller.permissions == Permissions::ALL {
        Ok(caller)
    } else {
        Err(HubError::from(Unauthorized::MissingPermission).into())
    }
}

pub(super) fn description() -> Response {
    let content_type = HeaderValue::from_static("application/yaml");
    answer::with_type(StatusCode::OK, content_type, DESCRIPTION)
}
