//! The settings in force, with what is derived from them.

use std::sync::Arc;

use ironhub_model::HubSettings;
use ironhub_model::settings::Declared;
use parking_lot::RwLock;
use tokio::sync::watch;

use super::authority::Authority;
use crate::store::settings::SettingsDocument;

/// Shared by everything that reads settings.
#[derive(Debug)]
pub(crate) struct LiveSettings {
    in_force: RwLock<InForce>,
    version: watch::Sender<u64>,
}

#[derive(Debug)]
struct InForce {
    version: u64,
    settings: Arc<HubSettings>,
    declared: Arc<[Declared]>,
    authorities: Arc<[Authority]>,
}

impl LiveSettings {
    pub(crate) fn new(document: SettingsDocument) -> Self {
        Self {
            version: watch::Sender::new(document.version),
            in_force: RwLock::new(InForce::from(document)),
        }
    }

    pub(crate) fn current(&self) -> Arc<HubSettings> {
        Arc::clone(&self.in_force.read().settings)
    }

    /// What the configuration has declared.
    pub(crate) fn declared(&self) -> Arc<[Declared]> {
        Arc::clone(&self.in_force.read().declared)
    }

    /// The verified certificate authorities.
    pub(crate) fn authorities(&self) -> Arc<[Authority]> {
        Arc::clone(&self.in_force.read().authorities)
    }

    /// Puts a document in force unless a later one is: writers may come here in another order than they committed.
    pub(crate) fn set(&self, document: SettingsDocument) {
        let next = InForce::from(document);
        let mut in_force = self.in_force.write();
        if next.version > in_force.version {
            self.version.send_replace(next.version);
            *in_force = next;
        }
    }

    /// Has whoever rests on settings look again, though they are the same: the clock was moved.
    pub(crate) fn announce(&self) {
        self.version.send_modify(|_| ());
    }

    /// Changes with each document put in force, and when the clock was moved.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }
}

impl From<SettingsDocument> for InForce {
    fn from(document: SettingsDocument) -> Self {
        let verified = document
            .settings
            .ca_certificates
            .iter()
            .filter(|certificate| certificate.is_verified);
        Self {
            version: document.version,
            authorities: verified
                .filter_map(|certificate| Authority::parse(&certificate.pem))
                .collect(),
            declared: document.declared.into(),
            settings: Arc::new(document.settings),
        }
    }
}
