//! New keys for identities.

use hyper::Method;
use ironhub_model::{DeviceId, IdentityId, ModuleId, SymmetricKey};
use serde::{Deserialize, Serialize};

use super::ServiceClient;
use super::http::Call;
use crate::error::Error;

/// The version of the API that this operation came with.
const API_VERSION: &str = "2024-03-31";

/// Which of an identity's two keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum KeyChoice {
    /// The first.
    #[serde(rename = "primaryKey")]
    Primary,
    /// The second.
    #[serde(rename = "secondaryKey")]
    Secondary,
    /// Both; whoever holds an old one is locked out.
    #[serde(rename = "both")]
    Both,
}

/// What became of a request for new keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegeneratedKeys {
    /// Identities with their new keys.
    pub rotated_keys: Vec<RotatedKeys>,
    /// Identities that kept theirs.
    pub errors: Vec<KeyError>,
}

/// An identity's new keys; one that was not asked for is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RotatedKeys {
    /// The device.
    pub id: DeviceId,
    /// The module, when it is one.
    pub module_id: Option<ModuleId>,
    /// The first.
    pub primary_key: Option<SymmetricKey>,
    /// The second.
    pub secondary_key: Option<SymmetricKey>,
}

/// Why an identity kept its keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyError {
    /// The device.
    pub id: DeviceId,
    /// The module, when it is one.
    pub module_id: Option<ModuleId>,
    /// In the catalogue's words, such as `DeviceNotFound`.
    pub error_code: String,
    /// For people.
    pub error_status: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    policy_key: KeyChoice,
    devices: Vec<Row<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    id: &'a DeviceId,
    #[serde(skip_serializing_if = "Option::is_none")]
    module_id: Option<&'a ModuleId>,
}

impl ServiceClient {
    /// Has the hub make up new keys, for at most a hundred identities. Fails when none of them gets any.
    pub async fn regenerate_keys(&self, ids: &[IdentityId], which: KeyChoice) -> Result<RegeneratedKeys, Error> {
        let devices = ids.iter().map(|id| Row {
            id: &id.device,
            module_id: id.module.as_ref(),
        });
        let request = Request {
            policy_key: which,
            devices: devices.collect(),
        };
        let call = Call::new(Method::POST, "/devices/keys/regenerate").api_version(API_VERSION);
        self.http().fetch(call.json(&request)?).await
    }
}
