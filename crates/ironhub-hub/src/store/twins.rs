//! Twins of devices and modules, under the keys of their identities.

use ironhub_model::{IdentityId, Twin};

use super::{decode, encode, identities};
use crate::error::HubError;
use crate::ports::{Commit, Expect, Rev, StateStore, Table};

pub(crate) async fn load<S: StateStore>(state: &S, id: &IdentityId) -> Result<Option<(Twin, Rev)>, HubError> {
    match state.get(Table::Twins, &identities::key(id)).await? {
        Some((bytes, rev)) => Ok(Some((decode(&bytes, "twin")?, rev))),
        None => Ok(None),
    }
}

impl Commit {
    pub(crate) fn put_twin(self, id: &IdentityId, twin: &Twin, expect: Expect) -> Result<Self, HubError> {
        Ok(self.put(Table::Twins, identities::key(id), expect, encode(twin, "twin")?))
    }
}
