//! No text panics; what prints, parses back to the same query; and the printed query finds the same rows.

use ironhub_query::Query;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Words that come close to queries when strung together at random.
const WORDS: &[&str] = &[
    "SELECT",
    "TOP",
    "*",
    "FROM",
    "devices",
    "devices.modules",
    ".",
    ",",
    "WHERE",
    "GROUP",
    "BY",
    "AS",
    "AND",
    "OR",
    "NOT",
    "IN",
    "NIN",
    "(",
    ")",
    "[",
    "]",
    "[[a b]]",
    "[[",
    "]]",
    "=",
    "<>",
    "<=",
    "+",
    "-",
    "/",
    "%",
    "deviceId",
    "tags.a",
    "COUNT",
    "COUNT()",
    "SUM(",
    "STARTSWITH(",
    "IS_DEFINED(",
    "'x'",
    "\"y\"",
    "'\\",
    "\\u00e9",
    "1",
    "0x1F",
    "1e5",
    "/*",
    "*/",
    "null",
    "undefined",
    "ORDER BY",
    "LIKE",
    "é",
    "\u{0}",
];

fn row() -> Value {
    json!({
        "deviceId": "d1", "version": 3, "status": "enabled", "statusReason": null,
        "tags": {"a": 1, "b": "x", "group": true, "list": [1, "x"], "o": {"k": 2}},
    })
}

/// Every public function with any query at all.
fn use_up(query: &Query) {
    let row = row();
    if query.matches(&row)
        && let Some(mut aggregator) = query.aggregator()
    {
        aggregator.push(&row).unwrap();
        aggregator.finish();
    }
    query.device_id_candidates();
    query.device_id_prefix();
    query.project(row);
}

fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("deviceId".to_owned()),
        Just("devices.Version".to_owned()),
        Just("statusReason".to_owned()),
        Just("tags.list[1]".to_owned()),
        Just("[[devices]].x".to_owned()),
        Just("tags.[[order]]".to_owned()),
        "tags\\.(a|b|o\\.k|\\$x-1|missing|\\[\\[[a-z .\\]]{1,3}[a-z]\\]\\])",
    ]
    .prop_filter("an escaped name ends at the first brackets", |path| {
        path.matches("]]").count() <= 1
    })
}

fn constant() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        Just("UNDEFINED".to_owned()),
        any::<bool>().prop_map(|bool| bool.to_string()),
        any::<i16>().prop_map(|number| number.to_string()),
        (-1e12..1e12_f64).prop_map(|number| format!("{number:?}")),
        "0x[0-9a-f]{1,16}",
        "'([a-zA-Z é\"]|\\\\'|\\\\\\\\|\\\\u00[0-9a-f]{2}){0,6}'",
    ]
}

fn list() -> impl Strategy<Value = String> {
    prop::collection::vec(constant(), 0..4).prop_map(|constants| format!("[{}]", constants.join(", ")))
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![path(), constant()].prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), "[-+*/%]", inner.clone()).prop_map(|(left, op, right)| format!("{left} {op} {right}")),
            inner.clone().prop_map(|inner| format!("({inner})")),
            inner.prop_map(|inner| format!("- {inner}")),
        ]
    })
}

fn condition() -> impl Strategy<Value = String> {
    let comparison = prop_oneof![
        (value(), "=|!=|<>|<|<=|>|>=", value()).prop_map(|(left, op, right)| format!("{left} {op} {right}")),
        (value(), "IN|NOT IN|nin", list()).prop_map(|(left, op, list)| format!("{left} {op} {list}")),
        path().prop_map(|path| format!("IS_DEFINED({path})")),
        (value(), value()).prop_map(|(left, right)| format!("startswith({left}, {right})")),
        (list(), value()).prop_map(|(list, value)| format!("ARRAY_CONTAINS({list}, {value})")),
        path(),
    ];
    comparison.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), "AND|or", inner.clone()).prop_map(|(left, op, right)| format!("{left} {op} {right}")),
            inner.clone().prop_map(|inner| format!("({inner})")),
            inner.prop_map(|inner| format!("NOT {inner}")),
        ]
    })
}

fn query() -> impl Strategy<Value = String> {
    let head = prop_oneof![
        Just("SELECT * FROM devices".to_owned()),
        Just("SELECT TOP 3 * FROM devices.jobs".to_owned()),
        path().prop_map(|path| format!("select deviceId, {path} [[as x]] FROM devices.modules")),
        path().prop_map(|path| format!("SELECT COUNT() AS n, AVG({path}), MAX({path}) AS m FROM devices")),
    ];
    let grouped = (path(), condition()).prop_map(|(path, condition)| {
        format!("SELECT {path} AS k, COUNT() FROM devices WHERE {condition} GROUP BY {path}, status")
    });
    prop_oneof![
        (head, condition()).prop_map(|(head, condition)| format!("{head} WHERE {condition}")),
        grouped
    ]
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>(), condition in ".{0,60}") {
        for text in [text, format!("SELECT * FROM devices WHERE {condition}"), format!("SELECT {condition} FROM devices")] {
            match Query::parse(&text) {
                Ok(query) => use_up(&query),
                Err(error) => prop_assert!(error.position() <= text.len() && !error.to_string().contains('\n')),
            }
            let _ = Query::parse_condition(&text);
        }
    }

    #[test]
    fn no_words_panic(words in prop::collection::vec(prop::sample::select(WORDS), 0..30), glue in "| ") {
        let text = words.join(&glue);
        for text in [text.clone(), format!("SELECT * FROM devices WHERE {text}")] {
            match Query::parse(&text) {
                Ok(query) => use_up(&query),
                Err(error) => prop_assert!(text.is_char_boundary(error.position())),
            }
        }
    }

    #[test]
    fn a_query_cut_anywhere_does_not_panic(text in query(), cut in any::<prop::sample::Index>()) {
        let end = cut.index(text.len() + 1);
        if let Some(cut) = text.get(..end) {
            let _ = Query::parse(cut);
        }
    }

    #[test]
    fn what_is_printed_parses_to_the_same_query(text in query()) {
        let query = Query::parse(&text).unwrap();
        let printed = query.to_string();
        let again = Query::parse(&printed);
        prop_assert_eq!(again.as_ref(), Ok(&query), "{}", printed);
        prop_assert_eq!(again.unwrap().to_string(), printed);
        use_up(&query);
    }

    #[test]
    fn parentheses_change_nothing_where_precedence_says_the_same(a in condition(), b in condition(), c in condition()) {
        let matches = |condition: String| Query::parse_condition(&condition).unwrap().matches(&row());
        prop_assert_eq!(
            matches(format!("({a}) OR ({b}) AND NOT ({c})")),
            matches(format!("({a}) OR (({b}) AND (NOT ({c})))"))
        );
        // De Morgan holds in three-valued logic too.
        prop_assert_eq!(matches(format!("NOT (({a}) AND ({b}))")), matches(format!("NOT ({a}) OR NOT ({b})")));
    }

    /// The shortcut for the store never loses a row that matches.
    #[test]
    fn candidates_and_prefix_hold_for_every_match(condition in condition(), id in "d1|x|a") {
        let query = Query::parse_condition(&format!("({condition}) AND deviceId IN ['{id}', 'd1', 'z'] AND STARTSWITH(id, 'd')")).unwrap();
        if query.matches(&row()) {
            prop_assert!(query.device_id_candidates().unwrap().contains(&"d1"));
            prop_assert!("d1".starts_with(query.device_id_prefix().unwrap()));
        }
    }
}
