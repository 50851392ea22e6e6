//! What a twin may hold; a violation applies nothing.

use ironhub_model::Timestamp;
use ironhub_model::twin::{InvalidTwin, Twin, TwinPatch};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn fresh() -> Twin {
    Twin::of_device(NOW)
}

/// The outcome by all three writers, which must agree unless `null`s are in it.
fn outcome(value: &Value) -> Result<(), InvalidTwin> {
    let patch = || TwinPatch {
        tags: None,
        desired: Some(value.clone()),
    };
    let reported = fresh().apply_reported(value.clone(), NOW).map(drop);
    let patched = fresh().apply_patch(patch(), NOW).map(drop);
    let text = |result: &Result<(), InvalidTwin>| format!("{result:?}").replace("reported", "desired");
    assert_eq!(text(&reported), text(&patched), "{value}");
    patched
}

#[track_caller]
fn check(value: &Value, expected: &str) {
    let text = match outcome(value) {
        Ok(()) => String::from("ok"),
        Err(error) => format!("{error:?}"),
    };
    assert!(text.starts_with(expected), "{text}, expected {expected}");
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, _| json!({ "a": inner }))
}

fn nested_arrays(levels: usize) -> Value {
    json!({"a": (0..levels).fold(json!(1), |inner, _| json!([inner]))})
}

#[test]
fn names_have_an_alphabet_and_a_length() {
    for good in ["a", "ä-b_c:d/é", "@x", "%2E", &"k".repeat(1024), &"ü".repeat(512)] {
        check(&json!({ good: 1 }), "ok");
    }
    for bad in [
        "a.b",
        "$a",
        "a$",
        "a b",
        "a\tb",
        "a\u{7f}",
        "a\u{85}",
        "a#",
        "a\u{2003}b",
        "\u{0}",
    ] {
        check(&json!({ bad: 1 }), "KeyCharacter");
        check(&json!({"deep": {"er": { bad: 1 }}}), "KeyCharacter");
        check(&json!({"list": [{ bad: 1 }]}), "KeyCharacter");
        check(&json!({ bad: null }), "KeyCharacter");
    }
    check(&json!({"": 1}), "KeyLength");
    check(&json!({"k".repeat(1025): 1}), "KeyLength");
    check(&json!({"ü".repeat(513): 1}), "KeyLength");
}

#[test]
fn values_have_bounds() {
    for good in [
        json!({"s": "x".repeat(4096), "b": true, "n": -0.5, "l": [], "o": {}}),
        json!({"min": -4_503_599_627_370_496_i64, "max": 4_503_599_627_370_495_i64}),
        json!({"f": 1e300}),
    ] {
        check(&good, "ok");
    }
    check(&json!({"s": "x".repeat(4097)}), "StringLength");
    check(&json!({"s": "ü".repeat(2049)}), "StringLength");
    check(&json!({"l": ["x".repeat(4097)]}), "StringLength");
    check(&json!({"n": 4_503_599_627_370_496_i64}), "IntegerRange");
    check(&json!({"n": -4_503_599_627_370_497_i64}), "IntegerRange");
    check(&json!({"n": u64::MAX}), "IntegerRange");
    check(&json!({"l": [null]}), "Null");
    check(&json!({"l": [{"x": null}]}), "Null");
    check(&json!({"l": [[null]]}), "Null");
}

#[test]
fn ten_levels_below_the_root() {
    check(&nested(11), "ok");
    check(&nested(12), "TooDeep");
    check(&nested_arrays(10), "ok");
    check(&nested_arrays(11), "TooDeep");
}

#[test]
fn sections_must_be_objects() {
    for value in [json!("badinput"), json!([1]), json!(1), json!(true)] {
        check(&value, "NotAnObject");
        let tags = TwinPatch {
            tags: Some(value),
            desired: None,
        };
        assert!(matches!(
            fresh().apply_patch(tags, NOW),
            Err(InvalidTwin::NotAnObject("tags"))
        ));
    }
    let null = fresh().apply_reported(Value::Null, NOW);
    assert!(matches!(null, Err(InvalidTwin::NotAnObject(_))));
}

#[test]
fn what_only_the_hub_writes_is_refused_from_devices() {
    for name in ["$version", "$metadata"] {
        let outcome = fresh().apply_reported(json!({ name: 1 }), NOW);
        assert_eq!(outcome, Err(InvalidTwin::KeyCharacter(name.into())));
    }
}

#[test]
fn replacements_hold_no_null() {
    for value in [json!({"a": null}), json!({"a": {"b": null}})] {
        let patch = TwinPatch {
            tags: None,
            desired: Some(value),
        };
        let error = fresh().replace(patch, NOW).unwrap_err();
        assert!(
            error.to_string().starts_with("Value of Property or Tag cannot be null"),
            "{error}"
        );
    }
}

/// `{"k00": "xxx…"}` of exactly so many bytes by the documented count.
fn of_size(bytes: usize) -> Value {
    let mut object = serde_json::Map::new();
    let mut left = bytes;
    for index in 0.. {
        let value = left.saturating_sub(3).min(4000);
        object.insert(format!("k{index:02}"), "x".repeat(value).into());
        left -= value + 3;
        if left < 4 {
            assert_eq!(left, 0, "pick another size");
            break;
        }
    }
    Value::Object(object)
}

#[test]
fn sections_have_a_size() {
    check(&of_size(32 * 1024), "ok");
    check(&of_size(32 * 1024 + 1), "SectionSize");
    let tags = |bytes| TwinPatch {
        tags: Some(of_size(bytes)),
        desired: None,
    };
    assert!(fresh().apply_patch(tags(8 * 1024), NOW).is_ok());
    assert!(fresh().replace(tags(8 * 1024), NOW).is_ok());
    assert!(matches!(
        fresh().apply_patch(tags(8 * 1024 + 1), NOW),
        Err(InvalidTwin::SectionSize { .. })
    ));
    assert!(matches!(
        fresh().replace(tags(8 * 1024 + 1), NOW),
        Err(InvalidTwin::SectionSize { .. })
    ));
}

#[test]
fn size_is_that_of_the_section_after_the_write() {
    let full = fresh().apply_reported(of_size(32 * 1024), NOW).unwrap().twin;
    let more = full.apply_reported(json!({"z": true}), NOW);
    assert!(matches!(more, Err(InvalidTwin::SectionSize { .. })));
    assert!(full.apply_reported(json!({"z": true, "k00": null}), NOW).is_ok());
    // Numbers count 8, booleans 4, control characters nothing; structure is free.
    let counted = json!({"n": 1, "b": false, "s": "\u{1}\u{85}x", "l": [1, {"m": "y"}]});
    let size = (1 + 8) + (1 + 4) + (1 + 1) + (1 + 8 + 1 + 1);
    let rest = of_size(32 * 1024 - size);
    let twin = fresh().apply_reported(rest, NOW).unwrap().twin;
    let full = twin.apply_reported(counted, NOW).unwrap().twin;
    assert!(full.apply_reported(json!({"": ""}), NOW).is_err());
    assert!(full.apply_reported(json!({"y": ""}), NOW).is_err());
}
