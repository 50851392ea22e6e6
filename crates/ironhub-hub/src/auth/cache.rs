//! Credentials as loaded from the registry, kept until a registry write drops them.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use ironhub_model::limits::CREDENTIALS_CACHED_MAX;
use ironhub_model::{Authentication, DeviceStatus, GenerationId, IdentityId};
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
        self.with_shard(id, |shard| match shard.entries.get(id) {
            Some(found) => Ok(Arc::clone(found)),
            None => Err(Missed { writes: shard.writes }),
        })
    }

    /// Keeps what was loaded after `missed`, unless a write has come in between.
    pub(crate) fn keep(&self, id: &IdentityId, credentials: &Arc<Credentials>, missed: Missed) {
        self.with_shard(id, |shard| {
            if shard.writes != missed.writes {
                return;
            }
            if shard.entries.len() >= CREDENTIALS_CACHED_MAX / SHARDS {
                shard.entries.clear();
            }
            shard.entries.insert(id.clone(), Arc::clone(credentials));
        });
    }

    /// To be called after each committed write of the identity, and before the writer is answered.
    pub(crate) fn forget(&self, id: &IdentityId) {
        self.with_shard(id, |shard| {
            shard.writes += 1;
            shard.entries.remove(id);
        });
    }

    /// The identity's shard is that of its device, so that one call forgets a device with its modules.
    fn with_shard<T>(&self, id: &IdentityId, run: impl FnOnce(&mut Shard) -> T) -> T {
        let index = usize::try_from(self.hasher.hash_one(id) % 64).unwrap_or(0);
        let shard = self.shards.get(index).unwrap_or(&self.shards[0]);
        run(&mut shard.lock())
    }
}
