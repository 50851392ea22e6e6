//! MQTT over TLS and over WebSocket, as devices really come.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use ironhub_model::DeviceId;
use ironhub_model::registry::{DeviceSpec, Precondition};
use ironhub_mqtt::packet::{Connect, Login, Packet, encode_pingreq};
use ironhub_transport::http::{AllowedOrigins, HttpService};
use ironhub_transport::listener::{AdmissionLimits, Admissions, Drain, Listener, ListenerOptions, PeerPolicy};
use ironhub_transport::mqtt::MqttService;
use ironhub_transport::tls::{Alpn, server_config};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::certificates::{Identity, identity, server};
use crate::client::connect;
use crate::hub::{HOST, TestHub, memory_log, start};

type Hub = TestHub<ironhub_storage_embedded::Log>;

/// Serves the hub on two more ports, with TLS: MQTT, and HTTP with WebSocket.
async fn serve(hub: &Hub, own: &Identity) -> (SocketAddr, SocketAddr) {
    let mqtt = MqttService::new(hub.hub.clone());
    let origins = AllowedOrigins::new(vec![HOST.into()], Vec::new());
    let https = Arc::new(HttpService::new(Router::new(), origins, Arc::clone(&mqtt)));
    let bind = async |name, alpn| {
        let options = ListenerOptions {
            name,
            tls: Some(server_config(server(&[own]), alpn).unwrap()),
            peers: PeerPolicy::LoopbackOnly,
            admissions: Admissions::new(AdmissionLimits::default()),
        };
        Listener::bind("127.0.0.1:0".parse().unwrap(), options).await.unwrap()
    };
    let (first, second) = (bind("mqtts", Alpn::None).await, bind("https", Alpn::Http11).await);
    let addresses = (first.address(), second.address());
    tokio::spawn(first.run(mqtt, Drain::new()));
    tokio::spawn(second.run(https, Drain::new()));
    addresses
}

async fn tls(address: SocketAddr, own: &Identity, device: Option<&Identity>) -> TlsStream<TcpStream> {
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(own.roots());
    let config = match device {
        None => builder.with_no_client_auth(),
        Some(device) => {
            let chain = vec![device.certificate.clone()];
            builder.with_client_auth_cert(chain, device.key.clone_key()).unwrap()
        }
    };
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from(HOST).unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .unwrap()
}

fn encoded(connect: Connect) -> Vec<u8> {
    let mut out = bytes::BytesMut::new();
    Packet::Connect(Box::new(connect)).encode(&mut out).unwrap();
    encode_pingreq(&mut out);
    out.to_vec()
}

const CONNACK_PINGRESP: &[u8] = b"\x20\x02\0\0\xd0\0";

fn p256(name: &str) -> Identity {
    identity(&[name], &rcgen::PKCS_ECDSA_P256_SHA256)
}

#[tokio::test]
async fn a_token_over_tls() {
    let (hub, own) = (start(memory_log()).await, p256(HOST));
    let (mqtts, _) = serve(&hub, &own).await;
    let mut stream = tls(mqtts, &own, None).await;
    // One byte at a time, and a packet right behind CONNECT.
    for byte in encoded(connect(&hub)) {
        stream.write_all(&[byte]).await.unwrap();
    }
    stream.flush().await.unwrap();
    let mut answer = [0; 6];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, CONNACK_PINGRESP);
}

#[tokio::test]
async fn a_certificate_instead_of_a_token() {
    let (hub, own, device) = (start(memory_log()).await, p256(HOST), p256("x-1"));
    let mut spec = DeviceSpec::new(DeviceId::parse("x-1").unwrap());
    let digest = ring::digest::digest(&ring::digest::SHA256, &device.certificate);
    let thumbprint: String = digest
        .as_ref()
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    spec.authentication.primary_thumbprint = Some(thumbprint.clone());
    spec.authentication.secondary_thumbprint = Some(thumbprint);
    hub.hub.registry.put_device(spec, Precondition::None).await.unwrap();
    let (mqtts, _) = serve(&hub, &own).await;
    let connect = Connect {
        client_id: "x-1".into(),
        login: Some(Login {
            user_name: format!("{HOST}/x-1/?api-version=2021-04-12"),
            password: None,
        }),
        ..connect(&hub)
    };
    for (certificate, code) in [(Some(&device), 0), (None, 5), (Some(&own), 5)] {
        let mut stream = tls(mqtts, &own, certificate).await;
        stream.write_all(&encoded(connect.clone())).await.unwrap();
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, [0x20, 2, 0, code]);
    }
}

#[tokio::test]
async fn tiny_frames_over_a_web_socket() {
    let (hub, own) = (start(memory_log()).await, p256(HOST));
    let (_, https) = serve(&hub, &own).await;
    let mut stream = tls(https, &own, None).await;
    let upgrade = "GET /$iothub/websocket HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Protocol: mqtt\r\n\r\n";
    stream.write_all(upgrade.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    for piece in encoded(connect(&hub)).chunks(3) {
        let length = u8::try_from(piece.len()).unwrap();
        let frame = [&[0x82, 0x80 | length, 0, 0, 0, 0], piece].concat();
        stream.write_all(&frame).await.unwrap();
    }
    stream.flush().await.unwrap();
    let mut received = Vec::new();
    while received.len() < CONNACK_PINGRESP.len() {
        let (kind, length) = (stream.read_u8().await.unwrap(), stream.read_u8().await.unwrap());
        assert_eq!(kind, 0x82);
        let mut payload = vec![0; length.into()];
        stream.read_exact(&mut payload).await.unwrap();
        received.extend(payload);
    }
    assert_eq!(received, CONNACK_PINGRESP);
}
