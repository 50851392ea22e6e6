//! Events that tell of created and deleted identities; they leave in the commit that causes them.

use ironhub_model::twin::Twin;
use ironhub_model::{GenerationId, IdentityId};

use crate::core::Core;
use crate::error::HubError;
use crate::ports::{Commit, Ports};

impl<P: Ports> Core<P> {
    #[expect(clippy::unused_self, reason = "the encoder of events follows")]
    pub(super) fn with_created(
        &self,
        commit: Commit,
        id: &IdentityId,
        generation: &GenerationId,
        twin: &Twin,
    ) -> Commit {
        let _ = (id, generation, twin);
        commit
    }

    pub(super) async fn with_deleted(
        &self,
        commit: Commit,
        id: &IdentityId,
        generation: &GenerationId,
    ) -> Result<Commit, HubError> {
        let _ = (id, generation);
        Ok(commit)
    }
}
