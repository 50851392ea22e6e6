//! The built-in endpoint: reading the event log, and the events that the hub itself makes.

pub(crate) mod connection_state;
pub(crate) mod notice;
mod receivers;
pub mod stored_form;

use ironhub_model::{ConsumerGroup, HubSettings, PartitionId, SequenceNumber};

use crate::core::service;
use crate::error::HubError;
use crate::ports::{Bounds, EventLog, LogRecord, Ports, Start};

pub(crate) use receivers::Receivers;
pub use receivers::{EventCursor, Receiver, ReceiverLost, ReceiverRefused};
pub use stored_form::{StoredEvent, StoredFormError};

/// Names of message annotations, as readers of the built-in endpoint know them.
pub mod annotation {
    /// The device that sent the message, or that the event tells of.
    pub const DEVICE_ID: &str = "iothub-connection-device-id";
    /// The module, when it is one.
    pub const MODULE_ID: &str = "iothub-connection-module-id";
    /// JSON that says how the sender had proven itself.
    pub const AUTH_METHOD: &str = "iothub-connection-auth-method";
    /// Which creation of the identity sent it.
    pub const AUTH_GENERATION_ID: &str = "iothub-connection-auth-generation-id";
    /// When the hub took the event; written by the reader, from the log's frame.
    pub const ENQUEUED_TIME: &str = "iothub-enqueuedtime";
    /// See [`ironhub_model::EventSource::annotation`].
    pub const MESSAGE_SOURCE: &str = "iothub-message-source";
    /// The digital twin model that the device announced.
    pub const MODEL_ID: &str = "dt-dataschema";
    /// The Plug and Play component.
    pub const COMPONENT: &str = "dt-subject";
    /// Marks security messages.
    pub const INTERFACE_ID: &str = "iothub-interface-id";
    /// The trace that the message belongs to.
    pub const TRACE_ID: &str = "Diagnostic-Id";
    /// What that trace carries along.
    pub const TRACE_CONTEXT: &str = "Correlation-Context";
    /// The output of a module that the message was sent to.
    pub const OUTPUT_NAME: &str = "iothub-outputname";
}

service! {
    /// Reads the built-in endpoint. Whoever calls has been authorized for it.
    Events
}

impl<P: Ports> Events<P> {
    /// How many partitions there are; fixed when the hub was created.
    pub fn partitions(&self) -> u32 {
        self.core.log.partitions()
    }

    /// Is there a consumer group of this name? `$Default` always; letter case does not matter.
    pub fn has_consumer_group(&self, name: &str) -> bool {
        has_consumer_group(&self.core.settings.current(), name)
    }

    /// What a partition holds now.
    pub fn bounds(&self, partition: PartitionId) -> Result<Bounds, HubError> {
        Ok(self.core.log.bounds(partition)?)
    }

    /// Reads from a partition: at least one event when there is one, at most about `bytes_max` of events.
    pub async fn read(
        &self,
        partition: PartitionId,
        from: Start,
        bytes_max: usize,
    ) -> Result<Vec<LogRecord>, HubError> {
        Ok(self.core.log.read(partition, from, bytes_max).await?)
    }

    /// Resolves when the partition holds, or has held, the event `sequence`.
    pub async fn wait(&self, partition: PartitionId, sequence: SequenceNumber) -> Result<(), HubError> {
        Ok(self.core.log.wait(partition, sequence).await?)
    }
}

fn has_consumer_group(settings: &HubSettings, name: &str) -> bool {
    let mut configured = settings.consumer_groups.iter();
    name.eq_ignore_ascii_case(ConsumerGroup::DEFAULT) || configured.any(|group| group.is_named(name))
}
