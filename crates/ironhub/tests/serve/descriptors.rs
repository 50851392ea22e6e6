//! A hub that runs out of file descriptors waits until there are some, and goes on.

use std::net::Ipv4Addr;
use std::process::Command;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stage::Stage;

/// Enough to start, and fewer than the connections below want.
const DESCRIPTORS_MAX: usize = 96;

/// The command under a lower limit.
fn limited(command: &Command) -> Command {
    let mut limited = Command::new("/bin/sh");
    limited
        .args(["-c", &format!("ulimit -n {DESCRIPTORS_MAX} && exec \"$0\" \"$@\"")])
        .arg(command.get_program())
        .args(command.get_args());
    limited
}

async fn metrics(port: u16) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_lack_of_descriptors_is_waited_out() {
    let mut stage = Stage::new();
    let command = limited(&stage.dev(&[]));
    let mut hub = stage.start(command).await;
    let port = hub.port("mqtt_plain");
    let mut connections = Vec::new();
    for _ in 0..DESCRIPTORS_MAX {
        connections.push(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap());
    }
    hub.process.logged("cannot accept a connection, retrying").await;
    drop(connections);
    let metrics = metrics(hub.port("health")).await;
    let errors = metrics
        .lines()
        .find_map(|line| line.strip_prefix("ironhub_accept_errors_total{port=\"mqtt_plain\"} "));
    assert!(errors.unwrap().parse::<u64>().unwrap() > 0, "{metrics}");
    hub.owner()
        .await
        .call("GET /statistics/devices", "")
        .await
        .unwrap()
        .expect(200);
    hub.stop().await;
}
