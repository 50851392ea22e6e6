//! Back ends read what became of their messages.

use std::time::Duration;

use ironhub_amqp::connection::{Delivery, Event, LinkId};
use ironhub_amqp::message::{Body, Message, MessageId};
use ironhub_amqp::performative::{Attach, DeliveryState, Disposition, Performative, ReceiverSettleMode, Role, Source};
use ironhub_amqp::types::Encoded;
use ironhub_model::limits::C2D_LOCK_DEFAULT;
use ironhub_model::{AckRequest, C2dMessage, IdentityId, LockToken};
use serde_json::Value;

use crate::client::Client;
use crate::hub::{DEVICE, HOST, TestHub, device_id, start};

/// Has the device complete a message, which makes a report.
async fn report(hub: &TestHub, message_id: &str) {
    let message = C2dMessage {
        message_id: Some(message_id.into()),
        to: "/devices/d.1/messages/devicebound".into(),
        ack: Some(AckRequest::Full),
        ..C2dMessage::default()
    };
    hub.hub.c2d.send(&device_id(), message).await.unwrap();
    let id = IdentityId::parse(DEVICE).unwrap();
    let token = hub.own_token(&format!("devices/{DEVICE}"));
    let caller = hub.hub.auth.authorize_device(&id, Some(&token), &[]).await.unwrap();
    let delivery = hub.hub.c2d.receive(&caller, C2D_LOCK_DEFAULT).await.unwrap().unwrap();
    hub.hub.c2d.complete(&caller, &delivery.lock_token).await.unwrap();
}

async fn reader(hub: &TestHub) -> (Client, LinkId) {
    let mut client = Client::with_token(hub, &hub.policy_token("service", "")).await;
    let address = format!("amqps://{HOST}/messages/serviceBound/feedback");
    let link = client.receiver(&address).await.unwrap();
    client.amqp.grant(link, 10).unwrap();
    client.flush().await;
    (client, link)
}

async fn batch(client: &mut Client) -> (Delivery, Vec<String>) {
    let wanted = |event: &Event| matches!(event, Event::Delivery(_) | Event::Detached { .. });
    let Event::Delivery(delivery) = client.until(|event| wanted(&event).then_some(event)).await else {
        panic!("the link has ended")
    };
    let ids = ids(&delivery);
    (delivery, ids)
}

fn ids(delivery: &Delivery) -> Vec<String> {
    let message = Message::parse(&delivery.payload).unwrap();
    let Body::Data(data) = message.bare.body else {
        panic!("no data")
    };
    let body: Vec<u8> = data.flatten().copied().collect();
    let records: Vec<Value> = serde_json::from_slice(&body).unwrap();
    let id = |record: &Value| record["originalMessageId"].as_str().unwrap().to_owned();
    records.iter().map(id).collect()
}

#[tokio::test]
async fn reports_come_unsettled_one_batch_at_a_time() {
    let hub = start().await;
    let (mut client, link) = reader(&hub).await;
    report(&hub, "a").await;
    let (first, names) = batch(&mut client).await;
    assert_eq!(names, ["a"]);
    assert_eq!(first.receipt.link(), link);
    assert!(!first.receipt.is_settled());
    assert_eq!(first.tag.as_bytes().len(), 16);
    let message = Message::parse(&first.payload).unwrap();
    assert_eq!(message.bare.properties.user_id, Some(&b"hub"[..]));
    assert!(message.message_annotations.value("iothub-enqueuedtime").is_some());
    report(&hub, "b").await;
    report(&hub, "c").await;
    client.amqp.settle(first.receipt, DeliveryState::Accepted).unwrap();
    let (second, names) = batch(&mut client).await;
    assert_eq!(names, ["b", "c"]);
    client.amqp.settle(second.receipt, DeliveryState::Released).unwrap();
    let (third, names) = batch(&mut client).await;
    assert_eq!(names, ["b", "c"]);
    assert_ne!(third.tag, second.tag);
    client
        .amqp
        .settle(third.receipt, DeliveryState::Rejected(None))
        .unwrap();
    client.flush().await;
    report(&hub, "d").await;
    let (fourth, names) = batch(&mut client).await;
    assert_eq!(names, ["d"]);
    let failed = DeliveryState::Modified {
        delivery_failed: true,
        undeliverable_here: false,
        message_annotations: Encoded::null(),
    };
    client.amqp.settle(fourth.receipt, failed).unwrap();
    assert_eq!(batch(&mut client).await.1, ["d"]);
}

