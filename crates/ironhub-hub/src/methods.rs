//! Direct methods: a request to a connected device and its answer, at most once, never queued for later.

mod outstanding;

use std::time::Duration;

use ironhub_model::limits::METHODS_IN_FLIGHT_MAX;
use ironhub_model::{IdentityId, MethodCall, MethodResponse};
use tokio::sync::Semaphore;
use tokio::time::Instant;

pub(crate) use outstanding::{Call, Outstanding};

use crate::core::service;
use crate::error::HubError;
use crate::ports::{BusError, DeviceBus, NodeReply, NodeRequest, Ports};

/// Between two looks at a device that is claimed, but whose link has not got its place yet, or has just lost it.
const SETTLE_WAIT: Duration = Duration::from_millis(20);
/// What a call may take beside waiting for the device.
const BUS_SLACK: Duration = Duration::from_secs(5);

service! {
    /// Calls direct methods.
    Methods
}

/// Calls of the whole process that are under way.
#[derive(Debug)]
pub(crate) struct InFlight(Semaphore);

impl Default for InFlight {
    fn default() -> Self {
        Self(Semaphore::new(METHODS_IN_FLIGHT_MAX))
    }
}

impl<P: Ports> Methods<P> {
    /// Calls a method and waits for the answer. An unknown device or module fails at once, and so does a disabled
    /// device. One that is not connected, or does not listen for methods, fails after the call's connect timeout.
    /// When the caller goes away, so does the call; the device may still carry it out.
    pub async fn invoke(&self, id: &IdentityId, call: MethodCall) -> Result<MethodResponse, HubError> {
        let _permit = self.core.methods.0.try_acquire().map_err(|_| HubError::Busy)?;
        let connect_timeout = call.connect_timeout;
        let response_timeout = call.response_timeout;
        if !self.core.may_connect(id).await? {
            return Err(HubError::NotOnline { connect_timeout });
        }
        let reply = self.call(id, call, Instant::now() + connect_timeout).await?;
        let outcome = match &reply {
            NodeReply::Method(_) => "answered",
            NodeReply::TimedOut => "timed_out",
            NodeReply::NotOnline | NodeReply::Done => "not_online",
            NodeReply::Disconnected => "disconnected",
            NodeReply::TooManyInFlight => "too_many_in_flight",
            NodeReply::InvalidResponse => "invalid_response",
        };
        metrics::counter!("ironhub_methods_total", "outcome" => outcome).increment(1);
        match reply {
            NodeReply::Method(response) => Ok(response),
            NodeReply::TimedOut => Err(HubError::MethodTimedOut {
                timeout: response_timeout,
            }),
            NodeReply::NotOnline | NodeReply::Done => Err(HubError::NotOnline { connect_timeout }),
            NodeReply::Disconnected => Err(HubError::Disconnected),
            NodeReply::TooManyInFlight => Err(HubError::TooManyInFlight),
            NodeReply::InvalidResponse => Err(HubError::InvalidMethodResponse),
        }
    }

    /// Goes to wherever the device is connected; until the deadline it waits for it to connect.
    async fn call(&self, id: &IdentityId, call: MethodCall, deadline: Instant) -> Result<NodeReply, HubError> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if let Some(location) = self.core.bus.locate(id).await? {
                let timeout = left + call.response_timeout + BUS_SLACK;
                let request = NodeRequest::Method {
                    id: id.clone(),
                    call: MethodCall {
                        connect_timeout: left,
                        ..call.clone()
                    },
                };
                match self.core.bus.call(&location.node, request, timeout).await {
                    Ok(NodeReply::NotOnline) | Err(BusError::NoNode) => {}
                    Ok(reply) => return Ok(reply),
                    Err(BusError::TimedOut) => return Ok(NodeReply::TimedOut),
                }
                // Its link is about to come or has just gone: look again, but not without a pause.
                let pause = Instant::now() + SETTLE_WAIT;
                if pause >= deadline {
                    return Ok(NodeReply::NotOnline);
                }
                tokio::time::sleep_until(pause).await;
            }
            let claimed = self.core.bus.claimed(id);
            if tokio::time::timeout_at(deadline, claimed).await.is_err() {
                return Ok(NodeReply::NotOnline);
            }
        }
    }
}
