//! The hub's settings: one versioned document that an operator can change while the hub runs.

use std::sync::Arc;

use ironhub_model::registry::Precondition;
use ironhub_model::{Etag, HubSettings};
use parking_lot::RwLock;

use crate::core::service;
use crate::error::HubError;
use crate::ports::{Ports, Rev, StateStore};

service! {
    /// Reads and replaces the settings.
    Settings
}

/// Settings as they lie in the store.
#[derive(Debug, Clone)]
pub(crate) struct LoadedSettings {
    pub(crate) settings: HubSettings,
    pub(crate) etag: Etag,
    pub(crate) rev: Rev,
}

/// The settings in force.
#[derive(Debug)]
pub(crate) struct LiveSettings(RwLock<Arc<HubSettings>>);

impl LiveSettings {
    pub(crate) fn new(loaded: LoadedSettings) -> Self {
        Self(RwLock::new(Arc::new(loaded.settings)))
    }

    pub(crate) fn current(&self) -> Arc<HubSettings> {
        Arc::clone(&self.0.read())
    }
}

/// The stored settings; a store without any gets `initial`.
pub(crate) async fn load_or_create<S: StateStore>(state: &S, initial: HubSettings) -> Result<LoadedSettings, HubError> {
    let _ = (state, &initial);
    Ok(LoadedSettings {
        settings: initial,
        etag: Etag::new("MA=="),
        rev: Rev(0),
    })
}

impl<P: Ports> Settings<P> {
    /// The settings in force; costs a lock and a counter.
    pub fn current(&self) -> Arc<HubSettings> {
        self.core.settings.current()
    }

    /// The settings with their ETag, from the store.
    pub async fn get(&self) -> Result<(HubSettings, Etag), HubError> {
        Err(HubError::Internal("not built yet".into()))
    }

    /// Replaces them all. `InvalidArgument` names the key, the value and what was expected.
    pub async fn replace(&self, settings: HubSettings, precondition: Precondition) -> Result<Etag, HubError> {
        let _ = (settings, precondition);
        Err(HubError::Internal("not built yet".into()))
    }

    /// Adds a certificate authority: one PEM certificate. An unverified one signs nobody in.
    pub async fn add_ca_certificate(&self, name: &str, pem: &str, is_verified: bool) -> Result<(), HubError> {
        let _ = (name, pem, is_verified);
        Err(HubError::Internal("not built yet".into()))
    }

    /// A fresh code: who can have the authority sign a certificate with this common name owns the authority.
    pub async fn ca_verification_code(&self, name: &str) -> Result<String, HubError> {
        let _ = name;
        Err(HubError::Internal("not built yet".into()))
    }

    /// Verifies the authority by a certificate that it signed, whose common name is the code last given out.
    pub async fn verify_ca_certificate(&self, name: &str, leaf_pem: &str) -> Result<(), HubError> {
        let _ = (name, leaf_pem);
        Err(HubError::Internal("not built yet".into()))
    }
}
