use std::time::Duration;

use ironhub_hub::connections::CloseReason;
use ironhub_hub::{HubError, LinkEvent, TelemetryError};
use ironhub_model::D2cMessage;
use ironhub_model::registry::{ConnectionState, ConnectionView, Precondition};
use ironhub_model::twin::TwinPatch;
use serde_json::json;

use crate::world::{TestHub, TestLink, World, device, id, listening, next, nothing};

async fn patch(hub: &TestHub, value: u64) {
    let patch = TwinPatch {
        tags: None,
        desired: Some(json!({ "n": value })),
    };
    hub.twins.patch(&id("d"), patch, Precondition::None).await.unwrap();
}

async fn listen(link: &mut TestLink, methods: bool, desired: bool, c2d: bool) {
    let (filters, features) = listening(methods, desired, c2d);
    link.set_filters(filters, features).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_newest_connection_wins() {
    let (world, hub) = World::hub_with_device().await;
    let other_hub = world.hub().await;
    let mut links = vec![world.link(&hub).await];
    for newer in [&hub, &other_hub, &other_hub, &hub] {
        let newest = world.link(newer).await;
        let mut loser = links.pop().unwrap();
        assert_eq!(next(&mut loser).await, LinkEvent::Close(CloseReason::Replaced));
        let refused = loser.telemetry().submit(&D2cMessage::default()).unwrap_err();
        assert_eq!(refused, TelemetryError::Hub(HubError::Disconnected));
        drop(loser);
        assert!(newest.telemetry().submit(&D2cMessage::default()).is_ok());
        links.push(newest);
    }
    nothing(links.last_mut().unwrap()).await;
}

#[tokio::test(start_paused = true)]
async fn subscriptions_survive_until_a_clean_session() {
    let (world, hub) = World::hub_with_device().await;
    let (mut link, session) = world.open(&hub, false).await;
    assert!(!session.present);
    listen(&mut link, true, true, true).await;
    link.close(CloseReason::Ended).await;
    // Another process over the same store: as after a restart.
    let restarted = world.hub().await;
    let (mut link, session) = world.open(&restarted, false).await;
    assert_eq!(
        (session.present, session.filters),
        (true, listening(true, true, true).0)
    );
    patch(&hub, 1).await;
    assert!(matches!(next(&mut link).await, LinkEvent::Desired { version: 2, .. }));
    assert_eq!(next(&mut link).await, LinkEvent::C2dReady);
    link.close(CloseReason::Ended).await;
    let (link, session) = world.open(&hub, true).await;
    assert_eq!((session.present, session.filters.len()), (false, 0));
    link.close(CloseReason::Ended).await;
    assert!(!world.open(&hub, false).await.1.present);
}

#[tokio::test(start_paused = true)]
async fn desired_changes_come_once_and_in_order() {
    let (world, hub) = World::hub_with_device().await;
    let mut link = world.link(&hub).await;
    patch(&hub, 0).await;
    listen(&mut link, false, true, false).await;
    let writers: Vec<_> = (0..40)
        .map(|n| {
            let hub = hub.clone();
            tokio::spawn(async move { patch(&hub, n).await })
        })
        .collect();
    for expected in 3..43 {
        let LinkEvent::Desired { version, patch } = next(&mut link).await else {
            panic!("no notice")
        };
        assert_eq!(version, expected);
        assert!(patch.contains(&format!("\"$version\":{expected}")), "{patch}");
    }
    for writer in writers {
        writer.await.unwrap();
    }
    listen(&mut link, false, false, false).await;
    patch(&hub, 99).await;
    nothing(&mut link).await;
}

#[tokio::test(start_paused = true)]
async fn presence_and_its_events_follow_the_connection() {
    let (world, hub) = World::hub_with_device().await;
    let state = async || hub.registry.device(&device("d")).await.unwrap().connection;
    assert_eq!(state().await.state, ConnectionState::Disconnected);
    let first = world.link(&hub).await;
    assert_eq!(
        (state().await.state, state().await.updated_at),
        (ConnectionState::Connected, world.now())
    );
    world.clock.advance(std::time::Duration::from_secs(5));
    first.touch();
    assert_eq!(state().await.last_activity_at, world.now());
    let second = world.link(&hub).await;
    drop(first);
    second.close(CloseReason::Ended).await;
    assert_eq!(state().await.state, ConnectionState::Disconnected);
    hub.drain().await;
    let told: Vec<_> = world
        .told()
        .into_iter()
        .filter(|(name, _)| name.starts_with("device"))
        .collect();
    let names: Vec<_> = told.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["deviceConnected", "deviceDisconnected"]);
    assert!(told[0].1 < told[1].1, "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_nobody_is_connected_and_activity_is_known() {
    let (world, hub) = World::hub_with_device().await;
    let state = async |hub: &TestHub| hub.registry.device(&device("d")).await.unwrap().connection;
    let link = world.link(&hub).await;
    world.clock.advance(Duration::from_secs(5));
    link.touch();
    let heard_at = world.now();
    // The hub writes it down by itself; then it dies.
    tokio::time::sleep(Duration::from_mins(2)).await;
    let restarted = world.hub().await;
    let after_a_death = ConnectionView {
        state: ConnectionState::Disconnected,
        updated_at: heard_at,
        last_activity_at: heard_at,
    };
    assert_eq!(state(&restarted).await, after_a_death);

    world.clock.advance(Duration::from_secs(5));
    link.touch();
    link.close(CloseReason::Ended).await;
    hub.drain().await;
    let restarted = world.hub().await;
    let after_a_stop = ConnectionView {
        state: ConnectionState::Disconnected,
        updated_at: world.now(),
        last_activity_at: world.now(),
    };
    assert_eq!(state(&restarted).await, after_a_stop);
    assert_eq!(
        restarted.registry.list_devices(0).await.unwrap()[0].connection,
        after_a_stop
    );

    restarted
        .registry
        .delete_device(&device("d"), Precondition::Any)
        .await
        .unwrap();
    world.clock.advance(Duration::from_secs(5));
    crate::world::register(&restarted, "d").await;
    assert_eq!(
        state(&restarted).await,
        ConnectionView::default(),
        "another of that name"
    );
}

#[tokio::test(start_paused = true)]
async fn deleting_the_device_cuts_it_and_forgets_its_session() {
    let (world, hub) = World::hub_with_device().await;
    let (mut link, _) = world.open(&hub, false).await;
    listen(&mut link, true, false, false).await;
    hub.registry
        .delete_device(&device("d"), Precondition::Any)
        .await
        .unwrap();
    assert_eq!(next(&mut link).await, LinkEvent::Close(CloseReason::Revoked));
    let (filters, features) = listening(true, true, false);
    assert!(link.set_filters(filters, features).await.is_err());
    crate::world::register(&hub, "d").await;
    assert!(!world.open(&hub, false).await.1.present);
}

#[tokio::test(start_paused = true)]
async fn draining_ends_every_link_and_opens_none() {
    let (world, hub) = World::hub_with_device().await;
    let mut link = world.link(&hub).await;
    let principal = link.principal().clone();
    hub.drain().await;
    assert_eq!(next(&mut link).await, LinkEvent::Close(CloseReason::Draining));
    let refused = hub
        .connections
        .open(principal, ironhub_hub::LinkOptions::default())
        .await;
    assert_eq!(refused.unwrap_err(), HubError::ShuttingDown);
}
