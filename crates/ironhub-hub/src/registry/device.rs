//! Writing devices: creation and update.

use ironhub_model::limits::SWAP_ATTEMPTS_MAX;
use ironhub_model::registry::DeviceSpec;
use ironhub_model::twin::{Twin, TwinPatch};
use ironhub_model::{DeviceIdentity, DeviceStatus, GenerationId, IdentityId, Timestamp};

use super::edge::{ScopeCheck, Scopes, is_system_module, scopes, system_modules};
use super::{Intent, authentication, check_text};
use crate::core::Core;
use crate::error::HubError;
use crate::ports::{Commit, Expect, Ports, Rev};
use crate::random;
use crate::store;
use crate::store::identities::{DEVICES, DEVICES_DISABLED};

/// One write of a device.
#[derive(Debug)]
pub(super) struct DeviceWrite {
    pub(super) spec: DeviceSpec,
    pub(super) intent: Intent,
    /// For the twin of a device that is created; an existing twin is not touched.
    pub(super) twin: TwinPatch,
    pub(super) scopes: ScopeCheck,
}

/// What a write came to.
#[derive(Debug)]
pub(super) struct Written<I> {
    pub(super) identity: I,
    pub(super) is_new: bool,
}

impl<P: Ports> Core<P> {
    /// Creates or replaces a device; anew from the load when another write came in between.
    pub(super) async fn write_device(&self, write: &DeviceWrite) -> Result<Written<DeviceIdentity>, HubError> {
        check_text("statusReason", write.spec.status_reason.as_deref())?;
        let id = &write.spec.device_id;
        let _turn = self.turns.take(id).await;
        for _ in 0..SWAP_ATTEMPTS_MAX {
            let found = store::identities::device(&self.state, id).await?;
            let is_new = found.is_none();
            let written = match found {
                None => self.create_device(write).await?,
                Some((old, rev)) => self.update_device(write, &old, rev).await?,
            };
            if let Some(identity) = written {
                return Ok(Written { identity, is_new });
            }
        }
        Err(HubError::Busy)
    }

    /// The device, its twin and, of an edge device, its system modules come to be in one commit.
    async fn create_device(&self, write: &DeviceWrite) -> Result<Option<DeviceIdentity>, HubError> {
        let id = &write.spec.device_id;
        write.intent.check_create(|| HubError::DeviceNotFound(id.clone()))?;
        let now = self.now();
        let generation = GenerationId::created_at(now, random::salt()?);
        let scopes = scopes(&write.spec, &generation);
        if write.scopes == ScopeCheck::MustExist {
            self.check_scopes(&scopes, None).await?;
        }
        let device = new_device(&write.spec, generation, scopes, now)?;
        let twin = with_patch(Twin::of_device(now), &write.twin, now)?;
        let modules = if device.capabilities.iot_edge {
            system_modules(id, now)?
        } else {
            Vec::new()
        };
        self.check_room(1 + modules.len()).await?;
        let own = IdentityId::device(id.clone());
        let commit = Commit::new()
            .put_device(&device, Expect::Absent)?
            .put_twin(&own, &twin, Expect::Any)?
            .count(DEVICES, 1)
            .count(DEVICES_DISABLED, disabled(&device));
        let mut commit = self.with_created(commit, &own, &device.generation_id, &twin);
        for module in &modules {
            commit = self.with_module(commit, module, &Twin::of_module())?;
        }
        if !self.swapped(commit).await? {
            return Ok(None);
        }
        self.credentials.forget(id);
        Ok(Some(device))
    }

    async fn update_device(
        &self,
        write: &DeviceWrite,
        old: &DeviceIdentity,
        rev: Rev,
    ) -> Result<Option<DeviceIdentity>, HubError> {
        let id = &old.device_id;
        let exists = || HubError::DeviceAlreadyExists(id.clone());
        write.intent.check_update(&old.etag, exists)?;
        let now = self.now();
        let scopes = scopes(&write.spec, &old.generation_id);
        if write.scopes == ScopeCheck::MustExist {
            self.check_scopes(&scopes, Some(old)).await?;
        }
        let mut new = new_device(&write.spec, old.generation_id.clone(), scopes, old.created_at)?;
        let is_same_status = new.status == old.status;
        new.status_updated_at = if is_same_status { old.status_updated_at } else { now };
        let commit = Commit::new()
            .put_device(&new, Expect::At(rev))?
            .count(DEVICES_DISABLED, disabled(&new) - disabled(old));
        let commit = self.with_edge_change(commit, old, &new, now).await?;
        if !self.swapped(commit).await? {
            return Ok(None);
        }
        self.credentials.forget(id);
        self.revoke_after_update(old, &new).await?;
        Ok(Some(new))
    }

    /// System modules come and go with `iotEdge`.
    async fn with_edge_change(
        &self,
        mut commit: Commit,
        old: &DeviceIdentity,
        new: &DeviceIdentity,
        now: Timestamp,
    ) -> Result<Commit, HubError> {
        match (old.capabilities.iot_edge, new.capabilities.iot_edge) {
            (false, true) => {
                for module in system_modules(&new.device_id, now)? {
                    commit = self.with_module(commit, &module, &Twin::of_module())?;
                }
            }
            (true, false) => {
                for module in store::identities::modules_of(&self.state, &new.device_id).await? {
                    if is_system_module(&module.module_id) {
                        commit = self.without_module(commit, &module).await?;
                    }
                }
            }
            (true, true) | (false, false) => {}
        }
        Ok(commit)
    }
}

/// A record of what the caller wrote, whose status has not changed yet.
fn new_device(
    spec: &DeviceSpec,
    generation_id: GenerationId,
    scopes: Scopes,
    created_at: Timestamp,
) -> Result<DeviceIdentity, HubError> {
    Ok(DeviceIdentity {
        device_id: spec.device_id.clone(),
        generation_id,
        etag: random::etag()?,
        status: spec.status.unwrap_or_default(),
        status_reason: spec.status_reason.clone(),
        status_updated_at: Timestamp::NEVER,
        authentication: authentication::decide(&spec.authentication)?,
        capabilities: spec.capabilities,
        device_scope: scopes.device_scope,
        parent_scopes: scopes.parent_scopes,
        created_at,
    })
}

/// A fresh twin with what a bulk call brings for it.
pub(super) fn with_patch(twin: Twin, patch: &TwinPatch, now: Timestamp) -> Result<Twin, HubError> {
    let change = twin.apply_patch(patch.clone(), now)?;
    Ok(change.map_or(twin, |change| change.twin))
}

/// What the device adds to the total of disabled ones.
pub(super) fn disabled(device: &DeviceIdentity) -> i64 {
    match device.status {
        DeviceStatus::Enabled => 0,
        DeviceStatus::Disabled => 1,
    }
}
