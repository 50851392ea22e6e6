//! What queries and lists ask of the store.

use std::sync::atomic::Ordering;

use crate::ports::GET_MANY_MAX;
use crate::world::{World, register};

const DEVICES: usize = 100;

#[tokio::test(start_paused = true)]
async fn rows_are_read_in_batches() {
    let world = World::new();
    let hub = world.hub().await;
    for number in 0..DEVICES {
        register(&hub, &format!("d{number:03}")).await;
    }
    let before = world.state.reads.load(Ordering::Relaxed);
    let page = hub.query.run("SELECT * FROM devices", 1000, None).await.unwrap();
    assert_eq!(page.rows.len(), DEVICES);
    let queried = world.state.reads.load(Ordering::Relaxed);
    assert_eq!(hub.registry.list_devices(0).await.unwrap().len(), DEVICES);
    let listed = world.state.reads.load(Ordering::Relaxed);
    // A batch of twins brings one look-up each of connections and of queues; a page of identities comes before.
    let batches = DEVICES.div_ceil(GET_MANY_MAX);
    assert!(queried - before <= 2 + 3 * batches, "{} look-ups", queried - before);
    assert!(listed - queried <= 2 + batches, "{} look-ups", listed - queried);
}
