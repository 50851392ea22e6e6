//! Presence, and the events that tell of it.

use std::sync::Arc;

use ironhub_model::registry::ConnectionState;
use ironhub_model::{EventSource, Timestamp};
use tracing::warn;

use super::LinkState;
use super::table::Inserted;
use crate::auth::DevicePrincipal;
use crate::core::Core;
use crate::error::HubError;
use crate::events::connection_state;
use crate::events::notice::{Notice, Operation};
use crate::ports::{Commit, Ports};

impl<P: Ports> Core<P> {
    /// Puts a new link into the table. State and number change together with the table, so that of two events of an
    /// identity the later one has the greater number.
    pub(super) fn join(&self, link: &Arc<LinkState>) -> Inserted {
        let now = self.now();
        self.links.insert(link, || {
            self.set_presence(link, ConnectionState::Connected, now);
            self.event_numbers.next(now)
        })
    }

    /// Takes a link out of the table. `None` when another has taken its place.
    pub(super) fn leave(&self, link: &Arc<LinkState>) -> Option<u64> {
        let now = self.now();
        self.links.remove(link, || {
            self.set_presence(link, ConnectionState::Disconnected, now);
            self.event_numbers.next(now)
        })
    }

    fn set_presence(&self, link: &LinkState, state: ConnectionState, now: Timestamp) {
        let principal = link.principal();
        self.presence.set_state(link.id(), &principal.generation_id, state, now);
    }

    pub(super) async fn tell_connected(&self, principal: &DevicePrincipal, number: u64) -> Result<(), HubError> {
        self.tell_state(principal, Operation::Connected, number).await
    }

    /// The connection is gone whether or not the event can be written.
    pub(super) async fn tell_disconnected(&self, principal: &DevicePrincipal, number: u64) {
        if let Err(error) = self.tell_state(principal, Operation::Disconnected, number).await {
            warn!(id = %principal.id, %error, "connection state event not written");
        }
    }

    async fn tell_state(&self, principal: &DevicePrincipal, operation: Operation, number: u64) -> Result<(), HubError> {
        let source = EventSource::DeviceConnectionStateEvents;
        let commit = self.with_notice(Commit::new(), source, || Notice {
            operation,
            id: &principal.id,
            generation: Some(&principal.generation_id),
            at: self.now(),
            body: connection_state::body(number),
        });
        if !commit.outbox.is_empty() {
            self.commit(commit).await?;
        }
        Ok(())
    }
}
