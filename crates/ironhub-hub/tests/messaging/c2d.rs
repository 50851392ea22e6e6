use std::time::Duration;

use ironhub_hub::connections::CloseReason;
use ironhub_hub::{DevicePrincipal, HubError, LinkEvent};
use ironhub_model::limits::{C2D_MESSAGE_BYTES_MAX, C2D_QUEUE_MESSAGES_MAX};
use ironhub_model::registry::Precondition;
use ironhub_model::{AckRequest, C2dDelivery, C2dMessage, FeedbackStatus, LockToken};

use crate::world::{TestHub, World, device, id, listening, next, nothing, register};

const LOCK: Duration = Duration::from_mins(1);

fn message(name: &str, ack: AckRequest) -> C2dMessage {
    C2dMessage {
        message_id: Some(name.into()),
        to: "/devices/d/messages/devicebound".into(),
        ack: Some(ack),
        body: name.into(),
        ..C2dMessage::default()
    }
}

async fn send(hub: &TestHub, names: &[&str]) {
    for name in names {
        hub.c2d
            .send(&device("d"), message(name, AckRequest::Full))
            .await
            .unwrap();
    }
}

async fn receive(hub: &TestHub, caller: &DevicePrincipal) -> Option<C2dDelivery> {
    hub.c2d.receive(caller, LOCK).await.unwrap()
}

fn name(delivery: &C2dDelivery) -> &str {
    delivery.message.message_id.as_deref().unwrap()
}

/// All reports, completed.
async fn reports(hub: &TestHub) -> Vec<(String, FeedbackStatus)> {
    let mut all = Vec::new();
    while let Some(batch) = hub.feedback.receive(LOCK).await.unwrap() {
        hub.feedback.complete(&batch.lock_token).await.unwrap();
        all.extend(
            batch
                .records
                .into_iter()
                .map(|r| (r.original_message_id.unwrap(), r.status_code)),
        );
    }
    all
}

