//! Who is connected, and when it was last heard of. Kept in memory: a restart of the hub ends every connection anyway.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ironhub_model::registry::{ConnectionState, ConnectionView};
use ironhub_model::{IdentityId, Timestamp};
use parking_lot::Mutex;

/// Connections of all identities; bounded by their number, since an entry goes with its identity.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    entries: Mutex<HashMap<IdentityId, Entry>>,
}

#[derive(Debug)]
struct Entry {
    state: ConnectionState,
    updated_at: Timestamp,
    activity: Arc<Activity>,
}

/// When an identity was last heard of; held by its connection, so that a message costs no look-up.
#[derive(Debug)]
pub(crate) struct Activity(AtomicI64);

impl Activity {
    /// It was heard of at `now`. Time that goes back changes nothing.
    pub(crate) fn touch(&self, now: Timestamp) {
        self.0.fetch_max(now.as_micros(), Ordering::Relaxed);
    }

    pub(crate) fn last(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}

impl Presence {
    /// What is known of this identity.
    pub(crate) fn view(&self, id: &IdentityId) -> ConnectionView {
        let view = |entry: &Entry| ConnectionView {
            state: entry.state,
            updated_at: entry.updated_at,
            last_activity_at: entry.activity.last(),
        };
        self.entries.lock().get(id).map(view).unwrap_or_default()
    }

    /// A link was opened or closed at `now`.
    pub(crate) fn set_state(&self, id: &IdentityId, state: ConnectionState, now: Timestamp) {
        // The link of an identity that was deleted ends after it.
        if state == ConnectionState::Disconnected && !self.entries.lock().contains_key(id) {
            return;
        }
        self.with_entry(id, |entry| {
            if entry.state != state {
                entry.state = state;
                entry.updated_at = now;
            }
            entry.activity.touch(now);
        });
    }

    /// Where to note that the identity was heard of.
    pub(crate) fn activity(&self, id: &IdentityId) -> Arc<Activity> {
        self.with_entry(id, |entry| Arc::clone(&entry.activity))
    }

    /// The identity is no more.
    pub(crate) fn forget(&self, id: &IdentityId) {
        self.entries.lock().remove(id);
    }

    fn with_entry<T>(&self, id: &IdentityId, run: impl FnOnce(&mut Entry) -> T) -> T {
        let mut entries = self.entries.lock();
        match entries.get_mut(id) {
            Some(entry) => run(entry),
            None => run(entries.entry(id.clone()).or_default()),
        }
    }
}

impl Default for Entry {
    fn default() -> Self {
        Self {
            state: ConnectionState::Disconnected,
            updated_at: Timestamp::NEVER,
            activity: Arc::default(),
        }
    }
}

impl Default for Activity {
    fn default() -> Self {
        Self(AtomicI64::new(Timestamp::NEVER.as_micros()))
    }
}

#[cfg(test)]
mod tests {
    use ironhub_model::DeviceId;

    use super::*;

    #[test]
    fn state_changes_move_its_time_and_activity_only_rises() {
        let presence = Presence::default();
        let id = IdentityId::device(DeviceId::parse("d").unwrap());
        let at = Timestamp::from_secs;
        assert_eq!(presence.view(&id), ConnectionView::default());
        presence.set_state(&id, ConnectionState::Connected, at(10));
        presence.activity(&id).touch(at(20));
        presence.activity(&id).touch(at(15));
        presence.set_state(&id, ConnectionState::Connected, at(18));
        let view = presence.view(&id);
        assert_eq!(
            (view.state, view.updated_at, view.last_activity_at),
            (ConnectionState::Connected, at(10), at(20))
        );
        presence.forget(&id);
        assert_eq!(presence.view(&id).last_activity_at, Timestamp::NEVER);
    }
}
