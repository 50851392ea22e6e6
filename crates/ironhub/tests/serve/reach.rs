//! Who may connect, and from where a browser may call.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::stage::Stage;

/// An address of this machine that is not loopback: the one that it would call others from. Nothing is sent.
fn address_beyond_loopback() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

async fn connect(from: IpAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    socket.connect(to).await
}

/// Is the connection closed before anything was said? A port that serves waits for the client.
async fn is_shut(from: IpAddr, to: SocketAddr) -> bool {
    let Ok(mut stream) = connect(from, to).await else {
        return true;
    };
    // The first byte of a TLS handshake or of CONNECT: too little to be answered.
    let _ = stream.write_all(&[0x10]).await;
    let mut answer = [0; 1];
    let read = tokio::time::timeout(std::time::Duration::from_millis(300), stream.read(&mut answer));
    matches!(read.await, Ok(Ok(0) | Err(_)))
}

#[tokio::test]
async fn a_development_hub_lets_in_this_machine_only() {
    let Some(outside) = address_beyond_loopback() else {
        eprintln!("this machine has no address beyond loopback: nobody to refuse");
        return;
    };
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut stage = Stage::new();
    let mut hub = stage.start(stage.dev(&[])).await;
    for port in ["mqtt", "https", "mqtt_plain"] {
        let to = SocketAddr::new(loopback, hub.port(port));
        assert!(is_shut(outside, to).await, "{port} serves {outside}");
        assert!(!is_shut(loopback, to).await, "{port} does not serve this machine");
    }
    hub.process.logged("not_loopback").await;
    hub.stop().await;
}

#[tokio::test]
async fn a_development_hub_that_listens_further_has_keys_of_its_own() {
    let Some(outside) = address_beyond_loopback() else {
        eprintln!("this machine has no address beyond loopback: nobody to let in");
        return;
    };
    let mut stage = Stage::new();
    // The public keys are there from an earlier start.
    let hub = stage.start(stage.dev(&[])).await;
    let public = hub.ready["connection_strings"].clone();
    hub.stop().await;

    let hub = stage.start(stage.dev(&["--listen=0.0.0.0"])).await;
    let strings = &hub.ready["connection_strings"];
    for policy in ["iothubowner", "service", "device", "registryRead", "registryReadWrite"] {
        assert_ne!(strings[policy], public[policy], "{policy}");
    }
    assert_ne!(
        strings["devices"]["MyPythonDevice"],
        public["devices"]["MyPythonDevice"]
    );
    let at = |port| SocketAddr::new(outside, hub.port(port));
    assert!(!is_shut(outside, at("https")).await);
    assert!(
        is_shut(outside, at("mqtt_plain")).await,
        "without TLS for this machine only"
    );
    assert!(is_shut(outside, at("health")).await, "health stays on loopback");
    hub.stop().await;
}

/// The answer of the plain port.
async fn plain(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    let request = format!("{request}\nConnection: close\n\n").replace('\n', "\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn metrics_tell_what_the_hub_has_done() {
    let mut stage = Stage::new();
    let hub = stage.start(stage.dev(&[])).await;
    let mut owner = hub.owner().await;
    let sent = owner.call_with("POST /devices/MyPythonDevice/messages/events", &[], "21.5".into());
    assert_eq!(sent.await.unwrap().status.as_u16(), 204);
    let sent = owner.call_with(
        "POST /devices/MyPythonDevice/messages/devicebound",
        &[],
        "turn north".into(),
    );
    assert_eq!(sent.await.unwrap().status.as_u16(), 204);
    owner
        .call("DELETE /devices/MyPythonDevice/commands", "")
        .await
        .unwrap()
        .expect(200);
    let metrics = plain(hub.port("health"), "GET /metrics HTTP/1.1\nHost: localhost").await;
    let value = |name: &str| -> u64 {
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} not in:\n{metrics}"))
            .parse()
            .unwrap()
    };
    let (records, batches) = (value("ironhub_log_records_total"), value("ironhub_log_batches_total"));
    // The device's creation is an event.
    assert!(
        (1..=records).contains(&batches),
        "{batches} batches of {records} records"
    );
    assert!(value("ironhub_log_bytes_total") > 0);
    assert!(value("ironhub_log_syncs_total") >= batches);
    assert!(value("ironhub_log_sync_microseconds_total") >= batches);
    assert!(value("ironhub_log_slow_syncs_total") <= value("ironhub_log_syncs_total"));
    assert_eq!(value("ironhub_log_unsealed_segments"), 1);
    assert_eq!(
        (value("ironhub_log_sealed_files"), value("ironhub_log_sealed_bytes")),
        (0, 0)
    );
    assert_eq!(value("ironhub_c2d_enqueued_total"), 1);
    assert_eq!(value("ironhub_c2d_settled_total{outcome=\"purged\"}"), 1);
    // What has not happened is shown too, and everything is explained.
    assert_eq!(value("ironhub_mqtt_wills_lost_total"), 0);
    assert_eq!(value("ironhub_auth_failures_total{reason=\"wrong_signature\"}"), 0);
    for name in metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = name.split(' ').next().unwrap();
        assert!(metrics.contains(&format!("# HELP {name} ")), "{name}");
    }
    hub.stop().await;
}

