//! Many registry writes in one call (Azure REST API: "Bulk Registry - Update Registry").

use std::collections::HashSet;
use std::sync::Arc;

use ironhub_model::limits::BULK_REGISTRY_ITEMS_MAX;
use ironhub_model::registry::{BulkError, BulkItem, BulkResult, DeviceSpec, ImportMode, ModuleSpec, Precondition};
use ironhub_model::twin::TwinPatch;
use ironhub_model::{Etag, IdentityId};
use tokio::task::JoinSet;

use super::Intent;
use super::device::DeviceWrite;
use super::edge::ScopeCheck;
use super::module::ModuleWrite;
use crate::core::Core;
use crate::error::HubError;
use crate::ports::Ports;

/// What became of one item: a warning is the reason why the twin was not written although the identity was.
type Outcome = Result<Option<HubError>, HubError>;

impl<P: Ports> Core<P> {
    /// Devices go before modules, so that one call may bring a device with its modules; within each the writes run side
    /// by side and share the store's commits.
    pub(super) async fn bulk(self: &Arc<Self>, items: Vec<BulkItem>) -> Result<BulkResult<HubError>, HubError> {
        if items.len() > BULK_REGISTRY_ITEMS_MAX {
            return Err(HubError::TooManyDevices);
        }
        let mut seen = HashSet::new();
        if let Some(twice) = items.iter().find(|item| !seen.insert(&item.id)) {
            return Err(HubError::DefinedMultipleTimes(twice.id.to_string()));
        }
        let named: Vec<(IdentityId, ImportMode)> = items.iter().map(|item| (item.id.clone(), item.mode)).collect();
        let items = items.into_iter().enumerate();
        let (devices, modules): (Vec<_>, Vec<_>) = items.partition(|(_, item)| item.id.module.is_none());
        let mut outcomes = self.bulk_wave(devices).await?;
        outcomes.extend(self.bulk_wave(modules).await?);
        outcomes.sort_by_key(|(index, _)| *index);
        let mut result = BulkResult::default();
        for ((id, operation), (_, outcome)) in named.into_iter().zip(outcomes) {
            match outcome {
                Ok(None) => {}
                Ok(Some(warning)) => result.warnings.push((id, warning)),
                Err(error) => result.errors.push(BulkError { id, error, operation }),
            }
        }
        Ok(result)
    }

    async fn bulk_wave(self: &Arc<Self>, items: Vec<(usize, BulkItem)>) -> Result<Vec<(usize, Outcome)>, HubError> {
        let mut writes = JoinSet::new();
        for (index, item) in items {
            let core = Arc::clone(self);
            writes.spawn(async move { (index, core.bulk_item(item).await) });
        }
        let mut outcomes = Vec::new();
        while let Some(outcome) = writes.join_next().await {
            outcomes.push(outcome.map_err(|failure| HubError::Internal(failure.to_string()))?);
        }
        Ok(outcomes)
    }

    async fn bulk_item(&self, item: BulkItem) -> Outcome {
        let etag = precondition(item.etag.as_deref());
        match item.mode {
            ImportMode::Create => self.bulk_write(item, Intent::Create).await,
            ImportMode::Update => self.bulk_write(item, Intent::Update(Precondition::Any)).await,
            ImportMode::UpdateIfMatchEtag => self.bulk_write(item, Intent::Update(etag)).await,
            ImportMode::CreateOrUpdate => self.bulk_write(item, Intent::Upsert(Precondition::Any)).await,
            ImportMode::CreateOrUpdateIfMatchEtag => self.bulk_write(item, Intent::Upsert(etag)).await,
            ImportMode::Delete => self.bulk_delete(&item.id, &Precondition::Any).await,
            ImportMode::DeleteIfMatchEtag => self.bulk_delete(&item.id, &etag).await,
            ImportMode::UpdateTwin => self.bulk_twin(item, &Precondition::Any).await,
            ImportMode::UpdateTwinIfMatchEtag => {
                let etag = precondition(item.twin_etag.as_deref().or(item.etag.as_deref()));
                self.bulk_twin(item, &etag).await
            }
        }
    }

    async fn bulk_write(&self, item: BulkItem, intent: Intent) -> Outcome {
        let id = item.id.clone();
        let twin = twin_patch(&item);
        let is_new = match id.module.clone() {
            None => {
                let write = DeviceWrite {
                    spec: device_spec(item),
                    intent,
                    twin: twin.clone(),
                    scopes: ScopeCheck::Any,
                };
                self.write_device(&write).await?.is_new
            }
            Some(module_id) => {
                let spec = ModuleSpec {
                    device_id: item.id.device,
                    module_id,
                    managed_by: item.managed_by,
                    authentication: item.authentication,
                };
                let twin = twin.clone();
                self.write_module(&ModuleWrite { spec, intent, twin }).await?.is_new
            }
        };
        // A new identity got its twin in the same commit.
        if is_new || twin == TwinPatch::default() {
            return Ok(None);
        }
        Ok(self.patch_twin(&id, &twin, &Precondition::Any).await.err())
    }

    async fn bulk_delete(&self, id: &IdentityId, precondition: &Precondition) -> Outcome {
        match &id.module {
            None => self.delete_device(&id.device, precondition).await?,
            Some(module) => self.delete_module(&id.device, module, precondition).await?,
        }
        Ok(None)
    }

    async fn bulk_twin(&self, item: BulkItem, precondition: &Precondition) -> Outcome {
        self.patch_twin(&item.id, &twin_patch(&item), precondition).await?;
        Ok(None)
    }
}

/// An item without an ETag, or with `*`, matches any version; quotes around one do not matter.
fn precondition(etag: Option<&str>) -> Precondition {
    match etag.map(|etag| etag.trim_matches('"')) {
        None | Some("" | "*") => Precondition::Any,
        Some(etag) => Precondition::Match(vec![Etag::new(etag)]),
    }
}

fn twin_patch(item: &BulkItem) -> TwinPatch {
    TwinPatch {
        tags: item.tags.clone(),
        desired: item.desired.clone(),
    }
}

fn device_spec(item: BulkItem) -> DeviceSpec {
    DeviceSpec {
        device_id: item.id.device,
        status: item.status,
        status_reason: item.status_reason,
        authentication: item.authentication,
        capabilities: item.capabilities,
        device_scope: item.device_scope,
        parent_scopes: item.parent_scopes,
    }
}
