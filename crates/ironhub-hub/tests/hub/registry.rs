//! Identities: creation, change, deletion, bulk calls, keys.

use std::time::Duration;

use ironhub_hub::HubError;
use ironhub_model::registry::{BulkItem, DeviceSpec, ImportMode, KeyChoice, ModuleSpec, Precondition};
use ironhub_model::twin::TwinPatch;
use ironhub_model::{Authentication, DeviceStatus, Etag, IdentityId, Timestamp};
use serde_json::json;

use crate::harness::{NOW_S, Stage, check, device_id, id, key, module_id};

fn spec(name: &str) -> DeviceSpec {
    DeviceSpec::new(device_id(name))
}

#[tokio::test]
async fn a_device_is_created_once_with_a_twin_and_keys() {
    let stage = Stage::new().await;
    let registry = &stage.hub.registry;
    let created = stage.device("d").await;
    let identity = &created.identity;
    assert_eq!(identity.status, DeviceStatus::Enabled);
    assert_eq!(identity.status_updated_at, Timestamp::NEVER);
    assert_eq!(identity.created_at, Timestamp::from_secs(NOW_S));
    let ticks: i64 = identity.generation_id.as_str().parse().unwrap();
    assert!(
        (0..10).contains(&(ticks - identity.created_at.dotnet_ticks())),
        "{ticks}"
    );
    assert_eq!(created.c2d_count, 0);
    let Authentication::Sas { primary, secondary } = &identity.authentication else {
        panic!("{identity:?}");
    };
    assert_ne!(primary, secondary);
    assert_eq!(registry.device(&device_id("d")).await.unwrap(), created);
    let twin = stage.hub.twins.get(&id("d")).await.unwrap();
    assert_eq!((twin.etag.as_str(), twin.version), ("AAAAAAAAAAE=", 2));
    assert_eq!(twin.device_etag, identity.etag);
    check(
        "again",
        registry.put_device(spec("d"), Precondition::None).await,
        "DeviceAlreadyExists(d)",
    );
    check(
        "other case",
        registry.put_device(spec("D"), Precondition::None).await,
        "Ok",
    );
    check("unknown", registry.device(&device_id("e")).await, "DeviceNotFound(e)");
}

#[tokio::test]
async fn updates_replace_the_record_under_their_precondition() {
    let stage = Stage::new().await;
    let registry = &stage.hub.registry;
    let created = stage.device("d").await.identity;
    let outdated = Precondition::Match(vec![Etag::new("c3RhbGU=")]);
    let either = Precondition::Match(vec![Etag::new("c3RhbGU="), created.etag.clone()]);
    check(
        "missing",
        registry.put_device(spec("e"), Precondition::Any).await,
        "DeviceNotFound(e)",
    );
    check(
        "missing",
        registry.put_device(spec("e"), outdated.clone()).await,
        "DeviceNotFound(e)",
    );
    check(
        "stale",
        registry.put_device(spec("d"), outdated.clone()).await,
        "PreconditionFailed",
    );

    let mut disabling = spec("d");
    disabling.status = Some(DeviceStatus::Disabled);
    disabling.status_reason = Some("lost".into());
    disabling.authentication.primary_key = Some(key(1).expose().into());
    stage.clock.advance(Duration::from_mins(1));
    let disabled = registry.put_device(disabling, either).await.unwrap().identity;
    assert_ne!(disabled.etag, created.etag);
    assert_eq!(disabled.generation_id, created.generation_id);
    assert_eq!(disabled.created_at, created.created_at);
    assert_eq!(disabled.status_updated_at, Timestamp::from_secs(NOW_S + 60));
    assert_eq!(disabled.status_reason.as_deref(), Some("lost"));

    stage.clock.advance(Duration::from_mins(1));
    let mut renamed = spec("d");
    renamed.status = Some(DeviceStatus::Disabled);
    let renamed = registry.put_device(renamed, Precondition::Any).await.unwrap().identity;
    assert_eq!(
        renamed.status_updated_at,
        Timestamp::from_secs(NOW_S + 60),
        "the status did not change"
    );
    assert_eq!(renamed.status_reason, None, "what is left out is reset");
    assert_ne!(
        renamed.authentication, disabled.authentication,
        "keys left out are generated"
    );

    let mut long = spec("d");
    long.status_reason = Some("ü".repeat(128));
    check(
        "128 characters",
        registry.put_device(long.clone(), Precondition::Any).await,
        "Ok",
    );
    long.status_reason = Some("ü".repeat(129));
    let error = registry.put_device(long, Precondition::Any).await.unwrap_err();
    assert!(matches!(error, HubError::InvalidArgument(_)), "{error:?}");
    check(
        "stale",
        registry.delete_device(&device_id("d"), outdated).await,
        "PreconditionFailed",
    );
}

