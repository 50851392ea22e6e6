//! The settings document, and the codes that prove the possession of an authority.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ironhub_model::settings::Declared;
use ironhub_model::{Etag, HubSettings};
use serde::{Deserialize, Serialize};

use super::{decode, encode};
use crate::error::HubError;
use crate::ports::{Commit, Expect, Key, Rev, StateStore, Table};

/// The settings with the number of their version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SettingsDocument {
    pub(crate) version: u64,
    pub(crate) settings: HubSettings,
    /// What the configuration has declared of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) declared: Vec<Declared>,
}

/// A code that was given out for an authority, until it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AuthorityProof {
    pub(crate) code: String,
    /// The certificate that the code was given out for: a later one of the same name has its own.
    pub(crate) pem: String,
}

impl SettingsDocument {
    /// Base64 of the decimal version, like the ETags of identities.
    pub(crate) fn etag(&self) -> Etag {
        Etag::new(STANDARD.encode(self.version.to_string()))
    }
}

pub(crate) async fn load<S: StateStore>(state: &S) -> Result<Option<(SettingsDocument, Rev)>, HubError> {
    match state.get(Table::Hub, &settings_key()).await? {
        Some((bytes, rev)) => Ok(Some((decode(&bytes, "settings document")?, rev))),
        None => Ok(None),
    }
}

/// The document in a store that is read without waiting.
pub(crate) fn read<E: From<HubError>>(
    get: impl FnOnce(Table, &Key) -> Result<Option<Bytes>, E>,
) -> Result<Option<SettingsDocument>, E> {
    let Some(bytes) = get(Table::Hub, &settings_key())? else {
        return Ok(None);
    };
    Ok(Some(decode(&bytes, "settings document")?))
}

pub(crate) async fn load_proof<S: StateStore>(state: &S, name: &str) -> Result<Option<AuthorityProof>, HubError> {
    match state.get(Table::Hub, &proof_key(name)).await? {
        Some((bytes, _)) => Ok(Some(decode(&bytes, "proof of an authority")?)),
        None => Ok(None),
    }
}

impl Commit {
    pub(crate) fn put_settings(self, document: &SettingsDocument, expect: Expect) -> Result<Self, HubError> {
        let content = encode(document, "settings document")?;
        Ok(self.put(Table::Hub, settings_key(), expect, content))
    }

    pub(crate) fn put_proof(self, name: &str, proof: &AuthorityProof) -> Result<Self, HubError> {
        let content = encode(proof, "proof of an authority")?;
        Ok(self.put(Table::Hub, proof_key(name), Expect::Any, content))
    }

    pub(crate) fn delete_proof(self, name: &str) -> Self {
        self.delete(Table::Hub, proof_key(name), Expect::Any)
    }
}

fn settings_key() -> Key {
    Key::new("settings")
}

fn proof_key(name: &str) -> Key {
    Key::new(format!("authority-proof/{name}"))
}
