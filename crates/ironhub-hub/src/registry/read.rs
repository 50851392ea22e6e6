//! Records joined with connection and queue.

use ironhub_model::limits::DEVICES_TOP_MAX;
use ironhub_model::registry::{DeviceView, ModuleView};
use ironhub_model::{DeviceId, DeviceIdentity, IdentityId, ModuleId, ModuleIdentity};

use crate::core::Core;
use crate::error::HubError;
use crate::ports::{Ports, StateStore};
use crate::store;

impl<P: Ports> Core<P> {
    pub(super) async fn device_view(&self, id: &DeviceId) -> Result<DeviceView, HubError> {
        let found = store::identities::device(&self.state, id).await?;
        let (identity, _) = found.ok_or_else(|| HubError::DeviceNotFound(id.clone()))?;
        self.view_of_device(identity).await
    }

    pub(super) async fn module_view(&self, device: &DeviceId, module: &ModuleId) -> Result<ModuleView, HubError> {
        let id = IdentityId::module(device.clone(), module.clone());
        match store::identities::module(&self.state, device, module).await? {
            Some((identity, _)) => Ok(self.view_of_module(identity)),
            None => Err(self.missing(&id).await?),
        }
    }

    pub(super) async fn list_devices(&self, top: usize) -> Result<Vec<DeviceView>, HubError> {
        let top = match top {
            1..=DEVICES_TOP_MAX => top,
            _ => DEVICES_TOP_MAX,
        };
        let mut views = Vec::new();
        for identity in store::identities::devices(&self.state, "", None, top).await? {
            views.push(self.view_of_device(identity).await?);
        }
        Ok(views)
    }

    pub(super) async fn list_modules(&self, device: &DeviceId) -> Result<Vec<ModuleView>, HubError> {
        let modules = store::identities::modules_of(&self.state, device).await?;
        if modules.is_empty() {
            self.owner(device).await?;
        }
        let views = modules.into_iter().map(|identity| self.view_of_module(identity));
        Ok(views.collect())
    }

    pub(super) async fn view_of_device(&self, identity: DeviceIdentity) -> Result<DeviceView, HubError> {
        let id = IdentityId::device(identity.device_id.clone());
        Ok(DeviceView {
            connection: self.presence.view(&id),
            c2d_count: self.c2d_count(&identity.device_id).await?,
            identity,
        })
    }

    pub(super) fn view_of_module(&self, identity: ModuleIdentity) -> ModuleView {
        let id = IdentityId::module(identity.device_id.clone(), identity.module_id.clone());
        ModuleView {
            connection: self.presence.view(&id),
            identity,
        }
    }

    /// Messages in the device's cloud-to-device queue.
    pub(crate) async fn c2d_count(&self, device: &DeviceId) -> Result<u32, HubError> {
        Ok(self.state.mailbox_len(&store::c2d::mailbox_key(device)).await?)
    }
}
