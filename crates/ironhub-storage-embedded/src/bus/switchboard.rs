//! Who holds which identity, for all nodes of the process.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::future::Future;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ironhub_hub::ports::{Claim, Epoch, Location, NodeId};
use ironhub_model::IdentityId;
use parking_lot::{Mutex, RwLock};

use super::Node;
use super::waiters::{Waiter, Waiters};

/// Locks over which identities spread: connections of a reconnect storm rarely meet at one.
const SHARDS: usize = 64;

/// The memory that the nodes of one process share.
pub struct Switchboard {
    shards: Box<[Mutex<Shard>]>,
    hasher: std::hash::RandomState,
    nodes: RwLock<HashMap<NodeId, Arc<Node>>>,
    /// The greatest epoch given so far. Starts anew with the process, as do the connections.
    epoch: AtomicU64,
    connected: AtomicU64,
}

#[derive(Default)]
struct Shard {
    holders: HashMap<IdentityId, Location>,
    waiters: Waiters,
}

impl Switchboard {
    /// Without nodes.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: std::hash::RandomState::new(),
            nodes: RwLock::default(),
            epoch: AtomicU64::new(0),
            connected: AtomicU64::new(0),
        })
    }

    pub(super) fn add(&self, node: &Arc<Node>) {
        self.nodes.write().insert(node.id.clone(), Arc::clone(node));
    }

    /// Ends the node, unless another one has taken its name.
    pub(super) fn remove(&self, node: &Arc<Node>) {
        let mut nodes = self.nodes.write();
        if !nodes.get(&node.id).is_some_and(|present| Arc::ptr_eq(present, node)) {
            return;
        }
        nodes.remove(&node.id);
        drop(nodes);
        for shard in &self.shards {
            let mut shard = shard.lock();
            let before = shard.holders.len();
            shard.holders.retain(|_, holder| holder.node != node.id);
            self.count_down(before.saturating_sub(shard.holders.len()));
        }
    }

    pub(super) fn node(&self, id: &NodeId) -> Option<Arc<Node>> {
        self.nodes.read().get(id).cloned()
    }

    /// The new holder's epoch, and the holder that lost.
    pub(super) fn claim(&self, id: &IdentityId, node: &NodeId) -> (Epoch, Option<Location>) {
        let mut shard = self.shard(id).lock();
        // Under the lock: whoever comes later to an identity has the greater epoch.
        let epoch = Epoch(self.epoch.fetch_add(1, Ordering::Relaxed).saturating_add(1));
        let holder = Location {
            node: node.clone(),
            epoch,
        };
        let loser = shard.holders.insert(id.clone(), holder);
        if loser.is_none() {
            self.connected.fetch_add(1, Ordering::Relaxed);
        }
        shard.waiters.wake(id);
        (epoch, loser)
    }

    pub(super) fn release(&self, claim: &Claim) {
        let mut shard = self.shard(&claim.id).lock();
        if let Entry::Occupied(holder) = shard.holders.entry(claim.id.clone())
            && holder.get().epoch == claim.epoch
        {
            holder.remove();
            self.count_down(1);
        }
    }

    pub(super) fn locate(&self, id: &IdentityId) -> Option<Location> {
        self.shard(id).lock().holders.get(id).cloned()
    }

    pub(super) fn connected(&self) -> u64 {
        self.connected.load(Ordering::Relaxed)
    }

    /// Resolves when somebody holds the identity.
    pub(super) fn claimed(&self, id: &IdentityId) -> impl Future<Output = ()> + Send {
        let mut shard = self.shard(id).lock();
        let waiter = (!shard.holders.contains_key(id)).then(|| shard.waiters.join(id));
        drop(shard);
        // Leaves the list when the future is dropped, waiting or not.
        let place = waiter.map(|waiter| Place {
            switchboard: self,
            id: id.clone(),
            waiter: Some(waiter),
        });
        async move {
            if let Some(mut place) = place
                && let Some(waiter) = &mut place.waiter
            {
                waiter.woken().await;
            }
        }
    }

    fn shard(&self, id: &IdentityId) -> &Mutex<Shard> {
        let index = usize::try_from(self.hasher.hash_one(id) % SHARDS as u64).unwrap_or(0);
        #[expect(
            clippy::indexing_slicing,
            reason = "the index is a remainder of the number of shards"
        )]
        &self.shards[index]
    }

    fn count_down(&self, count: usize) {
        self.connected.fetch_sub(count as u64, Ordering::Relaxed);
    }
}

/// Somebody who waits for an identity.
struct Place<'a> {
    switchboard: &'a Switchboard,
    id: IdentityId,
    waiter: Option<Waiter>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(waiter) = self.waiter.take() {
            self.switchboard.shard(&self.id).lock().waiters.leave(&self.id, waiter);
        }
    }
}

impl fmt::Debug for Switchboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Switchboard")
            .field("connected", &self.connected())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(switchboard: &Switchboard) -> usize {
        switchboard.shards.iter().map(|shard| shard.lock().waiters.len()).sum()
    }

    #[tokio::test]
    async fn who_stops_waiting_leaves_nothing_behind() {
        let switchboard = Switchboard::new();
        let (one, other) = (IdentityId::parse("d1").unwrap(), IdentityId::parse("d2").unwrap());
        let first = switchboard.claimed(&one);
        let second = switchboard.claimed(&one);
        let third = switchboard.claimed(&other);
        assert_eq!(waiting(&switchboard), 2, "one entry for each identity");
        drop(first);
        assert_eq!(waiting(&switchboard), 2, "somebody else waits for the same");
        drop(third);
        assert_eq!(waiting(&switchboard), 1);
        switchboard.claim(&one, &NodeId("n".into()));
        assert_eq!(waiting(&switchboard), 0);
        second.await;
        switchboard.claimed(&one).await;
        assert_eq!(waiting(&switchboard), 0);
    }

    #[tokio::test]
    async fn leaving_late_does_not_disturb_who_came_since() {
        let switchboard = Switchboard::new();
        let id = IdentityId::parse("d1").unwrap();
        let early = switchboard.claimed(&id);
        let (epoch, _) = switchboard.claim(&id, &NodeId("n".into()));
        switchboard.release(&Claim { id: id.clone(), epoch });
        let late = switchboard.claimed(&id);
        drop(early);
        assert_eq!(waiting(&switchboard), 1, "the newcomer still waits");
        switchboard.claim(&id, &NodeId("n".into()));
        late.await;
    }
}
