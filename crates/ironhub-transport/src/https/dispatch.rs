//! From a request to its handler.

use axum::response::Response;
use hyper::header::HeaderName;
use ironhub_dialect::https::operation::{self, NoOperation, Operation, Verb};
use ironhub_dialect::https::own::{self, OwnOperation};
use ironhub_hub::Ports;
use tracing::{debug, warn};

use super::answer::{self, Answer};
use super::call::Call;
use super::refusal::Refusal;
use super::{c2d, consumer_groups, events, feedback, methods, query, registry, settings, telemetry, twin};
use crate::log_limit::LogLimit;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");

/// Answers a request, whatever becomes of it.
pub(super) async fn answer<P: Ports>(mut call: Call<P>) -> Response {
    let mut about = About {
        label: "none",
        has_nested_errors: false,
    };
    let result = if own::is_own(call.head.uri.path()) {
        own_api(&call, &mut about).await
    } else {
        api(&mut call, &mut about).await
    };
    let mut response = match result {
        Ok(response) => response,
        Err(refusal) => {
            report(&call, &about, &refusal);
            refusal.response(call.id, call.hub().now(), about.has_nested_errors && refusal.may_nest())
        }
    };
    answer::set(&mut response, REQUEST_ID, &call.id.to_string());
    let status = response.status().as_u16().to_string();
    metrics::counter!("ironhub_https_requests_total", "operation" => about.label, "status" => status).increment(1);
    response
}

/// What a request turned out to be about.
struct About {
    label: &'static str,
    has_nested_errors: bool,
}

async fn own_api<P: Ports>(call: &Call<P>, about: &mut About) -> Answer {
    let verb = verb(call)?;
    let operation = own::parse(verb, call.head.uri.path())?;
    about.label = operation.label();
    match &operation {
        OwnOperation::ReadEvents => events::read(call).await,
        OwnOperation::GetSettings => settings::get(call).await,
        OwnOperation::PutSettings => settings::put(call).await,
        OwnOperation::AddCertificate => settings::add_certificate(call).await,
        OwnOperation::RemoveCertificate(name) => settings::remove_certificate(call, name).await,
        OwnOperation::VerificationCode(name) => settings::verification_code(call, name).await,
        OwnOperation::VerifyCertificate(name) => settings::verify_certificate(call, name).await,
        OwnOperation::ListConsumerGroups => consumer_groups::list(call).await,
        OwnOperation::GetConsumerGroup(name) => consumer_groups::get(call, name).await,
        OwnOperation::PutConsumerGroup(name) => consumer_groups::put(call, name).await,
        OwnOperation::RemoveConsumerGroup(name) => consumer_groups::remove(call, name).await,
        OwnOperation::Description => Ok(settings::description()),
    }
}

async fn api<P: Ports>(call: &mut Call<P>, about: &mut About) -> Answer {
    let verb = verb(call)?;
    let candidates = operation::parse(verb, call.head.uri.path())?;
    if let Some(likeliest) = candidates.first() {
        about.label = likeliest.operation.label();
        about.has_nested_errors = likeliest.operation.has_nested_errors();
    }
    if !call.parameters().has_api_version() {
        return Err(Refusal::ApiVersion);
    }
    // The path may be encoded once or twice. Nothing was changed by an attempt that failed for lack of the identity.
    let mut first_refusal = None;
    for candidate in candidates {
        call.path = candidate.path;
        match handle(call, &candidate.operation).await {
            Err(refusal) if refusal.is_about_identity() => {
                first_refusal.get_or_insert(refusal);
            }
            done => return done,
        }
    }
    Err(first_refusal.unwrap_or(Refusal::NoOperation(NoOperation::UnknownPath)))
}

fn verb<P: Ports>(call: &Call<P>) -> Result<Verb, Refusal> {
    let method = call.head.method.as_str();
    Verb::parse(method).ok_or_else(|| {
        let others = "DELETE, GET, PATCH, POST, PUT";
        Refusal::NoOperation(NoOperation::WrongVerb(others.into()))
    })
}

async fn handle<P: Ports>(call: &Call<P>, operation: &Operation) -> Answer {
    match operation {
        Operation::ListDevices => registry::list_devices(call).await,
        Operation::Bulk => registry::bulk(call).await,
        Operation::RegenerateKeys => registry::regenerate_keys(call).await,
        Operation::DeviceStatistics => registry::device_statistics(call).await,
        Operation::ServiceStatistics => registry::service_statistics(call).await,
        Operation::GetDevice(id) => registry::get_device(call, id).await,
        Operation::PutDevice(id) => registry::put_device(call, id).await,
        Operation::DeleteDevice(id) => registry::delete_device(call, id).await,
        Operation::ListModules(device) => registry::list_modules(call, device).await,
        Operation::GetModule(device, module) => registry::get_module(call, device, module).await,
        Operation::PutModule(device, module) => registry::put_module(call, device, module).await,
        Operation::DeleteModule(device, module) => registry::delete_module(call, device, module).await,
        Operation::Query => query::run(call).await,
        Operation::GetTwin(id) => twin::get(call, id).await,
        Operation::PatchTwin(id) => twin::patch(call, id).await,
        Operation::ReplaceTwin(id) => twin::replace(call, id).await,
        Operation::InvokeMethod(id) => methods::invoke(call, id).await,
        Operation::SendTelemetry(id) => telemetry::send(call, id).await,
        Operation::SendC2d(device) => c2d::send(call, device).await,
        Operation::ReceiveC2d(device) => c2d::receive(call, device).await,
        Operation::CompleteC2d(device, token) => c2d::complete(call, device, *token).await,
        Operation::AbandonC2d(device, token) => c2d::abandon(call, device, *token).await,
        Operation::PurgeC2d(device) => c2d::purge(call, device).await,
        Operation::ReceiveFeedback => feedback::receive(call).await,
        Operation::CompleteFeedback(token) => feedback::complete(call, *token).await,
        Operation::AbandonFeedback(token) => feedback::abandon(call, *token).await,
        Operation::Unavailable(feature) => Err(Refusal::Unavailable(*feature)),
    }
}

/// Refusals are told at a bounded rate; metrics count them all.
fn report<P: Ports>(call: &Call<P>, about: &About, refusal: &Refusal) {
    static REFUSED: LogLimit = LogLimit::new();
    static FAILED: LogLimit = LogLimit::new();
    let told = refusal.told();
    metrics::counter!("ironhub_https_requests_refused_total", "error" => told.name).increment(1);
    let (request_id, operation, error) = (call.id, about.label, told.name);
    if told.status().is_server_error() {
        if let Some(held_back) = FAILED.pass() {
            warn!(%request_id, operation, error, reason = ?refusal, held_back, "request failed");
        }
    } else if let Some(held_back) = REFUSED.pass() {
        debug!(%request_id, operation, error, reason = ?refusal, held_back, "request refused");
    }
}
