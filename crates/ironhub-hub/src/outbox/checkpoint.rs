//! The note of where the log ended before a batch was appended.

use std::collections::HashSet;

use ironhub_model::{PartitionId, SequenceNumber};
use serde::{Deserialize, Serialize};

use crate::core::Core;
use crate::error::HubError;
use crate::events::stored_form::dedupe_id;
use crate::ports::{Commit, EventLog, Expect, Key, OutboxId, Ports, Start, StateStore, Table};

const SCAN_BYTES: usize = 1024 * 1024;

/// A document of its own; absent until the first batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) enum Checkpoint {
    /// No batch is under way.
    Closed,
    /// A batch may have been appended, wholly or in part, at or behind these positions, one for each partition.
    Open { positions: Vec<u64> },
}

fn key() -> Key {
    Key::new("outbox")
}

impl Checkpoint {
    /// Where the log ends now.
    pub(super) fn open<L: EventLog>(log: &L) -> Result<Self, HubError> {
        let ends = (0..log.partitions()).map(|p| Ok(log.bounds(PartitionId(p))?.next.0));
        let positions = ends.collect::<Result<_, HubError>>()?;
        Ok(Self::Open { positions })
    }

    pub(super) async fn load<P: Ports>(core: &Core<P>) -> Result<Self, HubError> {
        match core.state.get(Table::Hub, &key()).await? {
            None => Ok(Self::Closed),
            Some((bytes, _)) => {
                serde_json::from_slice(&bytes).map_err(|error| HubError::damaged("outbox checkpoint", &error))
            }
        }
    }

    /// Adds this checkpoint to a commit.
    pub(super) fn put(&self, commit: Commit) -> Result<Commit, HubError> {
        let bytes = serde_json::to_vec(self).map_err(|error| HubError::damaged("outbox checkpoint", &error))?;
        Ok(commit.put(Table::Hub, key(), Expect::Any, bytes))
    }

    /// The outbox records that have reached the log since.
    pub(super) async fn appended<L: EventLog>(&self, log: &L) -> Result<HashSet<OutboxId>, HubError> {
        let mut found = HashSet::new();
        let Self::Open { positions } = self else {
            return Ok(found);
        };
        for (partition, from) in (0..).map(PartitionId).zip(positions) {
            let end = log.bounds(partition)?.next;
            let mut next = SequenceNumber(*from);
            while next < end {
                let records = log.read(partition, Start::At(next), SCAN_BYTES).await?;
                let Some(last) = records.last() else { break };
                next = last.sequence.next();
                found.extend(records.iter().filter_map(|record| dedupe_id(&record.event)));
            }
        }
        Ok(found)
    }
}
