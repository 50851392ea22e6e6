//! Who is connected, and when it was last heard of.
//!
//! In memory for those that are connected or were of late, and behind that in the store, written now and then: after a
//! restart nobody is connected, and everybody was last heard of when they were, or shortly before when the hub had died.

mod flush;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ironhub_model::registry::{ConnectionState, ConnectionView};
use ironhub_model::{GenerationId, IdentityId, Timestamp};
use parking_lot::Mutex;

pub(crate) use flush::run;

use crate::store::presence::PresenceRecord;

/// Entries that one look for changes goes over, so that nobody waits long for the lock.
const LOOK_ENTRIES_MAX: usize = 4096;

/// Connections of identities. An entry goes when its identity does, or when it is stored and nobody is connected.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    entries: Mutex<BTreeMap<IdentityId, Entry>>,
}

#[derive(Debug)]
struct Entry {
    /// Of which identity of that name.
    generation: GenerationId,
    state: ConnectionState,
    updated_at: Timestamp,
    activity: Arc<Activity>,
    /// What the store has of it.
    stored: Option<PresenceRecord>,
}

/// When an identity was last heard of; held by its connection, so that a message costs no look-up.
#[derive(Debug)]
pub(crate) struct Activity(AtomicI64);

/// Some entries that the store does not have as they are.
#[derive(Debug, Default)]
struct Changes {
    records: Vec<(IdentityId, PresenceRecord)>,
    /// The next look begins behind this one; `None` at the end.
    next_after: Option<IdentityId>,
}

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
    /// What memory knows of this identity.
    pub(crate) fn view(&self, id: &IdentityId, generation: &GenerationId) -> Option<ConnectionView> {
        let entries = self.entries.lock();
        let entry = entries.get(id).filter(|entry| entry.generation == *generation)?;
        entry.is_known().then(|| entry.view())
    }

    /// A link was opened or closed at `now`.
    pub(crate) fn set_state(&self, id: &IdentityId, generation: &GenerationId, state: ConnectionState, now: Timestamp) {
        // The link of an identity that was deleted ends after it.
        if state == ConnectionState::Disconnected && !self.entries.lock().contains_key(id) {
            return;
        }
        self.with_entry(id, generation, |entry| {
            if entry.state != state {
                entry.state = state;
                entry.updated_at = now;
            }
            entry.activity.touch(now);
        });
    }

    /// Where to note that the identity was heard of.
    pub(crate) fn activity(&self, id: &IdentityId, generation: &GenerationId) -> Arc<Activity> {
        self.with_entry(id, generation, |entry| Arc::clone(&entry.activity))
    }

    /// The identity is no more.
    pub(crate) fn forget(&self, id: &IdentityId) {
        self.entries.lock().remove(id);
    }

    fn with_entry<T>(&self, id: &IdentityId, generation: &GenerationId, run: impl FnOnce(&mut Entry) -> T) -> T {
        let mut entries = self.entries.lock();
        let entry = match entries.get_mut(id) {
            Some(entry) => entry,
            None => entries.entry(id.clone()).or_insert_with(|| Entry::of(generation)),
        };
        if entry.generation != *generation {
            *entry = Entry::of(generation);
        }
        run(entry)
    }

    /// At most so many entries behind `after` that the store does not have as they are. Those of the disconnected that
    /// it has leave memory on the way.
    fn changes(&self, after: Option<&IdentityId>, records_max: usize) -> Changes {
        let mut changes = Changes::default();
        let mut settled = Vec::new();
        let mut entries = self.entries.lock();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut looked_at = entries.range((from, Bound::Unbounded)).take(LOOK_ENTRIES_MAX);
        while changes.records.len() < records_max {
            let Some((id, entry)) = looked_at.next() else { break };
            changes.next_after = Some(id.clone());
            let record = entry.record();
            if entry.stored.as_ref() == Some(&record) {
                settled.extend(entry.is_idle().then(|| id.clone()));
            } else if entry.is_known() {
                changes.records.push((id.clone(), record));
            }
        }
        let last = entries.last_key_value().map(|(id, _)| id);
        if changes.next_after.as_ref() == last {
            changes.next_after = None;
        }
        for id in settled {
            entries.remove(&id);
        }
        changes
    }

    /// The store has these now. Returns those whose identity is gone.
    fn stored(&self, records: Vec<(IdentityId, PresenceRecord)>) -> Vec<IdentityId> {
        let mut gone = Vec::new();
        let mut entries = self.entries.lock();
        for (id, record) in records {
            match entries.get_mut(&id) {
                Some(entry) if entry.generation == record.generation_id => entry.stored = Some(record),
                _ => gone.push(id),
            }
        }
        gone
    }
}

