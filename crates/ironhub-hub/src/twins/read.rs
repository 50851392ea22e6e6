//! The whole twin as the back end sees it: joined with identity, connection and queue.

use ironhub_model::identity::Capabilities;
use ironhub_model::registry::ConnectionView;
use ironhub_model::twin::{PropertiesView, Twin, TwinView, X509ThumbprintView};
use ironhub_model::{DeviceIdentity, DeviceStatus, IdentityId, ModuleIdentity, Timestamp};

use crate::core::Core;
use crate::error::HubError;
use crate::ports::Ports;
use crate::registry::read::{name_of_device, name_of_module};
use crate::store;

impl<P: Ports> Core<P> {
    pub(super) async fn twin_view(&self, id: &IdentityId) -> Result<TwinView, HubError> {
        let (twin, _) = self.load_twin(id).await?;
        self.view_of_twin(id, twin).await
    }

    pub(super) async fn view_of_twin(&self, id: &IdentityId, twin: Twin) -> Result<TwinView, HubError> {
        if let Some(module) = &id.module {
            let found = store::identities::module(&self.state, &id.device, module).await?;
            let Some((identity, _)) = found else {
                return Err(self.missing(id).await?);
            };
            let connection = self.connection_of(name_of_module(&identity)).await?;
            return Ok(view_of_module_twin(&identity, twin, connection));
        }
        let found = store::identities::device(&self.state, &id.device).await?;
        let (identity, _) = found.ok_or_else(|| HubError::DeviceNotFound(id.device.clone()))?;
        let connection = self.connection_of(name_of_device(&identity)).await?;
        let c2d_count = self.c2d_count(&identity.device_id).await?;
        Ok(view_of_device_twin(&identity, twin, connection, c2d_count))
    }
}

pub(crate) fn view_of_device_twin(
    identity: &DeviceIdentity,
    twin: Twin,
    connection: ConnectionView,
    c2d_count: u32,
) -> TwinView {
    TwinView {
        device_id: identity.device_id.clone(),
        module_id: None,
        etag: twin.etag(),
        device_etag: identity.etag.clone(),
        status: identity.status,
        status_reason: identity.status_reason.clone(),
        status_update_time: identity.status_updated_at,
        connection_state: connection.state.as_str(),
        last_activity_time: connection.last_activity_at,
        cloud_to_device_message_count: c2d_count,
        authentication_type: identity.authentication.kind().as_str(),
        x509_thumbprint: X509ThumbprintView::of(&identity.authentication),
        version: twin.version(),
        properties: PropertiesView::of(&twin),
        model_id: twin.model_id.unwrap_or_default(),
        tags: twin.tags,
        capabilities: identity.capabilities,
        device_scope: identity.device_scope.clone(),
        parent_scopes: identity.parent_scopes.clone(),
    }
}

/// A module has no status, queue or capabilities of its own; its twin shows the neutral values.
pub(crate) fn view_of_module_twin(identity: &ModuleIdentity, twin: Twin, connection: ConnectionView) -> TwinView {
    TwinView {
        device_id: identity.device_id.clone(),
        module_id: Some(identity.module_id.clone()),
        etag: twin.etag(),
        device_etag: identity.etag.clone(),
        status: DeviceStatus::Enabled,
        status_reason: None,
        status_update_time: Timestamp::NEVER,
        connection_state: connection.state.as_str(),
        last_activity_time: connection.last_activity_at,
        cloud_to_device_message_count: 0,
        authentication_type: identity.authentication.kind().as_str(),
        x509_thumbprint: X509ThumbprintView::of(&identity.authentication),
        version: twin.version(),
        properties: PropertiesView::of(&twin),
        model_id: twin.model_id.unwrap_or_default(),
        tags: twin.tags,
        capabilities: Capabilities::default(),
        device_scope: None,
        parent_scopes: Vec::new(),
    }
}