/// As Node does it: rhea names an outcome and leaves settling to the hub.
#[tokio::test]
async fn an_outcome_counts_although_it_is_not_settled() {
    let hub = start().await;
    let (mut client, _) = reader(&hub).await;
    report(&hub, "a").await;
    assert_eq!(batch(&mut client).await.1, ["a"]);
    // The reply to the token was the first delivery of the session.
    for (first, state) in [(1, DeliveryState::Released), (2, DeliveryState::Accepted)] {
        let disposition = Disposition {
            role: Role::Receiver,
            first,
            last: Some(first),
            settled: false,
            state: Some(state),
        };
        client.say(&Performative::Disposition(disposition), b"").await;
        if first == 1 {
            assert_eq!(batch(&mut client).await.1, ["a"]);
        }
    }
    report(&hub, "b").await;
    assert_eq!(batch(&mut client).await.1, ["b"]);
}

/// .NET waits for the hub's word on each outcome.
#[tokio::test]
async fn outcomes_are_confirmed_and_lost_locks_are_told() {
    let hub = start().await;
    let mut client = Client::with_token(&hub, &hub.policy_token("service", "")).await;
    let mut asked = Attach::new("feedback", Role::Receiver);
    asked.rcv_settle_mode = Some(ReceiverSettleMode::Second);
    asked.source = Some(Source::at("/messages/serviceBound/feedback"));
    let link = client.attach(asked).await.unwrap();
    client.amqp.grant(link, 10).unwrap();
    client.flush().await;
    for (first, expected) in [(1, "accepted"), (2, "com.microsoft:message-lock-lost")] {
        report(&hub, expected).await;
        let (delivery, names) = batch(&mut client).await;
        assert_eq!(names, [expected]);
        if first == 2 {
            let message = Message::parse(&delivery.payload).unwrap();
            let Some(MessageId::String(id)) = message.bare.properties.message_id else {
                panic!("no message-id")
            };
            // The batch is named by its lock token, which somebody else uses here.
            let token = LockToken::parse(id).unwrap();
            hub.hub.feedback.complete(&token).await.unwrap();
        }
        let disposition = Disposition {
            role: Role::Receiver,
            first,
            last: None,
            settled: false,
            state: Some(DeliveryState::Accepted),
        };
        client.say(&Performative::Disposition(disposition), b"").await;
        assert_eq!(client.confirmed().await, (first, expected.to_owned()));
    }
}

#[tokio::test]
async fn a_batch_goes_to_one_reader_and_back_when_that_is_gone() {
    let hub = start().await;
    let (mut first, link) = reader(&hub).await;
    report(&hub, "a").await;
    let (_, names) = batch(&mut first).await;
    assert_eq!(names, ["a"]);
    let (mut second, _) = reader(&hub).await;
    report(&hub, "b").await;
    let (delivery, names) = batch(&mut second).await;
    assert_eq!(names, ["b"]);
    second.amqp.settle(delivery.receipt, DeliveryState::Accepted).unwrap();
    first.amqp.detach(link, None).unwrap();
    first.flush().await;
    let (delivery, names) = batch(&mut second).await;
    assert_eq!(names, ["a"]);
    second.amqp.settle(delivery.receipt, DeliveryState::Released).unwrap();
    assert_eq!(batch(&mut second).await.1, ["a"]);
    drop(second);
    let (mut third, _) = reader(&hub).await;
    assert_eq!(batch(&mut third).await.1, ["a"]);
}

#[tokio::test]
async fn a_batch_whose_lock_ended_comes_again() {
    let hub = start().await;
    let (mut client, _) = reader(&hub).await;
    report(&hub, "a").await;
    let (late, names) = batch(&mut client).await;
    assert_eq!(names, ["a"]);
    // Nobody settles it within its minute, which passes while the client waits.
    tokio::time::pause();
    // Time that passes by itself leaps to the next timer: not farther than this one, lest it pass the connection's.
    let steps = tokio::spawn(async {
        let mut step = tokio::time::interval(Duration::from_millis(10));
        loop {
            step.tick().await;
        }
    });
    let (again, names) = batch(&mut client).await;
    tokio::time::resume();
    steps.abort();
    assert_eq!(names, ["a"]);
    client.amqp.settle(late.receipt, DeliveryState::Accepted).unwrap();
    client.amqp.settle(again.receipt, DeliveryState::Accepted).unwrap();
    client.flush().await;
    report(&hub, "b").await;
    assert_eq!(batch(&mut client).await.1, ["b"]);
    assert!(hub.hub.feedback.receive(Duration::ZERO).await.unwrap().is_none());
}
