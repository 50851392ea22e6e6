//! What is acknowledged when, and what becomes of messages when connections end.

use std::time::Duration;

use ironhub_model::IdentityId;
use ironhub_model::limits::D2C_IN_FLIGHT_PER_CONNECTION_MAX;
use ironhub_mqtt::packet::{ConnAck, ConnectRefusal, Delivery, Packet, Publish, QoS, SubAckCode};
use ironhub_testkit::HeldLog;
use tokio::time::{Instant, timeout};

use crate::client::{Client, WATCHDOG, connect, will};
use crate::hub::{TestHub, device_id, start};
use crate::transcripts::c2d_message;

const EVENTS: &str = "devices/d.1/messages/events/";
const C2D: &str = "devices/d.1/messages/devicebound/#";

async fn held() -> (TestHub<HeldLog>, HeldLog) {
    let log = HeldLog::new();
    (start(log.clone()).await, log)
}

/// What happens within the watchdog's time.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(WATCHDOG, future).await.expect("it takes too long")
}

async fn puback(client: &mut Client) -> u16 {
    match soon(client.receive()).await {
        Some(Packet::PubAck(packet_id)) => packet_id.value(),
        other => panic!("instead of PUBACK: {other:?}"),
    }
}

/// A PINGREQ is answered in its place, so what has not come by then does not come.
async fn nothing_but_pong(client: &mut Client) {
    client.send(&Packet::PingReq).await;
    assert_eq!(soon(client.receive()).await, Some(Packet::PingResp));
}

#[tokio::test]
async fn nothing_is_acknowledged_before_it_is_durable() {
    let (hub, log) = held().await;
    let mut client = Client::connected(&hub).await;
    for packet_id in 1..=3 {
        client.publish(EVENTS, b"m", packet_id).await;
    }
    soon(log.bodies(3)).await;
    nothing_but_pong(&mut client).await;
    log.watermark().advance(2);
    assert_eq!((puback(&mut client).await, puback(&mut client).await), (1, 2));
    nothing_but_pong(&mut client).await;
    log.watermark().advance(3);
    assert_eq!(puback(&mut client).await, 3);
}

#[tokio::test]
async fn a_stopped_log_closes_without_acknowledging() {
    let (hub, log) = held().await;
    let mut client = Client::connected(&hub).await;
    client.publish(EVENTS, b"m", 1).await;
    soon(log.bodies(1)).await;
    log.watermark().stop();
    assert_eq!(soon(client.receive()).await, None);
}

#[tokio::test]
async fn a_full_log_loses_nothing_and_keeps_the_order() {
    let (hub, log) = held().await;
    let mut client = Client::connected(&hub).await;
    log.set_full(true);
    client.publish(EVENTS, b"1", 1).await;
    client.publish(EVENTS, b"2", 0).await;
    client.send(&Packet::PingReq).await;
    log.set_full(false);
    assert_eq!(soon(log.bodies(2)).await, ["1", "2"]);
    log.watermark().advance(2);
    let mut answers = Vec::new();
    for _ in 0..2 {
        answers.push(soon(client.receive()).await.unwrap().kind().to_string());
    }
    answers.sort();
    assert_eq!(answers, ["PINGRESP", "PUBACK"]);
}

#[tokio::test]
async fn the_window_stops_the_reading() {
    let (hub, log) = held().await;
    let mut client = Client::connected(&hub).await;
    let window = u16::try_from(D2C_IN_FLIGHT_PER_CONNECTION_MAX).unwrap();
    for packet_id in 1..=window + 10 {
        client.publish(EVENTS, b"m", packet_id).await;
    }
    soon(log.bodies(D2C_IN_FLIGHT_PER_CONNECTION_MAX)).await;
    log.watermark().advance(1);
    assert_eq!(puback(&mut client).await, 1);
    soon(log.bodies(D2C_IN_FLIGHT_PER_CONNECTION_MAX + 1)).await;
    assert_eq!(log.now().len(), D2C_IN_FLIGHT_PER_CONNECTION_MAX + 1);
    log.watermark().advance(u64::MAX);
    for packet_id in 2..=window + 10 {
        assert_eq!(puback(&mut client).await, packet_id);
    }
}

#[tokio::test]
async fn a_will_is_published_on_an_abnormal_end_only() {
    let (hub, log) = held().await;
    let connect_with_will = |topic: &str, qos| {
        let mut connect = connect(&hub);
        connect.will = Some(will(topic, qos));
        connect
    };
    let mut polite = Client::open(hub.address).await;
    polite.connect(connect_with_will(EVENTS, QoS::AtLeastOnce)).await;
    polite.send(&Packet::Disconnect).await;
    assert_eq!(soon(polite.receive()).await, None);
    let mut displaced = Client::open(hub.address).await;
    displaced.connect(connect_with_will(EVENTS, QoS::AtMostOnce)).await;
    let mut gone = Client::open(hub.address).await;
    gone.connect(connect_with_will(&format!("{EVENTS}a=b"), QoS::AtLeastOnce))
        .await;
    assert_eq!(soon(displaced.receive()).await, None);
    assert!(log.now().is_empty(), "{:?}", log.now());
    drop(gone);
    assert_eq!(soon(log.bodies(1)).await, ["gone"]);
    assert!(log.holds("iothub-MessageType"));
    for (topic, qos) in [
        (EVENTS, QoS::ExactlyOnce),
        ("devices/d.2/messages/events/", QoS::AtMostOnce),
    ] {
        let mut refused = Client::open(hub.address).await;
        let answer = soon(refused.connect(connect_with_will(topic, qos))).await;
        assert_eq!(answer, ConnAck::Refused(ConnectRefusal::NotAuthorized));
    }
}

