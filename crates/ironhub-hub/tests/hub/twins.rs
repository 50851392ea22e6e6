//! Twins over the store: preconditions, notices, contention.

use std::future::Future;

use ironhub_hub::HubError;
use ironhub_model::registry::Precondition;
use ironhub_model::twin::TwinPatch;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{Stage, check, device_id, id};

fn desired(value: Value) -> TwinPatch {
    TwinPatch {
        desired: Some(value),
        tags: None,
    }
}

fn tags(value: Value) -> TwinPatch {
    TwinPatch {
        tags: Some(value),
        desired: None,
    }
}

#[tokio::test]
async fn back_end_and_device_share_one_twin() {
    let stage = Stage::new().await;
    let twins = &stage.hub.twins;
    stage.device("d").await;
    let device = stage.principal("d").await;
    assert_eq!(
        twins.device_twin(&device).await.unwrap(),
        r#"{"desired":{"$version":1},"reported":{"$version":1}}"#
    );
    let view = twins
        .patch(&id("d"), desired(json!({"a": 1})), Precondition::None)
        .await
        .unwrap();
    assert_eq!((view.etag.as_str(), view.version), ("AAAAAAAAAAI=", 3));
    assert_eq!(twins.update_reported(&device, br#"{"b":2}"#, None).await, Ok(2));
    let outdated = Precondition::Match(vec![ironhub_model::Etag::new("AAAAAAAAAAE=")]);
    check(
        "stale",
        twins.patch(&id("d"), tags(json!({"t": 1})), outdated).await,
        "PreconditionFailed",
    );
    // The device's report did not move the ETag.
    let current = Precondition::Match(vec![view.etag]);
    let view = twins.patch(&id("d"), tags(json!({"t": 1})), current).await.unwrap();
    assert_eq!((view.etag.as_str(), view.version), ("AAAAAAAAAAM=", 5));
    assert_eq!(
        twins.device_twin(&device).await.unwrap(),
        r#"{"desired":{"a":1,"$version":2},"reported":{"b":2,"$version":2}}"#
    );
    let replaced = twins
        .replace(&id("d"), desired(json!({"c": 3})), Precondition::Any)
        .await
        .unwrap();
    assert_eq!(replaced.properties.desired["$version"], 3);
    assert_eq!(replaced.properties.desired.get("a"), None);
    assert_eq!(json!(replaced.tags), json!({"t": 1}), "a section left out stays");
}

#[tokio::test]
async fn reports_are_judged_before_anything_is_written() {
    let stage = Stage::new().await;
    let twins = &stage.hub.twins;
    stage.device("d").await;
    let device = stage.principal("d").await;
    check(
        "other version",
        twins.update_reported(&device, b"{}", Some(2)).await,
        "PreconditionFailed",
    );
    assert_eq!(twins.update_reported(&device, br#"{"ok":1}"#, Some(1)).await, Ok(2));
    for bad in [
        &b"{"[..],
        b"",
        b" ",
        b"[]",
        b"null",
        b"{\"good\":1,\"$bad\":2}",
        b"{\"$version\":3}",
        b"\xff",
    ] {
        let error = twins.update_reported(&device, bad, None).await.unwrap_err();
        assert!(matches!(error, HubError::InvalidArgument(_)), "{bad:?}: {error:?}");
    }
    let deep = format!("{}1{}", r#"{"a":"#.repeat(5000), "}".repeat(5000));
    assert!(twins.update_reported(&device, deep.as_bytes(), None).await.is_err());
    assert_eq!(
        twins.device_twin(&device).await.unwrap(),
        r#"{"desired":{"$version":1},"reported":{"ok":1,"$version":2}}"#
    );
}

#[tokio::test]
async fn a_connected_device_hears_desired_changes_only() {
    let stage = Stage::new().await;
    let twins = &stage.hub.twins;
    stage.device("d").await;
    stage.module("d", "m").await;
    let device = stage.principal("d").await;
    twins
        .patch(&id("d"), desired(json!({"unheard": 1})), Precondition::None)
        .await
        .unwrap();
    assert_eq!(stage.bus.take(), Vec::<String>::new(), "it is offline");
    stage.bus.connect("d");
    twins
        .patch(&id("d"), tags(json!({"t": 1})), Precondition::None)
        .await
        .unwrap();
    twins.update_reported(&device, b"{}", None).await.unwrap();
    twins
        .patch(&id("d"), TwinPatch::default(), Precondition::None)
        .await
        .unwrap();
    twins
        .patch(&id("d/m"), desired(json!({"a": 1})), Precondition::None)
        .await
        .unwrap();
    assert_eq!(stage.bus.take(), Vec::<String>::new());
    twins
        .patch(
            &id("d"),
            desired(json!({"a": {"b": null}, "unheard": null})),
            Precondition::None,
        )
        .await
        .unwrap();
    twins
        .replace(&id("d"), desired(json!({"c": 1})), Precondition::None)
        .await
        .unwrap();
    assert_eq!(
        stage.bus.take(),
        [
            r#"desired d 3 {"a":{"b":null},"unheard":null,"$version":3}"#,
            r#"desired d 4 {"c":1,"a":null,"$version":4}"#,
        ]
    );
}

#[tokio::test]
async fn what_is_missing_has_a_name() {
    let stage = Stage::new().await;
    let twins = &stage.hub.twins;
    stage.device("d").await;
    check("device", twins.get(&id("e")).await, "DeviceNotFound(e)");
    check("module", twins.get(&id("d/m")).await, "ModuleNotFound(d/m)");
    check("both", twins.get(&id("e/m")).await, "DeviceNotFound(e)");
    check(
        "patch",
        twins.patch(&id("e"), tags(json!({})), Precondition::None).await,
        "DeviceNotFound(e)",
    );
    let device = stage.principal("d").await;
    stage
        .hub
        .registry
        .delete_device(&device_id("d"), Precondition::None)
        .await
        .unwrap();
    check("revoked", twins.device_twin(&device).await, "Unauthorized(Revoked)");
    check(
        "revoked",
        twins.update_reported(&device, b"{}", None).await,
        "Unauthorized(Revoked)",
    );
}

#[tokio::test]
async fn the_model_is_remembered_without_a_new_version() {
    let stage = Stage::new().await;
    let twins = &stage.hub.twins;
    stage.device("d").await;
    assert_eq!(twins.get(&id("d")).await.unwrap().model_id, "");
    twins.set_model_id(&id("d"), "dtmi:com:example;1").await.unwrap();
    let view = twins.get(&id("d")).await.unwrap();
    assert_eq!((view.model_id.as_str(), view.version), ("dtmi:com:example;1", 2));
    twins.set_model_id(&id("d"), "").await.unwrap();
    assert_eq!(twins.get(&id("d")).await.unwrap().model_id, "");
    assert!(twins.set_model_id(&id("d"), &"x".repeat(129)).await.is_err());
}

/// 64 writers report 100 times each while a back end writes desired properties: nothing is lost, every version occurs
/// once, and every notice is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contention_loses_nothing() {
    const REPORTERS: u64 = 64;
    const REPORTS: u64 = 100;
    const WISHES: u64 = 100;
    let stage = Stage::new().await;
    stage.device("d").await;
    stage.bus.connect("d");
    let device = stage.principal("d").await;
    let mut reporters = JoinSet::new();
    for reporter in 0..REPORTERS {
        let (twins, device) = (stage.hub.twins.clone(), device.clone());
        reporters.spawn(async move {
            let mut versions = Vec::new();
            for report in 1..=REPORTS {
                let patch = json!({ format!("r{reporter}"): report }).to_string();
                versions.push(twins.update_reported(&device, patch.as_bytes(), None).await.unwrap());
            }
            versions
        });
    }
    for wish in 1..=WISHES {
        let patch = desired(json!({"wish": wish}));
        stage
            .hub
            .twins
            .patch(&id("d"), patch, Precondition::None)
            .await
            .unwrap();
    }
    let mut versions: Vec<u64> = reporters.join_all().await.into_iter().flatten().collect();
    versions.sort_unstable();
    assert!(
        versions.into_iter().eq(2..=REPORTERS * REPORTS + 1),
        "each version once"
    );
    let view = stage.hub.twins.get(&id("d")).await.unwrap();
    assert_eq!(view.version, 2 + REPORTERS * REPORTS + WISHES);
    for reporter in 0..REPORTERS {
        assert_eq!(view.properties.reported[format!("r{reporter}")], REPORTS);
    }
    assert_eq!(view.properties.desired["wish"], WISHES);
    let told = stage.bus.take();
    let expected: Vec<String> = (1..=WISHES)
        .map(|wish| format!(r#"desired d {0} {{"wish":{wish},"$version":{0}}}"#, wish + 1))
        .collect();
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_write_whose_caller_went_away_still_happens() {
    let stage = Stage::new().await;
    stage.device("d").await;
    stage.bus.connect("d");
    let device = id("d");
    let mut write = Box::pin(
        stage
            .hub
            .twins
            .patch(&device, desired(json!({"a": 1})), Precondition::None),
    );
    // One poll begins it; then the caller is gone.
    assert!(std::future::poll_fn(|context| std::task::Poll::Ready(write.as_mut().poll(context).is_pending())).await);
    drop(write);
    stage.hub.drain().await;
    assert_eq!(stage.bus.take(), [r#"desired d 2 {"a":1,"$version":2}"#]);
    assert_eq!(stage.hub.twins.get(&id("d")).await.unwrap().properties.desired["a"], 1);
}
