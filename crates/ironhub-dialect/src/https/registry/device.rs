//! Devices as JSON.

use ironhub_model::identity::Capabilities;
use ironhub_model::limits::DEVICES_TOP_MAX;
use ironhub_model::registry::{DeviceSpec, DeviceView};
use ironhub_model::{DeviceId, DeviceStatus, Timestamp};
use serde::Serialize;
use serde_json::Value;

use super::authentication::{self, AuthenticationBody};
use crate::https::error::{InvalidRequest, print};
use crate::https::json::{self, Members};

/// Reads the body of a PUT on this device. SDKs send whole devices back, so what a caller cannot write is ignored.
pub fn device_spec(id: &DeviceId, body: &[u8]) -> Result<DeviceSpec, InvalidRequest> {
    let value = json::parse(body)?;
    let device = Members::of(&value, "the body")?;
    if device.text("deviceId")?.is_some_and(|named| named != id.as_str()) {
        return Err(InvalidRequest::OtherIdentity("deviceId"));
    }
    Ok(DeviceSpec {
        device_id: id.clone(),
        status: status(&device)?,
        status_reason: device.string("statusReason")?,
        authentication: authentication::spec(&device)?,
        capabilities: capabilities(&device)?,
        device_scope: scope(&device)?,
        parent_scopes: device.strings("parentScopes")?,
    })
}

pub(super) fn status(identity: &Members<'_>) -> Result<Option<DeviceStatus>, InvalidRequest> {
    match identity.text("status")? {
        None => Ok(None),
        Some(text) if text.eq_ignore_ascii_case("enabled") => Ok(Some(DeviceStatus::Enabled)),
        Some(text) if text.eq_ignore_ascii_case("disabled") => Ok(Some(DeviceStatus::Disabled)),
        Some(text) => Err(InvalidRequest::Argument(format!(
            "the status {text:?} is not enabled or disabled"
        ))),
    }
}

pub(super) fn capabilities(identity: &Members<'_>) -> Result<Capabilities, InvalidRequest> {
    let iot_edge = match identity.object("capabilities")? {
        Some(capabilities) => capabilities.flag("iotEdge")?,
        None => None,
    };
    Ok(Capabilities {
        iot_edge: iot_edge.unwrap_or_default(),
    })
}

/// An empty scope is none: generated clients cannot tell the two apart.
pub(super) fn scope(identity: &Members<'_>) -> Result<Option<String>, InvalidRequest> {
    Ok(identity.string("deviceScope")?.filter(|scope| !scope.is_empty()))
}

/// How many devices to list: `top`; what is absent, odd or out of bounds means the largest number.
pub fn devices_top(top: Option<&str>) -> usize {
    match top.map(str::parse) {
        Some(Ok(top @ 1..=DEVICES_TOP_MAX)) => top,
        Some(Ok(_) | Err(_)) | None => DEVICES_TOP_MAX,
    }
}

/// A device as the service prints it; the order of the members is the service's.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeviceBody<'a> {
    device_id: &'a DeviceId,
    generation_id: &'a str,
    etag: &'a str,
    connection_state: &'static str,
    status: DeviceStatus,
    status_reason: Option<&'a str>,
    connection_state_updated_time: Timestamp,
    status_updated_time: Timestamp,
    last_activity_time: Timestamp,
    cloud_to_device_message_count: u32,
    authentication: AuthenticationBody<'a>,
    capabilities: Capabilities,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_scope: Option<&'a str>,
    parent_scopes: &'a [String],
}

impl<'a> DeviceBody<'a> {
    fn of(view: &'a DeviceView) -> Self {
        let identity = &view.identity;
        Self {
            device_id: &identity.device_id,
            generation_id: identity.generation_id.as_str(),
            etag: identity.etag.as_str(),
            connection_state: view.connection.state.as_str(),
            status: identity.status,
            status_reason: identity.status_reason.as_deref(),
            connection_state_updated_time: view.connection.updated_at,
            status_updated_time: identity.status_updated_at,
            last_activity_time: view.connection.last_activity_at,
            cloud_to_device_message_count: view.c2d_count,
            authentication: AuthenticationBody::of(&identity.authentication),
            capabilities: identity.capabilities,
            device_scope: identity.device_scope.as_deref(),
            parent_scopes: &identity.parent_scopes,
        }
    }
}

/// One device.
pub fn device_json(view: &DeviceView) -> String {
    print(&DeviceBody::of(view))
}

/// A list of devices.
pub fn devices_json(views: &[DeviceView]) -> String {
    print(&views.iter().map(DeviceBody::of).collect::<Vec<_>>())
}

/// A member that is an object in whatever form; null counts as absent.
pub(super) fn document(members: &Members<'_>, name: &str) -> Option<Value> {
    members.value(name).cloned()
}

#[cfg(test)]
mod tests {
    use ironhub_model::identity::DeviceIdentity;
    use ironhub_model::registry::{AuthenticationSpec, ConnectionState, ConnectionView};
    use ironhub_model::{Authentication, Etag, GenerationId, SymmetricKey, Thumbprint};

    use super::*;

    fn id(text: &str) -> DeviceId {
        DeviceId::parse(text).unwrap()
    }

    fn view(authentication: Authentication) -> DeviceView {
        let created_at = Timestamp::parse("2020-01-20T10:05:29.931526Z").unwrap();
        let identity = DeviceIdentity {
            device_id: id("sensor-1"),
            generation_id: GenerationId::created_at(created_at, 5),
            etag: Etag::new("MjU2ODEyMDc5"),
            status: DeviceStatus::Enabled,
            status_reason: None,
            status_updated_at: Timestamp::NEVER,
            authentication,
            capabilities: Capabilities::default(),
            device_scope: None,
            parent_scopes: Vec::new(),
            created_at,
        };
        DeviceView {
            identity,
            connection: ConnectionView::default(),
            c2d_count: 0,
        }
    }

