//! Clients that are slow, many, or not who they say.

use std::fmt::Write;
use std::time::Duration;

use ironhub_model::DeviceId;
use ironhub_model::limits::{EVENT_READERS_MAX, HTTP_HEADERS_WAIT_MAX, REQUEST_BODY_WAIT_MAX, STALL_MAX};
use ironhub_model::registry::{DeviceSpec, Precondition};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::time::{Instant, pause};

use crate::stage::{API, HOST, Stage};

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let stage = Stage::new().await;
    let token = stage.policy_token("iothubowner");
    let mut connection = stage.connect().await;
    let head = format!(
        "PUT /devices/e?{API} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: {token}\r\nContent-Length: 100\r\n\r\n{{"
    );
    connection.send(head.as_bytes()).await;
    pause();
    let begin = Instant::now();
    let answer = connection.answer().await;
    answer.refused(400, "RequestTimedOut");
    assert_eq!(begin.elapsed().as_secs(), REQUEST_BODY_WAIT_MAX.as_secs());
    tokio::time::resume();
    stage.owner("GET /devices/e", "").await.refused(404, "DeviceNotFound");
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let stage = Stage::new().await;
    let mut connection = stage.connect().await;
    connection.send(b"GET /devices/d HTTP/1.1\r\nHost: ").await;
    pause();
    let begin = Instant::now();
    assert!(connection.is_closed().await);
    assert_eq!(begin.elapsed().as_secs(), HTTP_HEADERS_WAIT_MAX.as_secs());
}

#[tokio::test]
async fn there_is_room_for_so_many_readers_of_events() {
    let stage = Stage::new().await;
    let token = stage.policy_token("service");
    let head = format!("GET /ironhub/v1/events?follow=true HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: {token}\r\n\r\n");
    let mut readers = Vec::new();
    for _ in 0..EVENT_READERS_MAX {
        let mut reader = stage.connect().await;
        reader.send(head.as_bytes()).await;
        assert!(reader.head().await.starts_with("HTTP/1.1 200 OK\r\n"));
        readers.push(reader);
    }
    let mut late = stage.connect().await;
    late.send(head.as_bytes()).await;
    late.answer().await.refused(429, "ThrottlingException");
    // Who leaves makes room, once the hub has noticed.
    readers.pop();
    let room = async {
        loop {
            late.send(head.as_bytes()).await;
            let answer = late.head().await;
            if answer.starts_with("HTTP/1.1 200 OK\r\n") {
                return;
            }
            assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
            let length = answer.lines().find_map(|line| line.strip_prefix("content-length: "));
            late.skip(length.unwrap().parse().unwrap()).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), room).await.unwrap();
}

/// More than a connection's buffers hold.
const EVENTS: usize = 40;

#[tokio::test]
async fn a_reader_of_events_that_does_not_read_is_given_up() {
    let stage = Stage::new().await;
    stage.register("d").await;
    let body = "x".repeat(250_000);
    for _ in 0..EVENTS {
        let sent = stage.device("d", "POST /devices/d/messages/events", &[], &body);
        sent.await.ok(204);
    }
    let token = stage.policy_token("service");
    let mut reader = stage.connect().await;
    let head = format!(
        "GET /ironhub/v1/events?from=earliest&follow=true HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: {token}\r\n\r\n"
    );
    reader.send(head.as_bytes()).await;
    assert!(reader.head().await.starts_with("HTTP/1.1 200 OK\r\n"));
    pause();
    tokio::time::sleep(STALL_MAX + Duration::from_secs(1)).await;
    tokio::time::resume();
    // Its stream has no end; what was under way comes still.
    let rest = reader.rest().await;
    assert!(rest < EVENTS * body.len(), "{rest} bytes came");
}

/// A certificate that signs itself, with its key.
fn identity(name: &str) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    // The stage's clock stands at the beginning of 2026.
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2040, 1, 1);
    let certificate = params.self_signed(&key).unwrap().der().clone();
    (certificate, PrivatePkcs8KeyDer::from(key.serialize_der()).into())
}

#[tokio::test]
async fn a_device_shows_its_certificate_instead_of_a_token() {
    let stage = Stage::new().await;
    let (own, other) = (identity("x"), identity("x"));
    let mut spec = DeviceSpec::new(DeviceId::parse("x").unwrap());
    let digest = ring::digest::digest(&ring::digest::SHA256, &own.0);
    let thumbprint = digest.as_ref().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02X}"); // Writing to a string cannot fail.
        text
    });
    spec.authentication.primary_thumbprint = Some(thumbprint.clone());
    spec.authentication.secondary_thumbprint = Some(thumbprint);
    stage.hub.registry.put_device(spec, Precondition::None).await.unwrap();
    stage.register("y").await;
    for (device, certificate, status) in [
        ("x", Some(&own), 204),
        ("x", Some(&other), 401),
        ("x", None, 401),
        ("y", Some(&own), 401),
    ] {
        let mut connection = stage.connect_with(certificate).await;
        let head = format!(
            "POST /devices/{device}/messages/events?{API} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 1\r\n\r\nx"
        );
        connection.send(head.as_bytes()).await;
        let answer = connection.answer().await;
        assert_eq!(answer.status(), status, "{device}: {}", answer.head);
    }
}