#[tokio::test]
async fn bad_keys_change_nothing() {
    let stage = Stage::new().await;
    for bad in ["1", "not base64!", "AAAA"] {
        let mut bad_key = spec("d");
        bad_key.authentication.primary_key = Some(bad.into());
        let error = stage
            .hub
            .registry
            .put_device(bad_key, Precondition::None)
            .await
            .unwrap_err();
        assert!(matches!(error, HubError::Malformed(_)), "{error:?}");
    }
    check(
        "not made",
        stage.hub.registry.device(&device_id("d")).await,
        "DeviceNotFound(d)",
    );
    assert_eq!(stage.hub.registry.device_statistics().await.unwrap().total, 0);
}

#[tokio::test]
async fn deleting_leaves_nothing_behind() {
    let stage = Stage::new().await;
    let (registry, twins) = (&stage.hub.registry, &stage.hub.twins);
    stage.device("d").await;
    stage.module("d", "m").await;
    for name in ["d", "d/m"] {
        let patch = TwinPatch {
            tags: Some(json!({"a": 1})),
            desired: None,
        };
        twins.patch(&id(name), patch, Precondition::None).await.unwrap();
    }
    let first = registry.device(&device_id("d")).await.unwrap().identity;
    registry
        .delete_device(&device_id("d"), Precondition::None)
        .await
        .unwrap();
    check("device", registry.device(&device_id("d")).await, "DeviceNotFound(d)");
    check(
        "module",
        registry.module(&device_id("d"), &module_id("m")).await,
        "DeviceNotFound(d)",
    );
    check("twin", twins.get(&id("d")).await, "DeviceNotFound(d)");
    check("module twin", twins.get(&id("d/m")).await, "DeviceNotFound(d)");
    check(
        "again",
        registry.delete_device(&device_id("d"), Precondition::Any).await,
        "DeviceNotFound(d)",
    );

    stage.clock.advance(Duration::from_secs(1));
    let second = stage.device("d").await.identity;
    assert_ne!(first.generation_id, second.generation_id);
    assert_eq!(twins.get(&id("d")).await.unwrap().etag.as_str(), "AAAAAAAAAAE=");
    check(
        "module",
        registry.module(&device_id("d"), &module_id("m")).await,
        "ModuleNotFound(d/m)",
    );
    stage.module("d", "m").await;
    assert!(twins.get(&id("d/m")).await.unwrap().tags.is_empty());
}

