//! Twins of devices and modules, under the keys of their identities.

use ironhub_model::{IdentityId, Twin};

use super::{LOOKUP_BYTES_MAX, decode, encode, identities};
use crate::error::HubError;
use crate::ports::{Commit, Expect, Key, Rev, StateStore, Table};

pub(crate) async fn load<S: StateStore>(state: &S, id: &IdentityId) -> Result<Option<(Twin, Rev)>, HubError> {
    match state.get(Table::Twins, &identities::key(id)).await? {
        Some((bytes, rev)) => Ok(Some((decode(&bytes, "twin")?, rev))),
        None => Ok(None),
    }
}

/// Twins under these keys, in their order: as many as fit into memory at once, and one at least. What is left out is to be
/// asked for again.
pub(crate) async fn load_some<S: StateStore>(state: &S, keys: Vec<Key>) -> Result<Vec<Option<Twin>>, HubError> {
    let found = state.get_many(Table::Twins, keys, LOOKUP_BYTES_MAX).await?;
    let twins = found.into_iter().map(|found| match found {
        Some((bytes, _)) => decode(&bytes, "twin").map(Some),
        None => Ok(None),
    });
    twins.collect()
}

impl Commit {
    pub(crate) fn put_twin(self, id: &IdentityId, twin: &Twin, expect: Expect) -> Result<Self, HubError> {
        Ok(self.put(Table::Twins, identities::key(id), expect, encode(twin, "twin")?))
    }
}
