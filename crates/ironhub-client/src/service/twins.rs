//! Twins as the back end sees them.

use hyper::Method;
use ironhub_model::{DeviceId, Etag, IdentityId, ModuleId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ServiceClient;
use super::http::Call;
use super::precondition::Match;
use super::registry::twin_path;
use crate::error::Error;

/// A twin with the state of its identity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Twin {
    /// The device.
    pub device_id: DeviceId,
    /// The module, when it is a module's twin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module_id: Option<ModuleId>,
    /// Changes with tags and desired properties.
    pub etag: Etag,
    /// Rises with every change.
    pub version: u64,
    /// What the device never sees.
    #[serde(default)]
    pub tags: Map<String, Value>,
    /// Both sections.
    pub properties: TwinProperties,
    /// Everything else: status, connection state, times.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Both sections of a twin, each with its `$metadata` and `$version`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TwinProperties {
    /// What the back end wants.
    pub desired: Value,
    /// What the device says.
    pub reported: Value,
}

impl ServiceClient {
    /// The twin of a device or module.
    pub async fn twin(&self, id: &IdentityId) -> Result<Twin, Error> {
        self.http().fetch(Call::new(Method::GET, twin_path(id))).await
    }

    /// Merges `{"tags": …, "properties": {"desired": …}}` into the twin; `null` deletes. Returns the twin after it.
    pub async fn update_twin(&self, id: &IdentityId, patch: &Value, version: &Match) -> Result<Twin, Error> {
        let call = Call::new(Method::PATCH, twin_path(id)).json(patch)?;
        self.http().fetch(call.if_match(version.header())).await
    }

    /// Replaces tags, desired properties, or both; a section that is left out stays. Returns the twin after it.
    pub async fn replace_twin(&self, id: &IdentityId, twin: &Value, version: &Match) -> Result<Twin, Error> {
        let call = Call::new(Method::PUT, twin_path(id)).json(twin)?;
        self.http().fetch(call.if_match(version.header())).await
    }
}