#[tokio::test]
async fn the_wish_to_retain_is_told_and_not_fulfilled() {
    let (hub, log) = held().await;
    let mut client = Client::connected(&hub).await;
    let publish = Publish {
        topic: format!("{EVENTS}mqtt-retain=mine").into(),
        payload: "m".into(),
        delivery: Delivery::AtMostOnce,
        retain: true,
    };
    client.send(&Packet::Publish(publish)).await;
    assert_eq!(soon(log.bodies(1)).await, ["m"]);
    assert!(log.holds("mqtt-retain") && log.holds("true") && !log.holds("mine"));
}

#[tokio::test]
async fn what_was_asked_before_the_goodbye_is_done() {
    let (hub, _log) = held().await;
    let mut client = Client::connected(&hub).await;
    client
        .publish(
            "$iothub/twin/PATCH/properties/reported/?$rid=1",
            br#"{"last":"words"}"#,
            0,
        )
        .await;
    client.send(&Packet::Disconnect).await;
    // The answer may come before the goodbye is read.
    while soon(client.receive()).await.is_some() {}
    let id = IdentityId::device(device_id());
    let twin = serde_json::to_string(&hub.hub.twins.get(&id).await.unwrap()).unwrap();
    assert!(twin.contains("words"), "{twin}");
}

#[tokio::test]
async fn the_newest_connection_wins() {
    let (hub, _log) = held().await;
    let mut older = Client::connected(&hub).await;
    let mut newer = Client::connected(&hub).await;
    assert_eq!(soon(older.receive()).await, None);
    nothing_but_pong(&mut newer).await;
}

#[tokio::test]
async fn an_unacknowledged_message_comes_again_with_dup() {
    let (hub, _log) = held().await;
    let mut client = Client::connected(&hub).await;
    let answer = soon(client.subscribe(C2D, QoS::AtLeastOnce)).await;
    assert_eq!(answer.codes, [SubAckCode::Granted(QoS::AtLeastOnce)]);
    hub.hub.c2d.send(&device_id(), c2d_message("one")).await.unwrap();
    assert!(!soon(client.message()).await.delivery.is_dup());
    drop(client);
    let mut client = Client::open(hub.address).await;
    let answer = soon(client.connect(connect(&hub))).await;
    assert_eq!(answer, ConnAck::Accepted { session_present: true });
    let again = soon(client.message()).await;
    assert_eq!((again.delivery.is_dup(), &again.payload[..]), (true, b"one".as_slice()));
    client.send(&Packet::PubAck(again.delivery.packet_id().unwrap())).await;
    nothing_but_pong(&mut client).await;
    drop(client);
    // A clean session hears nothing, and is forgotten.
    let mut client = Client::open(hub.address).await;
    let clean = ironhub_mqtt::packet::Connect {
        clean_session: true,
        ..connect(&hub)
    };
    assert_eq!(
        soon(client.connect(clean)).await,
        ConnAck::Accepted { session_present: false }
    );
    hub.hub.c2d.send(&device_id(), c2d_message("two")).await.unwrap();
    nothing_but_pong(&mut client).await;
    drop(client);
    let mut client = Client::open(hub.address).await;
    assert_eq!(
        soon(client.connect(connect(&hub))).await,
        ConnAck::Accepted { session_present: false }
    );
    soon(client.subscribe(C2D, QoS::AtMostOnce)).await;
    assert_eq!(&soon(client.message()).await.payload[..], b"two");
}

#[tokio::test]
async fn a_queue_longer_than_the_window_arrives_in_order() {
    let (hub, _log) = held().await;
    for number in 0..40 {
        hub.hub
            .c2d
            .send(&device_id(), c2d_message(&number.to_string()))
            .await
            .unwrap();
    }
    let mut client = Client::connected(&hub).await;
    soon(client.subscribe(C2D, QoS::AtLeastOnce)).await;
    for number in 0..40 {
        let message = soon(client.message()).await;
        assert_eq!(message.payload, number.to_string().as_bytes());
        client
            .send(&Packet::PubAck(message.delivery.packet_id().unwrap()))
            .await;
    }
    while soon(hub.hub.c2d.count(&device_id())).await.unwrap() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_expired_token_ends_the_connection() {
    let (hub, log) = held().await;
    let mut client = Client::connected(&hub).await;
    // Expiry and skew are passed: the next message is not accepted any more.
    hub.clock.advance(Duration::from_mins(66));
    client.publish(EVENTS, b"late", 1).await;
    assert_eq!(soon(client.receive()).await, None);
    assert!(log.now().is_empty());
}

#[tokio::test]
async fn a_drain_ends_connections_and_refuses_new_ones() {
    let (hub, _log) = held().await;
    let mut client = Client::connected(&hub).await;
    let mut waiting = Client::open(hub.address).await;
    nothing_but_pong(&mut client).await;
    hub.drain.begin(Instant::now() + WATCHDOG);
    soon(hub.hub.drain()).await;
    assert_eq!(soon(client.receive()).await, None);
    let refused = Packet::ConnAck(ConnAck::Refused(ConnectRefusal::ServerUnavailable));
    assert_eq!(soon(waiting.receive()).await, Some(refused));
    soon(hub.listener).await.unwrap();
}
