//! Typed access to the documents in the state store; one file per feature.

pub(crate) mod c2d;
pub(crate) mod identities;
pub(crate) mod lookup;
pub(crate) mod presence;
pub(crate) mod sessions;
pub(crate) mod settings;
pub(crate) mod twins;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::HubError;
use crate::ports::{Key, Rev, StateStore, Table};

/// Bytes of documents that one look-up brings into memory at most, unless it is a single larger one.
pub(crate) const LOOKUP_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Loads small documents, however many look-ups that takes.
async fn all<S: StateStore>(
    state: &S,
    table: Table,
    mut keys: Vec<Key>,
) -> Result<Vec<Option<(Bytes, Rev)>>, HubError> {
    let mut found = Vec::with_capacity(keys.len());
    while !keys.is_empty() {
        let more = state.get_many(table, keys.clone(), LOOKUP_BYTES_MAX).await?;
        if more.is_empty() {
            return Err(HubError::Internal("the store looks nothing up".into()));
        }
        keys.drain(..more.len().min(keys.len()));
        found.extend(more);
    }
    Ok(found)
}

/// Reads a stored document; `what` names its kind should it be damaged.
fn decode<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, HubError> {
    serde_json::from_slice(bytes).map_err(|error| HubError::damaged(what, &error))
}

fn encode<T: Serialize>(document: &T, what: &str) -> Result<Bytes, HubError> {
    let bytes = serde_json::to_vec(document).map_err(|error| HubError::damaged(what, &error))?;
    Ok(bytes.into())
}
