//! What callers ask the registry to write.

use crate::authentication::AuthenticationType;
use crate::identity::{Capabilities, DeviceId, DeviceStatus, IdentityId, ModuleId};
use serde_json::Value;

/// The writable part of a device's record. What is left out takes its default, on update too: a write is a full
/// replacement (Azure REST API: "Devices - Create Or Update Identity").
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceSpec {
    /// Which device.
    pub device_id: DeviceId,
    /// May it connect; enabled when left out.
    pub status: Option<DeviceStatus>,
    /// Why; at most 128 characters.
    pub status_reason: Option<String>,
    /// How it proves itself.
    pub authentication: AuthenticationSpec,
    /// What it is.
    pub capabilities: Capabilities,
    /// For a leaf, the scope of its parent; an edge device's own scope is set by the hub.
    pub device_scope: Option<String>,
    /// Scopes of the parents of an edge device.
    pub parent_scopes: Vec<String>,
}

/// The writable part of a module's record.
#[derive(Debug, Clone, PartialEq)]
pub struct ModuleSpec {
    /// The device it belongs to.
    pub device_id: DeviceId,
    /// Which module.
    pub module_id: ModuleId,
    /// Who manages it; at most 128 characters.
    pub managed_by: Option<String>,
    /// How it proves itself.
    pub authentication: AuthenticationSpec,
}

/// How an identity shall prove itself, as the caller wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuthenticationSpec {
    /// `type`. Without it thumbprints mean self-signed, and anything else keys.
    pub kind: Option<AuthenticationType>,
    /// Base64 text; left out or empty means: generate one.
    pub primary_key: Option<String>,
    /// Base64 text; left out or empty means: generate one.
    pub secondary_key: Option<String>,
    /// 40 or 64 hexadecimal digits.
    pub primary_thumbprint: Option<String>,
    /// 40 or 64 hexadecimal digits.
    pub secondary_thumbprint: Option<String>,
}

/// One item of a bulk call.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkItem {
    /// Which identity.
    pub id: IdentityId,
    /// What to do with it.
    pub mode: ImportMode,
    /// The identity's ETag where the mode compares it; `*` matches any.
    pub etag: Option<String>,
    /// The twin's ETag where the mode compares it; `*` matches any.
    pub twin_etag: Option<String>,
    /// May it connect; enabled when left out.
    pub status: Option<DeviceStatus>,
    /// Why; at most 128 characters.
    pub status_reason: Option<String>,
    /// How it proves itself.
    pub authentication: AuthenticationSpec,
    /// What it is.
    pub capabilities: Capabilities,
    /// See [`DeviceSpec::device_scope`].
    pub device_scope: Option<String>,
    /// See [`DeviceSpec::parent_scopes`].
    pub parent_scopes: Vec<String>,
    /// See [`ModuleSpec::managed_by`].
    pub managed_by: Option<String>,
    /// Tags for its twin.
    pub tags: Option<Value>,
    /// Desired properties for its twin.
    pub desired: Option<Value>,
}

/// What a bulk item asks for (Azure REST API: "Bulk Registry - Update Registry").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ImportMode {
    /// Write the identity, whether it exists or not.
    #[default]
    CreateOrUpdate,
    /// Like the former; an existing one must have the ETag.
    CreateOrUpdateIfMatchEtag,
    /// It must not exist.
    Create,
    /// It must exist.
    Update,
    /// It must exist with the ETag.
    UpdateIfMatchEtag,
    /// It must exist; deletes it.
    Delete,
    /// It must exist with the ETag; deletes it.
    DeleteIfMatchEtag,
    /// Merges tags and desired properties into its twin.
    UpdateTwin,
    /// The same, and the twin must have the ETag.
    UpdateTwinIfMatchEtag,
}

impl ImportMode {
    const NAMES: [(Self, &'static str); 9] = [
        (Self::CreateOrUpdate, "createOrUpdate"),
        (Self::CreateOrUpdateIfMatchEtag, "createOrUpdateIfMatchETag"),
        (Self::Create, "create"),
        (Self::Update, "update"),
        (Self::UpdateIfMatchEtag, "updateIfMatchETag"),
        (Self::Delete, "delete"),
        (Self::DeleteIfMatchEtag, "deleteIfMatchETag"),
        (Self::UpdateTwin, "updateTwin"),
        (Self::UpdateTwinIfMatchEtag, "updateTwinIfMatchETag"),
    ];

    /// Reads a mode in any letter case, as clients vary.
    pub fn parse(text: &str) -> Option<Self> {
        let mut names = Self::NAMES.into_iter();
        names
            .find(|(_, name)| name.eq_ignore_ascii_case(text))
            .map(|(mode, _)| mode)
    }

    /// As it stands in results.
    pub fn as_str(self) -> &'static str {
        let mut names = Self::NAMES.into_iter();
        names.find(|(mode, _)| *mode == self).map_or("", |(_, name)| name)
    }
}

impl DeviceSpec {
    /// A device with nothing said but its ID: enabled, with generated keys.
    pub fn new(device_id: DeviceId) -> Self {
        Self {
            device_id,
            status: None,
            status_reason: None,
            authentication: AuthenticationSpec::default(),
            capabilities: Capabilities::default(),
            device_scope: None,
            parent_scopes: Vec::new(),
        }
    }
}

impl ModuleSpec {
    /// A module with nothing said but its ID: with generated keys.
    pub fn new(device_id: DeviceId, module_id: ModuleId) -> Self {
        Self {
            device_id,
            module_id,
            managed_by: None,
            authentication: AuthenticationSpec::default(),
        }
    }
}

impl BulkItem {
    /// An item with nothing said but what to do with which identity.
    pub fn new(id: IdentityId, mode: ImportMode) -> Self {
        Self {
            id,
            mode,
            etag: None,
            twin_etag: None,
            status: None,
            status_reason: None,
            authentication: AuthenticationSpec::default(),
            capabilities: Capabilities::default(),
            device_scope: None,
            parent_scopes: Vec::new(),
            managed_by: None,
            tags: None,
            desired: None,
        }
    }
}