#[tokio::test]
async fn foreign_names_and_foreign_pages_get_nothing() {
    let mut stage = Stage::new();
    let hub = stage
        .start(stage.dev(&["--allowed-origin=https://console.example"]))
        .await;
    for (request, expected) in [
        ("GET /health HTTP/1.1\nHost: localhost:9600", "HTTP/1.1 200 OK"),
        ("GET /metrics HTTP/1.1\nHost: 127.0.0.1", "HTTP/1.1 200 OK"),
        ("GET /ca.pem HTTP/1.1\nHost: [::1]:9600", "HTTP/1.1 200 OK"),
        ("GET /health HTTP/1.1\nHost: evil.example", "HTTP/1.1 403 Forbidden"),
        (
            "GET /ca.pem HTTP/1.1\nHost: localhost.evil.example:9600",
            "HTTP/1.1 403 Forbidden",
        ),
        (
            "GET /health HTTP/1.1\nHost: localhost\nOrigin: https://evil.example",
            "HTTP/1.1 403 Forbidden",
        ),
        (
            "POST /health HTTP/1.1\nHost: localhost",
            "HTTP/1.1 405 Method Not Allowed",
        ),
    ] {
        let answer = plain(hub.port("health"), request).await;
        assert_eq!(answer.lines().next(), Some(expected), "{request}");
    }
    let mut owner = hub.owner().await;
    for (origin, status) in [
        ("https://evil.example", 403),
        ("null", 403),
        ("https://127.0.0.1.evil.example", 403),
        ("https://127.0.0.1", 200),
        ("https://console.example", 200),
    ] {
        let headers = [("Origin", origin)];
        let asked = owner.call_with("GET /statistics/devices", &headers, "".into());
        assert_eq!(asked.await.unwrap().status.as_u16(), status, "{origin}");
    }
    hub.stop().await;
}

#[tokio::test]
async fn trust_names_the_authority_that_the_hub_uses() {
    let mut stage = Stage::new();
    let file = |flag: &str, name: &str| format!("--{flag}={}", stage.path(name).display());
    let (ca_dir, ready_file) = (file("ca-dir", "ca"), file("ready-file", "ready.json"));
    for host_name in ["--host-name=127.0.0.1", "--host-name=hub.example"] {
        let early = stage.run(&["trust", &ca_dir, host_name]);
        assert_eq!(early.status.code(), Some(1), "no hub has run as {host_name}");
        let mut command = stage
            .home
            .command(&["serve", "--dev", "--in-memory", &ca_dir, &ready_file, host_name]);
        let plain = ["--no-plain-mqtt", "--no-plain-amqp"];
        command
            .args(["--mqtt-port=0", "--amqp-port=0", "--https-port=0", "--health-port=0"])
            .args(plain);
        let hub = stage.start(command).await;
        let told = String::from_utf8(stage.run(&["trust", &ca_dir, host_name]).stdout).unwrap();
        let ca_file = hub.ready["ca_file"].as_str().unwrap();
        assert!(told.contains(&format!("SSL_CERT_FILE=\"{ca_file}\"")), "{told}");
        hub.stop().await;
    }
}
