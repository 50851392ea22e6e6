//! Typed access to the documents in the state store; one file per feature.

pub(crate) mod c2d;
pub(crate) mod identities;
pub(crate) mod lookup;
pub(crate) mod sessions;
pub(crate) mod settings;
pub(crate) mod twins;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::HubError;

/// Reads a stored document; `what` names its kind should it be damaged.
fn decode<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, HubError> {
    serde_json::from_slice(bytes).map_err(|error| HubError::damaged(what, &error))
}

fn encode<T: Serialize>(document: &T, what: &str) -> Result<Bytes, HubError> {
    let bytes = serde_json::to_vec(document).map_err(|error| HubError::damaged(what, &error))?;
    Ok(bytes.into())
}
