//! The JSON that back ends read.

use ironhub_model::identity::Capabilities;
use ironhub_model::twin::{PropertiesView, Twin, TwinPatch, TwinView, X509ThumbprintView};
use ironhub_model::{DeviceId, DeviceStatus, Etag, ModuleId, Timestamp};
use serde_json::json;

fn view(twin: Twin) -> TwinView {
    TwinView {
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
        properties: PropertiesView::of(&twin),
        tags: twin.tags,
        capabilities: Capabilities { iot_edge: true },
        device_scope: None,
        parent_scopes: Vec::new(),
    }
}

#[test]
fn a_fresh_twin_reads_as_azure_prints_it() {
    let twin = Twin::of_device(Timestamp::from_secs(1_767_225_600));
    let expected = concat!(
        r#"{"deviceId":"d","etag":"AAAAAAAAAAE=","deviceEtag":"NTMwMjU0Mzcy","status":"enabled","#,
        r#""statusUpdateTime":"0001-01-01T00:00:00Z","connectionState":"Disconnected","#,
        r#""lastActivityTime":"0001-01-01T00:00:00Z","cloudToDeviceMessageCount":0,"authenticationType":"sas","#,
        r#""x509Thumbprint":{"primaryThumbprint":null,"secondaryThumbprint":null},"modelId":"","version":2,"#,
        r#""properties":{"desired":{"$metadata":{"$lastUpdated":"2026-01-01T00:00:00Z"},"$version":1},"#,
        r#""reported":{"$metadata":{"$lastUpdated":"2026-01-01T00:00:00Z"},"$version":1}},"#,
        r#""capabilities":{"iotEdge":true}}"#,
    );
    assert_eq!(serde_json::to_string(&view(twin)).unwrap(), expected);
}

#[test]
fn what_is_set_has_its_place() {
    let patch = TwinPatch {
        tags: Some(json!({"t": 1})),
        desired: None,
    };
    let twin = Twin::of_device(Timestamp::NEVER)
        .apply_patch(patch, Timestamp::NEVER)
        .unwrap()
        .unwrap()
        .twin;
    let mut view = view(twin);
    view.module_id = Some(ModuleId::parse("m").unwrap());
    view.status_reason = Some("why".into());
    view.device_scope = Some("s".into());
    view.parent_scopes = vec!["p".into()];
    let json = serde_json::to_value(&view).unwrap();
    let names: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "deviceId",
            "moduleId",
            "etag",
            "deviceEtag",
            "status",
            "statusReason",
            "statusUpdateTime",
            "connectionState",
            "lastActivityTime",
            "cloudToDeviceMessageCount",
            "authenticationType",
            "x509Thumbprint",
            "modelId",
            "version",
            "tags",
            "properties",
            "capabilities",
            "deviceScope",
            "parentScopes",
        ]
    );
}
