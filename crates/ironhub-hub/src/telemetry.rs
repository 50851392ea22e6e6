//! Device-to-cloud messages: checked, encoded once, handed to the log.

mod encoding;

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use ironhub_model::limits::D2C_MESSAGE_BYTES_MAX;
use ironhub_model::{D2cMessage, EncodedD2cMessage, EventSource, PartitionId, Timestamp};

use crate::auth::DevicePrincipal;
use crate::connections::{Gate, Link};
use crate::core::{Core, service};
use crate::error::{HubError, Unauthorized};
use crate::events::stored_form::Prefix;
use crate::ports::{Completion, EventLog, Ports, SubmitError};

service! {
    /// Takes device-to-cloud messages.
    Telemetry
}

/// Sends the messages of one connection, or of one HTTPS request. What all of them have in common is encoded already.
pub struct TelemetrySender<P: Ports> {
    core: Arc<Core<P>>,
    gate: Option<Arc<Gate>>,
    /// Where there is no gate: until when the caller is who it was.
    expires_at: Option<Timestamp>,
    partition: PartitionId,
    prefix: Prefix,
}

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TelemetryError {
    /// The log's inbox is full: await [`TelemetrySender::ready`], then submit again.
    #[error("the event log's inbox is full")]
    Full,
    /// It cannot be taken at all.
    #[error(transparent)]
    Hub(#[from] HubError),
}

impl<P: Ports> Telemetry<P> {
    /// A sender for one request without a link (HTTPS). A connection takes [`Link::telemetry`], which a revocation
    /// closes together with the link.
    pub fn sender(&self, principal: &DevicePrincipal, model_id: Option<&str>) -> TelemetrySender<P> {
        sender(&self.core, principal, model_id, None)
    }
}

impl<P: Ports> Link<P> {
    /// The sender of this connection: it refuses from the moment at which the link is revoked, replaced or expired.
    pub fn telemetry(&self) -> TelemetrySender<P> {
        let (core, gate) = (self.core(), Arc::clone(self.gate()));
        sender(core, self.principal(), self.model_id(), Some(gate))
    }
}

fn sender<P: Ports>(
    core: &Arc<Core<P>>,
    principal: &DevicePrincipal,
    model_id: Option<&str>,
    gate: Option<Arc<Gate>>,
) -> TelemetrySender<P> {
    TelemetrySender {
        gate,
        expires_at: principal.expires_at,
        partition: core.partition(principal.id.device.as_str()),
        prefix: encoding::prefix(&principal.id, &principal.generation_id, principal.kind, model_id),
        core: Arc::clone(core),
    }
}

thread_local! {
    /// Where events are encoded; it grows to the largest event of its thread and stays.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl<P: Ports> TelemetrySender<P> {
    /// Encodes a message and queues it. The completion resolves when it is durable; nothing may be acknowledged before.
    /// Where the routes take no telemetry the message is dropped, and its completion is resolved.
    pub fn submit(&self, message: &D2cMessage<'_>) -> Result<Completion, TelemetryError> {
        self.store(message.size_bytes(), |prefix, out| {
            encoding::encode(prefix, message, out);
            Ok(())
        })
    }

    /// The same for a message that is AMQP already: its properties and body are stored as they came.
    pub fn submit_encoded(&self, message: &EncodedD2cMessage<'_>) -> Result<Completion, TelemetryError> {
        self.store(message.size_bytes, |prefix, out| {
            encoding::copy(prefix, message, out).map_err(|error| HubError::Malformed(error.to_string()))
        })
    }

    fn store(
        &self,
        size_bytes: usize,
        encode: impl FnOnce(&Prefix, &mut Vec<u8>) -> Result<(), HubError>,
    ) -> Result<Completion, TelemetryError> {
        self.check_caller()?;
        if size_bytes > D2C_MESSAGE_BYTES_MAX {
            let bytes_max = D2C_MESSAGE_BYTES_MAX;
            return Err(HubError::MessageTooLarge { bytes_max }.into());
        }
        if !self.core.is_routed(EventSource::DeviceMessages) {
            metrics::counter!("ironhub_telemetry_dropped_total").increment(1);
            return Ok(Completion::durable_already());
        }
        SCRATCH.with_borrow_mut(|scratch| {
            encode(&self.prefix, scratch)?;
            match self.core.log.submit(self.partition, scratch) {
                Ok(completion) => Ok(completion),
                Err(SubmitError::Full) => Err(TelemetryError::Full),
                Err(error) => Err(HubError::from(error).into()),
            }
        })
    }

    /// Resolves when the log's inbox has room again after [`TelemetryError::Full`].
    pub async fn ready(&self) -> Result<(), HubError> {
        Ok(self.core.log.ready().await?)
    }

    fn check_caller(&self) -> Result<(), HubError> {
        let now = self.core.now();
        match &self.gate {
            Some(gate) => gate.pass(now),
            None if self.expires_at.is_some_and(|end| now > end) => Err(Unauthorized::ExpiredToken.into()),
            None => Ok(()),
        }
    }
}

impl<P: Ports> fmt::Debug for TelemetrySender<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TelemetrySender")
            .field("partition", &self.partition)
            .finish_non_exhaustive()
    }
}