    /// The members and their order as in dumps of the real service that users published.
    #[test]
    fn a_device_with_keys() {
        let key = |byte| SymmetricKey::from_bytes(&[byte; 16]).unwrap();
        let sas = Authentication::Sas {
            primary: key(1),
            secondary: key(2),
        };
        insta::assert_snapshot!(device_json(&view(sas)), @r#"{"deviceId":"sensor-1","generationId":"637151115299315265","etag":"MjU2ODEyMDc5","connectionState":"Disconnected","status":"enabled","statusReason":null,"connectionStateUpdatedTime":"0001-01-01T00:00:00Z","statusUpdatedTime":"0001-01-01T00:00:00Z","lastActivityTime":"0001-01-01T00:00:00Z","cloudToDeviceMessageCount":0,"authentication":{"symmetricKey":{"primaryKey":"AQEBAQEBAQEBAQEBAQEBAQ==","secondaryKey":"AgICAgICAgICAgICAgICAg=="},"x509Thumbprint":{"primaryThumbprint":null,"secondaryThumbprint":null},"type":"sas"},"capabilities":{"iotEdge":false},"parentScopes":[]}"#);
    }

    #[test]
    fn a_connected_edge_device_with_a_certificate() {
        let mut view = view(Authentication::SelfSigned {
            primary: Some(Thumbprint::parse(&"AB".repeat(20)).unwrap()),
            secondary: None,
        });
        view.identity.capabilities.iot_edge = true;
        view.identity.device_scope = Some("ms-azure-iot-edge://sensor-1-1".into());
        view.identity.parent_scopes = vec!["ms-azure-iot-edge://p-2".into()];
        view.identity.status_reason = Some("new".into());
        view.connection.state = ConnectionState::Connected;
        view.c2d_count = 3;
        let json: Value = serde_json::from_str(&devices_json(&[view])).unwrap();
        let device = &json[0];
        assert_eq!(device["authentication"]["type"], "selfSigned");
        assert_eq!(device["authentication"]["symmetricKey"]["primaryKey"], Value::Null);
        let thumbprints = &device["authentication"]["x509Thumbprint"];
        assert_eq!(thumbprints["primaryThumbprint"], "AB".repeat(20));
        assert_eq!(device["capabilities"]["iotEdge"], true);
        assert_eq!(device["deviceScope"], "ms-azure-iot-edge://sensor-1-1");
        assert_eq!(device["parentScopes"][0], "ms-azure-iot-edge://p-2");
        assert_eq!(device["connectionState"], "Connected");
        assert_eq!(device["cloudToDeviceMessageCount"], 3);
    }

    #[test]
    fn what_is_printed_can_be_written_back() {
        let printed = device_json(&view(Authentication::CertificateAuthority));
        let spec = device_spec(&id("sensor-1"), printed.as_bytes()).unwrap();
        assert_eq!(
            spec,
            DeviceSpec {
                status: Some(DeviceStatus::Enabled),
                authentication: AuthenticationSpec {
                    kind: Some(ironhub_model::AuthenticationType::CertificateAuthority),
                    ..AuthenticationSpec::default()
                },
                ..DeviceSpec::new(id("sensor-1"))
            }
        );
    }

    #[track_caller]
    fn check(body: &str, expected: Result<&DeviceSpec, &str>) {
        let spec = device_spec(&id("d"), body.as_bytes()).map_err(|error| error.to_string());
        assert_eq!(spec.as_ref().map_err(String::as_str), expected, "{body}");
    }

    #[test]
    fn bodies_of_clients() {
        let fresh = DeviceSpec::new(id("d"));
        check("{}", Ok(&fresh));
        check(r#"{"deviceId":"d"}"#, Ok(&fresh));
        check(
            r#"{"deviceId":"d","etag":"*","connectionState":"Connected","cloudToDeviceMessageCount":7,
                "lastActivityTime":"0001-01-01T00:00:00","capabilities":{},"deviceScope":"","attributes":{"a":"b"}}"#,
            Ok(&fresh),
        );
        let disabled = DeviceSpec {
            status: Some(DeviceStatus::Disabled),
            status_reason: Some("stolen".into()),
            ..fresh
        };
        check(
            r#"{"deviceId":"d","status":"Disabled","statusReason":"stolen"}"#,
            Ok(&disabled),
        );
    }

    #[test]
    fn bodies_that_are_refused() {
        check(
            r#"{"deviceId":"e"}"#,
            Err("the deviceId in the body is not the one in the path"),
        );
        check("[]", Err("the body is not a JSON object"));
        check(
            r#"{"status":"asleep"}"#,
            Err("the status \"asleep\" is not enabled or disabled"),
        );
        check(r#"{"status":1}"#, Err("status of the body is not a string"));
        check(
            r#"{"parentScopes":[1]}"#,
            Err("parentScopes of the body is not an array of strings"),
        );
        check(
            r#"{"capabilities":{"iotEdge":"yes"}}"#,
            Err("iotEdge of capabilities is not a boolean"),
        );
        assert!(device_spec(&id("d"), b"").is_err());
    }

    #[test]
    fn odd_tops_mean_all() {
        for (top, expected) in [
            (None, 1000),
            (Some("5"), 5),
            (Some("1000"), 1000),
            (Some("0"), 1000),
            (Some("1001"), 1000),
            (Some("-1"), 1000),
            (Some("x"), 1000),
        ] {
            assert_eq!(devices_top(top), expected, "{top:?}");
        }
    }
}
