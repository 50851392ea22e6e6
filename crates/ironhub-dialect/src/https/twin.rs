//! Twins as JSON. What the service prints is the serialized form of [`TwinView`] itself, since queries print it too.

use ironhub_model::{TwinPatch, TwinView};
use serde_json::Value;

use super::error::{InvalidRequest, print};
use super::json::{self, Members};

/// Reads the body of a PATCH or PUT. SDKs and IoT Explorer send whole twins back, so what a back end cannot write is
/// ignored. A section may be null, which a merge and a replacement understand differently.
pub fn twin_patch(body: &[u8]) -> Result<TwinPatch, InvalidRequest> {
    let value = json::parse(body)?;
    let twin = Members::of(&value, "the body")?;
    let properties = twin.object("properties")?;
    Ok(TwinPatch {
        tags: twin.raw("tags").cloned(),
        desired: properties.and_then(|properties| properties.raw("desired").cloned()),
    })
}

/// A whole twin.
pub fn twin_json(view: &TwinView) -> String {
    print(view)
}

/// A list of rows, which are twins or parts of twins.
pub fn rows_json(rows: &[Value]) -> String {
    print(&rows)
}

#[cfg(test)]
mod tests {
    use ironhub_model::identity::Capabilities;
    use ironhub_model::twin::{PropertiesView, X509ThumbprintView};
    use ironhub_model::{DeviceId, DeviceStatus, Etag, Timestamp, Twin};
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(body: &str, expected: &str) {
        let patch = twin_patch(body.as_bytes());
        let shown = match patch {
            Ok(patch) => {
                let show = |section: Option<Value>| section.map_or("-".into(), |value| value.to_string());
                format!("{} {}", show(patch.tags), show(patch.desired))
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "{body}");
    }

    #[test]
    fn bodies() {
        check("{}", "- -");
        check(r#"{"tags":{"a":1}}"#, r#"{"a":1} -"#);
        check(
            r#"{"properties":{"desired":{"i":66,"f":28.02,"e":1.0}}}"#,
            r#"- {"i":66,"f":28.02,"e":1.0}"#,
        );
        check(r#"{"tags":null,"properties":{"desired":null}}"#, "null null");
        check(r#"{"properties":null}"#, "- -");
        check(
            r#"{"deviceId":"d","etag":"x","version":3,"tags":{},"properties":{"desired":{"a":1,"a":2,"$version":7},"reported":{"r":1}}}"#,
            r#"{} {"a":2,"$version":7}"#,
        );
        check("[]", "the body is not a JSON object");
        check(r#"{"properties":[]}"#, "properties is not a JSON object");
        check(r#"{"tags":"badinput"}"#, r#""badinput" -"#);
    }

    /// The members and their order as in dumps of the real service (`Azure/iot-hub-device-update#556`).
    #[test]
    fn a_fresh_twin() {
        let created = Timestamp::parse("2021-05-13T07:41:20.736671Z").unwrap();
        let twin = Twin::of_device(created);
        let view = TwinView {
            device_id: DeviceId::parse("d").unwrap(),
            module_id: None,
            etag: twin.etag(),
            device_etag: Etag::new("NTMwMjU0Mzcy"),
            status: DeviceStatus::Enabled,
            status_reason: None,
            status_update_time: Timestamp::NEVER,
            connection_state: "Disconnected",
            last_activity_time: Timestamp::NEVER,
            cloud_to_device_message_count: 0,
            authentication_type: "sas",
            x509_thumbprint: X509ThumbprintView::default(),
            model_id: String::new(),
            version: twin.version(),
            tags: serde_json::Map::new(),
            properties: PropertiesView::of(&twin),
            capabilities: Capabilities::default(),
            device_scope: None,
            parent_scopes: Vec::new(),
        };
        insta::assert_snapshot!(twin_json(&view), @r#"{"deviceId":"d","etag":"AAAAAAAAAAE=","deviceEtag":"NTMwMjU0Mzcy","status":"enabled","statusUpdateTime":"0001-01-01T00:00:00Z","connectionState":"Disconnected","lastActivityTime":"0001-01-01T00:00:00Z","cloudToDeviceMessageCount":0,"authenticationType":"sas","x509Thumbprint":{"primaryThumbprint":null,"secondaryThumbprint":null},"modelId":"","version":2,"properties":{"desired":{"$metadata":{"$lastUpdated":"2021-05-13T07:41:20.736671Z"},"$version":1},"reported":{"$metadata":{"$lastUpdated":"2021-05-13T07:41:20.736671Z"},"$version":1}},"capabilities":{"iotEdge":false}}"#);
        assert_eq!(rows_json(&[json!({"a": 1}), json!({})]), r#"[{"a":1},{}]"#);
    }
}
