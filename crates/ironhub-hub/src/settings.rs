//! The hub's settings: one versioned document that an operator can change while the hub runs.

pub(crate) mod authority;
mod consumer_groups;
mod live;
mod proof;
mod validate;

use std::sync::Arc;

use bytes::Bytes;
use ironhub_model::limits::SWAP_ATTEMPTS_MAX;
use ironhub_model::registry::Precondition;
use ironhub_model::settings::{CaCertificate, Declared};
use ironhub_model::{Etag, HubSettings};

pub use consumer_groups::Added;
pub(crate) use live::LiveSettings;

use crate::core::{Core, service};
use crate::error::HubError;
use crate::ports::{Commit, CommitError, Expect, Key, Ports, StateStore, Table};
use crate::store;
use crate::store::settings::SettingsDocument;

service! {
    /// Reads and replaces the settings.
    Settings
}

/// The settings in a store that is read from outside a hub; `None` when it has none yet.
pub fn read_stored<E>(get: impl FnOnce(Table, &Key) -> Result<Option<Bytes>, E>) -> Result<Option<HubSettings>, E>
where
    E: From<HubError>,
{
    store::settings::read(get).map(|document| document.map(|document| document.settings))
}

/// The stored settings; a store without any gets `initial`, which has to be valid.
pub(crate) async fn load_or_create<S: StateStore>(
    state: &S,
    initial: HubSettings,
) -> Result<SettingsDocument, HubError> {
    if let Some((document, _)) = store::settings::load(state).await? {
        return Ok(document);
    }
    validate::settings(&initial)?;
    let document = SettingsDocument {
        version: 1,
        settings: initial,
        declared: Vec::new(),
    };
    let commit = Commit::new().put_settings(&document, Expect::Absent)?;
    match state.commit(commit).await {
        Ok(_) => Ok(document),
        // Another process of the hub was first; its settings hold.
        Err(CommitError::Conflict(_)) => match store::settings::load(state).await? {
            Some((document, _)) => Ok(document),
            None => Err(HubError::Busy),
        },
        Err(error) => Err(error.into()),
    }
}

impl<P: Ports> Settings<P> {
    /// The settings in force; costs a lock and a counter.
    pub fn current(&self) -> Arc<HubSettings> {
        self.core.settings.current()
    }

    /// Changes whenever other settings are in force: whoever rests on a policy looks at it again.
    pub fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.core.settings.changes()
    }

    /// What the configuration has declared of the settings in force.
    pub fn declared(&self) -> Arc<[Declared]> {
        self.core.settings.declared()
    }

    /// The settings with their ETag, from the store.
    pub async fn get(&self) -> Result<(HubSettings, Etag), HubError> {
        let (document, _) = store::settings::load(&self.core.state).await?.ok_or_else(missing)?;
        let etag = document.etag();
        Ok((document.settings, etag))
    }

    /// Replaces them all. `InvalidArgument` names the key, the value and what was expected, or the declared entry that
    /// would change. Links whose policy or authority is gone fail at their next use.
    pub async fn replace(&self, settings: HubSettings, precondition: Precondition) -> Result<Etag, HubError> {
        validate::settings(&settings)?;
        let change = move |old: &SettingsDocument| {
            if !precondition.allows(&old.etag()) {
                return Err(HubError::PreconditionFailed);
            }
            Ok((settings.clone(), Commit::new()))
        };
        self.change(change).await
    }

    /// Replaces them all by what the configuration makes of them; from now on nobody else can change the declared
    /// entries. Entries that were declared before and no longer are stay and are free again.
    pub async fn declare(
        &self,
        settings: HubSettings,
        declared: Vec<Declared>,
        precondition: Precondition,
    ) -> Result<Etag, HubError> {
        validate::settings(&settings)?;
        let core = Arc::clone(&self.core);
        let decide = move |old: &SettingsDocument| {
            if !precondition.allows(&old.etag()) {
                return Err(HubError::PreconditionFailed);
            }
            Ok((settings.clone(), declared.clone(), Commit::new()))
        };
        self.core.to_the_end(async move { change(&core, decide).await }).await
    }

    /// Adds a certificate authority: one PEM certificate. An unverified one signs nobody in.
    pub async fn add_ca_certificate(&self, name: &str, pem: &str, is_verified: bool) -> Result<(), HubError> {
        let certificate = CaCertificate {
            name: name.into(),
            pem: pem.into(),
            is_verified,
        };
        self.change(move |old| {
            let mut settings = old.settings.clone();
            settings.ca_certificates.push(certificate.clone());
            validate::settings(&settings)?;
            Ok((settings, Commit::new()))
        })
        .await
        .map(drop)
    }

    /// A fresh code: who can have the authority sign a certificate with this common name owns the authority.
    pub async fn ca_verification_code(&self, name: &str) -> Result<String, HubError> {
        proof::begin(&self.core, name).await
    }

    /// Verifies the authority by a certificate that it signed, whose common name is the code last given out.
    pub async fn verify_ca_certificate(&self, name: &str, leaf_pem: &str) -> Result<(), HubError> {
        let proof = proof::check(&self.core, name, leaf_pem).await?;
        let name = name.to_owned();
        self.change(move |old| {
            let mut settings = old.settings.clone();
            let mut certificates = settings.ca_certificates.iter_mut();
            let own = certificates.find(|certificate| certificate.name == name && certificate.pem == proof.pem);
            own.ok_or_else(|| proof::unknown(&name))?.is_verified = true;
            Ok((settings, Commit::new().delete_proof(&name)))
        })
        .await
        .map(drop)
    }

    /// Decides over the stored settings and stores the outcome, anew when another change came in between. Refuses what
    /// would change a declared entry.
    async fn change(
        &self,
        decide: impl Fn(&SettingsDocument) -> Result<(HubSettings, Commit), HubError> + Send + 'static,
    ) -> Result<Etag, HubError> {
        let core = Arc::clone(&self.core);
        let decide = move |old: &SettingsDocument| {
            let (settings, commit) = decide(old)?;
            keep_declared(old, &settings)?;
            Ok((settings, old.declared.clone(), commit))
        };
        self.core.to_the_end(async move { change(&core, decide).await }).await
    }
}

fn keep_declared(old: &SettingsDocument, new: &HubSettings) -> Result<(), HubError> {
    let is_changed = |declared: &&Declared| !declared.setting.is_same_in(&old.settings, new);
    match old.declared.iter().find(is_changed) {
        None => Ok(()),
        Some(Declared { setting, by }) => Err(HubError::InvalidArgument(format!(
            "{setting} is declared by {by} and can be changed only there"
        ))),
    }
}

async fn change<P: Ports>(
    core: &Core<P>,
    decide: impl Fn(&SettingsDocument) -> Result<(HubSettings, Vec<Declared>, Commit), HubError> + Send,
) -> Result<Etag, HubError> {
    for _ in 0..SWAP_ATTEMPTS_MAX {
        let (old, rev) = store::settings::load(&core.state).await?.ok_or_else(missing)?;
        let (settings, declared, commit) = decide(&old)?;
        let document = SettingsDocument {
            version: old.version.saturating_add(1),
            settings,
            declared,
        };
        let commit = commit.put_settings(&document, Expect::At(rev))?;
        if core.swapped(commit).await? {
            let etag = document.etag();
            core.settings.set(document);
            core.receivers.end_removed_groups(&core.settings);
            core.recheck_all_links().await;
            return Ok(etag);
        }
    }
    Err(HubError::Busy)
}

fn missing() -> HubError {
    HubError::Internal("the settings document is missing".into())
}
