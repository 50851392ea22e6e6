//! Texts that Microsoft's tools, SDK tests and tutorials send, with the rows they must find.

use ironhub_query::{ItemType, Query, Source};
use serde_json::{Value, json};

const EXPLORER_COLUMNS: &str = "SELECT deviceId as DeviceId,
    status as Status,
    lastActivityTime as LastActivityTime,
    statusUpdatedTime as StatusUpdatedTime,
    authenticationType as AuthenticationType,
    cloudToDeviceMessageCount as CloudToDeviceMessageCount,
    connectionState as ConnectionState,
    capabilities.iotEdge as IotEdge,
    modelId as ModelId FROM devices
    ";

fn edge() -> Value {
    json!({
        "deviceId": "edge-1", "etag": "AAAAAAAAAAY=", "deviceEtag": "NTMw", "status": "enabled",
        "statusUpdateTime": "0001-01-01T00:00:00Z", "connectionState": "Disconnected",
        "lastActivityTime": "2026-03-01T08:00:00Z", "cloudToDeviceMessageCount": 2, "authenticationType": "sas",
        "x509Thumbprint": {"primaryThumbprint": null, "secondaryThumbprint": null}, "modelId": "", "version": 7,
        "tags": {"location": {"plant": "Redmond43"}},
        "properties": {
            "desired": {"K": "v", "$version": 2},
            "reported": {
                "connectivity": {"type": "cellular"}, "iothubDM": {"reboot": {}},
                "lastReboot": "2026-02-01T00:00:00Z", "$version": 1,
            },
        },
        "capabilities": {"iotEdge": true}, "deviceScope": "ms-azure-iot-edge://edge-1-63", "parentScopes": [],
    })
}

fn leaf() -> Value {
    json!({
        "deviceId": "a", "status": "disabled", "version": 2,
        "properties": {"desired": {"$version": 1}, "reported": {"$version": 1}},
        "capabilities": {"iotEdge": false}, "parentScopes": ["ms-azure-iot-edge://edge-1-63"],
    })
}

fn edge_agent() -> Value {
    json!({
        "deviceId": "edge-1", "moduleId": "$edgeAgent", "version": 9,
        "properties": {
            "desired": {"$version": 4},
            "reported": {"lastDesiredVersion": 4, "lastDesiredStatus": {"code": 406}, "$version": 8},
        },
        "configurations": {"d1": {"status": "Applied"}},
    })
}

#[track_caller]
fn check(text: &str, item_type: ItemType, matching: &[&str]) {
    let query = Query::parse(text).unwrap();
    let rows = match query.source() {
        Source::Devices => vec![edge(), leaf()],
        Source::Modules => vec![edge_agent()],
        Source::Jobs => panic!("no jobs here"),
    };
    let found: Vec<_> = rows
        .iter()
        .filter(|row| query.matches(row))
        .map(|row| row["deviceId"].clone())
        .collect();
    assert_eq!(
        (query.item_type(), found.as_slice()),
        (
            item_type,
            matching.iter().map(|id| json!(id)).collect::<Vec<_>>().as_slice()
        )
    );
}

#[track_caller]
fn check_rows(text: &str, rows: &[Value], expected: &Value) {
    let query = Query::parse(text).unwrap();
    let matching = rows.iter().filter(|row| query.matches(row));
    let result = match query.aggregator() {
        Some(mut aggregator) => {
            matching.for_each(|row| aggregator.push(row).unwrap());
            aggregator.finish()
        }
        None => matching.map(|row| query.project(row.clone())).collect(),
    };
    assert_eq!(Value::Array(result), *expected);
}

#[test]
fn iot_explorer_lists() {
    let list = |condition: &str| format!("{EXPLORER_COLUMNS}{condition}");
    check(&list(""), ItemType::Raw, &["edge-1", "a"]);
    check(
        &list("WHERE STARTSWITH(devices.deviceId, 'ed')"),
        ItemType::Raw,
        &["edge-1"],
    );
    check(
        &list("WHERE (status = 'enabled' AND capabilities.iotEdge=true)"),
        ItemType::Raw,
        &["edge-1"],
    );
    check(
        &list("WHERE (status = 'disabled' AND capabilities.iotEdge=true)"),
        ItemType::Raw,
        &[],
    );
    check_rows(
        &list("WHERE deviceId = 'edge-1'"),
        &[edge(), leaf()],
        &json!([{
            "DeviceId": "edge-1", "Status": "enabled", "LastActivityTime": "2026-03-01T08:00:00Z",
            "StatusUpdatedTime": "0001-01-01T00:00:00Z", "AuthenticationType": "sas", "CloudToDeviceMessageCount": 2,
            "ConnectionState": "Disconnected", "IotEdge": true, "ModelId": "",
        }]),
    );
    check(
        "SELECT * FROM devices.modules WHERE deviceId in ['edge-1']",
        ItemType::Twin,
        &["edge-1"],
    );
}

