//! Telling of a twin's change: the device's link and the event log.

use std::time::Duration;

use ironhub_model::twin::{DesiredNotice, TwinChange, TwinEvent};
use ironhub_model::{EventSource, IdentityId};
use tracing::debug;

use crate::core::Core;
use crate::events::notice::{Notice, Operation};
use crate::ports::{BusError, Commit, DeviceBus, NodeRequest, Ports};

/// How long another process may take to queue a notice for its link.
const NOTICE_TIMEOUT: Duration = Duration::from_secs(5);

impl<P: Ports> Core<P> {
    /// Brings a notice to the link, if there is one. The link puts notices in the order of their versions. A device
    /// that misses one finds the change when it next gets its twin, which it does after each connection.
    pub(super) async fn tell_desired(&self, id: &IdentityId, notice: DesiredNotice) {
        if let Err(error) = self.try_tell_desired(id, notice).await {
            debug!(%id, %error, "desired properties not told");
        }
    }

    /// Adds the twin-change event, when a route takes it.
    pub(super) fn with_twin_event(&self, commit: Commit, id: &IdentityId, change: &TwinChange) -> Commit {
        self.with_notice(commit, EventSource::TwinChangeEvents, || Notice {
            operation: match change.event {
                TwinEvent::Update(_) => Operation::UpdateTwin,
                TwinEvent::Replace => Operation::ReplaceTwin,
            },
            id,
            generation: None,
            at: self.now(),
            body: change.event_body(id).to_string(),
        })
    }

    async fn try_tell_desired(&self, id: &IdentityId, notice: DesiredNotice) -> Result<(), BusError> {
        let Some(location) = self.bus.locate(id).await? else {
            return Ok(());
        };
        let request = NodeRequest::Desired {
            id: id.clone(),
            version: notice.version,
            patch: notice.patch,
        };
        self.bus.call(&location.node, request, NOTICE_TIMEOUT).await.map(drop)
    }
}
