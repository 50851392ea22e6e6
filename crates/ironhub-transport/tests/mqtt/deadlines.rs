//! Time-outs, in time that the runtime makes pass.

use std::time::Duration;

use ironhub_model::limits::{CONNECT_WAIT_MAX, STALL_MAX};
use ironhub_mqtt::packet::{ConnAck, Packet, Password, QoS};
use ironhub_testkit::HeldLog;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, pause};

use crate::client::{Client, connect};
use crate::hub::{TestHub, device_id, start};
use crate::transcripts::c2d_message;

async fn held() -> (TestHub<HeldLog>, HeldLog) {
    let log = HeldLog::new();
    (start(log.clone()).await, log)
}

/// How long it takes until the connection ends, in whole seconds.
async fn seconds_to_the_end(mut client: Client) -> u64 {
    pause();
    let begin = Instant::now();
    assert_eq!(client.receive().await, None);
    seconds_since(begin)
}

/// Seconds since then, rounded: some of the first one may have passed before the runtime had time in its hand.
fn seconds_since(begin: Instant) -> u64 {
    (begin.elapsed() + Duration::from_millis(500)).as_secs()
}

#[tokio::test]
async fn silence_ends_a_connection_after_one_and_a_half_times_the_keep_alive() {
    let (hub, _log) = held().await;
    let client = Client::connected(&hub).await;
    assert_eq!(seconds_to_the_end(client).await, 90);
}

#[tokio::test]
async fn a_keep_alive_of_zero_has_the_cap() {
    let (hub, _log) = held().await;
    let mut client = Client::open(hub.address).await;
    let mut forever = connect(&hub);
    forever.keep_alive_s = 0;
    client.connect(forever).await;
    assert_eq!(seconds_to_the_end(client).await, 1767);
}

#[tokio::test]
async fn a_connection_without_connect_ends() {
    let (hub, _log) = held().await;
    let client = Client::open(hub.address).await;
    assert_eq!(seconds_to_the_end(client).await, CONNECT_WAIT_MAX.as_secs());
}

#[tokio::test]
async fn a_stall_ends_the_connection_although_its_keep_alive_stands_still() {
    let (hub, log) = held().await;
    let mut client = Client::open(hub.address).await;
    let mut short = connect(&hub);
    short.keep_alive_s = 4;
    client.connect(short).await;
    log.set_full(true);
    client.publish("devices/d.1/messages/events/", b"m", 1).await;
    assert_eq!(seconds_to_the_end(client).await, STALL_MAX.as_secs());
}

#[tokio::test]
async fn a_client_that_does_not_read_is_closed() {
    let (hub, _log) = held().await;
    let mut client = Client::open_narrow(hub.address).await;
    let mut long = connect(&hub);
    long.keep_alive_s = 1000;
    client.connect(long).await;
    pause();
    let begin = Instant::now();
    // Asks and asks until neither side can take any more, and then until the hub has had enough.
    let pings = [0xC0, 0].repeat(8192);
    while client.stream.write_all(&pings).await.is_ok() {}
    assert_eq!(begin.elapsed().as_secs(), STALL_MAX.as_secs());
}

#[tokio::test]
async fn a_message_comes_again_when_its_lock_is_over() {
    let (hub, _log) = held().await;
    let mut client = Client::open(hub.address).await;
    let mut long = connect(&hub);
    long.keep_alive_s = 600;
    client.connect(long).await;
    client
        .subscribe("devices/d.1/messages/devicebound/#", QoS::AtLeastOnce)
        .await;
    hub.hub.c2d.send(&device_id(), c2d_message("m")).await.unwrap();
    let first = client.message().await;
    pause();
    let begin = Instant::now();
    let second = client.message().await;
    assert_eq!(seconds_since(begin), 60);
    assert_eq!(second.delivery.packet_id(), first.delivery.packet_id());
    assert!(second.delivery.is_dup());
}

#[tokio::test]
async fn failed_connects_wait_longer_each_time() {
    let (hub, _log) = held().await;
    pause();
    let mut waits = Vec::new();
    for _ in 0..3 {
        let mut client = Client::open(hub.address).await;
        let mut wrong = connect(&hub);
        wrong.login.as_mut().unwrap().password = Some(Password::new("SharedAccessSignature sr=x&sig=eA%3D%3D&se=1"));
        let begin = Instant::now();
        assert!(matches!(client.connect(wrong).await, ConnAck::Refused(_)));
        waits.push(begin.elapsed());
    }
    let expected = [100, 200, 400].map(Duration::from_millis);
    assert!(
        waits
            .iter()
            .zip(expected)
            .all(|(wait, least)| *wait >= least && *wait < least * 2),
        "{waits:?}"
    );
}

#[tokio::test]
async fn a_ping_keeps_the_connection() {
    let (hub, _log) = held().await;
    let mut client = Client::connected(&hub).await;
    pause();
    let begin = Instant::now();
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_secs(80)).await;
        client.send(&Packet::PingReq).await;
        assert_eq!(client.receive().await, Some(Packet::PingResp));
    }
    assert!(begin.elapsed() >= Duration::from_secs(320));
}
