//! Events that tell of created and deleted identities; they leave in the commit that causes them.

use ironhub_model::twin::Twin;
use ironhub_model::{EventSource, GenerationId, IdentityId};
use serde_json::Value;

use crate::core::Core;
use crate::error::HubError;
use crate::events::notice::{Notice, Operation};
use crate::ports::{Commit, Ports};
use crate::store;

impl<P: Ports> Core<P> {
    /// Adds the event of an identity that the commit creates, when a route takes it.
    pub(super) fn with_created(
        &self,
        commit: Commit,
        id: &IdentityId,
        generation: &GenerationId,
        twin: &Twin,
    ) -> Commit {
        self.with_notice(commit, EventSource::DeviceLifecycleEvents, || {
            self.lifecycle(Operation::CreateIdentity, id, generation, twin)
        })
    }

    /// Adds the event of an identity that the commit deletes, when a route takes it. It shows the twin as it was last.
    pub(super) async fn with_deleted(
        &self,
        commit: Commit,
        id: &IdentityId,
        generation: &GenerationId,
    ) -> Result<Commit, HubError> {
        if !self.is_routed(EventSource::DeviceLifecycleEvents) {
            return Ok(commit);
        }
        match store::twins::load(&self.state, id).await? {
            Some((twin, _)) => Ok(self.with_notice(commit, EventSource::DeviceLifecycleEvents, || {
                self.lifecycle(Operation::DeleteIdentity, id, generation, &twin)
            })),
            None => Ok(commit),
        }
    }

    fn lifecycle<'a>(
        &self,
        operation: Operation,
        id: &'a IdentityId,
        generation: &'a GenerationId,
        twin: &Twin,
    ) -> Notice<'a> {
        Notice {
            operation,
            id,
            generation: Some(generation),
            at: self.now(),
            body: Value::Object(twin.event_document(id)).to_string(),
        }
    }
}
