//! Credentials as loaded from the registry, kept until a registry write drops them.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use ironhub_model::limits::CREDENTIALS_CACHED_MAX;
use ironhub_model::{Authentication, DeviceId, DeviceStatus, GenerationId, IdentityId};
use parking_lot::Mutex;

const SHARDS: usize = 64;

/// What an identity's proof is checked against.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Credentials {
    pub(crate) generation_id: GenerationId,
    /// Of the device; a module has none of its own.
    pub(crate) status: DeviceStatus,
    pub(crate) authentication: Authentication,
}

/// Bounded and sharded by identity. A load that began before a write cannot put stale credentials back: it carries the
/// shard's generation from before the load.
#[derive(Debug)]
pub(crate) struct CredentialsCache {
    hasher: std::hash::RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Debug, Default)]
struct Shard {
    writes: u64,
    entries: HashMap<IdentityId, Arc<Credentials>>,
}

/// Proof that the cache was asked before the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Missed {
    writes: u64,
}

impl Default for CredentialsCache {
    fn default() -> Self {
        Self {
            hasher: std::hash::RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }
}

impl CredentialsCache {
    pub(crate) fn find(&self, id: &IdentityId) -> Result<Arc<Credentials>, Missed> {
        self.with_shard(&id.device, |shard| match shard.entries.get(id) {
            Some(found) => Ok(Arc::clone(found)),
            None => Err(Missed { writes: shard.writes }),
        })
    }

    /// Keeps what was loaded after `missed`, unless a write has come in between.
    pub(crate) fn keep(&self, id: &IdentityId, credentials: &Arc<Credentials>, missed: Missed) {
        self.with_shard(&id.device, |shard| {
            if shard.writes != missed.writes {
                return;
            }
            if shard.entries.len() >= CREDENTIALS_CACHED_MAX / SHARDS {
                shard.entries.clear();
            }
            shard.entries.insert(id.clone(), Arc::clone(credentials));
        });
    }

    /// Forgets a device and its modules, whose status is the device's. To be called after each committed write of one
    /// of them, and before the writer is answered.
    pub(crate) fn forget(&self, device: &DeviceId) {
        self.with_shard(device, |shard| {
            shard.writes += 1;
            shard.entries.retain(|id, _| id.device != *device);
        });
    }

    /// A device and its modules are in one shard.
    fn with_shard<T>(&self, device: &DeviceId, run: impl FnOnce(&mut Shard) -> T) -> T {
        let count = u64::try_from(SHARDS).unwrap_or(1);
        let index = usize::try_from(self.hasher.hash_one(device) % count).unwrap_or(0);
        let [first, ..] = &self.shards;
        run(&mut self.shards.get(index).unwrap_or(first).lock())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> Arc<Credentials> {
        Arc::new(Credentials {
            generation_id: GenerationId::created_at(ironhub_model::Timestamp::UNIX_EPOCH, 0),
            status: DeviceStatus::Enabled,
            authentication: Authentication::None,
        })
    }

    #[test]
    fn a_load_that_a_write_overtook_is_not_kept() {
        let cache = CredentialsCache::default();
        let id = IdentityId::parse("d").unwrap();
        let missed = cache.find(&id).unwrap_err();
        cache.forget(&id.device);
        cache.keep(&id, &credentials(), missed);
        let missed = cache
            .find(&id)
            .expect_err("what was loaded before the write must not come back");
        cache.keep(&id, &credentials(), missed);
        assert!(cache.find(&id).is_ok());
    }

    #[test]
    fn a_device_is_forgotten_with_its_modules_and_nobody_else() {
        let cache = CredentialsCache::default();
        let ids = ["d", "d/m", "d/n", "e", "e/m"].map(|id| IdentityId::parse(id).unwrap());
        for id in &ids {
            let missed = cache.find(id).unwrap_err();
            cache.keep(id, &credentials(), missed);
        }
        cache.forget(&ids[0].device);
        let known = ids.map(|id| cache.find(&id).is_ok());
        assert_eq!(known, [false, false, false, true, true]);
    }

    #[test]
    fn the_cache_is_bounded() {
        let cache = CredentialsCache::default();
        for number in 0..CREDENTIALS_CACHED_MAX + 5000 {
            let id = IdentityId::parse(&format!("d{number}")).unwrap();
            let missed = cache.find(&id).unwrap_err();
            cache.keep(&id, &credentials(), missed);
        }
        let kept: usize = cache.shards.iter().map(|shard| shard.lock().entries.len()).sum();
        assert!(kept <= CREDENTIALS_CACHED_MAX, "{kept}");
    }
}
