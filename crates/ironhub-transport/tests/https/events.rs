use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::exchange::Connection;
use crate::stage::{HOST, Stage};

async fn send(stage: &Stage, device: &str, body: &str) {
    let request = format!("POST /devices/{device}/messages/events");
    stage.device(device, &request, &[], body).await.ok(204);
}

/// Begins to read and returns once the answer has begun.
async fn follow(stage: &Stage, query: &str, headers: &str) -> Connection<TlsStream<TcpStream>> {
    let token = stage.policy_token("service");
    let mut connection = stage.connect().await;
    let head =
        format!("GET /ironhub/v1/events?{query} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: {token}\r\n{headers}\r\n");
    connection.send(head.as_bytes()).await;
    let head = connection.head().await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    connection
}

/// The next frame that is an event, without signs of life.
async fn frame(connection: &mut Connection<TlsStream<TcpStream>>) -> Option<String> {
    loop {
        let chunk = String::from_utf8(connection.chunk().await?).unwrap();
        if !chunk.starts_with(':') {
            return Some(chunk);
        }
    }
}

#[tokio::test]
async fn what_comes_from_now_on() {
    let stage = Stage::new().await;
    stage.register("d").await;
    send(&stage, "d", "before").await;
    let mut reader = follow(&stage, "from=latest&follow=true", "").await;
    send(&stage, "d", "after").await;
    let line = frame(&mut reader).await.unwrap();
    assert!(line.ends_with('\n'));
    let event: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(event["body"], "after");
    assert_eq!(event["offset"], "1");
    assert_eq!(event["sequenceNumber"], 1);
    assert_eq!(event["enqueuedTime"], "2026-01-01T00:00:00Z");
}

#[tokio::test]
async fn server_sent_events_go_on_where_they_were() {
    let stage = Stage::new().await;
    stage.register("d").await;
    for body in ["a", "b", "c"] {
        send(&stage, "d", body).await;
    }
    let mut reader = follow(&stage, "from=earliest&max=1", "Accept: text/event-stream\r\n").await;
    let first = frame(&mut reader).await.unwrap();
    let (id, data) = first.split_once('\n').unwrap();
    let (partition, offset) = id.strip_prefix("id: ").unwrap().split_once(':').unwrap();
    assert_eq!(offset, "0");
    assert!(data.starts_with("data: {\"partition\":"), "{data}");
    assert!(data.ends_with("}\n\n"), "{data}");
    assert_eq!(frame(&mut reader).await, None);

    let query = format!("partition={partition}&from=earliest&follow=false");
    let headers = format!("Accept: text/event-stream\r\nLast-Event-ID: {partition}:{offset}\r\n");
    let mut reader = follow(&stage, &query, &headers).await;
    for expected in ["b", "c"] {
        let event = frame(&mut reader).await.unwrap();
        assert!(event.contains(&format!("\"body\":\"{expected}\"")), "{event}");
    }
    assert_eq!(frame(&mut reader).await, None);
}

#[tokio::test]
async fn where_to_start() {
    let stage = Stage::new().await;
    stage.register("d").await;
    send(&stage, "d", "a").await;
    stage.clock.advance(std::time::Duration::from_mins(1));
    send(&stage, "d", "b").await;
    let all = stage
        .owner("GET /ironhub/v1/events?from=earliest&follow=false", "")
        .await
        .ok(200);
    let partition = serde_json::from_str::<Value>(all.text().lines().next().unwrap()).unwrap()["partition"].clone();
    for (query, expected) in [
        ("from=earliest".to_owned(), &["a", "b"][..]),
        ("from=earliest&max=1".to_owned(), &["a"]),
        ("from=earliest&max=0".to_owned(), &[]),
        ("from=latest".to_owned(), &[]),
        ("from=2026-01-01T00:00:30Z".to_owned(), &["b"]),
        ("from=2026-01-02T00:00:00Z".to_owned(), &[]),
        (format!("from=1&partition={partition}"), &["b"]),
        (format!("from=7&partition={partition}"), &[]),
    ] {
        let request = format!("GET /ironhub/v1/events?{query}&follow=false");
        let answer = stage.owner(&request, "").await.ok(200);
        let bodies: Vec<String> = answer
            .text()
            .lines()
            .map(|line| {
                let event: Value = serde_json::from_str(line).unwrap();
                event["body"].as_str().unwrap().to_owned()
            })
            .collect();
        assert_eq!(bodies, expected, "{query}");
    }
}

#[tokio::test]
async fn readers_that_are_refused() {
    let stage = Stage::new().await;
    for (query, status, name) in [
        ("consumerGroup=nobody", 404, "GenericNotFound"),
        ("partition=2", 503, "PartitionNotFound"),
        ("partition=x", 400, "ArgumentInvalid"),
        ("from=5", 400, "ArgumentInvalid"),
        ("from=soon", 400, "ArgumentInvalid"),
        ("max=-1", 400, "ArgumentInvalid"),
    ] {
        let request = format!("GET /ironhub/v1/events?{query}&follow=false");
        stage.owner(&request, "").await.refused(status, name);
    }
    let default = "GET /ironhub/v1/events?consumerGroup=$default&follow=false";
    stage.owner(default, "").await.ok(200);
}
