//! Writing modules. A commit that brings one also writes the device's record, unchanged: a module cannot come to a device
//! that goes at the same moment, and two cannot both be the last that there is room for.

use ironhub_model::limits::{MODULES_PER_DEVICE_MAX, SWAP_ATTEMPTS_MAX};
use ironhub_model::registry::ModuleSpec;
use ironhub_model::twin::{Twin, TwinPatch};
use ironhub_model::{DeviceId, DeviceIdentity, GenerationId, IdentityId, ModuleId, ModuleIdentity, Timestamp};

use super::device::{Written, with_patch};
use super::edge::is_system_module;
use super::{Intent, authentication, check_text};
use crate::core::Core;
use crate::error::HubError;
use crate::ports::{Commit, Expect, Ports, Rev};
use crate::random;
use crate::store;
use crate::store::identities::MODULES;

/// One write of a module.
#[derive(Debug)]
pub(super) struct ModuleWrite {
    pub(super) spec: ModuleSpec,
    pub(super) intent: Intent,
    /// For the twin of a module that is created; an existing twin is not touched.
    pub(super) twin: TwinPatch,
}

impl<P: Ports> Core<P> {
    /// Creates or replaces a module; anew from the load when another write came in between.
    pub(super) async fn write_module(&self, write: &ModuleWrite) -> Result<Written<ModuleIdentity>, HubError> {
        let spec = &write.spec;
        check_text("managedBy", spec.managed_by.as_deref())?;
        check_no_system_module(&spec.module_id)?;
        let _turn = self.turns.take(&spec.device_id).await;
        for _ in 0..SWAP_ATTEMPTS_MAX {
            let owner = self.owner(&spec.device_id).await?;
            let found = store::identities::module(&self.state, &spec.device_id, &spec.module_id).await?;
            let is_new = found.is_none();
            let written = match found {
                None => self.create_module(write, owner).await?,
                Some((old, rev)) => self.update_module(write, &old, rev).await?,
            };
            if let Some(identity) = written {
                return Ok(Written { identity, is_new });
            }
        }
        Err(HubError::Busy)
    }

    /// Adds a module that does not exist.
    pub(super) fn with_module(&self, commit: Commit, module: &ModuleIdentity, twin: &Twin) -> Result<Commit, HubError> {
        let own = IdentityId::module(module.device_id.clone(), module.module_id.clone());
        let commit = commit
            .put_module(module, Expect::Absent)?
            .put_twin(&own, twin, Expect::Any)?
            .count(MODULES, 1);
        Ok(self.with_created(commit, &own, &module.generation_id, twin))
    }

    /// The device that a module belongs to.
    pub(super) async fn owner(&self, id: &DeviceId) -> Result<(DeviceIdentity, Rev), HubError> {
        let found = store::identities::device(&self.state, id).await?;
        found.ok_or_else(|| HubError::DeviceNotFound(id.clone()))
    }

    async fn create_module(
        &self,
        write: &ModuleWrite,
        (owner, owner_rev): (DeviceIdentity, Rev),
    ) -> Result<Option<ModuleIdentity>, HubError> {
        let spec = &write.spec;
        let own = IdentityId::module(spec.device_id.clone(), spec.module_id.clone());
        write.intent.check_create(|| HubError::ModuleNotFound(own))?;
        let modules = store::identities::modules_of(&self.state, &spec.device_id).await?;
        let counted = modules.iter().filter(|module| !is_system_module(&module.module_id));
        if counted.count() >= MODULES_PER_DEVICE_MAX {
            return Err(HubError::TooManyModules);
        }
        self.check_room(1).await?;
        let now = self.now();
        let generation = GenerationId::created_at(now, random::salt()?);
        let module = new_module(spec, generation, now)?;
        let twin = with_patch(Twin::of_module(), &write.twin, now)?;
        let commit = Commit::new().put_device(&owner, Expect::At(owner_rev))?;
        let commit = self.with_module(commit, &module, &twin)?;
        if !self.swapped(commit).await? {
            return Ok(None);
        }
        self.credentials.forget(&spec.device_id);
        Ok(Some(module))
    }

    async fn update_module(
        &self,
        write: &ModuleWrite,
        old: &ModuleIdentity,
        rev: Rev,
    ) -> Result<Option<ModuleIdentity>, HubError> {
        let own = IdentityId::module(old.device_id.clone(), old.module_id.clone());
        let exists = || HubError::ModuleAlreadyExists(own.clone());
        write.intent.check_update(&old.etag, exists)?;
        let new = new_module(&write.spec, old.generation_id.clone(), old.created_at)?;
        if !self.swapped(Commit::new().put_module(&new, Expect::At(rev))?).await? {
            return Ok(None);
        }
        self.credentials.forget(&old.device_id);
        if authentication::is_narrower(&old.authentication, &new.authentication) {
            self.revoke(&own).await;
        }
        Ok(Some(new))
    }
}

/// System modules come and go with their device being an edge device, in no other way.
pub(super) fn check_no_system_module(id: &ModuleId) -> Result<(), HubError> {
    if is_system_module(id) {
        return Err(HubError::SystemModule(id.clone()));
    }
    Ok(())
}

fn new_module(
    spec: &ModuleSpec,
    generation_id: GenerationId,
    created_at: Timestamp,
) -> Result<ModuleIdentity, HubError> {
    Ok(ModuleIdentity {
        device_id: spec.device_id.clone(),
        module_id: spec.module_id.clone(),
        generation_id,
        etag: random::etag()?,
        managed_by: spec.managed_by.clone(),
        authentication: authentication::decide(&spec.authentication)?,
        created_at,
    })
}
