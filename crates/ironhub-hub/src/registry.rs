//! Device and module identities: who may connect, and as what.

mod authentication;
mod bulk;
mod delete;
mod device;
mod edge;
mod keys;
mod lifecycle;
mod module;
pub(crate) mod read;
mod revoke;

use std::sync::Arc;

use ironhub_model::limits::STATUS_REASON_CHARS_MAX;
use ironhub_model::registry::{
    BulkItem, BulkResult, DeviceSpec, DeviceStatistics, DeviceView, KeyChoice, ModuleSpec, ModuleView, Precondition,
    RegenerateResult,
};
use ironhub_model::twin::TwinPatch;
use ironhub_model::{DeviceId, Etag, IdentityId, ModuleId};

use crate::core::{Core, service};
use crate::error::HubError;
use crate::ports::{DeviceBus, Ports, StateStore};
use crate::store::identities::{DEVICES, DEVICES_DISABLED, MODULES};
use device::DeviceWrite;
use edge::ScopeCheck;
use module::ModuleWrite;

service! {
    /// Creates, changes, finds and deletes identities. Writes run to their end even when the caller goes away.
    Registry
}

/// What a write expects of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Intent {
    /// That there is none.
    Create,
    /// That there is one, in one of these versions.
    Update(Precondition),
    /// One in one of these versions, or none.
    Upsert(Precondition),
}

impl From<Precondition> for Intent {
    fn from(precondition: Precondition) -> Self {
        match precondition {
            Precondition::None => Self::Create,
            Precondition::Any | Precondition::Match(_) => Self::Update(precondition),
        }
    }
}

impl Intent {
    /// May a record with this ETag be replaced?
    fn check_update(&self, current: &Etag, exists: impl FnOnce() -> HubError) -> Result<(), HubError> {
        match self {
            Self::Create => Err(exists()),
            Self::Update(precondition) | Self::Upsert(precondition) if precondition.allows(current) => Ok(()),
            Self::Update(_) | Self::Upsert(_) => Err(HubError::PreconditionFailed),
        }
    }

    /// May a record be made where there is none?
    fn check_create(&self, missing: impl FnOnce() -> HubError) -> Result<(), HubError> {
        match self {
            Self::Create | Self::Upsert(_) => Ok(()),
            Self::Update(_) => Err(missing()),
        }
    }
}

impl<P: Ports> Registry<P> {
    /// One device.
    pub async fn device(&self, id: &DeviceId) -> Result<DeviceView, HubError> {
        self.core.device_view(id).await
    }

    /// Creates a device when there is no precondition, else replaces the writable part of its record.
    pub async fn put_device(&self, spec: DeviceSpec, precondition: Precondition) -> Result<DeviceView, HubError> {
        let core = Arc::clone(&self.core);
        let write = DeviceWrite {
            spec,
            intent: precondition.into(),
            twin: TwinPatch::default(),
            scopes: ScopeCheck::MustExist,
        };
        let operation = async move {
            let written = core.write_device(&write).await?;
            core.view_of_device(written.identity).await
        };
        self.core.to_the_end(operation).await
    }

    /// Deletes a device with its modules, twins, subscriptions and queue.
    pub async fn delete_device(&self, id: &DeviceId, precondition: Precondition) -> Result<(), HubError> {
        let (core, id) = (Arc::clone(&self.core), id.clone());
        let operation = async move { core.delete_device(&id, &precondition).await };
        self.core.to_the_end(operation).await
    }

    /// Up to `top` devices; 0 and what is beyond 1000 mean 1000.
    pub async fn list_devices(&self, top: usize) -> Result<Vec<DeviceView>, HubError> {
        self.core.list_devices(top).await
    }

    /// One module.
    pub async fn module(&self, device: &DeviceId, module: &ModuleId) -> Result<ModuleView, HubError> {
        self.core.module_view(device, module).await
    }

    /// Creates a module when there is no precondition, else replaces the writable part of its record.
    pub async fn put_module(&self, spec: ModuleSpec, precondition: Precondition) -> Result<ModuleView, HubError> {
        let core = Arc::clone(&self.core);
        let write = ModuleWrite {
            spec,
            intent: precondition.into(),
            twin: TwinPatch::default(),
        };
        let operation = async move {
            let written = core.write_module(&write).await?;
            core.view_of_module(written.identity).await
        };
        self.core.to_the_end(operation).await
    }

    /// Deletes a module with its twin and subscriptions.
    pub async fn delete_module(
        &self,
        device: &DeviceId,
        module: &ModuleId,
        precondition: Precondition,
    ) -> Result<(), HubError> {
        let (core, device, module) = (Arc::clone(&self.core), device.clone(), module.clone());
        let operation = async move { core.delete_module(&device, &module, &precondition).await };
        self.core.to_the_end(operation).await
    }

    /// All modules of a device, system modules included.
    pub async fn list_modules(&self, device: &DeviceId) -> Result<Vec<ModuleView>, HubError> {
        self.core.list_modules(device).await
    }

    /// Many writes in one call; each stands for itself. The call as a whole is refused when it has more than 100 items
    /// or names an identity twice.
    pub async fn bulk(&self, items: Vec<BulkItem>) -> Result<BulkResult<HubError>, HubError> {
        let core = Arc::clone(&self.core);
        self.core.to_the_end(async move { core.bulk(items).await }).await
    }

    /// New keys for many identities, at most 100; their links end.
    pub async fn regenerate_keys(
        &self,
        which: KeyChoice,
        ids: Vec<IdentityId>,
    ) -> Result<RegenerateResult<HubError>, HubError> {
        let core = Arc::clone(&self.core);
        self.core
            .to_the_end(async move { core.regenerate_keys(which, ids).await })
            .await
    }

    /// How many devices there are.
    pub async fn device_statistics(&self) -> Result<DeviceStatistics, HubError> {
        let disabled = self.core.total(DEVICES_DISABLED).await?;
        let total = self.core.total(DEVICES).await?.max(disabled);
        Ok(DeviceStatistics {
            total,
            enabled: total - disabled,
            disabled,
        })
    }

    /// How many devices and modules are connected.
    pub async fn connected_count(&self) -> Result<u64, HubError> {
        Ok(self.core.bus.connected().await?)
    }
}

impl<P: Ports> Core<P> {
    async fn total(&self, name: &'static str) -> Result<u64, HubError> {
        Ok(u64::try_from(self.state.counter(name).await?).unwrap_or(0))
    }

    /// Is there room for so many more identities? Writers at the same moment may go over it by a few.
    async fn check_room(&self, more: usize) -> Result<(), HubError> {
        let present = self.total(DEVICES).await? + self.total(MODULES).await?;
        let wanted = present.saturating_add(u64::try_from(more).unwrap_or(u64::MAX));
        if wanted > self.info.identities_max {
            return Err(HubError::TooManyDevices);
        }
        Ok(())
    }
}

/// `statusReason` and `managedBy` are texts of at most 128 characters.
fn check_text(name: &str, text: Option<&str>) -> Result<(), HubError> {
    if text.is_some_and(|text| text.chars().count() > STATUS_REASON_CHARS_MAX) {
        return Err(HubError::InvalidArgument(format!(
            "{name} has at most {STATUS_REASON_CHARS_MAX} characters"
        )));
    }
    Ok(())
}
