//! Ending links that a registry write has made illegal: after the commit, before its caller is answered.

use std::time::Duration;

use ironhub_model::{DeviceIdentity, DeviceStatus, IdentityId};
use tracing::warn;

use super::authentication::is_narrower;
use crate::core::Core;
use crate::error::HubError;
use crate::ports::{BusError, DeviceBus, NodeRequest, Ports};
use crate::store;

/// How long another process may take to end a link.
const REVOKE_TIMEOUT: Duration = Duration::from_secs(5);

impl<P: Ports> Core<P> {
    /// A device that was disabled loses its modules' links too; new credentials concern only its own.
    pub(super) async fn revoke_after_update(&self, old: &DeviceIdentity, new: &DeviceIdentity) -> Result<(), HubError> {
        let was_disabled = old.status == DeviceStatus::Enabled && new.status == DeviceStatus::Disabled;
        if was_disabled || is_narrower(&old.authentication, &new.authentication) {
            self.revoke(&IdentityId::device(new.device_id.clone())).await;
        }
        if was_disabled {
            for module in store::identities::modules_of(&self.state, &new.device_id).await? {
                let module = IdentityId::module(new.device_id.clone(), module.module_id);
                self.revoke(&module).await;
            }
        }
        Ok(())
    }

    /// Ends the link of this identity, wherever it is. A process that does not answer is warned about: what its link
    /// does next is checked against the registry again.
    pub(super) async fn revoke(&self, id: &IdentityId) {
        if let Err(error) = self.try_revoke(id).await {
            warn!(%id, %error, "link not revoked");
        }
    }

    async fn try_revoke(&self, id: &IdentityId) -> Result<(), BusError> {
        let Some(location) = self.bus.locate(id).await? else {
            return Ok(());
        };
        let request = NodeRequest::Revoke { id: id.clone() };
        match self.bus.call(&location.node, request, REVOKE_TIMEOUT).await {
            Ok(_) | Err(BusError::NoNode) => Ok(()),
            Err(BusError::TimedOut) => Err(BusError::TimedOut),
        }
    }
}
