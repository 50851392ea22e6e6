//! No event without its write, none missing, none twice: the process dies at every step of the pump in turn.

use ironhub_hub::StoredEvent;
use ironhub_hub::connections::CloseReason;
use ironhub_model::registry::Precondition;
use ironhub_model::twin::TwinPatch;
use serde_json::json;

use crate::world::{TestHub, World, device, id, register};

const WRITES: u64 = 5;

/// Writes whose events the log must hold: one for each version of the twin, in order.
async fn patch(hub: &TestHub, n: u64) -> bool {
    let patch = TwinPatch {
        tags: None,
        desired: Some(json!({ "n": n })),
    };
    hub.twins.patch(&id("d"), patch, Precondition::None).await.is_ok()
}

/// The versions that twin-change events tell, in the log's order.
fn versions(world: &World) -> Vec<u64> {
    let told = world.told().into_iter().filter(|(name, _)| name == "updateTwin");
    told.map(|(_, body)| {
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        body["properties"]["desired"]["$version"].as_u64().unwrap()
    })
    .collect()
}

async fn check(state_steps: Option<u32>, log_steps: Option<u32>) -> bool {
    let world = World::new();
    let hub = world.hub().await;
    register(&hub, "d").await;
    hub.drain().await;
    drop(hub);

    let hub = world.hub().await;
    if let Some(steps) = state_steps {
        world.state.fuse.burn_after(steps);
    }
    if let Some(steps) = log_steps {
        world.log.fuse.burn_after(steps);
    }
    let mut has_died = false;
    for n in 0..WRITES {
        has_died |= !patch(&hub, n).await;
    }
    hub.drain().await;
    has_died |= !hub.health().is_ok();
    world.state.fuse.mend();
    world.log.fuse.mend();

    let restarted = world.hub().await;
    let twin = restarted.twins.get(&id("d")).await.unwrap();
    restarted.drain().await;
    assert!(restarted.health().is_ok());
    assert_eq!(world.state.outbox_len(), 0);
    let desired = serde_json::to_value(&twin).unwrap()["properties"]["desired"]["$version"]
        .as_u64()
        .unwrap();
    let expected: Vec<u64> = (2..=desired).collect();
    assert_eq!(versions(&world), expected, "state {state_steps:?}, log {log_steps:?}");
    has_died
}

#[tokio::test(start_paused = true)]
async fn the_store_dies_at_every_step() {
    let mut deaths = 0;
    while check(Some(deaths), None).await {
        deaths += 1;
        assert!(deaths < 200, "it never lives to the end");
    }
    assert!(deaths > 20, "{deaths}");
}

#[tokio::test(start_paused = true)]
async fn the_log_dies_at_every_step() {
    for steps in 0..WRITES {
        assert!(check(None, Some(u32::try_from(steps).unwrap())).await, "{steps}");
    }
    assert!(!check(None, Some(u32::try_from(WRITES).unwrap())).await);
}

#[tokio::test(start_paused = true)]
async fn a_full_inbox_is_waited_for() {
    let (world, hub) = World::hub_with_device().await;
    *world.log.refusals.lock() = 3;
    assert!(patch(&hub, 1).await);
    hub.drain().await;
    assert_eq!(versions(&world), [2]);
}

#[tokio::test(start_paused = true)]
async fn lifecycle_events_show_the_twin_and_carry_their_record() {
    let (world, hub) = World::hub_with_device().await;
    assert!(patch(&hub, 1).await);
    let link = world.link(&hub).await;
    link.close(CloseReason::Ended).await;
    hub.registry
        .delete_device(&device("d"), Precondition::Any)
        .await
        .unwrap();
    hub.drain().await;
    let told = world.told();
    let names: Vec<_> = told.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "createDeviceIdentity",
            "updateTwin",
            "deviceConnected",
            "deviceDisconnected",
            "deleteDeviceIdentity"
        ]
    );
    let last: serde_json::Value = serde_json::from_str(&told[4].1).unwrap();
    assert_eq!(last["deviceId"], "d");
    assert_eq!(last["properties"]["desired"]["n"], 1);
    let records: Vec<_> = world
        .log
        .events()
        .iter()
        .map(|event| StoredEvent::parse(event).unwrap().dedupe.unwrap())
        .collect();
    assert!(records.is_sorted_by(|a, b| a < b), "{records:?}");
}
