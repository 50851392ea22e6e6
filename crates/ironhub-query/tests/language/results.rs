//! What comes out: projections, aggregates, and what the caller may know beforehand.

use ironhub_query::{GROUP_BYTES_MAX, GROUPS_MAX, ItemType, Query, Source, TooManyGroups};
use serde_json::{Value, json};

fn query(text: &str) -> Query {
    Query::parse(text).unwrap()
}

#[test]
fn kinds() {
    let kind = |text| {
        let query = query(text);
        (
            query.source(),
            query.item_type(),
            query.item_type().as_str(),
            query.is_aggregate(),
            query.top(),
        )
    };
    assert_eq!(
        kind("SELECT * FROM Devices"),
        (Source::Devices, ItemType::Twin, "Twin", false, None)
    );
    assert_eq!(
        kind("SELECT TOP 5 * FROM devices.modules"),
        (Source::Modules, ItemType::Twin, "Twin", false, Some(5))
    );
    assert_eq!(
        kind("SELECT * FROM devices.jobs"),
        (Source::Jobs, ItemType::DeviceJob, "DeviceJob", false, None)
    );
    assert_eq!(
        kind("SELECT deviceId FROM devices"),
        (Source::Devices, ItemType::Raw, "Raw", false, None)
    );
    assert_eq!(
        kind("SELECT Count() FROM devices"),
        (Source::Devices, ItemType::Raw, "Raw", true, None)
    );
    assert_eq!(
        kind("SELECT status FROM devices GROUP BY status"),
        (Source::Devices, ItemType::Raw, "Raw", true, None)
    );
}

#[track_caller]
fn prints(condition: &str, expected: &str) {
    let query = Query::parse_condition(condition).unwrap();
    assert_eq!(query.to_string(), format!("SELECT * FROM devices WHERE {expected}"));
}

#[test]
fn a_query_prints_with_the_parentheses_it_needs() {
    prints("version - (version - 1) > 0", "version - (version - 1.0) > 0.0");
    prints("(version - version) - 1 > 0", "(version - version) - 1.0 > 0.0");
    prints("(version * 2) / 3 > - (version)", "(version * 2.0) / 3.0 > - version");
    prints("2 * (version + -(3)) <> - - 4", "2.0 * (version + -3.0) != 4.0");
    prints("(a = 1 AND b = 2) OR (c = 3)", "a = 1.0 AND b = 2.0 OR c = 3.0");
    prints("a = 1 AND (b = 2 OR c = 3)", "a = 1.0 AND (b = 2.0 OR c = 3.0)");
    prints("a AND (b AND c)", "a AND (b AND c)");
    prints("NOT (a = 1) and not (a AND b)", "NOT a = 1.0 AND NOT (a AND b)");
    prints("(a = 1) = (NOT b)", "(a = 1.0) = (NOT b)");
    prints(
        "DEVICES.DeviceID nin [\"it's\", 0x10]",
        r"deviceId NOT IN ['it\'s', 16.0]",
    );
    prints(
        "tags.[[plain]].[[a b]].[[group]][0] = null",
        "tags.plain.[[a b]].[[group]][0] = null",
    );
    prints("[[Devices]].x", "[[Devices]].x");
}

#[track_caller]
fn project(columns: &str, expected: &str) {
    let row = json!({
        "deviceId": "d", "statusUpdateTime": "t", "statusReason": null, "capabilities": {"iotEdge": true},
        "tags": {"a": {"b": 1}, "list": [10, 20], "group": 5},
        "properties": {"reported": {"$metadata": {"x": {"$lastUpdated": "u"}}}},
    });
    // Compared as text: the order of the members counts.
    assert_eq!(
        query(&format!("SELECT {columns} FROM devices"))
            .project(row)
            .to_string(),
        expected
    );
}

