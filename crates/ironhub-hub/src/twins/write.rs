//! The store loop of twins: load, decide, commit, tell.

use ironhub_model::IdentityId;
use ironhub_model::limits::SWAP_ATTEMPTS_MAX;
use ironhub_model::registry::Precondition;
use ironhub_model::twin::{InvalidTwin, Twin, TwinChange, TwinPatch};
use serde_json::Value;

use crate::core::Core;
use crate::error::HubError;
use crate::ports::{Commit, Expect, Ports, Rev};
use crate::store;

impl<P: Ports> Core<P> {
    /// A back end's merge; the twin after it.
    pub(crate) async fn patch_twin(
        &self,
        id: &IdentityId,
        patch: &TwinPatch,
        precondition: &Precondition,
    ) -> Result<Twin, HubError> {
        let now = self.now();
        self.change_twin(id, |twin| {
            matches(precondition, twin)?;
            Ok(twin.apply_patch(patch.clone(), now)?)
        })
        .await
    }

    /// A back end's replacement; the twin after it.
    pub(super) async fn replace_twin(
        &self,
        id: &IdentityId,
        patch: &TwinPatch,
        precondition: &Precondition,
    ) -> Result<Twin, HubError> {
        let now = self.now();
        self.change_twin(id, |twin| {
            matches(precondition, twin)?;
            Ok(twin.replace(patch.clone(), now)?)
        })
        .await
    }

    /// A device's report; the version of the reported properties after it.
    pub(super) async fn update_reported(
        &self,
        id: &IdentityId,
        patch: &Value,
        expected_version: Option<u64>,
    ) -> Result<u64, HubError> {
        let now = self.now();
        let twin = self.change_twin(id, |twin| {
            if expected_version.is_some_and(|expected| expected != twin.reported.version) {
                return Err(HubError::PreconditionFailed);
            }
            Ok(Some(twin.apply_reported(patch.clone(), now)?))
        });
        Ok(twin.await?.reported.version)
    }

    /// The model is no property: no version moves and nobody is told.
    pub(super) async fn set_model_id(&self, id: &IdentityId, model_id: &str) -> Result<(), HubError> {
        let _turn = self.turns.take(&id.device).await;
        let model_id = (!model_id.is_empty()).then_some(model_id);
        for _ in 0..SWAP_ATTEMPTS_MAX {
            let (mut twin, rev) = self.load_twin(id).await?;
            if twin.model_id.as_deref() == model_id {
                return Ok(());
            }
            twin.model_id = model_id.map(str::to_owned);
            if self
                .swapped(Commit::new().put_twin(id, &twin, Expect::At(rev))?)
                .await?
            {
                return Ok(());
            }
        }
        Err(HubError::Busy)
    }

    pub(super) async fn load_twin(&self, id: &IdentityId) -> Result<(Twin, Rev), HubError> {
        match store::twins::load(&self.state, id).await? {
            Some(found) => Ok(found),
            None => Err(self.missing(id).await?),
        }
    }

    /// Changes a twin by a pure decision, anew from the load when another write came in between; tells the device and
    /// the event log. A decision of `None` changes nothing.
    async fn change_twin(
        &self,
        id: &IdentityId,
        decide: impl Fn(&Twin) -> Result<Option<TwinChange>, HubError>,
    ) -> Result<Twin, HubError> {
        let turn = self.turns.take(&id.device).await;
        for _ in 0..SWAP_ATTEMPTS_MAX {
            let (twin, rev) = self.load_twin(id).await?;
            let Some(change) = decide(&twin)? else {
                return Ok(twin);
            };
            let commit = Commit::new().put_twin(id, &change.twin, Expect::At(rev))?;
            let commit = self.with_twin_event(commit, id, &change);
            if self.swapped(commit).await? {
                drop(turn);
                if let Some(notice) = change.notice {
                    self.tell_desired(id, notice).await;
                }
                return Ok(change.twin);
            }
        }
        Err(HubError::Busy)
    }
}

fn matches(precondition: &Precondition, twin: &Twin) -> Result<(), HubError> {
    if precondition.allows(&twin.etag()) {
        return Ok(());
    }
    Err(HubError::PreconditionFailed)
}

impl From<InvalidTwin> for HubError {
    fn from(error: InvalidTwin) -> Self {
        Self::InvalidArgument(error.to_string())
    }
}
