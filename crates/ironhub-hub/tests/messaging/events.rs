use std::future::poll_fn;
use std::time::Duration;

use ironhub_hub::ports::{EventLog, LogRecord, Start};
use ironhub_hub::{EventCursor, Receiver, ReceiverLost, ReceiverRefused};
use ironhub_model::registry::Precondition;
use ironhub_model::{ConsumerGroup, OwnerLevel, PartitionId, SequenceNumber};

use crate::world::{TestHub, TestPorts, World};

const FIRST: PartitionId = PartitionId(0);
const SECOND: PartitionId = PartitionId(1);

fn join(hub: &TestHub, name: &str, level: Option<i64>) -> Result<Receiver, ReceiverRefused> {
    hub.events.receiver("$Default", FIRST, name, level.map(OwnerLevel))
}

async fn lost(receiver: &mut Receiver) -> ReceiverLost {
    poll_fn(|cx| receiver.poll_lost(cx)).await
}

/// Nothing takes the receiver's place, however long one waits.
async fn kept(receiver: &mut Receiver) {
    let lost = tokio::time::timeout(Duration::from_secs(10), lost(receiver)).await;
    assert!(lost.is_err(), "{lost:?}");
}

fn displaced(by: &str, level: i64) -> ReceiverLost {
    ReceiverLost::Displaced {
        by: by.into(),
        level: OwnerLevel(level),
    }
}

#[tokio::test(start_paused = true)]
async fn a_level_displaces_what_is_not_higher() {
    let hub = World::new().hub().await;
    let mut plain = [join(&hub, "p1", None).unwrap(), join(&hub, "p2", None).unwrap()];
    let mut low = join(&hub, "low", Some(0)).unwrap();
    for receiver in &mut plain {
        assert_eq!(lost(receiver).await, displaced("low", 0));
    }
    let mut same = join(&hub, "same", Some(0)).unwrap();
    assert_eq!(lost(&mut low).await, displaced("same", 0));
    let mut high = join(&hub, "high", Some(7)).unwrap();
    assert_eq!(lost(&mut same).await, displaced("high", 7));
    let too_low = ReceiverRefused::LevelTooLow {
        current: "high".into(),
        level: OwnerLevel(7),
    };
    assert_eq!(join(&hub, "late", Some(6)).unwrap_err(), too_low);
    let level = OwnerLevel(7);
    assert_eq!(join(&hub, "plain", None).unwrap_err(), ReceiverRefused::Owned { level });
    // Those that were displaced go, and take nobody along.
    drop((plain, low, same));
    kept(&mut high).await;
    drop(high);
    join(&hub, "plain", None).unwrap();
}

#[tokio::test(start_paused = true)]
async fn five_read_without_a_level_in_each_group_and_partition() {
    let world = World::new();
    let hub = world.hub().await;
    let mut five: Vec<Receiver> = (0..5).map(|n| join(&hub, &n.to_string(), None).unwrap()).collect();
    assert_eq!(join(&hub, "sixth", None).unwrap_err(), ReceiverRefused::TooMany);
    let lower_case = hub.events.receiver("$default", FIRST, "sixth", None);
    assert_eq!(lower_case.unwrap_err(), ReceiverRefused::TooMany);
    let _other = hub.events.receiver("$Default", SECOND, "other", None).unwrap();
    five.pop();
    five.push(join(&hub, "sixth", None).unwrap());
    kept(&mut five[0]).await;
}

#[tokio::test(start_paused = true)]
async fn a_removed_group_ends_its_receivers() {
    let mut world = World::new();
    world.settings.consumer_groups = vec![ConsumerGroup::parse("Billing").unwrap()];
    let hub = world.hub().await;
    let mut billing = hub.events.receiver("bILLING", FIRST, "b", None).unwrap();
    let mut default = join(&hub, "d", Some(1)).unwrap();
    let unknown = hub.events.receiver("other", FIRST, "o", None);
    assert_eq!(unknown.unwrap_err(), ReceiverRefused::ConsumerGroupNotFound);
    let (mut settings, _) = hub.settings.get().await.unwrap();
    settings.consumer_groups = vec![ConsumerGroup::parse("other").unwrap()];
    hub.settings.replace(settings, Precondition::None).await.unwrap();
    assert_eq!(lost(&mut billing).await, ReceiverLost::ConsumerGroupRemoved);
    kept(&mut default).await;
    hub.events.receiver("OTHER", FIRST, "o", None).unwrap();
    let gone = hub.events.receiver("Billing", FIRST, "b", None);
    assert_eq!(gone.unwrap_err(), ReceiverRefused::ConsumerGroupNotFound);
}

fn submit(world: &World, count: usize) {
    for _ in 0..count {
        world.log.submit(FIRST, b"event").unwrap();
    }
}

async fn next(cursor: &mut EventCursor<TestPorts>) -> Vec<u64> {
    let records = tokio::time::timeout(Duration::from_mins(1), cursor.next(usize::MAX)).await;
    let sequences = |records: Vec<LogRecord>| records.iter().map(|record| record.sequence.0).collect();
    sequences(records.expect("events").unwrap())
}

#[tokio::test(start_paused = true)]
async fn cursors_begin_where_they_are_told_and_go_on_from_there() {
    let world = World::new();
    let hub = world.hub().await;
    let mut early = hub.events.cursor(FIRST, Start::Earliest).unwrap();
    submit(&world, 3);
    let mut late = hub.events.cursor(FIRST, Start::Latest).unwrap();
    let mut second = hub.events.cursor(FIRST, Start::At(SequenceNumber(1))).unwrap();
    assert_eq!(next(&mut early).await, [0, 1]);
    assert_eq!(next(&mut early).await, [2]);
    assert_eq!(next(&mut second).await, [1, 2]);
    let nothing = tokio::time::timeout(Duration::from_secs(10), late.next(usize::MAX)).await;
    assert!(nothing.is_err());
    submit(&world, 1);
    for cursor in [&mut early, &mut late, &mut second] {
        assert_eq!(next(cursor).await, [3]);
    }
    let (waiting, ()) = tokio::join!(next(&mut late), async { submit(&world, 1) });
    assert_eq!(waiting, [4]);
    assert!(hub.events.cursor(PartitionId(9), Start::Latest).is_err());
}
