//! Records joined with connection and queue.

use ironhub_model::limits::DEVICES_TOP_MAX;
use ironhub_model::registry::{DeviceView, ModuleView};
use ironhub_model::{DeviceId, DeviceIdentity, GenerationId, IdentityId, ModuleId, ModuleIdentity};

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
            Some((identity, _)) => self.view_of_module(identity).await,
            None => Err(self.missing(&id).await?),
        }
    }

    pub(super) async fn list_devices(&self, top: usize) -> Result<Vec<DeviceView>, HubError> {
        let top = match top {
            1..=DEVICES_TOP_MAX => top,
            _ => DEVICES_TOP_MAX,
        };
        let identities = store::identities::devices(&self.state, "", None, top).await?;
        let named = identities.iter().map(name_of_device).collect::<Vec<_>>();
        let connections = self.connections_of(&named).await?;
        let counts = self
            .c2d_counts(identities.iter().map(|identity| &identity.device_id))
            .await?;
        let known = identities.into_iter().zip(connections).zip(counts);
        let views = known.map(|((identity, connection), c2d_count)| DeviceView {
            identity,
            connection,
            c2d_count,
        });
        Ok(views.collect())
    }

    pub(super) async fn list_modules(&self, device: &DeviceId) -> Result<Vec<ModuleView>, HubError> {
        let modules = store::identities::modules_of(&self.state, device).await?;
        if modules.is_empty() {
            self.owner(device).await?;
        }
        let named = modules.iter().map(name_of_module).collect::<Vec<_>>();
        let connections = self.connections_of(&named).await?;
        let known = modules.into_iter().zip(connections);
        Ok(known
            .map(|(identity, connection)| ModuleView { identity, connection })
            .collect())
    }

    pub(super) async fn view_of_device(&self, identity: DeviceIdentity) -> Result<DeviceView, HubError> {
        Ok(DeviceView {
            connection: self.connection_of(name_of_device(&identity)).await?,
            c2d_count: self.c2d_count(&identity.device_id).await?,
            identity,
        })
    }

    pub(super) async fn view_of_module(&self, identity: ModuleIdentity) -> Result<ModuleView, HubError> {
        Ok(ModuleView {
            connection: self.connection_of(name_of_module(&identity)).await?,
            identity,
        })
    }

    /// Messages in the device's cloud-to-device queue.
    pub(crate) async fn c2d_count(&self, device: &DeviceId) -> Result<u32, HubError> {
        Ok(self.state.mailbox_len(&store::c2d::mailbox_key(device)).await?)
    }

    /// The same for many devices, in their order.
    pub(crate) async fn c2d_counts(&self, devices: impl Iterator<Item = &DeviceId>) -> Result<Vec<u32>, HubError> {
        let mailboxes = devices.map(store::c2d::mailbox_key).collect();
        Ok(self.state.mailbox_lens(mailboxes).await?)
    }
}

/// Which creation of which device this is.
pub(crate) fn name_of_device(identity: &DeviceIdentity) -> (IdentityId, GenerationId) {
    let id = IdentityId::device(identity.device_id.clone());
    (id, identity.generation_id.clone())
}

/// Which creation of which module this is.
pub(crate) fn name_of_module(identity: &ModuleIdentity) -> (IdentityId, GenerationId) {
    let id = IdentityId::module(identity.device_id.clone(), identity.module_id.clone());
    (id, identity.generation_id.clone())
}
