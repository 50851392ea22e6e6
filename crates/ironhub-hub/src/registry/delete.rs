//! Deleting devices and modules with all that is theirs: twins, subscriptions, queue.

use ironhub_model::limits::SWAP_ATTEMPTS_MAX;
use ironhub_model::registry::Precondition;
use ironhub_model::{DeviceId, DeviceIdentity, IdentityId, ModuleId, ModuleIdentity};

use super::device::disabled;
use super::module::check_no_system_module;
use crate::core::Core;
use crate::error::HubError;
use crate::ports::{Commit, Expect, MailOp, Ports, Rev, Table};
use crate::store;
use crate::store::identities::{self, DEVICES, DEVICES_DISABLED, MODULES};

impl<P: Ports> Core<P> {
    /// Deletes a device and its modules.
    pub(super) async fn delete_device(&self, id: &DeviceId, precondition: &Precondition) -> Result<(), HubError> {
        let _turn = self.turns.take(id).await;
        for _ in 0..SWAP_ATTEMPTS_MAX {
            let found = store::identities::device(&self.state, id).await?;
            let (device, rev) = found.ok_or_else(|| HubError::DeviceNotFound(id.clone()))?;
            if !precondition.allows(&device.etag) {
                return Err(HubError::PreconditionFailed);
            }
            let modules = store::identities::modules_of(&self.state, id).await?;
            let commit = self.without_device(&device, rev, &modules).await?;
            if self.swapped(commit).await? {
                self.forget_deleted(&IdentityId::device(id.clone())).await;
                for module in &modules {
                    self.forget_deleted(&id_of(module)).await;
                }
                return Ok(());
            }
        }
        Err(HubError::Busy)
    }

    /// Deletes a module of a device.
    pub(super) async fn delete_module(
        &self,
        device: &DeviceId,
        module: &ModuleId,
        precondition: &Precondition,
    ) -> Result<(), HubError> {
        check_no_system_module(module)?;
        let _turn = self.turns.take(device).await;
        for _ in 0..SWAP_ATTEMPTS_MAX {
            let (owner, owner_rev) = self.owner(device).await?;
            let own = IdentityId::module(device.clone(), module.clone());
            let found = store::identities::module(&self.state, device, module).await?;
            let (identity, _) = found.ok_or_else(|| HubError::ModuleNotFound(own.clone()))?;
            if !precondition.allows(&identity.etag) {
                return Err(HubError::PreconditionFailed);
            }
            let commit = Commit::new().put_device(&owner, Expect::At(owner_rev))?;
            let commit = self.without_module(commit, &identity).await?;
            if self.swapped(commit).await? {
                self.forget_deleted(&own).await;
                return Ok(());
            }
        }
        Err(HubError::Busy)
    }

    /// Takes a module away. The commit also writes the module's device as it was loaded, so that nothing else happened
    /// to either meanwhile but an update of the module, which is gone with it.
    pub(super) async fn without_module(&self, commit: Commit, module: &ModuleIdentity) -> Result<Commit, HubError> {
        let own = id_of(module);
        let key = identities::key(&own);
        let commit = commit
            .delete(Table::Modules, key.clone(), Expect::Any)
            .delete(Table::Twins, key.clone(), Expect::Any)
            .delete(Table::Sessions, key.clone(), Expect::Any)
            .delete(Table::Presence, key, Expect::Any)
            .count(MODULES, -1);
        self.with_deleted(commit, &own, &module.generation_id).await
    }

    async fn without_device(
        &self,
        device: &DeviceIdentity,
        rev: Rev,
        modules: &[ModuleIdentity],
    ) -> Result<Commit, HubError> {
        let own = IdentityId::device(device.device_id.clone());
        let key = identities::key(&own);
        let commit = Commit::new()
            .delete(Table::Devices, key.clone(), Expect::At(rev))
            .delete(Table::Twins, key.clone(), Expect::Any)
            .delete(Table::Sessions, key.clone(), Expect::Any)
            .delete(Table::Presence, key, Expect::Any)
            .mail(MailOp::Clear {
                mailbox: store::c2d::mailbox_key(&device.device_id),
            })
            .count(DEVICES, -1)
            .count(DEVICES_DISABLED, -disabled(device));
        let mut commit = self.with_deleted(commit, &own, &device.generation_id).await?;
        for module in modules {
            commit = self.without_module(commit, module).await?;
        }
        Ok(commit)
    }

    async fn forget_deleted(&self, id: &IdentityId) {
        self.credentials.forget(&id.device);
        self.revoke(id).await;
        self.presence.forget(id);
    }
}

fn id_of(module: &ModuleIdentity) -> IdentityId {
    IdentityId::module(module.device_id.clone(), module.module_id.clone())
}
