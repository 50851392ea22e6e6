//! Identities: devices, modules, many at once.

use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use ironhub_dialect::https::registry as dialect;
use ironhub_hub::Ports;
use ironhub_model::limits::REQUEST_BODY_BYTES_MAX;
use ironhub_model::{DeviceId, ModuleId, Permission};

use super::answer::{self, Answer};
use super::call::Call;
use super::refusal::{ERROR_NAME, named};

const READ: &[Permission] = &[Permission::RegistryRead];
const WRITE: &[Permission] = &[Permission::RegistryWrite];
const COUNT: &[Permission] = &[Permission::RegistryRead, Permission::ServiceConnect];

/// .NET looks at this name to tell a result with errors from an error.
const BULK_ERROR_NAME: HeaderName = HeaderName::from_static("iothuberrorcode");
const BULK_ERROR: HeaderValue = HeaderValue::from_static("BulkRegistryOperationFailure");

pub(super) async fn list_devices<P: Ports>(call: &Call<P>) -> Answer {
    call.authorize(READ).await?;
    let top = dialect::devices_top(call.parameters().value("top").as_deref());
    let devices = call.in_time(call.hub().registry.list_devices(top)).await?;
    Ok(answer::json(dialect::devices_json(&devices)))
}

pub(super) async fn get_device<P: Ports>(call: &Call<P>, id: &DeviceId) -> Answer {
    call.authorize(READ).await?;
    let device = call.in_time(call.hub().registry.device(id)).await?;
    Ok(answer::json(dialect::device_json(&device)))
}

pub(super) async fn put_device<P: Ports>(call: &Call<P>, id: &DeviceId) -> Answer {
    call.authorize(WRITE).await?;
    let spec = dialect::device_spec(id, &call.body(REQUEST_BODY_BYTES_MAX).await?)?;
    let device = call
        .in_time(call.hub().registry.put_device(spec, call.precondition()))
        .await?;
    Ok(answer::json(dialect::device_json(&device)))
}

pub(super) async fn delete_device<P: Ports>(call: &Call<P>, id: &DeviceId) -> Answer {
    call.authorize(WRITE).await?;
    call.in_time(call.hub().registry.delete_device(id, call.precondition()))
        .await?;
    Ok(answer::no_content())
}

pub(super) async fn list_modules<P: Ports>(call: &Call<P>, device: &DeviceId) -> Answer {
    call.authorize(READ).await?;
    let modules = call.in_time(call.hub().registry.list_modules(device)).await?;
    Ok(answer::json(dialect::modules_json(&modules)))
}

pub(super) async fn get_module<P: Ports>(call: &Call<P>, device: &DeviceId, module: &ModuleId) -> Answer {
    call.authorize(READ).await?;
    let module = call.in_time(call.hub().registry.module(device, module)).await?;
    Ok(answer::json(dialect::module_json(&module)))
}

pub(super) async fn put_module<P: Ports>(call: &Call<P>, device: &DeviceId, module: &ModuleId) -> Answer {
    call.authorize(WRITE).await?;
    let spec = dialect::module_spec(device, module, &call.body(REQUEST_BODY_BYTES_MAX).await?)?;
    let module = call
        .in_time(call.hub().registry.put_module(spec, call.precondition()))
        .await?;
    Ok(answer::json(dialect::module_json(&module)))
}

pub(super) async fn delete_module<P: Ports>(call: &Call<P>, device: &DeviceId, module: &ModuleId) -> Answer {
    call.authorize(WRITE).await?;
    let registry = &call.hub().registry;
    call.in_time(registry.delete_module(device, module, call.precondition()))
        .await?;
    Ok(answer::no_content())
}

pub(super) async fn bulk<P: Ports>(call: &Call<P>) -> Answer {
    call.authorize(WRITE).await?;
    let items = dialect::bulk_items(&call.body(REQUEST_BODY_BYTES_MAX).await?)?;
    let result = call.in_time(call.hub().registry.bulk(items)).await?;
    let is_successful = result.is_successful();
    let body = dialect::bulk_result_json(&result.map_errors(|error| named(&error)));
    if is_successful {
        return Ok(answer::json(body));
    }
    let mut response = answer::json_with(StatusCode::BAD_REQUEST, body);
    response.headers_mut().insert(BULK_ERROR_NAME, BULK_ERROR);
    response.headers_mut().insert(ERROR_NAME, BULK_ERROR);
    Ok(response)
}

pub(super) async fn regenerate_keys<P: Ports>(call: &Call<P>) -> Answer {
    call.authorize(WRITE).await?;
    let request = dialect::key_request(&call.body(REQUEST_BODY_BYTES_MAX).await?)?;
    let registry = &call.hub().registry;
    let result = call
        .in_time(registry.regenerate_keys(request.which, request.ids))
        .await?;
    let status = StatusCode::from_u16(dialect::regenerate_status(&result)).unwrap_or_default();
    let body = dialect::regenerate_result_json(request.which, &result.map_errors(|error| named(&error)));
    Ok(answer::json_with(status, body))
}

pub(super) async fn device_statistics<P: Ports>(call: &Call<P>) -> Answer {
    call.authorize(COUNT).await?;
    let statistics = call.in_time(call.hub().registry.device_statistics()).await?;
    Ok(answer::json(dialect::device_statistics_json(statistics)))
}

pub(super) async fn service_statistics<P: Ports>(call: &Call<P>) -> Answer {
    call.authorize(COUNT).await?;
    let connected = call.in_time(call.hub().registry.connected_count()).await?;
    Ok(answer::json(dialect::service_statistics_json(connected)))
}
