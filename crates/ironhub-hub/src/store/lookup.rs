//! What deliveries and calls need to know of an identity.

use ironhub_model::{DeviceId, DeviceIdentity, DeviceStatus, GenerationId, IdentityId, Twin};

use crate::core::Core;
use crate::error::HubError;
use crate::ports::{Key, Ports, StateStore, Table};

impl<P: Ports> Core<P> {
    /// Which creation of the device is registered now.
    pub(crate) async fn device_generation(&self, device: &DeviceId) -> Result<GenerationId, HubError> {
        Ok(self.device_record(device).await?.generation_id)
    }

    /// May this device, or the module of this device, be connected now?
    pub(crate) async fn may_connect(&self, id: &IdentityId) -> Result<bool, HubError> {
        let device = self.device_record(&id.device).await?;
        if id.module.is_some() {
            let module = self.state.get(Table::Modules, &Key::new(id.to_string())).await?;
            module.ok_or_else(|| HubError::not_found(id))?;
        }
        Ok(device.status == DeviceStatus::Enabled)
    }

    /// The version of the desired properties.
    pub(crate) async fn desired_version(&self, id: &IdentityId) -> Result<u64, HubError> {
        let found = self.state.get(Table::Twins, &Key::new(id.to_string())).await?;
        let (bytes, _) = found.ok_or_else(|| HubError::not_found(id))?;
        let twin: Twin = serde_json::from_slice(&bytes).map_err(|error| HubError::damaged("twin", &error))?;
        Ok(twin.desired.version)
    }

    async fn device_record(&self, device: &DeviceId) -> Result<DeviceIdentity, HubError> {
        let found = self.state.get(Table::Devices, &Key::new(device.as_str())).await?;
        let (bytes, _) = found.ok_or_else(|| HubError::DeviceNotFound(device.clone()))?;
        serde_json::from_slice(&bytes).map_err(|error| HubError::damaged("device identity", &error))
    }
}
