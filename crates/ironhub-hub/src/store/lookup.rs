//! What deliveries and calls need to know of an identity.

use ironhub_model::{DeviceId, DeviceIdentity, GenerationId, IdentityId};

use super::{identities, twins};
use crate::core::Core;
use crate::error::HubError;
use crate::ports::Ports;

impl<P: Ports> Core<P> {
    /// Which creation of the device is registered now.
    pub(crate) async fn device_generation(&self, device: &DeviceId) -> Result<GenerationId, HubError> {
        Ok(self.device_record(device).await?.generation_id)
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
