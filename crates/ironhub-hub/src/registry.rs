//! Device and module identities: who may connect, and as what.

mod spec;

use ironhub_model::{DeviceId, DeviceIdentity, Etag, IdentityId, ModuleId, ModuleIdentity, SymmetricKey};

pub use spec::{AuthenticationSpec, BulkItem, DeviceSpec, ImportMode, ModuleSpec};

use crate::core::service;
use crate::error::HubError;
use crate::ports::Ports;
use crate::presence::ConnectionView;

service! {
    /// Creates, changes, finds and deletes identities.
    Registry
}

/// What the caller expects of the record that it writes: `If-Match` as data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Precondition {
    /// Nothing. Writing an identity means to create it.
    #[default]
    None,
    /// It exists, in whatever version.
    Any,
    /// It exists in one of these versions.
    Match(Vec<Etag>),
}

impl Precondition {
    /// Does a record with this ETag satisfy it?
    pub fn allows(&self, current: &Etag) -> bool {
        match self {
            Self::None | Self::Any => true,
            Self::Match(expected) => expected.contains(current),
        }
    }
}

/// A device as the registry shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceView {
    /// The record.
    pub identity: DeviceIdentity,
    /// Its connection.
    pub connection: ConnectionView,
    /// Messages in its cloud-to-device queue.
    pub c2d_count: u32,
}

/// A module as the registry shows it; modules have no cloud-to-device queue.
#[derive(Debug, Clone, PartialEq)]
pub struct ModuleView {
    /// The record.
    pub identity: ModuleIdentity,
    /// Its connection.
    pub connection: ConnectionView,
}

/// What became of a bulk call. Items are independent: some may have succeeded beside errors.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BulkResult {
    /// Items that failed, in the order of the call.
    pub errors: Vec<BulkError>,
    /// Devices whose identity was written but whose twin was not, with the reason.
    pub warnings: Vec<(IdentityId, HubError)>,
}

/// An item of a bulk call that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkError {
    /// Which.
    pub id: IdentityId,
    /// Why.
    pub error: HubError,
    /// What was asked for.
    pub operation: ImportMode,
}

impl BulkResult {
    /// Did every item succeed?
    pub fn is_successful(&self) -> bool {
        self.errors.is_empty()
    }
}

/// Which keys to generate anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyChoice {
    /// `primaryKey`.
    Primary,
    /// `secondaryKey`.
    Secondary,
    /// `both`.
    Both,
}

/// What became of a key regeneration.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RegenerateResult {
    /// New keys, in the order of the call.
    pub rotated: Vec<RotatedKeys>,
    /// Identities whose keys stay, with the reason.
    pub errors: Vec<(IdentityId, HubError)>,
}

/// The keys of one identity that are new; the others are `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct RotatedKeys {
    /// Whose.
    pub id: IdentityId,
    /// The new primary key.
    pub primary: Option<SymmetricKey>,
    /// The new secondary key.
    pub secondary: Option<SymmetricKey>,
}

/// How many devices there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeviceStatistics {
    /// All.
    pub total: u64,
    /// Those that may connect.
    pub enabled: u64,
    /// Those that may not.
    pub disabled: u64,
}

impl<P: Ports> Registry<P> {
    /// One device.
    pub async fn device(&self, id: &DeviceId) -> Result<DeviceView, HubError> {
        let _ = id;
        unfinished()
    }

    /// Creates a device when there is no precondition, else replaces the writable part of its record.
    pub async fn put_device(&self, spec: DeviceSpec, precondition: Precondition) -> Result<DeviceView, HubError> {
        let _ = (spec, precondition);
        unfinished()
    }

    /// Deletes a device with its modules, twins, subscriptions and queue.
    pub async fn delete_device(&self, id: &DeviceId, precondition: Precondition) -> Result<(), HubError> {
        let _ = (id, precondition);
        unfinished()
    }

    /// Up to `top` devices; 0 and what is beyond 1000 mean 1000.
    pub async fn list_devices(&self, top: usize) -> Result<Vec<DeviceView>, HubError> {
        let _ = top;
        unfinished()
    }

    /// One module.
    pub async fn module(&self, device: &DeviceId, module: &ModuleId) -> Result<ModuleView, HubError> {
        let _ = (device, module);
        unfinished()
    }

    /// Creates a module when there is no precondition, else replaces the writable part of its record.
    pub async fn put_module(&self, spec: ModuleSpec, precondition: Precondition) -> Result<ModuleView, HubError> {
        let _ = (spec, precondition);
        unfinished()
    }

    /// Deletes a module with its twin and subscriptions.
    pub async fn delete_module(
        &self,
        device: &DeviceId,
        module: &ModuleId,
        precondition: Precondition,
    ) -> Result<(), HubError> {
        let _ = (device, module, precondition);
        unfinished()
    }

    /// All modules of a device, system modules included.
    pub async fn list_modules(&self, device: &DeviceId) -> Result<Vec<ModuleView>, HubError> {
        let _ = device;
        unfinished()
    }

    /// Many writes in one call; each stands for itself.
    pub async fn bulk(&self, items: Vec<BulkItem>) -> Result<BulkResult, HubError> {
        let _ = items;
        unfinished()
    }

    /// New keys for many identities; their links end.
    pub async fn regenerate_keys(&self, which: KeyChoice, ids: Vec<IdentityId>) -> Result<RegenerateResult, HubError> {
        let _ = (which, ids);
        unfinished()
    }

    /// How many devices there are.
    pub async fn device_statistics(&self) -> Result<DeviceStatistics, HubError> {
        unfinished()
    }

    /// How many devices and modules are connected.
    pub async fn connected_count(&self) -> Result<u64, HubError> {
        unfinished()
    }
}

fn unfinished<T>() -> Result<T, HubError> {
    Err(HubError::Internal("not built yet".into()))
}