impl Entry {
    fn of(generation: &GenerationId) -> Self {
        Self {
            generation: generation.clone(),
            state: ConnectionState::Disconnected,
            updated_at: Timestamp::NEVER,
            activity: Arc::default(),
            stored: None,
        }
    }

    /// Was it ever connected since it is in memory? Else the store knows more.
    fn is_known(&self) -> bool {
        self.updated_at != Timestamp::NEVER
    }

    /// Does nobody need it in memory?
    fn is_idle(&self) -> bool {
        self.state == ConnectionState::Disconnected && Arc::strong_count(&self.activity) == 1
    }

    fn view(&self) -> ConnectionView {
        ConnectionView {
            state: self.state,
            updated_at: self.updated_at,
            last_activity_at: self.activity.last(),
        }
    }

    fn record(&self) -> PresenceRecord {
        PresenceRecord {
            generation_id: self.generation.clone(),
            is_connected: self.state == ConnectionState::Connected,
            updated_at_us: self.updated_at.as_micros(),
            last_activity_us: self.activity.last().as_micros(),
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

    fn id(name: &str) -> IdentityId {
        IdentityId::device(DeviceId::parse(name).unwrap())
    }

    fn generation(seconds: i64) -> GenerationId {
        GenerationId::created_at(Timestamp::from_secs(seconds), 0)
    }

    const AT: fn(i64) -> Timestamp = Timestamp::from_secs;

    #[test]
    fn state_changes_move_its_time_and_activity_only_rises() {
        let (presence, id, first) = (Presence::default(), id("d"), generation(1));
        assert_eq!(presence.view(&id, &first), None);
        presence.set_state(&id, &first, ConnectionState::Connected, AT(10));
        presence.activity(&id, &first).touch(AT(20));
        presence.activity(&id, &first).touch(AT(15));
        presence.set_state(&id, &first, ConnectionState::Connected, AT(18));
        let view = presence.view(&id, &first).unwrap();
        assert_eq!(
            (view.state, view.updated_at, view.last_activity_at),
            (ConnectionState::Connected, AT(10), AT(20))
        );
        assert_eq!(presence.view(&id, &generation(2)), None, "another of that name");
        presence.forget(&id);
        assert_eq!(presence.view(&id, &first), None);
    }

    fn changed(presence: &Presence, after: Option<&IdentityId>, records_max: usize) -> Vec<String> {
        let changes = presence.changes(after, records_max);
        changes.records.iter().map(|(id, _)| id.to_string()).collect()
    }

    #[test]
    fn only_what_has_changed_is_stored_and_the_disconnected_leave() {
        let (presence, first) = (Presence::default(), generation(1));
        for name in ["a", "b", "c"] {
            presence.set_state(&id(name), &first, ConnectionState::Connected, AT(10));
        }
        assert_eq!(changed(&presence, None, 2), ["a", "b"]);
        assert_eq!(presence.changes(None, 2).next_after, Some(id("b")));
        assert_eq!(changed(&presence, Some(&id("b")), 2), ["c"]);
        let changes = presence.changes(None, 9);
        assert_eq!(changes.next_after, None);
        presence.forget(&id("b"));
        presence.set_state(&id("c"), &first, ConnectionState::Disconnected, AT(11));
        assert_eq!(presence.stored(changes.records), [id("b")]);
        assert_eq!(changed(&presence, None, 9), ["c"], "it changed meanwhile");
        presence.stored(presence.changes(None, 9).records);
        assert_eq!(changed(&presence, None, 9), [""; 0]);
        assert_eq!(presence.view(&id("c"), &first), None, "the store knows it");
        assert!(presence.view(&id("a"), &first).is_some(), "it is connected");
        presence.activity(&id("a"), &first).touch(AT(30));
        assert_eq!(changed(&presence, None, 9), ["a"]);
    }
}
