//! Requests that take the hub some time, done one after the other while the connection goes on.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use ironhub_dialect::mqtt::twin;
use ironhub_hub::{DevicePrincipal, Hub, HubError, Ports};
use ironhub_model::LockToken;
use ironhub_model::limits::{MQTT_PACKET_BYTES_MAX, OPERATIONS_PER_CONNECTION_MAX};
use tracing::warn;

use crate::twin_refusal::refusal;

/// Bytes that the waiting requests may hold, besides the one that crosses the line.
const BYTES_MAX: usize = 2 * MQTT_PACKET_BYTES_MAX;

/// Something to do.
#[derive(Debug)]
pub(super) enum Operation {
    /// The device asks for its twin.
    TwinGet { request_id: String },
    /// The device patches its reported properties.
    TwinReported {
        request_id: String,
        version: Option<u64>,
        patch: Vec<u8>,
    },
    /// The device has taken a C2D message over.
    CompleteC2d(LockToken),
    /// A C2D message cannot be sent at all.
    RejectC2d(LockToken),
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Outcome {
    /// A twin request's answer.
    TwinResponse { topic: String, body: String },
    /// A C2D message is settled, or can no longer be.
    C2dSettled,
}

/// The requests of one connection, in their order.
pub(super) struct Operations<P: Ports> {
    hub: Hub<P>,
    principal: DevicePrincipal,
    waiting: VecDeque<Operation>,
    waiting_bytes: usize,
    running: Option<Pin<Box<dyn Future<Output = Outcome> + Send>>>,
    taken: u64,
    done: u64,
}

impl<P: Ports> Operations<P> {
    pub(super) fn new(hub: Hub<P>, principal: DevicePrincipal) -> Self {
        Self {
            hub,
            principal,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            running: None,
            taken: 0,
            done: 0,
        }
    }

    /// Shall the device send no further request for now?
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= OPERATIONS_PER_CONNECTION_MAX || self.waiting_bytes >= BYTES_MAX
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running.is_none()
    }

    /// How many are done.
    pub(super) fn done(&self) -> u64 {
        self.done
    }

    /// Takes one more; returns its number, from 1.
    pub(super) fn push(&mut self, operation: Operation) -> u64 {
        self.waiting_bytes += operation.bytes();
        self.waiting.push_back(operation);
        self.taken += 1;
        self.start();
        self.taken
    }

    /// The next outcome; never when there is nothing to do. Cancel-safe.
    pub(super) async fn next(&mut self) -> Outcome {
        poll_fn(|cx| {
            let Some(running) = &mut self.running else {
                return Poll::Pending;
            };
            let polled = running.as_mut().poll(cx);
            if polled.is_ready() {
                self.running = None;
                self.done += 1;
                self.start();
            }
            polled
        })
        .await
    }

    fn start(&mut self) {
        if self.running.is_none()
            && let Some(operation) = self.waiting.pop_front()
        {
            self.waiting_bytes -= operation.bytes();
            let (hub, principal) = (self.hub.clone(), self.principal.clone());
            self.running = Some(Box::pin(perform(hub, principal, operation)));
        }
    }
}

impl Operation {
    fn bytes(&self) -> usize {
        match self {
            Self::TwinGet { request_id } => request_id.len(),
            Self::TwinReported { request_id, patch, .. } => request_id.len() + patch.len(),
            Self::CompleteC2d(_) | Self::RejectC2d(_) => 0,
        }
    }
}

async fn perform<P: Ports>(hub: Hub<P>, principal: DevicePrincipal, operation: Operation) -> Outcome {
    match operation {
        Operation::TwinGet { request_id } => match hub.twins.device_twin(&principal).await {
            Ok(body) => Outcome::TwinResponse {
                topic: twin::response_topic(200, &request_id, None),
                body,
            },
            Err(error) => twin_error(&hub, &request_id, &error),
        },
        Operation::TwinReported {
            request_id,
            version,
            patch,
        } => match hub.twins.update_reported(&principal, &patch, version).await {
            Ok(version) => Outcome::TwinResponse {
                topic: twin::response_topic(204, &request_id, Some(version)),
                body: String::new(),
            },
            Err(error) => twin_error(&hub, &request_id, &error),
        },
        Operation::CompleteC2d(lock_token) => settled(&principal, hub.c2d.complete(&principal, &lock_token).await),
        Operation::RejectC2d(lock_token) => settled(&principal, hub.c2d.reject(&principal, &lock_token).await),
    }
}

fn settled(principal: &DevicePrincipal, result: Result<(), HubError>) -> Outcome {
    match result {
        // Expired, purged or deleted meanwhile: nothing is left to settle.
        Ok(()) | Err(HubError::LockLost) => {}
        Err(error) => warn!(device_id = %principal.id, %error, "a C2D message could not be settled"),
    }
    Outcome::C2dSettled
}

fn twin_error<P: Ports>(hub: &Hub<P>, request_id: &str, error: &HubError) -> Outcome {
    let (status, body) = refusal(hub, error);
    Outcome::TwinResponse {
        topic: twin::response_topic(status, request_id, None),
        body,
    }
}
