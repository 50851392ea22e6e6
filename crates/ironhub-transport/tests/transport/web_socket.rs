use std::net::SocketAddr;
use std::sync::Arc;

use axum::routing::get;
use axum::{Extension, Router};
use ironhub_transport::http::{AllowedOrigins, HttpService};
use ironhub_transport::listener::{AdmissionLimits, Admissions, Drain, Listener, ListenerOptions, PeerPolicy};
use ironhub_transport::peer::Peer;
use ironhub_transport::socket::Socket;
use ironhub_transport::websocket::{SubProtocol, WebSocketService, WebSocketStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Echoes.
struct Echo;

impl WebSocketService for Echo {
    async fn serve(
        self: Arc<Self>,
        protocol: SubProtocol,
        mut stream: WebSocketStream<Socket>,
        _peer: Peer,
        _drain: Drain,
    ) {
        assert_eq!(protocol, SubProtocol::Mqtt);
        while let Ok(byte) = stream.read_u8().await {
            stream.write_all(&[byte]).await.unwrap();
        }
    }
}

async fn start() -> SocketAddr {
    let options = ListenerOptions {
        name: "test",
        tls: None,
        peers: PeerPolicy::Any,
        admissions: Admissions::new(AdmissionLimits::default()),
    };
    let show_peer = get(|Extension(peer): Extension<Peer>| async move { peer.address().ip().to_string() });
    let origins = AllowedOrigins::new(vec!["hub.test".into()], Vec::new());
    let service = HttpService::new(Router::new().route("/peer", show_peer), origins, Arc::new(Echo));
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), options).await.unwrap();
    let address = listener.address();
    tokio::spawn(listener.run(Arc::new(service), Drain::new()));
    address
}

/// Sends a request and returns the answer's head, in lower case, and what came right behind it.
async fn exchange(address: SocketAddr, request: &str) -> (String, TcpStream) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(request.replace('\n', "\r\n").as_bytes())
        .await
        .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    (String::from_utf8(head).unwrap(), stream)
}

#[track_caller]
fn check_status(head: &str, status: u16) {
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
}

const UPGRADE: &str = "GET /$iothub/websocket?iothub-no-client-cert=true HTTP/1.1
Host: hub.test:443
Origin: https://hub.test:443
Connection: Upgrade
Upgrade: websocket
Sec-Websocket-Version: 13
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits
Sec-WebSocket-Protocol: MQTT

";

#[tokio::test]
async fn an_upgrade_becomes_a_byte_stream() {
    let address = start().await;
    let (head, mut stream) = exchange(address, UPGRADE).await;
    check_status(&head, 101);
    let head = head.to_ascii_lowercase();
    assert!(
        head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="),
        "{head}"
    );
    assert!(!head.contains("extensions"), "{head}");
    stream
        .write_all(b"\x82\x81\0\0\0\0a\x89\x80\0\0\0\0\x82\x81\x01\0\0\0c")
        .await
        .unwrap();
    let mut received = [0; 8];
    stream.read_exact(&mut received).await.unwrap();
    assert_eq!(&received, b"\x82\x01a\x8a\0\x82\x01b");
}

#[tokio::test]
async fn frames_sent_along_with_the_request_are_not_lost() {
    let address = start().await;
    let (head, mut stream) = exchange(address, &format!("{UPGRADE}\u{2}")).await;
    check_status(&head, 101);
    // The early byte began a frame.
    stream.write_all(b"\x81\0\0\0\0a").await.unwrap();
    let mut received = [0; 3];
    stream.read_exact(&mut received).await.unwrap();
    assert_eq!(&received, b"\x82\x01a");
}

#[tokio::test]
async fn the_sub_protocol_is_echoed_as_spelled() {
    let (head, _stream) = exchange(start().await, UPGRADE).await;
    assert!(head.contains(": MQTT\r\n"), "{head}");
}

#[tokio::test]
async fn what_is_no_upgrade_is_refused_without_a_body() {
    let cases = [
        ("Sec-WebSocket-Protocol: MQTT", "Sec-WebSocket-Protocol: soap", 400),
        ("Upgrade: websocket", "Upgrade: h2c", 400),
        ("Sec-Websocket-Version: 13", "Sec-Websocket-Version: 7", 426),
        ("GET", "POST", 405),
        ("https://hub.test:443", "https://evil.test", 403),
    ];
    for (usual, changed, status) in cases {
        let (head, _stream) = exchange(start().await, &UPGRADE.replace(usual, changed)).await;
        check_status(&head, status);
        assert!(head.to_ascii_lowercase().contains("content-length: 0"), "{head}");
    }
}

#[tokio::test]
async fn requests_reach_the_router_with_their_peer() {
    let address = start().await;
    let (head, mut stream) = exchange(address, "GET /peer HTTP/1.1\nHost: x\nConnection: close\n\n").await;
    check_status(&head, 200);
    let mut body = String::new();
    stream.read_to_string(&mut body).await.unwrap();
    assert_eq!(body, "127.0.0.1");
    let (head, _) = exchange(address, "GET /peer HTTP/1.1\nHost: x\nOrigin: https://evil.test\n\n").await;
    check_status(&head, 403);
}
