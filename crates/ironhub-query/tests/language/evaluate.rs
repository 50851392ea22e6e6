//! WHERE over one row: what is true, and by the pair of a condition and its negation, what is false or undefined.

use ironhub_query::Query;
use serde_json::{Value, json};

fn row() -> Value {
    json!({
        "deviceId": "d-1", "version": 7, "status": "enabled", "statusReason": null,
        "statusUpdateTime": "2026-01-02T00:00:00Z", "capabilities": {"iotEdge": true}, "parentScopes": ["s1", 2, {"a": 1}],
        "tags": {
            "a": 1, "A": 2, "b": "x", "half": 0.5, "list": [10, [20, 30]], "object": {"k": "v"},
            "others": [{}, {"k": "w"}, {"k": "v", "x": 1}, "v"], "objects": [{}, {"k": "v"}],
            "dotted.name": 4, "group": 5, "order": 8, "with-hyphen": 6, "no": false, "big": 9_007_199_254_740_993_u64,
        },
        "properties": {"desired": {"$version": 3}, "reported": {"$version": 3, "온도": 21.5}},
        "customAttribute": 1,
    })
}

const TRUE: Option<bool> = Some(true);
const FALSE: Option<bool> = Some(false);
const UNDEFINED: Option<bool> = None;

fn matches(condition: &str) -> bool {
    Query::parse(&format!("SELECT * FROM devices WHERE {condition}"))
        .unwrap()
        .matches(&row())
}

#[track_caller]
fn check(condition: &str, expected: Option<bool>) {
    let actual = match (matches(condition), matches(&format!("NOT ({condition})"))) {
        (true, false) => TRUE,
        (false, true) => FALSE,
        (false, false) => UNDEFINED,
        (true, true) => panic!("{condition} and its negation are both true"),
    };
    assert_eq!(actual, expected, "{condition}");
}

#[test]
fn comparisons_are_strict_about_types() {
    check("version = 7", TRUE);
    check("version = 7.0", TRUE);
    check("version = 0x7", TRUE);
    check("version != 7", FALSE);
    check("version <> 8", TRUE);
    check("7 = version", TRUE);
    check("version = '7'", UNDEFINED);
    check("version != '7'", UNDEFINED);
    check("version < 7", FALSE);
    check("version <= 7", TRUE);
    check("version > 6.9", TRUE);
    check("version >= 8", FALSE);
    check("version > -1", TRUE);
    check("capabilities.iotEdge = true", TRUE);
    check("capabilities.iotEdge != true", FALSE);
    check("capabilities.iotEdge = 'true'", UNDEFINED);
    check("capabilities.iotEdge = 1", UNDEFINED);
    check("tags.no = FALSE", TRUE);
    check("tags.list = tags.list", UNDEFINED);
    check("tags.object != 'v'", UNDEFINED);
    check("['a'] = ['a']", UNDEFINED);
}

#[test]
fn texts_compare_ordinally() {
    check("deviceId = 'd-1'", TRUE);
    check("deviceId = 'D-1'", FALSE);
    check("deviceId = \"d-1\"", TRUE);
    check("deviceId > 'D'", TRUE);
    check("status < 'f'", TRUE);
    check("statusUpdateTime > '2026-01-01T23:59:59.9999999Z'", TRUE);
    check("statusUpdateTime > '2026-01-02T00:00:01Z'", FALSE);
}

#[test]
fn missing_is_undefined() {
    check("tags.missing = 1", UNDEFINED);
    check("tags.missing != 1", UNDEFINED);
    check("tags.missing = tags.missing", UNDEFINED);
    check("tags.missing = undefined", UNDEFINED);
    check("tags.missing = null", UNDEFINED);
    check("tags.a.deeper = 1", UNDEFINED);
    check("nothing = 1", UNDEFINED);
    check("statusReason = null", TRUE);
    check("statusReason != null", FALSE);
    check("version = null", UNDEFINED);
}

#[test]
fn logic_has_three_values() {
    let values = [
        ("true", TRUE),
        ("false", FALSE),
        ("tags.missing", UNDEFINED),
        ("tags.b", UNDEFINED),
    ];
    for (left, left_value) in values {
        check(left, left_value);
        for (right, right_value) in values {
            let and = if left_value == FALSE || right_value == FALSE {
                FALSE
            } else {
                left_value.and(right_value)
            };
            let or = if left_value == TRUE || right_value == TRUE {
                TRUE
            } else {
                left_value.and(right_value)
            };
            check(&format!("{left} AND {right}"), and);
            check(&format!("{left} OR {right}"), or);
        }
    }
}

#[test]
fn precedence() {
    check("true OR true AND false", TRUE);
    check("(true OR true) AND false", FALSE);
    check("NOT false AND false", FALSE);
    check("NOT version = 8", TRUE);
    check("NOT NOT true", TRUE);
    check("version = 1 + 2 * 3", TRUE);
    check("version + 2 = 3 * 3", TRUE);
}

