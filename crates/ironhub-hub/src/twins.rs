//! Twins: what the back end wants of a device, what the device says, and notes that the device never sees.

use ironhub_model::IdentityId;
use ironhub_model::registry::Precondition;
use ironhub_model::twin::{TwinPatch, TwinView};

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
        let _ = id;
        unfinished()
    }

    /// Merges into tags and desired properties; the answer is the whole twin after it.
    pub async fn patch(
        &self,
        id: &IdentityId,
        patch: TwinPatch,
        precondition: Precondition,
    ) -> Result<TwinView, HubError> {
        let _ = (id, patch, precondition);
        unfinished()
    }

    /// Replaces tags, desired properties, or both; a section that is left out stays.
    pub async fn replace(
        &self,
        id: &IdentityId,
        patch: TwinPatch,
        precondition: Precondition,
    ) -> Result<TwinView, HubError> {
        let _ = (id, patch, precondition);
        unfinished()
    }

    /// The caller's own twin as JSON text: `{"desired":{…,"$version":n},"reported":{…,"$version":m}}`.
    pub async fn device_twin(&self, caller: &DevicePrincipal) -> Result<String, HubError> {
        let _ = caller;
        unfinished()
    }

    /// Merges a device's own patch, JSON text, into its reported properties; the answer is their new version.
    pub async fn update_reported(
        &self,
        caller: &DevicePrincipal,
        patch: &[u8],
        expected_version: Option<u64>,
    ) -> Result<u64, HubError> {
        let _ = (caller, patch, expected_version);
        unfinished()
    }

    /// Remembers the Plug and Play model that a connection announced; writes only when it is another one.
    pub async fn set_model_id(&self, id: &IdentityId, model_id: &str) -> Result<(), HubError> {
        let _ = (id, model_id);
        unfinished()
    }
}

fn unfinished<T>() -> Result<T, HubError> {
    Err(HubError::Internal("not built yet".into()))
}
