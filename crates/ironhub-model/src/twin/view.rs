//! The twin as the back end sees it, joined with its identity and connection.

use serde::Serialize;
use serde_json::{Map, Value};

use super::Twin;
use crate::authentication::Authentication;
use crate::identity::{Capabilities, DeviceId, DeviceStatus, Etag, ModuleId};
use crate::timestamp::Timestamp;

/// The JSON of `GET /twins/{id}` and of the rows of queries; its fields serialize in the order in which the service
/// prints them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TwinView {
    /// The device.
    pub device_id: DeviceId,
    /// The module, when it is a module's twin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module_id: Option<ModuleId>,
    /// The twin's.
    pub etag: Etag,
    /// The identity's.
    pub device_etag: Etag,
    /// May it connect.
    pub status: DeviceStatus,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    /// When the status last changed.
    pub status_update_time: Timestamp,
    /// `Connected` or `Disconnected`.
    pub connection_state: &'static str,
    /// When it last connected, sent or received.
    pub last_activity_time: Timestamp,
    /// Messages in the device's cloud-to-device queue.
    pub cloud_to_device_message_count: u32,
    /// `sas`, `selfSigned`, `certificateAuthority` or `none`.
    pub authentication_type: &'static str,
    /// Both `null` unless the identity is self-signed.
    pub x509_thumbprint: X509ThumbprintView,
    /// Empty when no model was announced.
    pub model_id: String,
    /// The twin's version.
    pub version: u64,
    /// Left out when empty.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub tags: Map<String, Value>,
    /// Both sections.
    pub properties: PropertiesView,
    /// What the device is.
    pub capabilities: Capabilities,
    /// See [`crate::DeviceIdentity::device_scope`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_scope: Option<String>,
    /// See [`crate::DeviceIdentity::parent_scopes`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parent_scopes: Vec<String>,
}

/// Desired and reported properties with `$metadata` and `$version`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PropertiesView {
    /// What the back end wants.
    pub desired: Value,
    /// What the device says.
    pub reported: Value,
}

/// Thumbprints as registered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct X509ThumbprintView {
    /// Compared first.
    pub primary_thumbprint: Option<String>,
    /// Compared second.
    pub secondary_thumbprint: Option<String>,
}

impl PropertiesView {
    /// Both sections of this twin.
    pub fn of(twin: &Twin) -> Self {
        Self {
            desired: twin.desired.service_json(),
            reported: twin.reported.service_json(),
        }
    }
}

impl X509ThumbprintView {
    /// What there is to show of this authentication.
    pub fn of(authentication: &Authentication) -> Self {
        let Authentication::SelfSigned { primary, secondary } = authentication else {
            return Self::default();
        };
        let text = |thumbprint: &Option<crate::Thumbprint>| thumbprint.as_ref().map(|t| t.as_str().to_owned());
        Self {
            primary_thumbprint: text(primary),
            secondary_thumbprint: text(secondary),
        }
    }
}
