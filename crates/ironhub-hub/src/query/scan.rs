//! The rows that a query looks at: twins joined with identities, in the order of their keys.

use std::collections::VecDeque;

use ironhub_model::twin::TwinView;
use ironhub_model::{DeviceId, DeviceIdentity, IdentityId, ModuleIdentity};
use ironhub_query::{Query as Question, Source};
use serde_json::Value;

use crate::core::Core;
use crate::error::HubError;
use crate::ports::{Key, Ports};
use crate::store;

/// Identities that are read at once.
const BATCH_ROWS: usize = 128;

/// Goes over a query's candidates. The query's own condition is for the caller to check.
pub(super) struct Scan<'q, P: Ports> {
    core: &'q Core<P>,
    source: Source,
    targets: Targets<'q>,
    after: Option<Key>,
    ready: VecDeque<(Key, Value)>,
}

/// Where candidates are looked for.
enum Targets<'q> {
    /// Among all IDs that start with this, which may be nothing.
    Prefix(&'q str),
    /// At these devices, in this order.
    Devices(std::vec::IntoIter<DeviceId>),
    /// Nowhere any more.
    Done,
}

impl<'q, P: Ports> Scan<'q, P> {
    /// Begins after the row with this key.
    pub(super) fn new(core: &'q Core<P>, question: &'q Question, after: Option<Key>) -> Self {
        let targets = match question.device_id_candidates() {
            Some(ids) => {
                let device_of_after = after.as_ref().and_then(|key| key.as_str().split('/').next());
                let ids = ids
                    .into_iter()
                    .filter(|id| device_of_after.is_none_or(|after| *id >= after));
                let ids: Vec<DeviceId> = ids.filter_map(|id| DeviceId::parse(id).ok()).collect();
                Targets::Devices(ids.into_iter())
            }
            None => Targets::Prefix(question.device_id_prefix().unwrap_or("")),
        };
        Self {
            core,
            source: question.source(),
            targets,
            after,
            ready: VecDeque::new(),
        }
    }

    /// The next candidate with its key.
    pub(super) async fn next(&mut self) -> Result<Option<(Key, Value)>, HubError> {
        loop {
            if let Some(row) = self.ready.pop_front() {
                return Ok(Some(row));
            }
            if !self.read_more().await? {
                return Ok(None);
            }
        }
    }

    /// Reads another batch, which may turn out empty; `false` when there is nothing more to read.
    async fn read_more(&mut self) -> Result<bool, HubError> {
        match &mut self.targets {
            Targets::Done => Ok(false),
            Targets::Prefix(prefix) => {
                let prefix = *prefix;
                self.read_by_prefix(prefix).await?;
                Ok(true)
            }
            Targets::Devices(ids) => {
                let Some(id) = ids.next() else {
                    self.targets = Targets::Done;
                    return Ok(false);
                };
                self.read_device(&id).await?;
                Ok(true)
            }
        }
    }

    async fn read_by_prefix(&mut self, prefix: &str) -> Result<(), HubError> {
        let (state, after) = (&self.core.state, self.after.as_ref());
        let count = match self.source {
            Source::Devices | Source::Jobs => {
                let devices = store::identities::devices(state, prefix, after, BATCH_ROWS).await?;
                self.push_devices(&devices).await?;
                devices.len()
            }
            Source::Modules => {
                let modules = store::identities::modules(state, prefix, after, BATCH_ROWS).await?;
                self.push_modules(&modules).await?;
                modules.len()
            }
        };
        if count < BATCH_ROWS {
            self.targets = Targets::Done;
        }
        Ok(())
    }

    async fn read_device(&mut self, id: &DeviceId) -> Result<(), HubError> {
        let after = self.after.take();
        match self.source {
            Source::Devices | Source::Jobs => {
                let is_past = after.is_some_and(|after| after.as_str() == id.as_str());
                let found = store::identities::device(&self.core.state, id).await?;
                let found: Vec<DeviceIdentity> = found
                    .map(|(device, _)| device)
                    .filter(|_| !is_past)
                    .into_iter()
                    .collect();
                self.push_devices(&found).await
            }
            Source::Modules => {
                let prefix = format!("{id}/");
                let after = after.filter(|after| after.as_str().starts_with(&prefix));
                let modules = store::identities::modules_of(&self.core.state, id).await?;
                let modules: Vec<ModuleIdentity> = modules
                    .into_iter()
                    .filter(|module| after.as_ref().is_none_or(|after| key_of_module(module) > *after))
                    .collect();
                self.push_modules(&modules).await
            }
        }
    }

    async fn push_devices(&mut self, devices: &[DeviceIdentity]) -> Result<(), HubError> {
        for device in devices {
            let key = store::identities::device_key(&device.device_id);
            let id = IdentityId::device(device.device_id.clone());
            // An identity without a twin was deleted in between.
            if let Some((twin, _)) = store::twins::load(&self.core.state, &id).await? {
                let view = self.core.view_of_device_twin(device, twin).await?;
                self.ready.push_back((key.clone(), row(&view)?));
            }
            self.after = Some(key);
        }
        Ok(())
    }

    async fn push_modules(&mut self, modules: &[ModuleIdentity]) -> Result<(), HubError> {
        for module in modules {
            let key = key_of_module(module);
            let id = IdentityId::module(module.device_id.clone(), module.module_id.clone());
            if let Some((twin, _)) = store::twins::load(&self.core.state, &id).await? {
                let view = self.core.view_of_module_twin(module, twin);
                self.ready.push_back((key.clone(), row(&view)?));
            }
            self.after = Some(key);
        }
        Ok(())
    }
}

fn key_of_module(module: &ModuleIdentity) -> Key {
    store::identities::module_key(&module.device_id, &module.module_id)
}

fn row(view: &TwinView) -> Result<Value, HubError> {
    serde_json::to_value(view).map_err(|error| HubError::Internal(error.to_string()))
}
