//! Fault rules that have messages come later.

use std::time::Duration;

use ironhub_amqp::cbs;
use ironhub_amqp::connection::Event;
use ironhub_amqp::message::write_data;
use ironhub_model::C2dMessage;

use crate::client::{Answer, Client};
use crate::hub::{TestHub, device_id, start_broken};

/// What another connection gets done meanwhile.
const TOKENS: usize = 8;

/// A device with a message under way to the hub, whose outcome it awaits, or with one to come.
async fn sending(hub: &TestHub) -> Client {
    let mut client = device(hub).await;
    let telemetry = client.sender("/devices/d.1/messages/events").await.unwrap();
    let mut payload = Vec::new();
    write_data(&mut payload, b"21.5");
    client.send(telemetry, &payload).await;
    client.flush().await;
    client
}

async fn receiving(hub: &TestHub) -> Client {
    let mut client = device(hub).await;
    let receiver = client.receiver("/devices/d.1/messages/devicebound").await.unwrap();
    client.amqp.grant(receiver, 1).unwrap();
    client.flush().await;
    let message = C2dMessage {
        to: "/devices/d.1/messages/devicebound".into(),
        body: b"hello".to_vec(),
        ..C2dMessage::default()
    };
    hub.hub.c2d.send(&device_id(), message).await.unwrap();
    client
}

async fn device(hub: &TestHub) -> Client {
    Client::with_token(hub, &hub.own_token("devices/d.1")).await
}

/// Has another connection ask and ask again.
async fn others_go_on(hub: &TestHub) {
    let mut other = Client::open(hub, None).await;
    let pair = other.pair(cbs::NODE).await;
    for _ in 0..TOKENS {
        let token = hub.policy_token("service", "");
        assert_eq!(other.put_token(pair, &token).await, Answer::ok());
    }
}

/// The outcome, or the message.
async fn comes(client: &mut Client) {
    let wanted = |event| matches!(event, Event::Disposition { .. } | Event::Delivery(_)).then_some(());
    client.until(wanted).await;
}

/// Not while anything else can be done, but in the end.
async fn comes_late(hub: &TestHub, mut client: Client) {
    tokio::select! {
        biased;
        () = comes(&mut client) => panic!("it came at once"),
        () = others_go_on(hub) => {}
    }
    tokio::time::pause();
    // Time that passes by itself leaps to the next timer: not farther than this one, lest it pass the connection's.
    let steps = tokio::spawn(async {
        let mut step = tokio::time::interval(Duration::from_millis(10));
        loop {
            step.tick().await;
        }
    });
    comes(&mut client).await;
    steps.abort();
    tokio::time::resume();
}

#[tokio::test]
async fn messages_come_later_one_way_or_the_other() {
    let hub = start_broken(&["amqp:in devices/*/messages/events:delay=60000"]).await;
    comes_late(&hub, sending(&hub).await).await;
    comes(&mut receiving(&hub).await).await;
    let hub = start_broken(&["amqp:out devices/*/messages/devicebound:delay=60000"]).await;
    comes_late(&hub, receiving(&hub).await).await;
    comes(&mut sending(&hub).await).await;
}
