use ironhub_model::registry::Precondition;
use ironhub_model::{AccessPolicy, HubSettings, Permission, Permissions};
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

/// What a stream that waits for more does after a change: it ends, without the event that came after the change.
async fn check_end(change: impl AsyncFnOnce(&Stage)) {
    let stage = Stage::new().await;
    stage.register("d").await;
    let mut reader = follow(&stage, "from=earliest&follow=true", "").await;
    send(&stage, "d", "before").await;
    assert!(frame(&mut reader).await.unwrap().contains("before"));
    change(&stage).await;
    send(&stage, "d", "after").await;
    assert_eq!(frame(&mut reader).await, None);
}

async fn change_settings(stage: &Stage, change: impl FnOnce(&mut HubSettings)) {
    let (mut settings, _) = stage.hub.settings.get().await.unwrap();
    change(&mut settings);
    stage.hub.settings.replace(settings, Precondition::None).await.unwrap();
}

fn service_policy(settings: &mut HubSettings) -> &mut AccessPolicy {
    settings
        .policies
        .iter_mut()
        .find(|policy| policy.name == "service")
        .unwrap()
}

#[tokio::test]
async fn a_stream_ends_with_the_right_to_read_it() {
    check_end(async |stage| {
        change_settings(stage, |settings| {
            settings.policies.retain(|policy| policy.name != "service");
        })
        .await;
    })
    .await;
    check_end(async |stage| {
        change_settings(stage, |settings| {
            let policy = service_policy(settings);
            policy.primary_key = policy.secondary_key.clone();
        })
        .await;
    })
    .await;
    check_end(async |stage| {
        change_settings(stage, |settings| {
            service_policy(settings).permissions = Permissions::of(&[Permission::DeviceConnect]);
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_stream_ends_when_its_token_expires_also_by_a_moved_clock() {
    let stage = Stage::new().await;
    let mut reader = follow(&stage, "from=earliest&follow=true", "").await;
    // The token is good for an hour. The hub finds out within a second that its clock was moved.
    stage.clock.advance(std::time::Duration::from_hours(2));
    assert_eq!(frame(&mut reader).await, None);
}

#[tokio::test]
async fn a_stream_outlives_changes_that_do_not_concern_it() {
    let stage = Stage::new().await;
    stage.register("d").await;
    let mut reader = follow(&stage, "from=earliest&follow=true", "").await;
    change_settings(&stage, |settings| settings.sas_clock_skew_s = 7).await;
    send(&stage, "d", "after").await;
    assert!(frame(&mut reader).await.unwrap().contains("after"));
}