#[test]
fn azure_cli() {
    check("select * from devices", ItemType::Twin, &["edge-1", "a"]);
    check(
        "select * from devices where capabilities.iotEdge = true",
        ItemType::Twin,
        &["edge-1"],
    );
    check(
        "select * from devices where deviceId in ['a', 'b']",
        ItemType::Twin,
        &["a"],
    );
    check(
        "select * from devices.modules where devices.deviceId = 'edge-1'",
        ItemType::Twin,
        &["edge-1"],
    );
    check(
        "select * from devices.modules where devices.modules.deviceId = 'x'",
        ItemType::Twin,
        &[],
    );
    check(
        "select deviceId from devices where array_contains(parentScopes, 'ms-azure-iot-edge://edge-1-63')",
        ItemType::Raw,
        &["a"],
    );
    check_rows(
        "SELECT deviceId, deviceScope FROM devices",
        &[edge(), leaf()],
        &json!([{"deviceId": "edge-1", "deviceScope": "ms-azure-iot-edge://edge-1-63"}, {"deviceId": "a"}]),
    );
}

#[test]
fn java_sdk() {
    check(
        "SELECT * FROM devices WHERE deviceId IN ['a','b']",
        ItemType::Twin,
        &["a"],
    );
    check(
        "SELECT * FROM devices WHERE DeviceId IN ['a','b']",
        ItemType::Twin,
        &["a"],
    );
    check_rows(
        "SELECT properties.desired.K AS K, COUNT() AS numberOfDevices FROM devices GROUP BY properties.desired.K",
        &[edge(), leaf(), edge()],
        &json!([{"K": "v", "numberOfDevices": 2}]),
    );
    let uuid = "KeyQuery1b2c0a6e-44f1-4c3e-9d27-0f5d7a1c9e11";
    check_rows(
        &format!(
            "SELECT properties.desired.{uuid} AS {uuid}, COUNT() AS n FROM devices GROUP BY properties.desired.{uuid}"
        ),
        &[json!({"properties": {"desired": {uuid: 5}}})],
        &json!([{uuid: 5, "n": 1}]),
    );
}

#[test]
fn dotnet_sdk() {
    check_rows(
        "select count() AS numberOfDevices from devices",
        &[edge(), leaf()],
        &json!([{"numberOfDevices": 2}]),
    );
    check(
        "select deviceId from devices where not startswith(deviceId, 'b') and not startswith(deviceId, 'edge')",
        ItemType::Raw,
        &["a"],
    );
    check(
        "SELECT * FROM devices WHERE STARTSWITH(id, 'edge')",
        ItemType::Twin,
        &["edge-1"],
    );
}

#[test]
fn configuration_metrics() {
    let metric = |code: u16| {
        format!(
            "select deviceId from devices.modules where moduleId = '$edgeAgent' \
             and configurations.[[d1]].status = 'Applied' \
             and properties.desired.$version = properties.reported.lastDesiredVersion \
             and properties.reported.lastDesiredStatus.code != {code}"
        )
    };
    check(&metric(200), ItemType::Raw, &["edge-1"]);
    check(&metric(406), ItemType::Raw, &[]);
}

#[test]
fn tutorials() {
    check(
        "SELECT * FROM devices WHERE tags.location.plant = 'Redmond43' \
         AND properties.reported.connectivity.type = 'cellular'",
        ItemType::Twin,
        &["edge-1"],
    );
    check(
        "SELECT * FROM devices WHERE IS_DEFINED(properties.reported.iothubDM)",
        ItemType::Twin,
        &["edge-1"],
    );
    check(
        "SELECT * FROM devices WHERE properties.reported.lastReboot > '2026-01-31T23:59:59Z'",
        ItemType::Twin,
        &["edge-1"],
    );
    check(
        "SELECT * FROM devices WHERE properties.reported.lastReboot > '2026-02-02'",
        ItemType::Twin,
        &[],
    );
}

#[test]
fn jobs() {
    let row = json!({
        "deviceId": "d1", "jobId": "job01", "jobType": "scheduleUpdateTwin", "status": "completed",
        "startTimeUtc": "2026-01-01T00:00:00Z", "createdDateTimeUtc": "2016-09-29T18:18:56.7787107Z",
    });
    for (condition, expected) in [
        ("devices.jobs.jobId = 'job01'", true),
        ("devices.jobs.jobId = 'job01' AND devices.jobs.status = 'failed'", false),
        ("deviceId = 'd1' AND startTimeUtc >= '2026'", true),
        ("devices.JobId = 'job01'", true),
        (
            "devices.jobs.deviceId = 'd1' AND devices.jobs.jobType = 'scheduleUpdateTwin' \
             AND devices.jobs.status = 'completed' AND devices.jobs.createdTimeUtc > '2016-09-01'",
            true,
        ),
        ("devices.jobs.createdTimeUtc > '2016-10-01'", false),
    ] {
        let query = Query::parse(&format!("SELECT * FROM devices.jobs WHERE {condition}")).unwrap();
        assert_eq!((query.source(), query.item_type()), (Source::Jobs, ItemType::DeviceJob));
        assert_eq!(query.matches(&row), expected, "{condition}");
    }
}
