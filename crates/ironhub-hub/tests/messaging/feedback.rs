use std::time::Duration;

use ironhub_hub::{DevicePrincipal, FeedbackReader, HubError};
use ironhub_model::{AckRequest, C2dMessage, FeedbackBatch};

use crate::world::{TestHub, TestPorts, World, device, id};

/// Longer than anything that happens by itself within the lock's minute.
const PATIENCE: Duration = Duration::from_secs(30);
const LOCK: Duration = Duration::from_mins(1);

/// Has the device complete messages of these names, each of which makes a report.
async fn report(hub: &TestHub, caller: &DevicePrincipal, names: &[&str]) {
    for name in names {
        let message = C2dMessage {
            message_id: Some((*name).into()),
            to: "/devices/d/messages/devicebound".into(),
            ack: Some(AckRequest::Full),
            ..C2dMessage::default()
        };
        hub.c2d.send(&device("d"), message).await.unwrap();
        let delivery = hub.c2d.receive(caller, LOCK).await.unwrap().unwrap();
        hub.c2d.complete(caller, &delivery.lock_token).await.unwrap();
    }
}

async fn next(reader: &FeedbackReader<TestPorts>) -> Option<FeedbackBatch> {
    let batch = tokio::time::timeout(PATIENCE, reader.next()).await;
    batch.ok().map(Result::unwrap)
}

fn names(batch: Option<&FeedbackBatch>) -> Vec<&str> {
    let records = batch.iter().flat_map(|batch| &batch.records);
    records.map(|r| r.original_message_id.as_deref().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_reader_waits_for_reports_and_has_one_batch_at_a_time() {
    let (world, hub) = World::hub_with_device().await;
    let caller = world.principal(&hub, &id("d")).await.unwrap();
    let reader = hub.feedback.reader();
    assert_eq!(next(&reader).await, None);
    let (first, ()) = tokio::join!(next(&reader), report(&hub, &caller, &["a"]));
    assert_eq!(names(first.as_ref()), ["a"]);
    report(&hub, &caller, &["b", "c"]).await;
    assert_eq!(next(&reader).await, None);
    let first = first.unwrap();
    let complete = hub.feedback.complete(&first.lock_token);
    let (second, completed) = tokio::join!(next(&reader), complete);
    completed.unwrap();
    assert_eq!(names(second.as_ref()), ["b", "c"]);
    let second = second.unwrap();
    let (again, abandoned) = tokio::join!(next(&reader), hub.feedback.abandon(&second.lock_token));
    abandoned.unwrap();
    assert_eq!(names(again.as_ref()), ["b", "c"]);
    assert_ne!(again.unwrap().lock_token, second.lock_token);
}

#[tokio::test(start_paused = true)]
async fn a_batch_whose_lock_ends_comes_again_and_cannot_be_settled() {
    let (world, hub) = World::hub_with_device().await;
    let caller = world.principal(&hub, &id("d")).await.unwrap();
    report(&hub, &caller, &["a"]).await;
    let reader = hub.feedback.reader();
    let first = next(&reader).await.unwrap();
    let second = tokio::time::timeout(2 * LOCK, reader.next()).await.unwrap().unwrap();
    assert_eq!(names(Some(&second)), ["a"]);
    let late = hub.feedback.complete(&first.lock_token).await;
    assert_eq!(late, Err(HubError::LockLost));
    hub.feedback.complete(&second.lock_token).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_goes_gives_its_batch_back() {
    let (world, hub) = World::hub_with_device().await;
    let caller = world.principal(&hub, &id("d")).await.unwrap();
    report(&hub, &caller, &["a"]).await;
    let other = hub.feedback.reader();
    for _ in 0..10 {
        let reader = hub.feedback.reader();
        let batch = next(&reader).await;
        assert_eq!(names(batch.as_ref()), ["a"]);
        assert_eq!(next(&other).await, None);
        drop(reader);
    }
    // Ten deliveries have failed, which is as many as may.
    assert_eq!(next(&other).await, None);
}

#[tokio::test(start_paused = true)]
async fn each_batch_goes_to_one_reader() {
    let (world, hub) = World::hub_with_device().await;
    let caller = world.principal(&hub, &id("d")).await.unwrap();
    let readers = [hub.feedback.reader(), hub.feedback.reader()];
    let (a, b, ()) = tokio::join!(next(&readers[0]), next(&readers[1]), report(&hub, &caller, &["a"]));
    let both = [a, b];
    let got: Vec<_> = both.iter().flatten().collect();
    assert_eq!(got.len(), 1);
}
