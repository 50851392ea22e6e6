//! What all devices send: the built-in endpoint, read partition by partition.

mod place;
mod reader;

use std::collections::BTreeMap;
use std::fmt;

use ironhub_dialect::amqp::events::ReceivedEvent;
use ironhub_model::{ConsumerGroup, Timestamp};
use serde_json::{Map, Value};

use super::ServiceClient;
use crate::error::Error;
pub use reader::EventReader;

/// Where a reader begins in a partition for which it has no position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StartFrom {
    /// With the oldest event that is still there.
    Earliest,
    /// With the first event after the reader has connected.
    #[default]
    Latest,
    /// With the first event that the hub took at this instant or later.
    Since(Timestamp),
}

/// An event of the built-in endpoint: telemetry, or something that the hub tells, such as a changed twin.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The partition; one device's events are all in one.
    pub partition: String,
    /// Its place there.
    pub sequence_number: i64,
    /// Names that place; a reader goes on after it.
    pub offset: String,
    /// When the hub took it.
    pub enqueued_at: Timestamp,
    /// The sender's standard properties and the hub's annotations, by their names on the wire, such as `content-type`
    /// and `iothub-connection-device-id`.
    pub system_properties: Map<String, Value>,
    /// The sender's own properties.
    pub properties: Map<String, Value>,
    /// As it was sent.
    pub body: Vec<u8>,
}

/// By partition, the offset of the last event that is dealt with.
pub type Positions = BTreeMap<String, String>;

type Hook = Box<dyn FnMut(&Positions) + Send>;
type OutageHook = Box<dyn FnMut(&Error) + Send>;

/// A reader of events before it connects; made by [`ServiceClient::events`].
pub struct EventReaderBuilder {
    service: ServiceClient,
    consumer_group: String,
    start: StartFrom,
    positions: Positions,
    partitions: Option<Vec<String>>,
    checkpoint: Option<(u64, Hook)>,
    on_outage: Option<OutageHook>,
}

impl ServiceClient {
    /// Reads the events of all devices; see [`EventReader`].
    pub fn events(&self) -> EventReaderBuilder {
        EventReaderBuilder {
            service: self.clone(),
            consumer_group: ConsumerGroup::DEFAULT.to_owned(),
            start: StartFrom::default(),
            positions: Positions::new(),
            partitions: None,
            checkpoint: None,
            on_outage: None,
        }
    }
}

impl EventReaderBuilder {
    /// `$Default` unless set. Readers of different groups do not disturb each other.
    pub fn consumer_group(mut self, name: impl Into<String>) -> Self {
        self.consumer_group = name.into();
        self
    }

    /// Where to begin in partitions without a position: with what is new unless set.
    pub fn start(mut self, start: StartFrom) -> Self {
        self.start = start;
        self
    }

    /// Goes on after these positions, as an earlier reader's [`EventReader::positions`] or its checkpoint told them.
    pub fn resume_from(mut self, positions: Positions) -> Self {
        self.positions = positions;
        self
    }

    /// Only these partitions; all unless set.
    pub fn partitions(mut self, partitions: impl IntoIterator<Item = String>) -> Self {
        self.partitions = Some(partitions.into_iter().collect());
        self
    }

    /// Calls `hook` with the reader's positions after every `count` events that were dealt with: to write them down.
    /// An event counts as dealt with when the next one is asked for.
    pub fn checkpoint_every(mut self, count: u64, hook: impl FnMut(&Positions) + Send + 'static) -> Self {
        self.checkpoint = Some((count.max(1), Box::new(hook)));
        self
    }

    /// Calls `hook` when the connection breaks, with the reason: once, however many attempts the reader then makes to
    /// connect again. For those who want to show it; nobody has to act on it.
    pub fn on_outage(mut self, hook: impl FnMut(&Error) + Send + 'static) -> Self {
        self.on_outage = Some(Box::new(hook));
        self
    }
}

impl Event {
    /// The device that sent it, or that it tells of.
    pub fn device_id(&self) -> Option<&str> {
        self.system_properties.get("iothub-connection-device-id")?.as_str()
    }

    /// The module, when it is one.
    pub fn module_id(&self) -> Option<&str> {
        self.system_properties.get("iothub-connection-module-id")?.as_str()
    }

    /// `Telemetry`, `twinChangeEvents`, and so on.
    pub fn source(&self) -> Option<&str> {
        self.system_properties.get("iothub-message-source")?.as_str()
    }

    fn new(partition: &str, event: ReceivedEvent) -> Self {
        Self {
            partition: partition.to_owned(),
            sequence_number: event.sequence_number,
            offset: event.offset,
            enqueued_at: event.enqueued_at,
            system_properties: event.system_properties,
            properties: event.properties,
            body: event.body,
        }
    }
}

impl fmt::Debug for EventReaderBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventReaderBuilder")
            .field("consumer_group", &self.consumer_group)
            .field("start", &self.start)
            .field("positions", &self.positions)
            .finish_non_exhaustive()
    }
}