#[test]
fn projections() {
    project("deviceId", r#"{"deviceId":"d"}"#);
    project("DeviceId", r#"{"deviceId":"d"}"#);
    project("devices.deviceId", r#"{"deviceId":"d"}"#);
    project("DeviceId AS DEVICE", r#"{"DEVICE":"d"}"#);
    project(
        "deviceId Device, capabilities.iotEdge",
        r#"{"Device":"d","iotEdge":true}"#,
    );
    project("capabilities.iotEdge, deviceId", r#"{"iotEdge":true,"deviceId":"d"}"#);
    project("id, statusUpdatedTime", r#"{"id":"d","statusUpdatedTime":"t"}"#);
    project(
        "tags, tags.a.b AS [[a b]]",
        r#"{"tags":{"a":{"b":1},"list":[10,20],"group":5},"a b":1}"#,
    );
    project("tags.list[1] AS second", r#"{"second":20}"#);
    project("tags.[[group]]", r#"{"group":5}"#);
    project(
        "properties.reported.$metadata.x.$lastUpdated",
        r#"{"$lastUpdated":"u"}"#,
    );
    project("statusReason, tags.missing, moduleId", r#"{"statusReason":null}"#);
    project(
        "deviceId AS limit, tags.list AS [[from]]",
        r#"{"limit":"d","from":[10,20]}"#,
    );
    project("deviceId AS key-1b-2", r#"{"key-1b-2":"d"}"#);
}

#[test]
fn an_asterisk_gives_the_row_itself() {
    let row = json!({"deviceId": "d", "$odd": [null]});
    assert_eq!(query("SELECT * FROM devices").project(row.clone()), row);
}

#[track_caller]
fn aggregate(text: &str, rows: &Value, expected: &str) {
    let query = query(text);
    let mut aggregator = query.aggregator().expect("an aggregate query");
    for row in rows.as_array().unwrap() {
        aggregator.push(row).unwrap();
    }
    assert_eq!(Value::Array(aggregator.finish()).to_string(), expected);
}

#[test]
fn aggregates_without_groups() {
    let rows = json!([{"tags": {"n": 1, "t": "b"}}, {"tags": {"n": 4, "t": "a"}}, {"tags": {}}, {"tags": {"n": 1.5, "t": "c"}}]);
    aggregate("SELECT COUNT() FROM devices", &rows, r#"[{"count":4}]"#);
    aggregate("SELECT COUNT() FROM devices", &json!([]), r#"[{"count":0}]"#);
    aggregate("SELECT SUM(tags.n) FROM devices", &rows, r#"[{"sum":6.5}]"#);
    aggregate(
        "SELECT avg(tags.n) AS mean FROM devices",
        &json!([{"tags": {"n": 1}}, {"tags": {"n": 3}}]),
        r#"[{"mean":2}]"#,
    );
    aggregate(
        "SELECT MIN(tags.n), MAX(tags.n) FROM devices",
        &rows,
        r#"[{"min":1,"max":4}]"#,
    );
    aggregate(
        "SELECT MIN(tags.t), MAX(tags.t) FROM devices",
        &rows,
        r#"[{"min":"a","max":"c"}]"#,
    );
    aggregate(
        "SELECT AVG(tags.x), SUM(tags.x), MIN(tags.x), MAX(tags.x) FROM devices",
        &rows,
        "[{}]",
    );
    aggregate("SELECT TOP 0 COUNT() FROM devices", &rows, "[]");
}

#[test]
fn values_of_mixed_types_have_no_aggregate() {
    let rows = json!([{"tags": {"x": 1}}, {"tags": {"x": "a"}}, {"tags": {"x": 2}}]);
    aggregate(
        "SELECT AVG(tags.x), SUM(tags.x), MIN(tags.x), MAX(tags.x), COUNT() FROM devices",
        &rows,
        r#"[{"count":3}]"#,
    );
    aggregate("SELECT MIN(tags) FROM devices", &rows, "[{}]");
    let overflow = json!([{"tags": {"x": 1e308}}, {"tags": {"x": 1e308}}]);
    aggregate("SELECT SUM(tags.x) FROM devices", &overflow, "[{}]");
}

#[test]
fn groups() {
    let rows = json!([
        {"status": "enabled", "tags": {"plant": "Ulm", "n": 1}},
        {"status": "enabled", "tags": {"plant": 7, "n": 2}},
        {"status": "disabled", "tags": {"plant": "Ulm", "n": 3}},
        {"status": "enabled", "tags": {"plant": 7.0, "n": 4}},
        {"status": "enabled", "tags": {"plant": "7", "n": 5}},
        {"status": "enabled", "tags": {"n": 6}},
    ]);
    aggregate(
        "SELECT tags.plant, COUNT() AS devices, SUM(tags.n) AS total FROM devices GROUP BY tags.plant",
        &rows,
        concat!(
            r#"[{"plant":"Ulm","devices":2,"total":4},"#,
            r#"{"plant":7,"devices":2,"total":6},{"plant":"7","devices":1,"total":5}]"#
        ),
    );
    aggregate(
        "SELECT TOP 2 COUNT() AS n, Status FROM devices GROUP BY tags.plant, status",
        &rows,
        r#"[{"n":1,"status":"enabled"},{"n":2,"status":"enabled"}]"#,
    );
    aggregate(
        "SELECT status FROM devices GROUP BY status",
        &rows,
        r#"[{"status":"enabled"},{"status":"disabled"}]"#,
    );
    aggregate("SELECT status, COUNT() FROM devices GROUP BY status", &json!([]), "[]");
    aggregate(
        "SELECT COUNT() FROM devices GROUP BY tags.a, tags.b",
        &json!([{"tags": {"a": 1, "b": 23}}, {"tags": {"a": 12, "b": 3}}]),
        r#"[{"count":1},{"count":1}]"#,
    );
    assert!(query("SELECT deviceId FROM devices").aggregator().is_none());
}

#[test]
fn groups_are_bounded_in_number() {
    let query = query("SELECT COUNT() FROM devices GROUP BY version");
    let mut aggregator = query.aggregator().unwrap();
    for version in 0..GROUPS_MAX {
        aggregator.push(&json!({"version": version})).unwrap();
    }
    aggregator.push(&json!({"version": 0})).unwrap();
    assert_eq!(aggregator.push(&json!({"version": GROUPS_MAX})), Err(TooManyGroups));
}

#[test]
fn groups_are_bounded_in_bytes() {
    // Each column holds its own copy of the group's value.
    let query = query("SELECT tags.x AS a, tags.x AS b, MAX(tags.y) AS c FROM devices GROUP BY tags.x");
    let half_mebibyte = "x".repeat(512 * 1024);
    let mut aggregator = query.aggregator().unwrap();
    let fitting = (0..100).take_while(|index| {
        let row = json!({"tags": {"x": format!("{index:03}{half_mebibyte}"), "y": half_mebibyte}});
        aggregator.push(&row).is_ok()
    });
    assert_eq!(fitting.count(), GROUP_BYTES_MAX / (4 * half_mebibyte.len()) - 1);
}

#[track_caller]
fn candidates(condition: &str, expected: Option<&[&str]>) {
    let query = query(&format!("SELECT * FROM devices WHERE {condition}"));
    assert_eq!(query.device_id_candidates().as_deref(), expected, "{condition}");
}

#[test]
fn device_ids_that_can_match() {
    candidates("deviceId = 'a'", Some(&["a"]));
    candidates("'a' = devices.DeviceId", Some(&["a"]));
    candidates("id = 'a'", Some(&["a"]));
    candidates("deviceId IN ['b', 'a', 'b', 5, null]", Some(&["a", "b"]));
    candidates("deviceId IN []", Some(&[]));
    candidates("deviceId = 5", Some(&[]));
    candidates("status = 'enabled' AND (version > 1 AND deviceId = 'a')", Some(&["a"]));
    candidates("deviceId IN ['a', 'b'] AND deviceId = 'b'", Some(&["b"]));
    candidates("deviceId = 'a' OR deviceId = 'b'", None);
    candidates("NOT deviceId = 'a'", None);
    candidates("deviceId != 'a'", None);
    candidates("deviceId NOT IN ['a']", None);
    candidates("deviceId > 'a'", None);
    candidates("tags.deviceId = 'a'", None);
    candidates("deviceId.x = 'a'", None);
    candidates("deviceId = tags.a", None);
    assert_eq!(query("SELECT * FROM devices").device_id_candidates(), None);
}

#[track_caller]
fn prefix(condition: &str, expected: Option<&str>) {
    assert_eq!(
        query(&format!("SELECT * FROM devices WHERE {condition}")).device_id_prefix(),
        expected,
        "{condition}"
    );
}

#[test]
fn device_id_prefixes() {
    prefix("STARTSWITH(deviceId, 'ab')", Some("ab"));
    prefix(
        "STARTSWITH(devices.id, 'ab') AND startswith(deviceId, 'abc') AND version > 1",
        Some("abc"),
    );
    prefix("NOT STARTSWITH(deviceId, 'ab')", None);
    prefix("STARTSWITH(deviceId, 'ab') OR version > 1", None);
    prefix("STARTSWITH(deviceId, 'ab') = true", None);
    prefix("STARTSWITH(moduleId, 'ab')", None);
    prefix("STARTSWITH('abc', deviceId)", None);
    prefix("ENDSWITH(deviceId, 'ab')", None);
}
