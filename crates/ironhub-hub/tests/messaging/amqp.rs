//! What only connections without sessions and with locks do: those over AMQP.

use std::future::poll_fn;
use std::time::Duration;

use ironhub_amqp::message::{self, BareMessage, Body, MessageId, Properties, annotations};
use ironhub_amqp::types::Value;
use ironhub_hub::connections::CloseReason;
use ironhub_hub::{Features, HubError, LinkEvent, LinkOptions, StoredEvent, TelemetryError, Unauthorized};
use ironhub_model::limits::{C2D_LOCK_DEFAULT, D2C_MESSAGE_BYTES_MAX};
use ironhub_model::registry::Precondition;
use ironhub_model::twin::TwinPatch;
use ironhub_model::{C2dDelivery, C2dMessage, EncodedD2cMessage};
use serde_json::json;

use crate::world::{TestHub, TestLink, World, device, id, listening, next, nothing};

async fn open(world: &World, hub: &TestHub) -> TestLink {
    let principal = world.principal(hub, &id("d")).await.unwrap();
    let options = LinkOptions::default();
    hub.connections.open_sessionless(principal, options).await.unwrap()
}

async fn listen(link: &TestLink, features: Features) {
    if let Some(start) = link.set_features(features) {
        start.await.unwrap();
    }
}

async fn send(hub: &TestHub, names: &[&str]) {
    for name in names {
        let message = C2dMessage {
            message_id: Some((*name).into()),
            to: "/devices/d/messages/devicebound".into(),
            ..C2dMessage::default()
        };
        hub.c2d.send(&device("d"), message).await.unwrap();
    }
}

