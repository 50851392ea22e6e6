//! The live links of this process, one for each identity.

use std::collections::BTreeMap;
use std::sync::Arc;

use ironhub_model::IdentityId;
use parking_lot::RwLock;

use super::link::LinkState;

/// Ordered, so that a device's modules lie right behind it.
#[derive(Debug, Default)]
pub(crate) struct LinkTable(RwLock<BTreeMap<IdentityId, Arc<LinkState>>>);

/// What became of a new link.
#[derive(Debug)]
pub(super) enum Inserted {
    /// The identity had none here. Holds what the callback returned.
    First(u64),
    /// This one lost its place to the new one.
    Displaced(Arc<LinkState>),
    /// One with a later claim is there already.
    TooLate,
}

impl LinkTable {
    pub(crate) fn find(&self, id: &IdentityId) -> Option<Arc<LinkState>> {
        self.0.read().get(id).cloned()
    }

    /// A module's link; or a device's with those of all its modules.
    pub(super) fn covered_by(&self, id: &IdentityId) -> Vec<Arc<LinkState>> {
        let covers = |other: &IdentityId| match id.module {
            None => other.device == id.device,
            Some(_) => other == id,
        };
        let links = self.0.read();
        let from_here = links.range(id.clone()..).take_while(|(other, _)| covers(other));
        from_here.map(|(_, link)| Arc::clone(link)).collect()
    }

    pub(super) fn all(&self) -> Vec<Arc<LinkState>> {
        self.0.read().values().cloned().collect()
    }

    /// The greatest epoch wins, in whichever order the claims get here. `first` runs before any other change of the
    /// table, when the identity had no link here.
    pub(super) fn insert(&self, link: &Arc<LinkState>, first: impl FnOnce() -> u64) -> Inserted {
        let mut links = self.0.write();
        if links.get(link.id()).is_some_and(|there| there.epoch() > link.epoch()) {
            return Inserted::TooLate;
        }
        match links.insert(link.id().clone(), Arc::clone(link)) {
            None => Inserted::First(first()),
            Some(displaced) => Inserted::Displaced(displaced),
        }
    }

    /// Removes the link if it is there itself; `last` runs then, before any other change of the table.
    pub(super) fn remove(&self, link: &Arc<LinkState>, last: impl FnOnce() -> u64) -> Option<u64> {
        let mut links = self.0.write();
        let there = links.get(link.id())?;
        if !Arc::ptr_eq(there, link) {
            return None;
        }
        links.remove(link.id());
        Some(last())
    }
}
