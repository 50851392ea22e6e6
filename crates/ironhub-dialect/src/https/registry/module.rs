//! Modules as JSON.

use ironhub_model::registry::{ModuleSpec, ModuleView};
use ironhub_model::{DeviceId, ModuleId, Timestamp};
use serde::Serialize;

use super::authentication::{self, AuthenticationBody};
use crate::https::error::{InvalidRequest, print};
use crate::https::json::{self, Members};

/// Reads the body of a PUT on this module; what a caller cannot write is ignored.
pub fn module_spec(device: &DeviceId, module: &ModuleId, body: &[u8]) -> Result<ModuleSpec, InvalidRequest> {
    let value = json::parse(body)?;
    let members = Members::of(&value, "the body")?;
    if members.text("deviceId")?.is_some_and(|named| named != device.as_str()) {
        return Err(InvalidRequest::OtherIdentity("deviceId"));
    }
    if members.text("moduleId")?.is_some_and(|named| named != module.as_str()) {
        return Err(InvalidRequest::OtherIdentity("moduleId"));
    }
    Ok(ModuleSpec {
        device_id: device.clone(),
        module_id: module.clone(),
        managed_by: members.string("managedBy")?,
        authentication: authentication::spec(&members)?,
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ModuleBody<'a> {
    module_id: &'a ModuleId,
    managed_by: Option<&'a str>,
    device_id: &'a DeviceId,
    generation_id: &'a str,
    etag: &'a str,
    connection_state: &'static str,
    connection_state_updated_time: Timestamp,
    last_activity_time: Timestamp,
    /// Modules have no queue; the service prints the member all the same.
    cloud_to_device_message_count: u32,
    authentication: AuthenticationBody<'a>,
}

impl<'a> ModuleBody<'a> {
    fn of(view: &'a ModuleView) -> Self {
        let identity = &view.identity;
        Self {
            module_id: &identity.module_id,
            managed_by: identity.managed_by.as_deref(),
            device_id: &identity.device_id,
            generation_id: identity.generation_id.as_str(),
            etag: identity.etag.as_str(),
            connection_state: view.connection.state.as_str(),
            connection_state_updated_time: view.connection.updated_at,
            last_activity_time: view.connection.last_activity_at,
            cloud_to_device_message_count: 0,
            authentication: AuthenticationBody::of(&identity.authentication),
        }
    }
}

/// One module.
pub fn module_json(view: &ModuleView) -> String {
    print(&ModuleBody::of(view))
}

/// A list of modules.
pub fn modules_json(views: &[ModuleView]) -> String {
    print(&views.iter().map(ModuleBody::of).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use ironhub_model::identity::ModuleIdentity;
    use ironhub_model::registry::ConnectionView;
    use ironhub_model::{Authentication, Etag, GenerationId};

    use super::*;

    fn ids() -> (DeviceId, ModuleId) {
        (DeviceId::parse("d").unwrap(), ModuleId::parse("$edgeAgent").unwrap())
    }

    #[test]
    fn a_system_module() {
        let (device_id, module_id) = ids();
        let created_at = Timestamp::parse("2020-01-20T10:05:29Z").unwrap();
        let view = ModuleView {
            identity: ModuleIdentity {
                device_id,
                module_id,
                generation_id: GenerationId::created_at(created_at, 0),
                etag: Etag::new("MA=="),
                managed_by: Some("iotEdge".into()),
                authentication: Authentication::None,
                created_at,
            },
            connection: ConnectionView::default(),
        };
        insta::assert_snapshot!(module_json(&view), @r#"{"moduleId":"$edgeAgent","managedBy":"iotEdge","deviceId":"d","generationId":"637151115290000000","etag":"MA==","connectionState":"Disconnected","connectionStateUpdatedTime":"0001-01-01T00:00:00Z","lastActivityTime":"0001-01-01T00:00:00Z","cloudToDeviceMessageCount":0,"authentication":{"symmetricKey":{"primaryKey":null,"secondaryKey":null},"x509Thumbprint":{"primaryThumbprint":null,"secondaryThumbprint":null},"type":"none"}}"#);
        assert_eq!(modules_json(&[]), "[]");
    }

    #[test]
    fn bodies() {
        let (device, module) = ids();
        let spec = module_spec(
            &device,
            &module,
            br#"{"moduleId":"$edgeAgent","deviceId":"d","managedBy":"me"}"#,
        );
        let expected = ModuleSpec {
            managed_by: Some("me".into()),
            ..ModuleSpec::new(device.clone(), module.clone())
        };
        assert_eq!(spec, Ok(expected));
        assert_eq!(
            module_spec(&device, &module, br#"{"moduleId":"other"}"#),
            Err(InvalidRequest::OtherIdentity("moduleId"))
        );
    }
}