#[tokio::test(start_paused = true)]
async fn messages_leave_in_order_and_each_verdict_is_reported() {
    let (world, hub) = World::hub_with_device().await;
    let caller = world.principal(&hub, &id("d")).await.unwrap();
    assert_eq!(receive(&hub, &caller).await, None);
    send(&hub, &["a", "b", "c"]).await;
    let [a, b, c] = [
        receive(&hub, &caller).await,
        receive(&hub, &caller).await,
        receive(&hub, &caller).await,
    ]
    .map(Option::unwrap);
    assert_eq!([name(&a), name(&b), name(&c)], ["a", "b", "c"]);
    assert!(a.sequence < b.sequence && b.sequence < c.sequence);
    assert_eq!(receive(&hub, &caller).await, None);
    hub.c2d.complete(&caller, &a.lock_token).await.unwrap();
    hub.c2d.reject(&caller, &b.lock_token).await.unwrap();
    hub.c2d.abandon(&caller, &c.lock_token).await.unwrap();
    for token in [
        a.lock_token,
        b.lock_token,
        c.lock_token,
        LockToken::from_random([9; 16]),
    ] {
        assert_eq!(hub.c2d.complete(&caller, &token).await, Err(HubError::LockLost));
    }
    let again = receive(&hub, &caller).await.unwrap();
    assert_eq!((name(&again), again.delivery_count, c.delivery_count), ("c", 2, 1));
    assert_eq!(hub.c2d.count(&device("d")).await, Ok(1));
    let expected = [
        ("a".into(), FeedbackStatus::Success),
        ("b".into(), FeedbackStatus::Rejected),
    ];
    assert_eq!(reports(&hub).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_times_out_counts_and_too_many_of_them_kill() {
    let (world, hub) = World::hub_with_device().await;
    let caller = world.principal(&hub, &id("d")).await.unwrap();
    send(&hub, &["a"]).await;
    for count in 1..=10 {
        let delivery = receive(&hub, &caller).await.unwrap();
        assert_eq!(delivery.delivery_count, count);
        // Off the hub's own ticks, one of which may be freeing the message at the very instant.
        tokio::time::sleep(LOCK + Duration::from_millis(310)).await;
        assert_eq!(
            hub.c2d.complete(&caller, &delivery.lock_token).await,
            Err(HubError::LockLost)
        );
    }
    assert_eq!(hub.c2d.count(&device("d")).await, Ok(1));
    assert_eq!(receive(&hub, &caller).await, None);
    assert_eq!(hub.c2d.count(&device("d")).await, Ok(0));
    assert_eq!(
        reports(&hub).await,
        [("a".into(), FeedbackStatus::DeliveryCountExceeded)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_gives_back_without_counting() {
    let (world, hub) = World::hub_with_device().await;
    let mut link = world.link(&hub).await;
    let (filters, features) = listening(false, false, true);
    link.set_filters(filters.clone(), features).await.unwrap();
    assert_eq!(next(&mut link).await, LinkEvent::C2dReady);
    send(&hub, &["a", "b"]).await;
    assert_eq!(next(&mut link).await, LinkEvent::C2dReady);
    let taken = hub.c2d.take_for_link(&link, 16).await.unwrap();
    assert_eq!(taken.iter().map(name).collect::<Vec<_>>(), ["a", "b"]);
    assert!(hub.c2d.take_for_link(&link, 16).await.unwrap().is_empty());
    hub.c2d.complete(link.principal(), &taken[0].lock_token).await.unwrap();
    // No acknowledgement in time is none in a minute either: the connection still has it.
    nothing(&mut link).await;
    let newer = world.link(&hub).await;
    let again = hub.c2d.take_for_link(&newer, 16).await.unwrap();
    assert_eq!(again.iter().map(name).collect::<Vec<_>>(), ["b"]);
    assert_eq!(
        (again[0].redelivered, again[0].delivery_count, taken[1].redelivered),
        (true, 1, false)
    );
    let stale = hub.c2d.complete(link.principal(), &taken[1].lock_token).await;
    assert_eq!(stale, Err(HubError::LockLost));
    assert!(hub.c2d.take_for_link(&link, 16).await.is_err());
    newer.close(CloseReason::Ended).await;
    let caller = world.principal(&hub, &id("d")).await.unwrap();
    assert_eq!(receive(&hub, &caller).await.unwrap().delivery_count, 1);
}

#[tokio::test(start_paused = true)]
async fn what_may_not_enter_the_queue_is_refused() {
    let (world, hub) = World::hub_with_device().await;
    let send = async |message: C2dMessage| hub.c2d.send(&device("d"), message).await;
    let mut late = message("late", AckRequest::None);
    late.expires_at = Some(world.now());
    assert_eq!(send(late).await, Err(HubError::InvalidExpiry));
    let mut large = message("", AckRequest::None);
    large.body = vec![0; C2D_MESSAGE_BYTES_MAX + 1];
    let bytes_max = C2D_MESSAGE_BYTES_MAX;
    assert_eq!(send(large).await, Err(HubError::MessageTooLarge { bytes_max }));
    let unknown = hub.c2d.send(&device("x"), message("", AckRequest::None)).await;
    assert_eq!(unknown, Err(HubError::DeviceNotFound(device("x"))));
    for _ in 0..C2D_QUEUE_MESSAGES_MAX {
        send(message("m", AckRequest::None)).await.unwrap();
    }
    let caller = world.principal(&hub, &id("d")).await.unwrap();
    receive(&hub, &caller).await.unwrap();
    assert_eq!(
        send(message("m", AckRequest::None)).await,
        Err(HubError::QueueFull(device("d")))
    );
}

#[tokio::test(start_paused = true)]
async fn messages_expire_by_the_clock_and_purges_are_reported() {
    let (world, hub) = World::hub_with_device().await;
    send(&hub, &["a"]).await;
    world.clock.advance(Duration::from_mins(59));
    send(&hub, &["b"]).await;
    world.clock.advance(Duration::from_mins(1));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(reports(&hub).await, [("a".into(), FeedbackStatus::Expired)]);
    send(&hub, &["c"]).await;
    let caller = world.principal(&hub, &id("d")).await.unwrap();
    let held = receive(&hub, &caller).await.unwrap();
    assert_eq!(hub.c2d.purge(&device("d")).await, Ok(2));
    assert_eq!(
        hub.c2d.complete(&caller, &held.lock_token).await,
        Err(HubError::LockLost)
    );
    let expected = ["b", "c"].map(|name| (name.to_owned(), FeedbackStatus::Purged));
    assert_eq!(reports(&hub).await, expected);
    assert_eq!(hub.c2d.purge(&device("d")).await, Ok(0));
}

#[tokio::test(start_paused = true)]
async fn acks_say_which_reports_are_made() {
    let (world, hub) = World::hub_with_device().await;
    let caller = world.principal(&hub, &id("d")).await.unwrap();
    for ack in [
        AckRequest::None,
        AckRequest::Positive,
        AckRequest::Negative,
        AckRequest::Full,
    ] {
        for verdict in ["complete", "reject"] {
            let message = message(&format!("{}-{verdict}", ack.as_str()), ack);
            hub.c2d.send(&device("d"), message).await.unwrap();
            let token = receive(&hub, &caller).await.unwrap().lock_token;
            match verdict {
                "complete" => hub.c2d.complete(&caller, &token).await.unwrap(),
                _ => hub.c2d.reject(&caller, &token).await.unwrap(),
            }
        }
    }
    let names: Vec<_> = reports(&hub).await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        ["positive-complete", "negative-reject", "full-complete", "full-reject"]
    );
}

#[tokio::test(start_paused = true)]
async fn feedback_goes_to_one_reader_in_batches() {
    let (world, hub) = World::hub_with_device().await;
    let caller = world.principal(&hub, &id("d")).await.unwrap();
    for _ in 0..70 {
        send(&hub, &["m"]).await;
        let token = receive(&hub, &caller).await.unwrap().lock_token;
        hub.c2d.complete(&caller, &token).await.unwrap();
    }
    let first = hub.feedback.receive(LOCK).await.unwrap().unwrap();
    let second = hub.feedback.receive(LOCK).await.unwrap().unwrap();
    assert_eq!((first.records.len(), second.records.len()), (64, 6));
    assert_eq!(hub.feedback.receive(LOCK).await, Ok(None));
    hub.feedback.abandon(&second.lock_token).await.unwrap();
    assert_eq!(hub.feedback.complete(&second.lock_token).await, Err(HubError::LockLost));
    assert_eq!(hub.feedback.receive(LOCK).await.unwrap().unwrap().records.len(), 6);
    hub.feedback.complete(&first.lock_token).await.unwrap();
    tokio::time::sleep(LOCK).await;
    assert_eq!(hub.feedback.receive(LOCK).await.unwrap().unwrap().records.len(), 6);
    tokio::time::sleep(LOCK).await;
    hub.registry
        .delete_device(&device("d"), Precondition::Any)
        .await
        .unwrap();
    assert_eq!(hub.feedback.receive(LOCK).await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn a_new_device_of_the_name_has_an_empty_queue() {
    let (world, hub) = World::hub_with_device().await;
    send(&hub, &["a"]).await;
    hub.registry
        .delete_device(&device("d"), Precondition::Any)
        .await
        .unwrap();
    register(&hub, "d").await;
    assert_eq!(hub.c2d.count(&device("d")).await, Ok(0));
    let caller = world.principal(&hub, &id("d")).await.unwrap();
    assert_eq!(receive(&hub, &caller).await, None);
}
