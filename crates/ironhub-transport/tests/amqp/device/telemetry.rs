use ironhub_amqp::connection::{Event, LinkId};
use ironhub_amqp::message::{self, batch};
use ironhub_amqp::performative::{DeliveryState, Performative, Role};
use ironhub_model::limits::{AMQP_DELIVERY_BYTES_MAX, D2C_MESSAGE_BYTES_MAX};

use super::{address, attach, device, with_property};
use crate::client::Client;
use crate::hub::{TestHub, start_over};
use ironhub_testkit::FakeClock;
use ironhub_testkit::HeldLog;

fn message(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    message::write_data(&mut out, body);
    out
}

async fn sending(hub: &TestHub<HeldLog>) -> (Client, LinkId) {
    let mut client = device(hub).await;
    let link = client.sender(&address("messages/events")).await.unwrap();
    (client, link)
}

#[tokio::test]
async fn messages_are_accepted_in_order_once_they_are_durable() {
    let log = HeldLog::new();
    let hub = start_over(log.clone(), FakeClock::default()).await;
    let (mut client, link) = sending(&hub).await;
    for body in [b"1", b"2", b"3"] {
        client.send_as(link, 0, &message(body)).await;
    }
    assert_eq!(log.bodies(3).await, ["1", "2", "3"]);
    let before = client.round_trip("a").await;
    assert!(
        !before.iter().any(|event| matches!(event, Event::Disposition { .. })),
        "{before:?}"
    );
    log.watermark().advance(2);
    assert_eq!(client.outcomes().await, (vec![1, 2], DeliveryState::Accepted));
    log.watermark().advance(3);
    assert_eq!(client.outcomes().await, (vec![3], DeliveryState::Accepted));
}

#[tokio::test]
async fn a_full_log_is_waited_for() {
    let log = HeldLog::new();
    let hub = start_over(log.clone(), FakeClock::default()).await;
    let (mut client, link) = sending(&hub).await;
    client.send_as(link, 0, &message(b"1")).await;
    assert_eq!(log.bodies(1).await, ["1"]);
    log.set_full(true);
    let in_batch = [message(b"2"), message(b"3")].map(|encoded| message(&encoded)).concat();
    client.send_as(link, batch::MESSAGE_FORMAT, &in_batch).await;
    client.send_as(link, 0, &message(b"4")).await;
    log.set_full(false);
    assert_eq!(log.bodies(4).await, ["1", "2", "3", "4"]);
    log.watermark().advance(4);
    assert_eq!(client.outcomes().await, (vec![1, 2, 3], DeliveryState::Accepted));
}

#[tokio::test]
async fn a_batch_is_accepted_when_its_last_message_is_durable() {
    let log = HeldLog::new();
    let hub = start_over(log.clone(), FakeClock::default()).await;
    let (mut client, link) = sending(&hub).await;
    let in_batch = [message(b"1"), message(b"2")].map(|encoded| message(&encoded)).concat();
    client.send_as(link, batch::MESSAGE_FORMAT, &in_batch).await;
    assert_eq!(log.bodies(2).await, ["1", "2"]);
    log.watermark().advance(1);
    let before = client.round_trip("a").await;
    assert!(
        !before.iter().any(|event| matches!(event, Event::Disposition { .. })),
        "{before:?}"
    );
    log.watermark().advance(2);
    assert_eq!(client.outcomes().await, (vec![1], DeliveryState::Accepted));
}

#[tokio::test]
async fn what_cannot_be_taken_is_rejected_and_the_link_lives() {
    let log = HeldLog::new();
    let hub = start_over(log.clone(), FakeClock::default()).await;
    let (mut client, link) = sending(&hub).await;
    client.send_as(link, 0, b"no message").await;
    assert_eq!(client.rejection().await, "amqp:decode-error");
    client.send_as(link, 0, &message(b"1")).await;
    assert_eq!(log.bodies(1).await, ["1"]);
}

#[tokio::test]
async fn a_model_is_told_with_the_link() {
    let log = HeldLog::new();
    let hub = start_over(log.clone(), FakeClock::default()).await;
    let mut client = device(&hub).await;
    // The twin's link comes first and says nothing.
    client.receiver(&address("twin")).await.unwrap();
    let telemetry = attach("t", Role::Sender, &address("messages/events"));
    let telemetry = with_property(telemetry, "com.microsoft:model-id", "dtmi:a;1");
    let link = client.attach(telemetry).await.unwrap();
    client.send_as(link, 0, &message(b"1")).await;
    log.bodies(1).await;
    assert!(log.holds("dt-dataschema"));
    assert!(log.holds("dtmi:a;1"));
}

/// Many SDKs do not look at what the hub announces.
#[tokio::test]
async fn a_message_that_is_too_large_is_rejected_and_a_far_larger_one_ends_the_link() {
    let log = HeldLog::new();
    let hub = start_over(log.clone(), FakeClock::default()).await;
    let (mut client, _) = sending(&hub).await;
    for (id, bytes, expected) in [
        // 0 was the token.
        (1, D2C_MESSAGE_BYTES_MAX + 1, "rejected amqp:link:message-size-exceeded"),
        (2, AMQP_DELIVERY_BYTES_MAX, "detached amqp:link:message-size-exceeded"),
    ] {
        client.say_message(id, &message(&vec![b'x'; bytes])).await;
        let heard = client
            .hear(|performative| match performative {
                Performative::Disposition(disposition) => match disposition.state {
                    Some(DeliveryState::Rejected(Some(error))) => Some(format!("rejected {}", error.condition)),
                    _ => None,
                },
                Performative::Detach(detach) => Some(format!("detached {}", detach.error?.condition)),
                _ => None,
            })
            .await;
        assert_eq!(heard, expected);
    }
}
