use serde_json::Value;

use crate::stage::{API, HOST, Stage};

/// All events of the hub, oldest first within a partition.
async fn events(stage: &Stage) -> Vec<Value> {
    let request = "GET /ironhub/v1/events?from=earliest&follow=false";
    let answer = stage.owner(request, "").await.ok(200);
    let lines = answer.text().lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_message_keeps_what_its_headers_say() {
    let stage = Stage::new().await;
    stage.register("d").await;
    let headers = [
        ("iothub-app-windAlert", "v+ &/"),
        ("IoTHub-MessageId", "mid 1"),
        ("iothub-contenttype", "application/json"),
        ("iothub-contentencoding", "utf-8"),
        ("dt-subject", "comp"),
        ("iothub-to", "/devices/d/messages/events"),
        ("X-Other", "no property"),
    ];
    let sent = stage
        .device("d", "POST /devices/d/messages/events", &headers, r#"{"wind":5.20}"#)
        .await
        .ok(204);
    assert!(sent.body.is_empty());
    let events = events(&stage).await;
    let event = &events[0];
    assert_eq!(event["deviceId"], "d");
    assert_eq!(event["properties"], serde_json::json!({"windAlert": "v+ &/"}));
    assert_eq!(event["systemProperties"]["message-id"], "mid 1");
    assert_eq!(event["systemProperties"]["dt-subject"], "comp");
    assert_eq!(event["source"], "Telemetry");
    assert_eq!(event["bodyEncoding"], "json");
    assert_eq!(event["body"]["wind"], 5.2);
    assert_eq!(events.len(), 1);
}

#[tokio::test]
async fn a_batch_is_taken_whole_or_not_at_all() {
    let stage = Stage::new().await;
    stage.register("d").await;
    let batch = [("Content-Type", "application/vnd.microsoft.iothub.json")];
    let request = "POST /devices/d/messages/events";
    let bad = r#"[{"body":"YQ=="},{"body":"%"}]"#;
    let refused = stage.device("d", request, &batch, bad).await;
    refused.refused(400, "IotHubFormatError");
    let large = format!(
        r#"[{{"body":"{0}","base64Encoded":false}},{{"body":"{0}","base64Encoded":false}}]"#,
        "x".repeat(140 * 1024)
    );
    let refused = stage.device("d", request, &batch, &large).await;
    refused.refused(413, "MessageTooLarge");
    assert_eq!(events(&stage).await, Vec::<Value>::new());

    let good = r#"[{"body":"YQ=="},{"body":"b","base64Encoded":false,"properties":{"iothub-app-Key":"v"}}]"#;
    stage.device("d", request, &batch, good).await.ok(204);
    let events = events(&stage).await;
    let bodies: Vec<&Value> = events.iter().map(|event| &event["body"]).collect();
    assert_eq!(bodies, ["a", "b"]);
    assert_eq!(events[1]["properties"]["Key"], "v");
}

#[tokio::test]
async fn sizes() {
    let stage = Stage::new().await;
    stage.register("d").await;
    let request = "POST /devices/d/messages/events";
    let largest = "x".repeat(256 * 1024);
    stage.device("d", request, &[], &largest).await.ok(204);
    let answer = stage.device("d", request, &[], &format!("{largest}x")).await;
    answer.refused(413, "MessageTooLarge");
    // A client that sends on hears the answer all the same.
    let answer = stage.device("d", request, &[], &"x".repeat(1024 * 1024)).await;
    answer.refused(413, "MessageTooLarge");
    // Over what is read at all: refused before it has been sent.
    let token = stage.device_token("d").await;
    let mut connection = stage.connect().await;
    let head = format!(
        "POST /devices/d/messages/events?{API} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: {token}\r\n\
         Content-Length: 1000000000\r\n\r\n"
    );
    connection.send(head.as_bytes()).await;
    let answer = connection.answer().await;
    answer.refused(413, "MessageTooLarge");
}

/// Node sends bodies in chunks without a length; the C SDK asks for permission first when libcurl thinks so.
#[tokio::test]
async fn chunks_and_expectations() {
    let stage = Stage::new().await;
    stage.register("d").await;
    let token = stage.device_token("d").await;
    let head =
        format!("POST /devices/d/messages/events?{API} HTTP/1.1\r\nHost: {HOST}:443\r\nAuthorization: {token}\r\n");
    let mut connection = stage.connect().await;
    connection
        .send(format!("{head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n").as_bytes())
        .await;
    connection.send(b"2\r\nde\r\n0\r\n\r\n").await;
    assert_eq!(connection.answer().await.status(), 204);

    connection
        .send(format!("{head}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n").as_bytes())
        .await;
    assert!(connection.head().await.starts_with("HTTP/1.1 100 Continue"));
    connection.send(b"xyz").await;
    assert_eq!(connection.answer().await.status(), 204);

    let events = events(&stage).await;
    let bodies: Vec<&Value> = events.iter().map(|event| &event["body"]).collect();
    assert_eq!(bodies, ["abcde", "xyz"]);
}