fn told(deliveries: &[C2dDelivery]) -> Vec<(&str, u32)> {
    let name = |delivery: &'_ C2dDelivery| delivery.message.message_id.clone().unwrap().leak() as &str;
    deliveries
        .iter()
        .map(|delivery| (name(delivery), delivery.delivery_count))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_message_is_stored_as_the_device_has_encoded_it() {
    let (world, hub) = World::hub_with_device().await;
    let link = open(&world, &hub).await;
    let mut bare = Vec::new();
    let properties = Properties {
        message_id: Some(MessageId::Uuid([7; 16])),
        user_id: Some(b"\xFF"),
        ..Properties::default()
    };
    message::write_properties(&mut bare, &properties);
    message::write_application_properties(&mut bare, [("n", Value::Int(5)), ("d", Value::Double(0.5))]);
    message::write_data(&mut bare, b"1");
    message::write_data(&mut bare, b"2");
    let mut encoded = Vec::new();
    message::write_header(&mut encoded, &message::Header::default());
    annotations::write_message_annotations(&mut encoded, |map| map.push("iothub-connection-device-id", "other"));
    encoded.extend_from_slice(&bare);
    let message = EncodedD2cMessage {
        component: Some("c"),
        trace_id: Some("t"),
        size_bytes: 2,
        encoded: &encoded,
        ..EncodedD2cMessage::default()
    };
    let completion = link.telemetry().submit_encoded(&message).unwrap();
    completion.durable().await.unwrap();
    let events = world.log.events();
    let event = StoredEvent::parse(events.last().unwrap()).unwrap();
    assert_eq!(event.bare_message, bare);
    assert_eq!((event.device, event.module), ("d", None));
    let annotations = event.annotation_map().unwrap();
    let value = |name| annotations.value(name).and_then(|value| value.as_text());
    assert_eq!(value("iothub-connection-device-id"), Some("d"));
    assert_eq!(value("dt-subject"), Some("c"));
    assert_eq!(value("Diagnostic-Id"), Some("t"));
    assert_eq!(value("iothub-interface-id"), None);
    let read = BareMessage::parse(event.bare_message).unwrap();
    assert!(matches!(read.body, Body::Data(data) if data.clone().eq([b"1", b"2"])));
}

#[tokio::test(start_paused = true)]
async fn an_encoded_message_is_refused_like_any_other() {
    let (world, hub) = World::hub_with_device().await;
    let sender = open(&world, &hub).await.telemetry();
    let message = |size_bytes| EncodedD2cMessage {
        size_bytes,
        encoded: b"\x00\x53\x75\xa0\x00",
        ..EncodedD2cMessage::default()
    };
    let bytes_max = D2C_MESSAGE_BYTES_MAX;
    let disconnected = TelemetryError::Hub(HubError::Disconnected);
    assert_eq!(sender.submit_encoded(&message(0)).unwrap_err(), disconnected);
    let link = open(&world, &hub).await;
    let sender = link.telemetry();
    assert_eq!(
        sender.submit_encoded(&message(bytes_max + 1)).unwrap_err(),
        TelemetryError::Hub(HubError::MessageTooLarge { bytes_max })
    );
    assert!(sender.submit_encoded(&message(bytes_max)).is_ok());
    let broken = EncodedD2cMessage {
        encoded: b"no message",
        ..EncodedD2cMessage::default()
    };
    let refused = sender.submit_encoded(&broken).unwrap_err();
    assert!(
        matches!(refused, TelemetryError::Hub(HubError::Malformed(_))),
        "{refused}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_unsettled_delivery_fails_with_its_lock_and_with_its_connection() {
    let (world, hub) = World::hub_with_device().await;
    send(&hub, &["a", "b", "c"]).await;
    let mut link = open(&world, &hub).await;
    listen(&link, Features::ALL).await;
    assert_eq!(next(&mut link).await, LinkEvent::C2dReady);
    let receiver = link.c2d_receiver();
    let first = receiver.take(2).await.unwrap();
    assert_eq!(told(&first), [("a", 1), ("b", 1)]);
    receiver.complete(&first[0].lock_token).await.unwrap();
    // The lock ends: the link hears that there is something again.
    tokio::time::sleep(C2D_LOCK_DEFAULT + Duration::from_millis(10)).await;
    let late = receiver.complete(&first[1].lock_token).await;
    assert_eq!(late, Err(HubError::LockLost));
    assert_eq!(next(&mut link).await, LinkEvent::C2dReady);
    let second = receiver.take(16).await.unwrap();
    assert_eq!(told(&second), [("b", 2), ("c", 1)]);
    receiver.abandon(&second[1].lock_token).await.unwrap();
    let third = receiver.take(16).await.unwrap();
    assert_eq!(told(&third), [("c", 2)]);
    // The connection ends: both deliveries have failed once more.
    link.close(CloseReason::Ended).await;
    assert_eq!(receiver.take(16).await, Err(HubError::Disconnected));
    let stale = receiver.complete(&third[0].lock_token).await;
    assert_eq!(stale, Err(HubError::Disconnected));
    let newer = open(&world, &hub).await;
    let fourth = newer.c2d_receiver().take(16).await.unwrap();
    assert_eq!(told(&fourth), [("b", 3), ("c", 3)]);
    // So it is when a newer connection takes the place.
    let newest = open(&world, &hub).await;
    let fifth = newest.c2d_receiver().take(16).await.unwrap();
    assert_eq!(told(&fifth), [("b", 4), ("c", 4)]);
    newest.c2d_receiver().reject(&fifth[0].lock_token).await.unwrap();
    assert_eq!(hub.c2d.count(&device("d")).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_renewed_token_prolongs_the_link() {
    let (world, hub) = World::hub_with_device().await;
    let mut link = open(&world, &hub).await;
    let end = link.principal().expires_at.unwrap();
    let sender = link.telemetry();
    world.clock.set(end);
    let newer = world.principal(&hub, &id("d")).await.unwrap();
    let newer_end = newer.expires_at.unwrap();
    assert!(newer_end > end);
    link.renew(newer).unwrap();
    assert_eq!(link.principal().expires_at, Some(newer_end));
    world.clock.advance(Duration::from_secs(1));
    nothing(&mut link).await;
    let message = EncodedD2cMessage::default();
    assert!(sender.submit_encoded(&message).is_ok());
    world.clock.set(newer_end);
    world.clock.advance(Duration::from_micros(1));
    assert_eq!(next(&mut link).await, LinkEvent::Close(CloseReason::TokenExpired));
    let expired = HubError::Unauthorized(Unauthorized::ExpiredToken);
    assert_eq!(
        sender.submit_encoded(&message).unwrap_err(),
        TelemetryError::Hub(expired.clone())
    );
    let late = world.principal(&hub, &id("d")).await.unwrap();
    assert_eq!(link.renew(late), Err(expired));
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_session_leaves_the_stored_one_alone() {
    let (world, hub) = World::hub_with_device().await;
    let (mut stored, _) = world.open(&hub, false).await;
    let (filters, features) = listening(true, true, true);
    stored.set_filters(filters.clone(), features).await.unwrap();
    stored.close(CloseReason::Ended).await;
    let mut link = open(&world, &hub).await;
    send(&hub, &["a"]).await;
    nothing(&mut link).await;
    listen(&link, features).await;
    link.close(CloseReason::Ended).await;
    let (_, session) = world.open(&hub, false).await;
    assert_eq!((session.present, session.filters), (true, filters));
}

#[tokio::test(start_paused = true)]
async fn what_there_is_no_room_for_waits() {
    let (world, hub) = World::hub_with_device().await;
    let mut link = open(&world, &hub).await;
    listen(&link, Features::ALL).await;
    assert_eq!(next(&mut link).await, LinkEvent::C2dReady);
    let patch = TwinPatch {
        tags: None,
        desired: Some(json!({ "n": 1 })),
    };
    hub.twins.patch(&id("d"), patch, Precondition::None).await.unwrap();
    send(&hub, &["a"]).await;
    let room = Features {
        desired: false,
        ..Features::ALL
    };
    assert_eq!(poll_fn(|cx| link.poll_next(cx, room)).await, LinkEvent::C2dReady);
    assert!(matches!(next(&mut link).await, LinkEvent::Desired { version: 2, .. }));
    drop(open(&world, &hub).await);
    let none = Features::default();
    let event = poll_fn(|cx| link.poll_next(cx, none)).await;
    assert_eq!(event, LinkEvent::Close(CloseReason::Replaced));
}

#[tokio::test(start_paused = true)]
async fn a_model_may_be_announced_later() {
    let (world, hub) = World::hub_with_device().await;
    let mut link = open(&world, &hub).await;
    link.announce_model("dtmi:a;1".into()).unwrap().await.unwrap();
    assert_eq!(link.model_id(), Some("dtmi:a;1"));
    link.telemetry().submit_encoded(&EncodedD2cMessage::default()).unwrap();
    let events = world.log.events();
    let event = StoredEvent::parse(events.last().unwrap()).unwrap();
    let model = event.annotation_map().unwrap().value("dt-dataschema");
    assert_eq!(model, Some(Value::String("dtmi:a;1")));
    let query = hub.twins.get(&id("d")).await.unwrap();
    assert_eq!(serde_json::to_value(&query).unwrap()["modelId"], "dtmi:a;1");
    assert!(link.announce_model("x".repeat(129)).is_err());
}
