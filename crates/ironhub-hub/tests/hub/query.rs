//! Queries as tools send them, page by page.

use ironhub_hub::HubError;
use ironhub_model::registry::{DeviceSpec, Precondition};
use ironhub_model::twin::TwinPatch;
use serde_json::{Value, json};

use crate::harness::{Stage, check, device_id, id};

/// Devices `a`, `a-1`, `a-2`, `b` (edge), with modules on `a` and `a-1`, and a tag on each device.
async fn stage() -> Stage {
    let stage = Stage::new().await;
    for (name, plant) in [("a", "Ulm"), ("a-1", "Ulm"), ("a-2", "Bonn"), ("b", "Köln")] {
        let mut spec = DeviceSpec::new(device_id(name));
        spec.capabilities.iot_edge = name == "b";
        stage.hub.registry.put_device(spec, Precondition::None).await.unwrap();
        let patch = TwinPatch {
            tags: Some(json!({ "plant": plant })),
            desired: None,
        };
        stage
            .hub
            .twins
            .patch(&id(name), patch, Precondition::None)
            .await
            .unwrap();
    }
    for (device, module) in [("a", "m"), ("a", "n"), ("a-1", "m")] {
        stage.module(device, module).await;
    }
    stage
}

/// Every page of a query as the IDs, or the whole rows, that it holds.
async fn pages(stage: &Stage, text: &str, page_rows: usize) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut continuation = None;
    loop {
        let page = stage
            .hub
            .query
            .run(text, page_rows, continuation.as_deref())
            .await
            .unwrap();
        pages.push(page.rows.iter().map(label).collect());
        assert!(pages.len() < 50, "the pages of {text} do not end");
        continuation = page.continuation;
        if continuation.is_none() {
            return pages;
        }
    }
}

fn label(row: &Value) -> String {
    match (row["deviceId"].as_str(), row["moduleId"].as_str()) {
        (Some(device), Some(module)) => format!("{device}/{module}"),
        (Some(device), None) => device.to_owned(),
        _ => row.to_string(),
    }
}

async fn check_pages(stage: &Stage, text: &str, page_rows: usize, expected: &[&[&str]]) {
    assert_eq!(pages(stage, text, page_rows).await, expected, "{text} by {page_rows}");
}

#[tokio::test]
async fn pages_are_full_and_the_last_is_never_empty() {
    let stage = stage().await;
    let all = "SELECT * FROM devices";
    check_pages(&stage, all, 0, &[&["a", "a-1", "a-2", "b"]]).await;
    check_pages(&stage, all, 1, &[&["a"], &["a-1"], &["a-2"], &["b"]]).await;
    check_pages(&stage, all, 2, &[&["a", "a-1"], &["a-2", "b"]]).await;
    check_pages(&stage, all, 3, &[&["a", "a-1", "a-2"], &["b"]]).await;
    check_pages(&stage, "select * from devices where deviceId = 'none'", 1, &[&[]]).await;
    check_pages(&stage, "SELECT * FROM devices.jobs", 1, &[&[]]).await;
}

#[tokio::test]
async fn pages_of_large_rows_have_fewer() {
    const DEVICES: usize = 150;
    let stage = Stage::new().await;
    // The largest that desired properties can be: texts of at most 4 KiB, 32 KiB in all.
    let large: Value = (0..7).map(|n| (format!("text{n}"), json!("x".repeat(4000)))).collect();
    for number in 0..DEVICES {
        let name = format!("d{number:03}");
        stage.device(&name).await;
        let patch = TwinPatch {
            tags: None,
            desired: Some(large.clone()),
        };
        let twins = &stage.hub.twins;
        twins.patch(&id(&name), patch, Precondition::None).await.unwrap();
    }
    let pages = pages(&stage, "SELECT * FROM devices", 1000).await;
    assert_eq!(pages.len(), 2, "4 MiB each at most, of 4.3 MB");
    assert!(pages[0].len() > pages[1].len(), "a page is as full as can be");
    let names = (0..DEVICES).map(|number| format!("d{number:03}"));
    assert_eq!(pages.concat(), names.collect::<Vec<_>>(), "each once and in order");
}

