//! What is kept of connections, one document for each identity that ever was connected.

use ironhub_model::registry::{ConnectionState, ConnectionView};
use ironhub_model::{GenerationId, IdentityId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{all, decode, encode, identities};
use crate::error::HubError;
use crate::ports::{Commit, Expect, StateStore, Table};

/// A connection as it was when it was written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PresenceRecord {
    /// What was of an earlier identity of the same name is not this one's.
    pub(crate) generation_id: GenerationId,
    pub(crate) is_connected: bool,
    pub(crate) updated_at_us: i64,
    pub(crate) last_activity_us: i64,
}

/// What the store knows of identities that are not connected to this hub; in their order.
pub(crate) async fn load_many<S: StateStore>(
    state: &S,
    whose: impl Iterator<Item = &(IdentityId, GenerationId)> + Clone,
) -> Result<Vec<ConnectionView>, HubError> {
    let keys = whose.clone().map(|(id, _)| identities::key(id)).collect();
    let found = all(state, Table::Presence, keys).await?;
    let views = whose.zip(found).map(|((_, generation), found)| {
        let Some((bytes, _)) = found else {
            return Ok(ConnectionView::default());
        };
        let record: PresenceRecord = decode(&bytes, "presence")?;
        if record.generation_id == *generation {
            Ok(record.view())
        } else {
            Ok(ConnectionView::default())
        }
    });
    views.collect()
}

impl PresenceRecord {
    /// Whoever was connected when the hub died ended then, or shortly after it was heard of for the last time.
    fn view(&self) -> ConnectionView {
        let updated_at_us = if self.is_connected {
            self.updated_at_us.max(self.last_activity_us)
        } else {
            self.updated_at_us
        };
        ConnectionView {
            state: ConnectionState::Disconnected,
            updated_at: Timestamp::from_micros(updated_at_us),
            last_activity_at: Timestamp::from_micros(self.last_activity_us),
        }
    }
}

impl Commit {
    pub(crate) fn put_presence(self, id: &IdentityId, record: &PresenceRecord) -> Result<Self, HubError> {
        let content = encode(record, "presence")?;
        Ok(self.put(Table::Presence, identities::key(id), Expect::Any, content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(is_connected: bool, times_s: [i64; 2], expected_s: [i64; 2]) {
        let [updated_at_us, last_activity_us] = times_s.map(|s| Timestamp::from_secs(s).as_micros());
        let record = PresenceRecord {
            generation_id: GenerationId::created_at(Timestamp::from_secs(1), 0),
            is_connected,
            updated_at_us,
            last_activity_us,
        };
        let view = record.view();
        assert_eq!(view.state, ConnectionState::Disconnected);
        assert_eq!(
            [view.updated_at, view.last_activity_at],
            expected_s.map(Timestamp::from_secs)
        );
    }

    #[test]
    fn nobody_is_connected_to_a_hub_that_starts() {
        check(true, [10, 20], [20, 20]);
        check(false, [30, 20], [30, 20]);
    }
}
