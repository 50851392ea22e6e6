//! Identities as JSON.

mod authentication;
mod bulk;
mod device;
mod keys;
mod module;
mod statistics;

pub use bulk::{bulk_items, bulk_result_json};
pub use device::{device_json, device_spec, devices_json, devices_top};
pub use keys::{KeyRequest, key_request, regenerate_result_json, regenerate_status};
pub use module::{module_json, module_spec, modules_json};
pub use statistics::{device_statistics_json, service_statistics_json};
