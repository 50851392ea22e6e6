//! Who reads which partition for which consumer group, over all connections, and who displaces whom.
//!
//! The rules are those of Event Hubs (Azure documentation "Event Hubs features", epoch readers): a reader with an owner
//! level displaces those without one and those whose level is not higher; without levels up to five read side by side.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ironhub_model::limits::EVENT_RECEIVERS_WITHOUT_LEVEL_MAX;
use ironhub_model::{OwnerLevel, PartitionId, SequenceNumber};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{Events, has_consumer_group};
use crate::core::Core;
use crate::error::HubError;
use crate::ports::{EventLog, LogRecord, Ports, Start};
use crate::settings::LiveSettings;

/// Everyone who reads.
#[derive(Debug, Default)]
pub(crate) struct Receivers(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    next_id: u64,
    /// By consumer group, in lower case, and partition.
    by_place: HashMap<Place, Vec<Entry>>,
}

type Place = (Box<str>, PartitionId);

#[derive(Debug)]
struct Entry {
    id: u64,
    name: Box<str>,
    level: Option<OwnerLevel>,
    lost: oneshot::Sender<ReceiverLost>,
}

/// The right to read a partition for a consumer group, until it is lost or dropped.
#[derive(Debug)]
pub struct Receiver {
    receivers: Arc<Receivers>,
    place: Place,
    id: u64,
    lost: oneshot::Receiver<ReceiverLost>,
}

/// Why a receiver may read no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiverLost {
    /// Another one has taken its place.
    Displaced {
        /// What that one calls itself.
        by: Box<str>,
        /// Its owner level.
        level: OwnerLevel,
    },
    /// Its consumer group was removed.
    ConsumerGroupRemoved,
}

/// Why a receiver may not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiverRefused {
    /// No such consumer group.
    ConsumerGroupNotFound,
    /// Another one has a higher owner level.
    LevelTooLow {
        /// What that one calls itself.
        current: Box<str>,
        /// Its owner level.
        level: OwnerLevel,
    },
    /// Another one has an owner level, and this one has none.
    Owned {
        /// The other one's.
        level: OwnerLevel,
    },
    /// As many without an owner level read as may: [`EVENT_RECEIVERS_WITHOUT_LEVEL_MAX`].
    TooMany,
}

/// A position in a partition that moves on with each read.
pub struct EventCursor<P: Ports> {
    core: Arc<Core<P>>,
    partition: PartitionId,
    start: Start,
}

impl<P: Ports> Events<P> {
    /// Registers a reader of a partition, displacing those that it may. `name` is for people.
    pub fn receiver(
        &self,
        group: &str,
        partition: PartitionId,
        name: &str,
        level: Option<OwnerLevel>,
    ) -> Result<Receiver, ReceiverRefused> {
        let mut table = self.core.receivers.0.lock();
        // Under the lock, so that a group which is removed from now on ends this receiver too.
        if !has_consumer_group(&self.core.settings.current(), group) {
            return Err(ReceiverRefused::ConsumerGroupNotFound);
        }
        let place = (group.to_ascii_lowercase().into(), partition);
        let (lost, receiver) = oneshot::channel();
        let id = table.insert(&place, name, level, lost)?;
        drop(table);
        Ok(Receiver {
            receivers: Arc::clone(&self.core.receivers),
            place,
            id,
            lost: receiver,
        })
    }

    /// A cursor that reads on from `start`. [`Start::Latest`] means from this moment on.
    pub fn cursor(&self, partition: PartitionId, start: Start) -> Result<EventCursor<P>, HubError> {
        let end = self.bounds(partition)?.next;
        let start = match start {
            Start::Latest => Start::At(end),
            Start::Earliest | Start::At(_) | Start::Since(_) => start,
        };
        Ok(EventCursor {
            core: Arc::clone(&self.core),
            partition,
            start,
        })
    }
}

impl Receiver {
    /// Ready when the right to read is lost; nothing may be delivered after that.
    pub fn poll_lost(&mut self, cx: &mut Context<'_>) -> Poll<ReceiverLost> {
        // The other end is kept until it has said something.
        let lost = Pin::new(&mut self.lost).poll(cx);
        lost.map(|lost| lost.unwrap_or(ReceiverLost::ConsumerGroupRemoved))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.receivers.0.lock().remove(&self.place, self.id);
    }
}

impl<P: Ports> EventCursor<P> {
    /// The next events, at least one, at most about `bytes_max` of them; waits for one. Cancel-safe.
    pub async fn next(&mut self, bytes_max: usize) -> Result<Vec<LogRecord>, HubError> {
        let log = &self.core.log;
        loop {
            // Looked up before reading: what comes in between is waited for in vain and found by the next read.
            let end = log.bounds(self.partition)?.next;
            let records = log.read(self.partition, self.start, bytes_max).await?;
            if let Some(last) = records.last() {
                self.start = Start::At(last.sequence.next());
                return Ok(records);
            }
            log.wait(self.partition, self.after(end)).await?;
        }
    }

    /// The event to wait for: not one before the position, and none that is there already.
    fn after(&self, end: SequenceNumber) -> SequenceNumber {
        match self.start {
            Start::At(sequence) => sequence.max(end),
            Start::Earliest | Start::Latest | Start::Since(_) => end,
        }
    }
}

impl<P: Ports> fmt::Debug for EventCursor<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventCursor")
            .field("partition", &self.partition)
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}

impl Receivers {
    /// Ends the receivers of groups that are no more.
    pub(crate) fn end_removed_groups(&self, settings: &LiveSettings) {
        let mut table = self.0.lock();
        let settings = settings.current();
        let removed = table
            .by_place
            .extract_if(|(group, _), _| !has_consumer_group(&settings, group));
        for entry in removed.flat_map(|(_, entries)| entries) {
            // A receiver that has gone needs not be told.
            let _ = entry.lost.send(ReceiverLost::ConsumerGroupRemoved);
        }
    }
}

impl Table {
    fn insert(
        &mut self,
        place: &Place,
        name: &str,
        level: Option<OwnerLevel>,
        lost: oneshot::Sender<ReceiverLost>,
    ) -> Result<u64, ReceiverRefused> {
        let entries = self.by_place.entry(place.clone()).or_default();
        check(entries, level)?;
        if let Some(level) = level {
            for entry in entries.drain(..) {
                let by = name.into();
                let _ = entry.lost.send(ReceiverLost::Displaced { by, level });
            }
        }
        self.next_id += 1;
        let id = self.next_id;
        entries.push(Entry {
            id,
            name: name.into(),
            level,
            lost,
        });
        Ok(id)
    }

    fn remove(&mut self, place: &Place, id: u64) {
        let Some(entries) = self.by_place.get_mut(place) else {
            return;
        };
        entries.retain(|entry| entry.id != id);
        if entries.is_empty() {
            self.by_place.remove(place);
        }
    }
}

/// May one of this level come in?
fn check(entries: &[Entry], level: Option<OwnerLevel>) -> Result<(), ReceiverRefused> {
    let owner = entries.iter().find_map(|entry| Some((entry, entry.level?)));
    match (owner, level) {
        (Some((entry, current)), Some(own)) if own < current => Err(ReceiverRefused::LevelTooLow {
            current: entry.name.clone(),
            level: current,
        }),
        (Some((_, level)), None) => Err(ReceiverRefused::Owned { level }),
        (None, None) if entries.len() >= EVENT_RECEIVERS_WITHOUT_LEVEL_MAX => Err(ReceiverRefused::TooMany),
        (Some(_) | None, Some(_)) | (None, None) => Ok(()),
    }
}
