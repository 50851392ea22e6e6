//! What each write does (Azure docs: "Understand and use device twins in IoT Hub").

use ironhub_model::Timestamp;
use ironhub_model::twin::{Twin, TwinChange, TwinPatch};
use serde_json::{Value, json};

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_767_225_600 + secs)
}

fn fresh() -> Twin {
    Twin::of_device(at(0))
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn desired(text: &str) -> TwinPatch {
    TwinPatch {
        tags: None,
        desired: Some(json_of(text)),
    }
}

fn tags(text: &str) -> TwinPatch {
    TwinPatch {
        tags: Some(json_of(text)),
        desired: None,
    }
}

fn patched(twin: &Twin, patch: TwinPatch, secs: i64) -> TwinChange {
    twin.apply_patch(patch, at(secs)).unwrap().unwrap()
}

/// ETag, version, desired version, reported version.
fn counters(twin: &Twin) -> (String, u64, u64, u64) {
    let etag = twin.etag().as_str().to_owned();
    (etag, twin.version(), twin.desired.version, twin.reported.version)
}

#[test]
fn counters_follow_who_writes_what() {
    let mut twin = fresh();
    assert_eq!(counters(&twin), ("AAAAAAAAAAE=".into(), 2, 1, 1));
    twin = patched(&twin, desired(r#"{"a":1}"#), 1).twin;
    assert_eq!(counters(&twin), ("AAAAAAAAAAI=".into(), 3, 2, 1));
    twin = patched(&twin, tags(r#"{"t":1}"#), 2).twin;
    assert_eq!(counters(&twin), ("AAAAAAAAAAM=".into(), 4, 2, 1));
    // The same values again, both sections in one write.
    let both = TwinPatch {
        tags: Some(json!({"t": 1})),
        desired: Some(json!({"a": 1})),
    };
    twin = patched(&twin, both, 3).twin;
    assert_eq!(counters(&twin), ("AAAAAAAAAAQ=".into(), 5, 3, 1));
    twin = twin.apply_reported(json!({"r": 1}), at(4)).unwrap().twin;
    assert_eq!(counters(&twin), ("AAAAAAAAAAQ=".into(), 6, 3, 2));
    twin = twin.apply_reported(json!({}), at(5)).unwrap().twin;
    assert_eq!(counters(&twin), ("AAAAAAAAAAQ=".into(), 7, 3, 3));
    twin = twin.replace(desired("{}"), at(6)).unwrap().unwrap().twin;
    assert_eq!(counters(&twin), ("AAAAAAAAAAU=".into(), 8, 4, 3));
}

#[test]
fn writes_of_nothing_change_nothing() {
    let null = || TwinPatch {
        tags: Some(Value::Null),
        desired: Some(Value::Null),
    };
    assert_eq!(fresh().apply_patch(TwinPatch::default(), at(1)), Ok(None));
    assert_eq!(fresh().apply_patch(null(), at(1)), Ok(None));
    assert_eq!(fresh().replace(TwinPatch::default(), at(1)), Ok(None));
    let full = patched(
        &fresh(),
        TwinPatch {
            tags: Some(json!({"t": 1})),
            desired: Some(json!({"a": 1})),
        },
        1,
    )
    .twin;
    let emptied = full.replace(null(), at(2)).unwrap().unwrap().twin;
    assert!(emptied.tags.is_empty() && emptied.desired.properties.is_empty());
}

#[track_caller]
fn check_merge(before: &str, patch: &str, after: &str) {
    let before = if before == "{}" {
        fresh()
    } else {
        patched(&fresh(), desired(before), 1).twin
    };
    let by_back_end = patched(&before, desired(patch), 2).twin.desired.properties;
    assert_eq!(Value::Object(by_back_end).to_string(), after, "{patch}");
}

#[test]
fn objects_merge_and_the_rest_replaces() {
    check_merge("{}", r#"{"a":1}"#, r#"{"a":1}"#);
    check_merge(r#"{"a":1,"b":2}"#, r#"{"a":3}"#, r#"{"a":3,"b":2}"#);
    check_merge(r#"{"a":{"x":1}}"#, r#"{"a":{"y":2}}"#, r#"{"a":{"x":1,"y":2}}"#);
    check_merge(r#"{"a":1,"b":2}"#, r#"{"a":null}"#, r#"{"b":2}"#);
    check_merge(r#"{"a":1}"#, r#"{"b":null}"#, r#"{"a":1}"#);
    check_merge(r#"{"a":{"x":1,"y":2}}"#, r#"{"a":{"x":null}}"#, r#"{"a":{"y":2}}"#);
    check_merge(r#"{"a":{"x":1}}"#, r#"{"a":{"x":null}}"#, r#"{"a":{}}"#);
    check_merge("{}", r#"{"a":{"x":null}}"#, r#"{"a":{}}"#);
    check_merge(r#"{"a":{}}"#, r#"{"a":{"x":null}}"#, r#"{"a":{}}"#);
    check_merge("{}", r#"{"a":{"b":{"c":null}}}"#, r#"{"a":{"b":{}}}"#);
    check_merge(r#"{"a":1}"#, r#"{"a":{"x":1}}"#, r#"{"a":{"x":1}}"#);
    check_merge(r#"{"a":{"x":1}}"#, r#"{"a":1}"#, r#"{"a":1}"#);
    check_merge(r#"{"a":[1,{"x":1}]}"#, r#"{"a":[2]}"#, r#"{"a":[2]}"#);
    check_merge(r#"{"a":[1]}"#, r#"{"a":{"x":[3]}}"#, r#"{"a":{"x":[3]}}"#);
    // Numbers keep their kind, texts their letters.
    check_merge("{}", r#"{"i":66,"f":28.02,"e":1.0}"#, r#"{"i":66,"f":28.02,"e":1.0}"#);
    check_merge(
        "{}",
        r#"{"t":"2020-01-01T00:00:00.0000000Z"}"#,
        r#"{"t":"2020-01-01T00:00:00.0000000Z"}"#,
    );
    // What only the hub writes is dropped from what back ends send back.
    check_merge("{}", r#"{"a":1,"$version":7,"$metadata":{"a":{}}}"#, r#"{"a":1}"#);
}

#[test]
fn tags_merge_alike_and_vanish_when_empty() {
    let twin = patched(&fresh(), tags(r#"{"a":{"b":1},"c":2}"#), 1).twin;
    let twin = patched(&twin, tags(r#"{"a":{"b":null,"d":3}}"#), 2).twin;
    assert_eq!(Value::Object(twin.tags.clone()).to_string(), r#"{"a":{"d":3},"c":2}"#);
    let twin = patched(&twin, tags(r#"{"a":null,"c":null}"#), 3).twin;
    assert!(twin.tags.is_empty());
}

#[track_caller]
fn check_notice(change: &TwinChange, expected: Option<&str>) {
    let notice = change.notice.as_ref();
    assert_eq!(notice.map(|notice| notice.patch.as_ref()), expected);
    if let Some(notice) = notice {
        assert_eq!(notice.version, change.twin.desired.version);
    }
}

#[test]
fn the_device_hears_the_patch_itself() {
    let twin = patched(&fresh(), desired(r#"{"a":1,"b":{"x":1}}"#), 1).twin;
    let change = patched(&twin, desired(r#"{"b":{"x":null,"y":2},"c":null}"#), 2);
    check_notice(&change, Some(r#"{"b":{"x":null,"y":2},"c":null,"$version":3}"#));
    check_notice(&patched(&twin, tags(r#"{"t":1}"#), 2), None);
    check_notice(&twin.apply_reported(json!({"a": 1}), at(2)).unwrap(), None);
    check_notice(&patched(&twin, desired("{}"), 2), Some(r#"{"$version":3}"#));
}

#[test]
fn the_device_hears_a_replacement_with_what_is_gone() {
    let twin = patched(&fresh(), desired(r#"{"a":1,"b":2,"o":{"x":1,"y":{"z":1}},"s":1}"#), 1).twin;
    let replaced = |text: &str| twin.replace(desired(text), at(2)).unwrap().unwrap();
    check_notice(
        &replaced(r#"{"a":1,"c":3}"#),
        Some(r#"{"a":1,"c":3,"b":null,"o":null,"s":null,"$version":3}"#),
    );
    check_notice(
        &replaced(r#"{"a":1,"b":2,"o":{"y":{}},"s":{"t":1}}"#),
        Some(r#"{"a":1,"b":2,"o":{"y":{"z":null},"x":null},"s":{"t":1},"$version":3}"#),
    );
    check_notice(
        &replaced("{}"),
        Some(r#"{"a":null,"b":null,"o":null,"s":null,"$version":3}"#),
    );
    check_notice(&twin.replace(tags(r#"{"t":1}"#), at(2)).unwrap().unwrap(), None);
}

#[test]
fn metadata_tells_when_each_node_was_written() {
    let twin = fresh();
    assert_eq!(
        twin.desired.service_json().to_string(),
        r#"{"$metadata":{"$lastUpdated":"2026-01-01T00:00:00Z"},"$version":1}"#
    );
    let twin = patched(&twin, desired(r#"{"o":{"x":1,"y":2},"l":[1,2]}"#), 1).twin;
    let twin = patched(&twin, desired(r#"{"o":{"y":3}}"#), 2).twin;
    let time = |secs: i64| at(secs).to_string();
    let stamp = |secs: i64, version: u64| json!({"$lastUpdated": time(secs), "$lastUpdatedVersion": version});
    let mut expected = stamp(2, 3);
    expected["l"] = stamp(1, 2);
    expected["o"] = stamp(2, 3);
    expected["o"]["x"] = stamp(1, 2);
    expected["o"]["y"] = stamp(2, 3);
    assert_eq!(twin.desired.service_json()["$metadata"], expected);

    // Deleting takes the node along and touches its parents; a scalar has no members left.
    let twin = patched(&twin, desired(r#"{"o":{"x":null},"l":{"n":1}}"#), 3).twin;
    let mut expected = stamp(3, 4);
    expected["l"] = stamp(3, 4);
    expected["l"]["n"] = stamp(3, 4);
    expected["o"] = stamp(3, 4);
    expected["o"]["y"] = stamp(2, 3);
    assert_eq!(twin.desired.service_json()["$metadata"], expected);
    let twin = patched(&twin, desired(r#"{"o":7}"#), 4).twin;
    assert_eq!(twin.desired.service_json()["$metadata"]["o"], stamp(4, 5));

    let twin = twin.replace(desired(r#"{"o":{"p":1}}"#), at(5)).unwrap().unwrap().twin;
    let mut expected = stamp(5, 6);
    expected["o"] = stamp(5, 6);
    expected["o"]["p"] = stamp(5, 6);
    assert_eq!(twin.desired.service_json()["$metadata"], expected);
}

#[test]
fn reported_metadata_has_no_versions() {
    let twin = fresh().apply_reported(json!({"a": {"b": 1}}), at(9)).unwrap().twin;
    let time = at(9).to_string();
    assert_eq!(
        twin.reported.service_json(),
        json!({
            "a": {"b": 1},
            "$metadata": {"$lastUpdated": time, "a": {"$lastUpdated": time, "b": {"$lastUpdated": time}}},
            "$version": 2,
        })
    );
}

#[test]
fn modules_begin_at_year_one() {
    let metadata = &Twin::of_module().reported.service_json()["$metadata"];
    assert_eq!(metadata.to_string(), r#"{"$lastUpdated":"0001-01-01T00:00:00Z"}"#);
}

#[test]
fn events_hold_what_was_written() {
    let id = ironhub_model::IdentityId::parse("d/m").unwrap();
    let change = fresh().apply_reported(json!({"a": 1, "gone": null}), at(1)).unwrap();
    assert_eq!(
        change.event_body(&id).to_string(),
        r#"{"version":3,"properties":{"reported":{"a":1,"gone":null,"$metadata":{"$lastUpdated":"2026-01-01T00:00:01Z","a":{"$lastUpdated":"2026-01-01T00:00:01Z"}},"$version":2}}}"#
    );
    assert_eq!(change.operation(), "updateTwin");
    let change = patched(&fresh(), tags(r#"{"t":null}"#), 1);
    assert_eq!(change.event_body(&id).to_string(), r#"{"version":3,"tags":{"t":null}}"#);
    let change = fresh().replace(tags(r#"{"t":1}"#), at(1)).unwrap().unwrap();
    assert_eq!(change.operation(), "replaceTwin");
    let body = change.event_body(&id);
    let keys: Vec<_> = body.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["deviceId", "moduleId", "etag", "version", "properties", "tags"]);
    assert_eq!(body["etag"], "AAAAAAAAAAI=");
}
