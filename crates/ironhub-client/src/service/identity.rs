//! Identities as the registry tells them, and as it is told.

use ironhub_model::identity::Capabilities;
use ironhub_model::{
    AuthenticationType, DeviceId, DeviceStatus, Etag, GenerationId, ModuleId, SymmetricKey, Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A device identity. What the hub fills in is ignored when it is written, so a record that was read can be changed and
/// written back.
///
/// ```no_run
/// # async fn example(service: ironhub_client::ServiceClient) -> Result<(), Box<dyn std::error::Error>> {
/// use ironhub_client::{DeviceId, DeviceStatus, Match};
///
/// let mut device = service.device(&DeviceId::parse("wind-1")?).await?;
/// device.status = DeviceStatus::Disabled;
/// device.status_reason = Some("in repair".to_owned());
/// // Unless somebody else has changed the record meanwhile.
/// let version = device.etag.clone().map_or(Match::Any, Match::Etag);
/// service.update_device(&device, &version).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// Its name.
    pub device_id: DeviceId,
    /// Which creation of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation_id: Option<GenerationId>,
    /// The version of this record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<Etag>,
    /// `Connected` or `Disconnected`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_state: Option<String>,
    /// May it connect.
    #[serde(default)]
    pub status: DeviceStatus,
    /// Why the status is what it is; at most 128 characters.
    #[serde(default)]
    pub status_reason: Option<String>,
    /// When it last connected, sent or received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_activity_time: Option<Timestamp>,
    /// Messages in its cloud-to-device queue.
    #[serde(default)]
    pub cloud_to_device_message_count: u32,
    /// How it proves itself.
    #[serde(default)]
    pub authentication: DeviceAuthentication,
    /// What it is.
    #[serde(default)]
    pub capabilities: Capabilities,
    /// Everything else that the hub told: kept, and written back.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A module identity; see [`Device`].
///
/// ```no_run
/// # async fn example(service: ironhub_client::ServiceClient) -> Result<(), Box<dyn std::error::Error>> {
/// use ironhub_client::{DeviceClient, DeviceId, Module, ModuleId};
///
/// let module = Module::new(DeviceId::parse("wind-1")?, ModuleId::parse("gearbox")?);
/// let module = service.create_module(&module).await?;
/// let gearbox = DeviceClient::builder_for(service.module_connection_string(&module)?).connect().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Module {
    /// The device it belongs to.
    pub device_id: DeviceId,
    /// Its name on that device.
    pub module_id: ModuleId,
    /// Which creation of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation_id: Option<GenerationId>,
    /// The version of this record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<Etag>,
    /// `Connected` or `Disconnected`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_state: Option<String>,
    /// Who manages it, `iotEdge` for modules of IoT Edge; at most 128 characters.
    #[serde(default)]
    pub managed_by: Option<String>,
    /// How it proves itself.
    #[serde(default)]
    pub authentication: DeviceAuthentication,
    /// Everything else that the hub told: kept, and written back.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// How an identity proves itself. By default with keys that the hub makes up.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceAuthentication {
    /// Keys when left out.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<AuthenticationType>,
    /// For [`AuthenticationType::Sas`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symmetric_key: Option<SymmetricKeys>,
    /// For [`AuthenticationType::SelfSigned`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x509_thumbprint: Option<Thumbprints>,
}

/// Two keys, so that one can be replaced while the other is used. They do not print themselves.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SymmetricKeys {
    /// The hub makes one up when it is left out.
    #[serde(default)]
    pub primary_key: Option<SymmetricKey>,
    /// The hub makes one up when it is left out.
    #[serde(default)]
    pub secondary_key: Option<SymmetricKey>,
}

/// Thumbprints of two certificates: SHA-1 or SHA-256, 40 or 64 hexadecimal digits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Thumbprints {
    /// One.
    #[serde(default)]
    pub primary_thumbprint: Option<String>,
    /// The other.
    #[serde(default)]
    pub secondary_thumbprint: Option<String>,
}

impl Device {
    /// A device that may connect, with keys that the hub makes up.
    pub fn new(device_id: DeviceId) -> Self {
        Self {
            device_id,
            generation_id: None,
            etag: None,
            connection_state: None,
            status: DeviceStatus::Enabled,
            status_reason: None,
            last_activity_time: None,
            cloud_to_device_message_count: 0,
            authentication: DeviceAuthentication::default(),
            capabilities: Capabilities::default(),
            other: Map::new(),
        }
    }
}

impl Module {
    /// A module with keys that the hub makes up.
    pub fn new(device_id: DeviceId, module_id: ModuleId) -> Self {
        Self {
            device_id,
            module_id,
            generation_id: None,
            etag: None,
            connection_state: None,
            managed_by: None,
            authentication: DeviceAuthentication::default(),
            other: Map::new(),
        }
    }
}

impl DeviceAuthentication {
    /// Certificates with these thumbprints.
    pub fn self_signed(thumbprints: Thumbprints) -> Self {
        Self {
            kind: Some(AuthenticationType::SelfSigned),
            symmetric_key: None,
            x509_thumbprint: Some(thumbprints),
        }
    }

    /// The first key, where there is one.
    pub fn primary_key(&self) -> Option<&SymmetricKey> {
        self.symmetric_key.as_ref()?.primary_key.as_ref()
    }
}
