//! What deliveries and calls need to know of an identity.

use ironhub_model::{DeviceId, DeviceIdentity, DeviceStatus, GenerationId, IdentityId};

use super::{identities, twins};
use crate::core::Core;
use crate::error::HubError;
use crate::ports::Ports;

impl<P: Ports> Core<P> {
    /// Which creation of the device is registered now.
    pub(crate) async fn device_generation(&self, device: &DeviceId) -> Result<GenerationId, HubError> {
        Ok(self.device_record(device).await?.generation_id)
    }

    /// May this device, or the module of this device, be connected now?
    pub(crate) async fn may_connect(&self, id: &IdentityId) -> Result<bool, HubError> {
        let device = self.device_record(&id.device).await?;
        if let Some(module) = &id.module {
            let found = identities::module(&self.state, &id.device, module).await?;
            found.ok_or_else(|| HubError::ModuleNotFound(id.clone()))?;
        }
        Ok(device.status == DeviceStatus::Enabled)
    }

    /// The version of the desired properties.
    pub(crate) async fn desired_version(&self, id: &IdentityId) -> Result<u64, HubError> {
        let found = twins::load(&self.state, id).await?;
        let (twin, _) = found.ok_or_else(|| HubError::not_found(id))?;
        Ok(twin.desired.version)
    }

    async fn device_record(&self, device: &DeviceId) -> Result<DeviceIdentity, HubError> {
        let found = identities::device(&self.state, device).await?;
        let (record, _) = found.ok_or_else(|| HubError::DeviceNotFound(device.clone()))?;
        Ok(record)
    }
}
