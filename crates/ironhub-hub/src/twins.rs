//! Twins: what the back end wants of a device, what the device says, and notes that the device never sees.

mod notify;
pub(crate) mod read;
mod write;

use std::sync::Arc;

use ironhub_model::IdentityId;
use ironhub_model::limits::MODEL_ID_CHARS_MAX;
use ironhub_model::registry::Precondition;
use ironhub_model::twin::{TwinPatch, TwinView};
use serde_json::Value;

use crate::auth::DevicePrincipal;
use crate::core::service;
use crate::error::HubError;
use crate::ports::Ports;

service! {
    /// Reads and changes twins. Writes run to their end even when the caller goes away.
    Twins
}

impl<P: Ports> Twins<P> {
    /// The whole twin as the back end sees it.
    pub async fn get(&self, id: &IdentityId) -> Result<TwinView, HubError> {
        self.core.twin_view(id).await
    }

    /// Merges into tags and desired properties; the answer is the whole twin after it.
    pub async fn patch(
        &self,
        id: &IdentityId,
        patch: TwinPatch,
        precondition: Precondition,
    ) -> Result<TwinView, HubError> {
        let (core, id) = (Arc::clone(&self.core), id.clone());
        let operation = async move {
            let twin = core.patch_twin(&id, &patch, &precondition).await?;
            core.view_of_twin(&id, twin).await
        };
        self.core.to_the_end(operation).await
    }

    /// Replaces tags, desired properties, or both; a section that is left out stays.
    pub async fn replace(
        &self,
        id: &IdentityId,
        patch: TwinPatch,
        precondition: Precondition,
    ) -> Result<TwinView, HubError> {
        let (core, id) = (Arc::clone(&self.core), id.clone());
        let operation = async move {
            let twin = core.replace_twin(&id, &patch, &precondition).await?;
            core.view_of_twin(&id, twin).await
        };
        self.core.to_the_end(operation).await
    }

    /// The caller's own twin as JSON text: `{"desired":{…,"$version":n},"reported":{…,"$version":m}}`.
    pub async fn device_twin(&self, caller: &DevicePrincipal) -> Result<String, HubError> {
        self.core.recheck(caller).await?;
        let (twin, _) = self.core.load_twin(&caller.id).await?;
        Ok(twin.device_document())
    }

    /// Merges a device's own patch, JSON text, into its reported properties; the answer is their new version. With
    /// `expected_version` only if that is the version before.
    pub async fn update_reported(
        &self,
        caller: &DevicePrincipal,
        patch: &[u8],
        expected_version: Option<u64>,
    ) -> Result<u64, HubError> {
        self.core.recheck(caller).await?;
        let patch: Value = serde_json::from_slice(patch).map_err(|error| {
            HubError::InvalidArgument(format!("the patch of reported properties is not JSON: {error}"))
        })?;
        let (core, id) = (Arc::clone(&self.core), caller.id.clone());
        let operation = async move { core.update_reported(&id, &patch, expected_version).await };
        self.core.to_the_end(operation).await
    }

    /// Remembers the Plug and Play model that a connection announced; writes only when it is another one.
    pub async fn set_model_id(&self, id: &IdentityId, model_id: &str) -> Result<(), HubError> {
        if model_id.chars().count() > MODEL_ID_CHARS_MAX {
            return Err(HubError::InvalidArgument(format!(
                "a model ID has at most {MODEL_ID_CHARS_MAX} characters"
            )));
        }
        let (core, id, model_id) = (Arc::clone(&self.core), id.clone(), model_id.to_owned());
        let operation = async move { core.set_model_id(&id, &model_id).await };
        self.core.to_the_end(operation).await
    }
}
