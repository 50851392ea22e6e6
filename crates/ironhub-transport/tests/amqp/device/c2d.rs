use ironhub_amqp::connection::{Delivery, LinkId};
use ironhub_amqp::message::{Body, Message};
use ironhub_amqp::performative::{Attach, DeliveryState, Disposition, Performative, ReceiverSettleMode, Role};
use ironhub_amqp::types::Value;
use ironhub_dialect::amqp::lock_token::delivery_tag;
use ironhub_model::limits::C2D_LOCK_DEFAULT;
use ironhub_model::{AckRequest, C2dMessage, FeedbackStatus, LockToken};

use super::{address, attach, device};
use crate::client::Client;
use crate::hub::{TestHub, device_id, start};

async fn send(hub: &TestHub, names: &[&str]) {
    for name in names {
        let message = C2dMessage {
            message_id: Some((*name).into()),
            to: address("messages/devicebound"),
            ack: Some(AckRequest::Full),
            body: (*name).into(),
            ..C2dMessage::default()
        };
        hub.hub.c2d.send(&device_id(), message).await.unwrap();
    }
}

async fn receiving(client: &mut Client, credit: u32) -> LinkId {
    let link = client.receiver(&address("messages/deviceBound")).await.unwrap();
    client.amqp.grant(link, credit).unwrap();
    link
}

/// Body, delivery count and lock token.
fn read(delivery: &Delivery) -> (String, Value<'_>, LockToken) {
    let message = Message::parse(&delivery.payload).unwrap();
    let Body::Data(data) = message.bare.body else {
        panic!("no data")
    };
    let body = String::from_utf8(data.flatten().copied().collect()).unwrap();
    let value = |name| message.message_annotations.value(name).unwrap();
    let token = LockToken::parse(value("x-opt-lock-token").as_text().unwrap()).unwrap();
    (body, value("iothub-deliverycount"), token)
}

#[track_caller]
fn check(delivery: &Delivery, body: &str, count: u8) {
    let (read_body, read_count, token) = read(delivery);
    assert_eq!((&*read_body, read_count), (body, Value::Ubyte(count)));
    assert_eq!(delivery.tag, delivery_tag(token));
}

async fn reports(hub: &TestHub, count: usize) -> Vec<(String, FeedbackStatus)> {
    let mut all = Vec::new();
    while all.len() < count {
        if let Some(batch) = hub.hub.feedback.receive(C2D_LOCK_DEFAULT).await.unwrap() {
            hub.hub.feedback.complete(&batch.lock_token).await.unwrap();
            let records = batch.records.into_iter();
            all.extend(records.map(|record| (record.original_message_id.unwrap(), record.status_code)));
        }
        tokio::task::yield_now().await;
    }
    all
}

#[tokio::test]
async fn the_device_says_what_becomes_of_a_message() {
    let hub = start().await;
    send(&hub, &["a", "b", "c"]).await;
    let mut client = device(&hub).await;
    receiving(&mut client, 1).await;
    let rejected = DeliveryState::Rejected(None);
    let modified = DeliveryState::Modified {
        delivery_failed: true,
        undeliverable_here: false,
        message_annotations: ironhub_amqp::types::Encoded::null(),
    };
    // One at a time: the next comes when there is credit again.
    for (body, count, state) in [
        ("a", 1, DeliveryState::Released),
        ("a", 2, modified),
        ("a", 3, DeliveryState::Accepted),
        ("b", 1, rejected),
        ("c", 1, DeliveryState::Accepted),
    ] {
        let delivery = client.delivery().await;
        check(&delivery, body, count);
        client.amqp.settle(delivery.receipt, state).unwrap();
    }
    let (success, refused) = (FeedbackStatus::Success, FeedbackStatus::Rejected);
    client.flush().await;
    assert_eq!(
        reports(&hub, 3).await,
        [("a".into(), success), ("b".into(), refused), ("c".into(), success)]
    );
    assert_eq!(hub.hub.c2d.count(&device_id()).await, Ok(0));
}

#[tokio::test]
async fn what_comes_later_is_delivered_and_credit_bounds_it() {
    let hub = start().await;
    let mut client = device(&hub).await;
    let link = receiving(&mut client, 2).await;
    send(&hub, &["a", "b", "c"]).await;
    let first = client.delivery().await;
    let second = client.delivery().await;
    check(&first, "a", 1);
    check(&second, "b", 1);
    let more = client.round_trip("a").await;
    assert!(more.is_empty(), "{more:?}");
    client.amqp.settle(second.receipt, DeliveryState::Accepted).unwrap();
    client.amqp.grant(link, 2).unwrap();
    check(&client.delivery().await, "c", 1);
}

#[tokio::test]
async fn a_link_that_is_lost_gives_back_what_it_had() {
    let hub = start().await;
    send(&hub, &["a"]).await;
    let mut client = device(&hub).await;
    // Another link keeps the device connected.
    client.sender(&address("messages/events")).await.unwrap();
    let link = receiving(&mut client, 10).await;
    check(&client.delivery().await, "a", 1);
    client.amqp.detach(link, None).unwrap();
    let newer = attach("newer", Role::Receiver, &address("messages/devicebound"));
    let link = client.attach(newer).await.unwrap();
    client.amqp.grant(link, 10).unwrap();
    check(&client.delivery().await, "a", 2);
    // So does a connection, whether it says goodbye or not.
    drop(client);
    let mut client = device(&hub).await;
    receiving(&mut client, 10).await;
    check(&client.delivery().await, "a", 3);
}

/// .NET waits for the hub's word on each outcome.
#[tokio::test]
async fn outcomes_are_confirmed_and_lost_locks_are_told() {
    let hub = start().await;
    send(&hub, &["a", "b"]).await;
    let mut client = device(&hub).await;
    let asked = Attach {
        rcv_settle_mode: Some(ReceiverSettleMode::Second),
        ..attach("c2d", Role::Receiver, &address("messages/deviceBound"))
    };
    let link = client.attach(asked).await.unwrap();
    client.amqp.grant(link, 2).unwrap();
    client.delivery().await;
    client.delivery().await;
    // 0 was the answer to the token.
    for (id, expected) in [(1, "accepted"), (2, "com.microsoft:message-lock-lost")] {
        client.say(&Performative::Disposition(unsettled(id)), b"").await;
        assert_eq!(client.confirmed().await, (id, expected.to_owned()));
        hub.hub.c2d.purge(&device_id()).await.unwrap();
    }
}

fn unsettled(id: u32) -> Disposition {
    Disposition {
        role: Role::Receiver,
        first: id,
        last: None,
        settled: false,
        state: Some(DeliveryState::Accepted),
    }
}
