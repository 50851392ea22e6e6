//! The rows that a query looks at: twins joined with identities, in the order of their keys.

use std::collections::VecDeque;

use ironhub_model::twin::TwinView;
use ironhub_model::{DeviceId, DeviceIdentity, GenerationId, IdentityId, ModuleIdentity};
use ironhub_query::{Query as Question, Source};
use serde_json::Value;

use crate::core::Core;
use crate::error::HubError;
use crate::ports::{Key, Ports};
use crate::registry::read::{name_of_device, name_of_module};
use crate::store;
use crate::twins::read::{view_of_device_twin, view_of_module_twin};

/// Identities that are read at once.
const PAGE_ROWS: usize = 512;

/// Goes over a query's candidates. The query's own condition is for the caller to check.
pub(super) struct Scan<'q, P: Ports> {
    core: &'q Core<P>,
    source: Source,
    targets: Targets<'q>,
    after: Option<Key>,
    /// Read, and not joined with their twins yet.
    waiting: VecDeque<Candidate>,
    ready: VecDeque<(Key, Value)>,
}

enum Candidate {
    Device(DeviceIdentity),
    Module(ModuleIdentity),
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
            waiting: VecDeque::new(),
            ready: VecDeque::new(),
        }
    }

    /// The next candidate with its key.
    pub(super) async fn next(&mut self) -> Result<Option<(Key, Value)>, HubError> {
        loop {
            if let Some(row) = self.ready.pop_front() {
                return Ok(Some(row));
            }
            if !self.waiting.is_empty() {
                self.join().await?;
            } else if !self.read_more().await? {
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
        match self.source {
            Source::Devices | Source::Jobs => {
                let devices = store::identities::devices(state, prefix, after, PAGE_ROWS).await?;
                self.waiting.extend(devices.into_iter().map(Candidate::Device));
            }
            Source::Modules => {
                let modules = store::identities::modules(state, prefix, after, PAGE_ROWS).await?;
                self.waiting.extend(modules.into_iter().map(Candidate::Module));
            }
        }
        if self.waiting.len() < PAGE_ROWS {
            self.targets = Targets::Done;
        }
        self.after = self.waiting.back().map(Candidate::key);
        Ok(())
    }

    async fn read_device(&mut self, id: &DeviceId) -> Result<(), HubError> {
        let after = self.after.take();
        match self.source {
            Source::Devices | Source::Jobs => {
                let is_past = after.is_some_and(|after| after.as_str() == id.as_str());
                let found = store::identities::device(&self.core.state, id).await?;
                let device = found.map(|(device, _)| device).filter(|_| !is_past);
                self.waiting.extend(device.map(Candidate::Device));
            }
            Source::Modules => {
                let prefix = format!("{id}/");
                let after = after.filter(|after| after.as_str().starts_with(&prefix));
                let modules = store::identities::modules_of(&self.core.state, id).await?;
                let modules = modules.into_iter().map(Candidate::Module);
                self.waiting
                    .extend(modules.filter(|module| after.as_ref().is_none_or(|after| module.key() > *after)));
            }
        }
        Ok(())
    }

    /// Makes rows of some candidates: as many as have their twins in memory at once.
    async fn join(&mut self) -> Result<(), HubError> {
        let keys = self.waiting.iter().map(Candidate::key).collect();
        let twins = store::twins::load_some(&self.core.state, keys).await?;
        let candidates: Vec<Candidate> = self.waiting.drain(..twins.len().min(self.waiting.len())).collect();
        let names: Vec<_> = candidates.iter().map(Candidate::name).collect();
        let connections = self.core.connections_of(&names).await?;
        let mut counts = self
            .core
            .c2d_counts(candidates.iter().filter_map(Candidate::device_id))
            .await?
            .into_iter();
        for ((candidate, twin), connection) in candidates.iter().zip(twins).zip(connections) {
            let c2d_count = candidate.device_id().and_then(|_| counts.next()).unwrap_or_default();
            // An identity without a twin was deleted in between.
            if let Some(twin) = twin {
                let view = match candidate {
                    Candidate::Device(device) => view_of_device_twin(device, twin, connection, c2d_count),
                    Candidate::Module(module) => view_of_module_twin(module, twin, connection),
                };
                self.ready.push_back((candidate.key(), row(&view)?));
            }
        }
        Ok(())
    }
}

impl Candidate {
    fn key(&self) -> Key {
        match self {
            Self::Device(device) => store::identities::device_key(&device.device_id),
            Self::Module(module) => store::identities::module_key(&module.device_id, &module.module_id),
        }
    }

    fn name(&self) -> (IdentityId, GenerationId) {
        match self {
            Self::Device(device) => name_of_device(device),
            Self::Module(module) => name_of_module(module),
        }
    }

    /// Of a device: modules have no queue.
    fn device_id(&self) -> Option<&DeviceId> {
        match self {
            Self::Device(device) => Some(&device.device_id),
            Self::Module(_) => None,
        }
    }
}

fn row(view: &TwinView) -> Result<Value, HubError> {
    serde_json::to_value(view).map_err(|error| HubError::Internal(error.to_string()))
}