#[tokio::test]
async fn modules_live_on_their_device() {
    let stage = Stage::new().await;
    let registry = &stage.hub.registry;
    stage.device("d").await;
    stage.device("d-2").await;
    stage.module("d-2", "other").await;
    let created = stage.module("d", "m").await.identity;
    assert_eq!(created.managed_by, None);
    let mut spec = ModuleSpec::new(device_id("d"), module_id("m"));
    check(
        "again",
        registry.put_module(spec.clone(), Precondition::None).await,
        "ModuleAlreadyExists(d/m)",
    );
    spec.managed_by = Some("me".into());
    let outdated = Precondition::Match(vec![Etag::new("x")]);
    check(
        "stale",
        registry.put_module(spec.clone(), outdated).await,
        "PreconditionFailed",
    );
    let updated = registry
        .put_module(spec, Precondition::Match(vec![created.etag]))
        .await
        .unwrap()
        .identity;
    assert_eq!(updated.managed_by.as_deref(), Some("me"));
    assert_eq!(updated.generation_id, created.generation_id);
    let names = |views: Vec<ironhub_model::registry::ModuleView>| {
        views
            .into_iter()
            .map(|view| view.identity.module_id.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(registry.list_modules(&device_id("d")).await.unwrap()), ["m"]);
    let orphan = ModuleSpec::new(device_id("e"), module_id("m"));
    check(
        "no device",
        registry.put_module(orphan, Precondition::None).await,
        "DeviceNotFound(e)",
    );
    check(
        "no device",
        registry.list_modules(&device_id("e")).await,
        "DeviceNotFound(e)",
    );
    let missing = ModuleSpec::new(device_id("d"), module_id("n"));
    check(
        "no module",
        registry.put_module(missing, Precondition::Any).await,
        "ModuleNotFound(d/n)",
    );
    let system = ModuleSpec::new(device_id("d"), module_id("$edgeHub"));
    check(
        "system",
        registry.put_module(system, Precondition::None).await,
        "SystemModule($edgeHub)",
    );
    registry
        .delete_module(&device_id("d"), &module_id("m"), Precondition::None)
        .await
        .unwrap();
    check("gone", stage.hub.twins.get(&id("d/m")).await, "ModuleNotFound(d/m)");
    assert_eq!(
        names(registry.list_modules(&device_id("d")).await.unwrap()),
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn fifty_modules_fit_also_when_all_come_at_once() {
    let stage = Stage::new().await;
    let mut edge = spec("e");
    edge.capabilities.iot_edge = true;
    stage.hub.registry.put_device(edge, Precondition::None).await.unwrap();
    let mut writes = tokio::task::JoinSet::new();
    for number in 0..55 {
        let registry = stage.hub.registry.clone();
        let spec = ModuleSpec::new(device_id("e"), module_id(&format!("m{number}")));
        writes.spawn(async move { registry.put_module(spec, Precondition::None).await });
    }
    let outcomes = writes.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 50);
    assert!(
        outcomes
            .iter()
            .filter_map(|outcome| outcome.as_ref().err())
            .all(|error| *error == HubError::TooManyModules)
    );
    let all = stage.hub.registry.list_modules(&device_id("e")).await.unwrap();
    assert_eq!(all.len(), 52, "system modules are not counted");
}

#[tokio::test]
async fn edge_devices_have_scopes_and_system_modules() {
    let stage = Stage::new().await;
    let registry = &stage.hub.registry;
    let mut edge = spec("e");
    edge.capabilities.iot_edge = true;
    let edge = registry.put_device(edge, Precondition::None).await.unwrap().identity;
    let scope = edge.device_scope.clone().unwrap();
    assert_eq!(scope, format!("ms-azure-iot-edge://e-{}", edge.generation_id.as_str()));
    let modules = registry.list_modules(&device_id("e")).await.unwrap();
    let described: Vec<_> = modules
        .iter()
        .map(|view| (view.identity.module_id.as_str(), view.identity.managed_by.as_deref()))
        .collect();
    assert_eq!(
        described,
        [("$edgeAgent", Some("iotEdge")), ("$edgeHub", Some("iotEdge"))]
    );
    assert!(
        modules
            .iter()
            .all(|view| view.identity.authentication == Authentication::None)
    );
    let removal = registry
        .delete_module(&device_id("e"), &module_id("$edgeHub"), Precondition::None)
        .await;
    check("removal", removal, "SystemModule($edgeHub)");

    let mut leaf = spec("leaf");
    leaf.device_scope = Some(scope.clone());
    let created = registry
        .put_device(leaf.clone(), Precondition::None)
        .await
        .unwrap()
        .identity;
    assert_eq!(
        (created.device_scope.as_ref(), created.parent_scopes.as_slice()),
        (Some(&scope), [scope.clone()].as_slice())
    );
    leaf.device_scope = Some("ms-azure-iot-edge://nobody-1".into());
    let unknown = registry.put_device(leaf.clone(), Precondition::Any).await;
    check(
        "unknown scope",
        unknown,
        r#"InvalidScope("ms-azure-iot-edge://nobody-1")"#,
    );

    // The parent goes; its child can still be written.
    registry
        .delete_device(&device_id("e"), Precondition::None)
        .await
        .unwrap();
    leaf.device_scope = Some(scope);
    check("an old scope", registry.put_device(leaf, Precondition::Any).await, "Ok");

    let mut plain = spec("p");
    registry.put_device(plain.clone(), Precondition::None).await.unwrap();
    plain.capabilities.iot_edge = true;
    registry.put_device(plain.clone(), Precondition::Any).await.unwrap();
    assert_eq!(registry.list_modules(&device_id("p")).await.unwrap().len(), 2);
    plain.capabilities.iot_edge = false;
    let plain = registry.put_device(plain, Precondition::Any).await.unwrap().identity;
    assert_eq!(plain.device_scope, None);
    assert_eq!(registry.list_modules(&device_id("p")).await.unwrap().len(), 0);
}

#[tokio::test]
async fn links_are_cut_when_a_write_makes_them_illegal() {
    let stage = Stage::new().await;
    let registry = &stage.hub.registry;
    let mut keyed = spec("d");
    keyed.authentication.primary_key = Some(key(1).expose().into());
    keyed.authentication.secondary_key = Some(key(2).expose().into());
    registry.put_device(keyed.clone(), Precondition::None).await.unwrap();
    stage.module("d", "m").await;
    stage.device("offline").await;
    for name in ["d", "d/m"] {
        stage.bus.connect(name);
    }
    let put = |spec: DeviceSpec| registry.put_device(spec, Precondition::Any);

    keyed.status_reason = Some("nothing of weight".into());
    put(keyed.clone()).await.unwrap();
    std::mem::swap(
        &mut keyed.authentication.primary_key,
        &mut keyed.authentication.secondary_key,
    );
    put(keyed.clone()).await.unwrap();
    assert_eq!(stage.bus.take(), Vec::<String>::new());

    keyed.authentication.secondary_key = Some(key(3).expose().into());
    put(keyed.clone()).await.unwrap();
    assert_eq!(stage.bus.take(), ["revoke d"]);
    keyed.status = Some(DeviceStatus::Disabled);
    put(keyed.clone()).await.unwrap();
    assert_eq!(stage.bus.take(), ["revoke d", "revoke d/m"]);
    put(keyed).await.unwrap();
    assert_eq!(stage.bus.take(), Vec::<String>::new(), "it was disabled before");

    registry
        .regenerate_keys(KeyChoice::Both, vec![id("d/m"), id("offline")])
        .await
        .unwrap();
    assert_eq!(stage.bus.take(), ["revoke d/m"]);
    registry
        .delete_module(&device_id("d"), &module_id("m"), Precondition::None)
        .await
        .unwrap();
    assert_eq!(stage.bus.take(), ["revoke d/m"]);
    stage.module("d", "m").await;
    registry
        .delete_device(&device_id("d"), Precondition::None)
        .await
        .unwrap();
    assert_eq!(stage.bus.take(), ["revoke d", "revoke d/m"]);
}

#[tokio::test]
async fn statistics_follow_every_write() {
    let stage = Stage::new().await;
    let registry = &stage.hub.registry;
    for name in ["a", "b", "c"] {
        stage.device(name).await;
    }
    let mut disabled = spec("b");
    disabled.status = Some(DeviceStatus::Disabled);
    for _ in 0..2 {
        registry.put_device(disabled.clone(), Precondition::Any).await.unwrap();
    }
    let counts = |s: ironhub_model::registry::DeviceStatistics| (s.total, s.enabled, s.disabled);
    assert_eq!(counts(registry.device_statistics().await.unwrap()), (3, 2, 1));
    registry
        .delete_device(&device_id("b"), Precondition::None)
        .await
        .unwrap();
    assert_eq!(counts(registry.device_statistics().await.unwrap()), (2, 2, 0));
    for (top, expected) in [(1, 1), (0, 2), (1000, 2), (5000, 2)] {
        assert_eq!(registry.list_devices(top).await.unwrap().len(), expected, "{top}");
    }
    stage.bus.connect("a");
    assert_eq!(registry.connected_count().await.unwrap(), 1);
}

#[tokio::test]
async fn the_hub_is_full_at_its_limit() {
    let stage = Stage::with(|config| config.identities_max = 3).await;
    stage.device("a").await;
    stage.module("a", "m").await;
    let mut edge = spec("e");
    edge.capabilities.iot_edge = true;
    check(
        "three at once",
        stage.hub.registry.put_device(edge, Precondition::None).await,
        "TooManyDevices",
    );
    stage.device("b").await;
    check(
        "one more",
        stage.hub.registry.put_device(spec("c"), Precondition::None).await,
        "TooManyDevices",
    );
    check(
        "no more, but another",
        stage.hub.registry.put_device(spec("b"), Precondition::Any).await,
        "Ok",
    );
}

fn item(name: &str, mode: ImportMode) -> BulkItem {
    BulkItem::new(id(name), mode)
}

async fn bulk(stage: &Stage, items: Vec<BulkItem>) -> Vec<String> {
    let result = stage.hub.registry.bulk(items).await.unwrap();
    let errors = result
        .errors
        .iter()
        .map(|e| format!("{} {}: {:?}", e.operation.as_str(), e.id, e.error));
    let warnings = result
        .warnings
        .iter()
        .map(|(id, warning)| format!("warning {id}: {warning:?}"));
    errors.chain(warnings).collect()
}

#[tokio::test]
async fn bulk_items_stand_for_themselves() {
    use ImportMode::{Create, CreateOrUpdate, Delete, DeleteIfMatchEtag, Update, UpdateIfMatchEtag, UpdateTwin};
    let stage = Stage::new().await;
    let none: [&str; 0] = [];
    let created = bulk(
        &stage,
        vec![item("a/m", Create), item("a", Create), item("b", CreateOrUpdate)],
    )
    .await;
    assert_eq!(created, none, "a module may come with its device, in any order");
    let outcome = bulk(
        &stage,
        vec![
            item("a", Create),
            item("c", Update),
            item("d/m", Create),
            item("e", Delete),
        ],
    )
    .await;
    assert_eq!(
        outcome,
        [
            "create a: DeviceAlreadyExists(a)",
            "update c: DeviceNotFound(c)",
            "create d/m: DeviceNotFound(d)",
            "delete e: DeviceNotFound(e)",
        ]
    );

    let mut scoped = item("scoped", Create);
    scoped.device_scope = Some("ms-azure-iot-edge://later-1".into());
    assert_eq!(
        bulk(&stage, vec![scoped]).await,
        none,
        "children may come before their parents"
    );

    let etag = stage.hub.registry.device(&device_id("a")).await.unwrap().identity.etag;
    let mut outdated = item("a", UpdateIfMatchEtag);
    outdated.etag = Some("eA==".into());
    assert_eq!(
        bulk(&stage, vec![outdated.clone()]).await,
        ["updateIfMatchETag a: PreconditionFailed"]
    );
    outdated.etag = Some(format!("\"{}\"", etag.as_str()));
    assert_eq!(bulk(&stage, vec![outdated]).await, none);
    let mut wild = item("a", DeleteIfMatchEtag);
    wild.etag = Some("*".into());
    assert_eq!(bulk(&stage, vec![wild]).await, none);
    check(
        "deleted",
        stage.hub.registry.device(&device_id("a")).await,
        "DeviceNotFound(a)",
    );

    let mut with_twin = item("t", Create);
    with_twin.tags = Some(json!({"plant": "Ulm"}));
    with_twin.desired = Some(json!({"a": 1, "$version": 9, "$metadata": {}}));
    assert_eq!(bulk(&stage, vec![with_twin]).await, none);
    let twin = stage.hub.twins.get(&id("t")).await.unwrap();
    assert_eq!(twin.tags["plant"], "Ulm");
    assert_eq!(twin.properties.desired["a"], 1);
    let mut merged = item("t", UpdateTwin);
    merged.tags = Some(json!({"line": 4}));
    let mut broken = item("b", CreateOrUpdate);
    broken.tags = Some(json!("no object"));
    assert_eq!(
        bulk(&stage, vec![merged, broken]).await,
        [r#"warning b: InvalidArgument("tags must be a JSON object")"#]
    );
    let tags = stage.hub.twins.get(&id("t")).await.unwrap().tags;
    assert_eq!(json!(tags), json!({"plant": "Ulm", "line": 4}));
}

#[tokio::test]
async fn bulk_calls_have_their_bounds() {
    let stage = Stage::new().await;
    let registry = &stage.hub.registry;
    let many = |count: usize| {
        (0..count)
            .map(|n| item(&format!("d{n}"), ImportMode::Create))
            .collect::<Vec<_>>()
    };
    check("101", registry.bulk(many(101)).await, "TooManyDevices");
    let twice = vec![
        item("d", ImportMode::Create),
        item("d/m", ImportMode::Create),
        item("d", ImportMode::Delete),
    ];
    check("twice", registry.bulk(twice).await, r#"DefinedMultipleTimes("d")"#);
    assert_eq!(registry.device_statistics().await.unwrap().total, 0);
    assert!(registry.bulk(many(100)).await.unwrap().is_successful());
    assert_eq!(registry.device_statistics().await.unwrap().total, 100);
}

#[tokio::test]
async fn keys_are_regenerated_where_there_are_keys() {
    let stage = Stage::new().await;
    let registry = &stage.hub.registry;
    stage.device("d").await;
    stage.module("d", "m").await;
    let mut edge = spec("e");
    edge.capabilities.iot_edge = true;
    registry.put_device(edge, Precondition::None).await.unwrap();
    let before = stage.primary_key(&id("d")).await;
    let ids: Vec<IdentityId> = ["d", "d/m", "e/$edgeHub", "nobody"].map(id).to_vec();
    let result = registry.regenerate_keys(KeyChoice::Primary, ids).await.unwrap();
    let rotated: Vec<_> = result.rotated.iter().map(|keys| keys.id.to_string()).collect();
    assert_eq!(rotated, ["d", "d/m"]);
    assert!(
        result
            .rotated
            .iter()
            .all(|keys| keys.primary.is_some() && keys.secondary.is_none())
    );
    assert_eq!(
        result.rotated[0].primary.as_ref(),
        Some(&stage.primary_key(&id("d")).await)
    );
    assert_ne!(before, stage.primary_key(&id("d")).await);
    let failed: Vec<_> = result
        .errors
        .iter()
        .map(|(id, error)| format!("{id}: {error}"))
        .collect();
    assert_eq!(
        failed,
        [
            "e/$edgeHub: e/$edgeHub does not use symmetric keys",
            "nobody: the device nobody is not registered"
        ]
    );
    let twice = registry.regenerate_keys(KeyChoice::Both, vec![id("d"), id("d")]).await;
    check("twice", twice, r#"DefinedMultipleTimes("d")"#);
}

#[tokio::test]
async fn one_of_many_creators_wins() {
    let stage = Stage::new().await;
    let mut writes = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let registry = stage.hub.registry.clone();
        writes.spawn(async move { registry.put_device(spec("d"), Precondition::None).await });
    }
    let outcomes = writes.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(stage.hub.registry.device_statistics().await.unwrap().total, 1);
}
