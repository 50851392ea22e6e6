//! New keys for many identities at once (Azure REST API: "Devices - Regenerate Keys", 2024).

use std::collections::HashSet;

use ironhub_model::limits::{BULK_REGISTRY_ITEMS_MAX, SWAP_ATTEMPTS_MAX};
use ironhub_model::registry::{KeyChoice, RegenerateResult, RotatedKeys};
use ironhub_model::{Authentication, IdentityId, SymmetricKey};

use crate::core::Core;
use crate::error::HubError;
use crate::ports::{Commit, Expect, Ports};
use crate::random;
use crate::store;

impl<P: Ports> Core<P> {
    /// Each identity stands for itself; one without keys is an error row.
    pub(super) async fn regenerate_keys(
        &self,
        which: KeyChoice,
        ids: Vec<IdentityId>,
    ) -> Result<RegenerateResult<HubError>, HubError> {
        if ids.len() > BULK_REGISTRY_ITEMS_MAX {
            return Err(HubError::TooManyDevices);
        }
        let mut seen = HashSet::new();
        if let Some(twice) = ids.iter().find(|id| !seen.insert(*id)) {
            return Err(HubError::DefinedMultipleTimes(twice.to_string()));
        }
        let mut result = RegenerateResult::default();
        for id in ids {
            match self.rotate(which, &id).await {
                Ok(rotated) => result.rotated.push(rotated),
                Err(error) => result.errors.push((id, error)),
            }
        }
        Ok(result)
    }

    async fn rotate(&self, which: KeyChoice, id: &IdentityId) -> Result<RotatedKeys, HubError> {
        let _turn = self.turns.take(&id.device).await;
        for _ in 0..SWAP_ATTEMPTS_MAX {
            if let Some(rotated) = self.try_rotate(which, id).await? {
                self.credentials.forget(&id.device);
                self.revoke(id).await;
                return Ok(rotated);
            }
        }
        Err(HubError::Busy)
    }

    async fn try_rotate(&self, which: KeyChoice, id: &IdentityId) -> Result<Option<RotatedKeys>, HubError> {
        let (commit, rotated) = match &id.module {
            None => {
                let (mut device, rev) = self.owner(&id.device).await?;
                let rotated = rotated(which, id, &mut device.authentication)?;
                device.etag = random::etag()?;
                (Commit::new().put_device(&device, Expect::At(rev))?, rotated)
            }
            Some(module) => {
                let Some((mut module, rev)) = store::identities::module(&self.state, &id.device, module).await? else {
                    return Err(self.missing(id).await?);
                };
                let rotated = rotated(which, id, &mut module.authentication)?;
                module.etag = random::etag()?;
                (Commit::new().put_module(&module, Expect::At(rev))?, rotated)
            }
        };
        Ok(self.swapped(commit).await?.then_some(rotated))
    }
}

fn rotated(which: KeyChoice, id: &IdentityId, authentication: &mut Authentication) -> Result<RotatedKeys, HubError> {
    let Authentication::Sas { primary, secondary } = authentication else {
        return Err(HubError::InvalidArgument(format!("{id} does not use symmetric keys")));
    };
    let (rolls_primary, rolls_secondary) = match which {
        KeyChoice::Primary => (true, false),
        KeyChoice::Secondary => (false, true),
        KeyChoice::Both => (true, true),
    };
    Ok(RotatedKeys {
        id: id.clone(),
        primary: roll(primary, rolls_primary)?,
        secondary: roll(secondary, rolls_secondary)?,
    })
}

fn roll(key: &mut SymmetricKey, rolls: bool) -> Result<Option<SymmetricKey>, HubError> {
    if !rolls {
        return Ok(None);
    }
    *key = random::key()?;
    Ok(Some(key.clone()))
}
