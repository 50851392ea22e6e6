//! Who is connected, and when it was last heard of. Kept in memory: a restart of the hub ends every connection anyway.

use std::collections::HashMap;

use ironhub_model::registry::{ConnectionState, ConnectionView};
use ironhub_model::{IdentityId, Timestamp};
use parking_lot::Mutex;

/// Connections of all identities; bounded by their number, since an entry goes with its identity.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    entries: Mutex<HashMap<IdentityId, ConnectionView>>,
}

impl Presence {
    /// What is known of this identity.
    pub(crate) fn view(&self, id: &IdentityId) -> ConnectionView {
        self.entries.lock().get(id).copied().unwrap_or_default()
    }

    /// A link was opened or closed at `now`.
    pub(crate) fn set_state(&self, id: &IdentityId, state: ConnectionState, now: Timestamp) {
        let mut entries = self.entries.lock();
        let entry = entries.entry(id.clone()).or_default();
        if entry.state != state {
            entry.state = state;
            entry.updated_at = now;
        }
        entry.last_activity_at = entry.last_activity_at.max(now);
    }

    /// The identity was heard of at `now`. Time that goes back changes nothing.
    pub(crate) fn touch(&self, id: &IdentityId, now: Timestamp) {
        let mut entries = self.entries.lock();
        let entry = entries.entry(id.clone()).or_default();
        entry.last_activity_at = entry.last_activity_at.max(now);
    }

    /// The identity is no more.
    pub(crate) fn forget(&self, id: &IdentityId) {
        self.entries.lock().remove(id);
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
        presence.touch(&id, at(20));
        presence.touch(&id, at(15));
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