#[test]
fn lists() {
    check("deviceId IN ['a', 'd-1']", TRUE);
    check("deviceId in []", FALSE);
    check("deviceId IN [7, null, undefined, true]", FALSE);
    check("version IN ['7', 7]", TRUE);
    check("version IN [-7]", FALSE);
    check("deviceId NOT IN ['a']", TRUE);
    check("deviceId NIN ['a', 1]", TRUE);
    check("deviceId nin ['d-1']", FALSE);
    check("statusReason IN [null]", TRUE);
    check("tags.missing IN ['a']", UNDEFINED);
    check("tags.missing NIN ['a']", UNDEFINED);
    check("tags.missing IN [undefined]", UNDEFINED);
    check("tags.list NIN ['a']", UNDEFINED);
}

#[test]
fn arithmetic() {
    check("version % 4 = 3", TRUE);
    check("version / 2 = 3.5", TRUE);
    check("7 - 2 - 1 = 4", TRUE);
    check("8 / 2 / 2 = 2", TRUE);
    check("- version = -7", TRUE);
    check("- (version - 8) = 1", TRUE);
    check("tags.half + tags.half = 1", TRUE);
    check("version / 0 > 0", UNDEFINED);
    check("version % 0 = 0", UNDEFINED);
    check("deviceId + 'x' = 'd-1x'", UNDEFINED);
    check("tags.missing + 1 > 0", UNDEFINED);
    check("1e308 * 10 > 0", UNDEFINED);
    check("tags.big = 9007199254740992", TRUE); // Numbers are doubles.
}

#[test]
fn functions() {
    check("IS_DEFINED(tags.a)", TRUE);
    check("is_defined(tags.missing)", FALSE);
    check("IS_DEFINED(statusReason)", TRUE);
    check("IS_DEFINED(tags.object)", TRUE);
    check("STARTSWITH(deviceId, 'd-')", TRUE);
    check("STARTSWITH(deviceId, 'D-')", FALSE);
    check("STARTSWITH(deviceId, '')", TRUE);
    check("STARTSWITH(version, '7')", UNDEFINED);
    check("STARTSWITH(tags.missing, 'a')", UNDEFINED);
    check("ENDSWITH(deviceId, '-1')", TRUE);
    check("endswith(deviceId, '-2')", FALSE);
    check("ENDSWITH(deviceId, tags.missing)", UNDEFINED);
    check("ARRAY_CONTAINS(parentScopes, 's1')", TRUE);
    check("ARRAY_CONTAINS(parentScopes, '2')", FALSE);
    check("ARRAY_CONTAINS(parentScopes, 2.0)", TRUE);
    check("ARRAY_CONTAINS(tags.list, [20, 30])", TRUE);
    check("ARRAY_CONTAINS(tags.list, [20])", FALSE);
    check("ARRAY_CONTAINS(tags.list, tags.list[1])", TRUE);
    check("ARRAY_CONTAINS(parentScopes, tags.object)", FALSE);
    check("ARRAY_CONTAINS(tags.others, tags.object)", FALSE);
    check("ARRAY_CONTAINS(tags.objects, tags.object)", TRUE);
    check("ARRAY_CONTAINS(['x', 'y'], tags.b)", TRUE);
    check("ARRAY_CONTAINS(tags.b, 'x')", UNDEFINED);
    check("ARRAY_CONTAINS(parentScopes, tags.missing)", UNDEFINED);
    check("ARRAY_CONTAINS(parentScopes, 's1') = true", TRUE);
}

#[test]
fn paths() {
    check("DEVICEID = 'd-1'", TRUE);
    check("Tags.a = 1", TRUE);
    check("tags.A = 2", TRUE);
    check("Tags.B = 'x'", UNDEFINED);
    check("properties.Desired.$version = 3", UNDEFINED);
    check("properties.desired.$version = properties.reported.$version", TRUE);
    check("devices.deviceId = 'd-1'", TRUE);
    check("DEVICES.tags.a = 1", TRUE);
    check("[[devices]].deviceId = 'd-1'", UNDEFINED);
    check("tags.[[a]] = 1", TRUE);
    check("[[tags]].a = 1", TRUE);
    check("tags.[[dotted.name]] = 4", TRUE);
    check("tags.dotted.name = 4", UNDEFINED);
    check("tags.[[group]] = 5", TRUE);
    check("tags.order = 8", TRUE);
    check("tags.[[Order]] = 8", UNDEFINED);
    check("tags.with-hyphen = 6", TRUE);
    check("tags.a - 1 = 0", TRUE);
    check("properties.reported.온도 = 21.5", TRUE);
    check("tags.list[0] = 10", TRUE);
    check("tags.list[1][1] = 30", TRUE);
    check("tags.list[9] = 10", UNDEFINED);
    check("tags.object[0] = 10", UNDEFINED);
    check("id = 'd-1'", TRUE);
    check("statusUpdatedTime = statusUpdateTime", TRUE);
    check("customattribute = 1", TRUE);
}

#[test]
fn a_row_that_is_no_object_has_nothing() {
    let query = Query::parse("SELECT deviceId FROM devices WHERE NOT IS_DEFINED(deviceId)").unwrap();
    for row in [json!(null), json!([1]), json!("x")] {
        assert!(query.matches(&row), "{row}");
        assert_eq!(query.project(row), json!({}));
    }
}
