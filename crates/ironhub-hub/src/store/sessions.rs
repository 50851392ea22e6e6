//! Subscriptions of sessions, one document for each identity that has any.

use ironhub_model::{GenerationId, IdentityId};
use serde::{Deserialize, Serialize};

use crate::auth::DevicePrincipal;
use crate::connections::{Features, StoredFilter};
use crate::core::Core;
use crate::error::HubError;
use crate::ports::{Commit, Expect, Key, Ports, StateStore, Table};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Session {
    /// Subscriptions of an earlier identity of the same name are not this one's.
    generation_id: GenerationId,
    filters: Vec<StoredFilter>,
    features: Features,
}

/// The document of an identity's session. Deleting the identity deletes it.
pub(crate) fn key(id: &IdentityId) -> Key {
    Key::new(id.to_string())
}

pub(crate) async fn load<P: Ports>(
    core: &Core<P>,
    principal: &DevicePrincipal,
) -> Result<Option<(Vec<StoredFilter>, Features)>, HubError> {
    let Some((bytes, _)) = core.state.get(Table::Sessions, &key(&principal.id)).await? else {
        return Ok(None);
    };
    let session: Session = serde_json::from_slice(&bytes).map_err(|error| HubError::damaged("session", &error))?;
    let is_own = session.generation_id == principal.generation_id;
    Ok(is_own.then_some((session.filters, session.features)))
}

pub(crate) async fn store<P: Ports>(
    core: &Core<P>,
    principal: &DevicePrincipal,
    filters: &[StoredFilter],
    features: Features,
) -> Result<(), HubError> {
    let session = Session {
        generation_id: principal.generation_id.clone(),
        filters: filters.to_vec(),
        features,
    };
    let bytes = serde_json::to_vec(&session).map_err(|error| HubError::damaged("session", &error))?;
    let commit = Commit::new().put(Table::Sessions, key(&principal.id), Expect::Any, bytes);
    core.commit(commit).await?;
    // The identity may have been deleted just before; nobody else would remove the document then.
    if let Err(refused) = core.recheck(principal).await {
        discard(core, &principal.id).await?;
        return Err(refused);
    }
    Ok(())
}

pub(crate) async fn discard<P: Ports>(core: &Core<P>, id: &IdentityId) -> Result<(), HubError> {
    let commit = Commit::new().delete(Table::Sessions, key(id), Expect::Any);
    core.commit(commit).await?;
    Ok(())
}
