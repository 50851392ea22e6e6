//! What goes wrong is told at once, in words.

use ironhub_client::{ConnectionString, DeviceClient, Error, RetryPolicy, ServiceClient, Trust};
use std::time::Duration;

use crate::features::order;
use crate::hub::TestHub;

const OTHER_KEY: &str = "b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVyb3Q=";

fn other(device: &str) -> ConnectionString {
    let text = format!("HostName=localhost;DeviceId={device};SharedAccessKey={OTHER_KEY}");
    ConnectionString::parse(&text).unwrap()
}

#[track_caller]
fn check(outcome: Result<DeviceClient, Error>, expected: &str) {
    let error = outcome.unwrap_err().to_string();
    assert!(error.starts_with(expected), "{error}");
}

#[tokio::test]
async fn a_first_connection_that_cannot_be_is_not_tried_twice() {
    let hub = TestHub::start().await;
    let refused = "the hub refused the connection: not authorized";
    check(hub.client(other("wind-1")).connect().await, refused);
    check(hub.client(other("nobody")).connect().await, refused);
    let port = hub.server.announcement().ports.health;
    let not_tls = hub.device().port(port).connect().await;
    check(not_tls, &format!("cannot reach localhost:{port}: "));
    let stranger = TestHub::start().await;
    let untrusted = hub.device().trust(stranger.trust.clone()).connect().await;
    check(untrusted, "the certificate of localhost is not trusted: ");
    let x509 = ConnectionString::parse("HostName=localhost;DeviceId=d;x509=true").unwrap();
    check(
        hub.client(x509).connect().await,
        "the connection string says x509=true: give the device's certificate",
    );
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let nobody_listens = hub.device().port(closed).connect().await;
    check(nobody_listens, &format!("cannot reach localhost:{closed}: "));
}

/// Time is paused: it jumps to the end of each wait.
#[tokio::test(start_paused = true)]
async fn whoever_never_answers_cannot_be_reached() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let expected = format!("cannot reach localhost:{port}: no answer within 30 s");
    let trust = Trust::system_and_ca_files([] as [&str; 0]).unwrap();
    let device = DeviceClient::builder_for(other("d")).trust(trust.clone()).port(port);
    check(device.connect().await, &expected);

    let policy = format!("HostName=localhost;SharedAccessKeyName=service;SharedAccessKey={OTHER_KEY}");
    let service = ServiceClient::builder(&policy).unwrap().trust(trust);
    let service = service.https_port(port).amqp_port(port).build().unwrap();
    assert_eq!(service.device_statistics().await.unwrap_err().to_string(), expected);
    let mut sender = service.c2d_sender();
    let sent = sender.send(&"d".to_owned().try_into().unwrap(), order(1)).await;
    assert_eq!(sent.unwrap_err().to_string(), expected);
}

#[test]
fn what_is_wrong_with_a_setting_is_named() {
    let error = DeviceClient::builder("HostName=h;DeviceId=d").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the connection string cannot be used: SharedAccessKey (or x509=true) is missing"
    );
    let error = Trust::ca_pem(b"nothing").unwrap_err();
    assert_eq!(error.to_string(), "there is no certificate in the PEM text");
    let error = Trust::ca_file("Cargo.toml").unwrap_err();
    assert_eq!(error.to_string(), "Cargo.toml: there is no certificate in the PEM text");
}

#[tokio::test]
async fn whoever_waits_is_told_when_the_client_gives_up() {
    let hub = TestHub::start().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let retry = RetryPolicy {
        give_up_after: Some(Duration::ZERO),
        ..crate::hub::eager()
    };
    let device = hub.device().port(closed).retry(retry).start().unwrap();
    let (sent, twin) = tokio::join!(device.send_telemetry("x"), device.twin());
    assert!(
        matches!(sent, Err(Error::Unreachable { .. } | Error::Closed)),
        "{sent:?}"
    );
    assert!(
        matches!(twin, Err(Error::Unreachable { .. } | Error::Closed)),
        "{twin:?}"
    );
    let later = device.send_telemetry("y").await;
    assert!(matches!(later, Err(Error::Unreachable { .. })), "{later:?}");
}

#[tokio::test]
async fn a_key_that_is_taken_away_ends_the_client() {
    let hub = TestHub::start().await;
    let device = hub.client(other("wind-1")).start().unwrap();
    let told = device.send_telemetry("x").await.unwrap_err();
    assert!(matches!(told, Error::Refused(_) | Error::Closed), "{told:?}");
}