#[tokio::test]
async fn what_tools_send_finds_what_they_mean() {
    let stage = stage().await;
    let modules = "select * from devices.modules";
    check_pages(
        &stage,
        modules,
        1,
        &[&["a-1/m"], &["a/m"], &["a/n"], &["b/$edgeAgent"], &["b/$edgeHub"]],
    )
    .await;
    check_pages(
        &stage,
        "select * from devices.modules where devices.deviceId = 'a'",
        1,
        &[&["a/m"], &["a/n"]],
    )
    .await;
    let both = "SELECT * FROM devices.modules WHERE deviceId in ['a', 'a-1', 'none']";
    check_pages(&stage, both, 1, &[&["a/m"], &["a/n"], &["a-1/m"]]).await;
    let ids = "SELECT * FROM devices WHERE deviceId IN ['b','a','b']";
    check_pages(&stage, ids, 1, &[&["a"], &["b"]]).await;
    check_pages(
        &stage,
        "select * from devices where capabilities.iotEdge = true",
        9,
        &[&["b"]],
    )
    .await;
    let prefix = "SELECT * FROM devices WHERE STARTSWITH(devices.deviceId, 'a-')";
    check_pages(&stage, prefix, 1, &[&["a-1"], &["a-2"]]).await;
    check_pages(
        &stage,
        "SELECT * FROM devices WHERE tags.plant = 'Ulm'",
        1,
        &[&["a"], &["a-1"]],
    )
    .await;
    check_pages(&stage, "SELECT TOP 3 * FROM devices", 2, &[&["a", "a-1"], &["a-2"]]).await;
    check_pages(&stage, "SELECT TOP 2 * FROM devices", 2, &[&["a", "a-1"]]).await;
}

#[tokio::test]
async fn rows_are_twins_or_what_was_selected() {
    let stage = stage().await;
    let run = |text: &'static str| stage.hub.query.run(text, 10, None);
    let page = run("SELECT * FROM devices WHERE deviceId = 'a'").await.unwrap();
    assert_eq!(page.item_type, "Twin");
    let twin = stage.hub.twins.get(&id("a")).await.unwrap();
    assert_eq!(page.rows, [serde_json::to_value(twin).unwrap()]);
    let page = run("SELECT deviceId AS DeviceId, status, tags.plant FROM devices WHERE deviceId = 'a'")
        .await
        .unwrap();
    assert_eq!(page.item_type, "Raw");
    assert_eq!(
        page.rows,
        [json!({"DeviceId": "a", "status": "enabled", "plant": "Ulm"})]
    );
    let page = run("SELECT COUNT() AS n FROM devices").await.unwrap();
    assert_eq!(page.rows, [json!({"n": 4})]);
    assert_eq!(run("SELECT * FROM devices.jobs").await.unwrap().item_type, "DeviceJob");
}

#[tokio::test]
async fn groups_are_paged_too() {
    let stage = stage().await;
    let text = "SELECT tags.plant AS plant, COUNT() AS n FROM devices GROUP BY tags.plant";
    let ulm = r#"{"plant":"Ulm","n":2}"#;
    let bonn = r#"{"plant":"Bonn","n":1}"#;
    let koeln = r#"{"plant":"Köln","n":1}"#;
    check_pages(&stage, text, 2, &[&[ulm, bonn], &[koeln]]).await;
    check_pages(&stage, text, 3, &[&[ulm, bonn, koeln]]).await;
}

#[tokio::test]
async fn a_query_sees_what_was_acknowledged() {
    let stage = stage().await;
    for number in 0..300 {
        stage.device(&format!("x{number:03}")).await;
        let text = format!("SELECT deviceId FROM devices WHERE deviceId = 'x{number:03}'");
        assert_eq!(stage.hub.query.run(&text, 1, None).await.unwrap().rows.len(), 1);
    }
    let rows: usize = pages(&stage, "SELECT deviceId FROM devices", 7)
        .await
        .iter()
        .map(Vec::len)
        .sum();
    assert_eq!(rows, 304);
}

#[tokio::test]
async fn mistakes_are_told_with_their_place() {
    let stage = stage().await;
    let error = stage
        .hub
        .query
        .run("SELECT * FROM devices ORDER BY deviceId", 1, None)
        .await
        .unwrap_err();
    let HubError::QueryInvalid(text) = error else {
        panic!("{error:?}");
    };
    assert!(text.contains("position 22"), "{text}");
    let page = stage.hub.query.run("SELECT * FROM devices", 1, None).await.unwrap();
    let token = page.continuation.unwrap();
    let expected = r#"InvalidArgument("the continuation token does not belong to this query")"#;
    for (text, token) in [
        ("SELECT * FROM devices.modules", token.as_str()),
        ("SELECT * FROM devices", "x"),
    ] {
        check(token, stage.hub.query.run(text, 1, Some(token)).await, expected);
    }
}

#[tokio::test]
async fn a_row_that_goes_between_pages_does_not_break_them() {
    let stage = stage().await;
    let text = "SELECT * FROM devices";
    let page = stage.hub.query.run(text, 2, None).await.unwrap();
    stage
        .hub
        .registry
        .delete_device(&device_id("a-1"), Precondition::None)
        .await
        .unwrap();
    let rest = stage
        .hub
        .query
        .run(text, 2, page.continuation.as_deref())
        .await
        .unwrap();
    assert_eq!(rest.rows.iter().map(label).collect::<Vec<_>>(), ["a-2", "b"]);
    assert_eq!(rest.continuation, None);
}
