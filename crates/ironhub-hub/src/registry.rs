//! Device and module identities: who may connect, and as what.

use ironhub_model::registry::{
    BulkItem, BulkResult, DeviceSpec, DeviceStatistics, DeviceView, KeyChoice, ModuleSpec, ModuleView, Precondition,
    RegenerateResult,
};
use ironhub_model::{DeviceId, IdentityId, ModuleId};

use crate::core::service;
use crate::error::HubError;
use crate::ports::Ports;

service! {
    /// Creates, changes, finds and deletes identities.
    Registry
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
    pub async fn bulk(&self, items: Vec<BulkItem>) -> Result<BulkResult<HubError>, HubError> {
        let _ = items;
        unfinished()
    }

    /// New keys for many identities; their links end.
    pub async fn regenerate_keys(
        &self,
        which: KeyChoice,
        ids: Vec<IdentityId>,
    ) -> Result<RegenerateResult<HubError>, HubError> {
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
