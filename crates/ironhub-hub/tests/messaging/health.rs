//! What the hub says of itself.

use crate::world::{World, register};

#[tokio::test(start_paused = true)]
async fn trouble_of_the_ports_is_told_while_it_lasts() {
    let (world, hub) = World::hub_with_device().await;
    assert!(hub.health().is_ok(), "{:?}", hub.health());
    *world.state.trouble.lock() = Some("the state is full".to_owned());
    *world.log.trouble.lock() = Some("the log is full".to_owned());
    assert_eq!(hub.health().reasons, ["the state is full", "the log is full"]);
    *world.state.trouble.lock() = None;
    assert_eq!(hub.health().reasons, ["the log is full"]);
    *world.log.trouble.lock() = None;
    assert!(hub.health().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_pump_that_has_given_up_is_told() {
    let (world, hub) = World::hub_with_device().await;
    world.log.fuse.burn_after(0);
    // Its event cannot be moved to the log.
    register(&hub, "e").await;
    hub.drain().await;
    assert_eq!(hub.health().reasons, ["the outbox is stuck"]);
}
