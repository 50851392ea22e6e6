use crate::exchange::Answer;
use crate::stage::Stage;

const RECEIVE: &str = "GET /devices/d.1/messages/devicebound";

async fn send(stage: &Stage, id: &str, ack: &str) {
    let headers = [("iothub-messageid", id), ("iothub-ack", ack)];
    let request = "POST /devices/d.1/messages/deviceBound";
    stage.owner_with(request, &headers, "hello").await.ok(204);
}

fn token(delivery: &Answer) -> String {
    let etag = delivery.header("etag").unwrap();
    etag.strip_prefix('"').unwrap().strip_suffix('"').unwrap().to_owned()
}

/// The C SDK looks headers up with letter case.
#[tokio::test]
async fn a_message_arrives_with_its_headers_as_spelled() {
    let stage = Stage::new().await;
    stage.register("d.1").await;
    assert_eq!(stage.device("d.1", RECEIVE, &[], "").await.status(), 204);
    let headers = [
        ("iothub-messageid", "m1"),
        ("iothub-correlationid", "c1"),
        ("iothub-contenttype", "application/json"),
        ("iothub-contentencoding", "utf-8"),
        ("iothub-app-windAlert", "Grün & on"),
    ];
    let request = "POST /devices/d.1/messages/deviceBound";
    stage.owner_with(request, &headers, "hello").await.ok(204);
    let lock = [("IotHub-MessageLockTimeout", "180")];
    let delivery = stage.device("d.1", RECEIVE, &lock, "").await.ok(200);
    assert_eq!(delivery.text(), "hello");
    let etag = format!("ETag: \"{}\"", token(&delivery));
    for line in [
        etag.as_str(),
        "iothub-messageid: m1",
        "iothub-correlationid: c1",
        "iothub-to: /devices/d.1/messages/devicebound",
        "iothub-ack: none",
        "iothub-deliverycount: 1",
        "iothub-enqueuedtime: 2026-01-01T00:00:00Z",
        "ContentType: application/json",
        "ContentEncoding: utf-8",
        "iothub-app-windAlert: Grün & on",
    ] {
        assert!(delivery.has_line(line), "{line} is not in\n{}", delivery.head);
    }
    assert!(
        delivery.head.contains("\r\niothub-sequencenumber: "),
        "{}",
        delivery.head
    );
    // It is locked.
    assert_eq!(stage.device("d.1", RECEIVE, &[], "").await.status(), 204);
}

#[tokio::test]
async fn settled_in_three_ways() {
    let stage = Stage::new().await;
    stage.register("d.1").await;
    send(&stage, "one", "full").await;
    send(&stage, "two", "full").await;

    let first = stage.device("d.1", RECEIVE, &[], "").await.ok(200);
    let request = format!("POST /devices/d.1/messages/devicebound/{}/abandon", token(&first));
    stage.device("d.1", &request, &[], "\0").await.ok(204);
    let again = stage.device("d.1", RECEIVE, &[], "").await.ok(200);
    assert!(again.has_line("iothub-messageid: one"), "{}", again.head);
    assert!(again.has_line("iothub-deliverycount: 2"), "{}", again.head);

    let request = format!("DELETE /devices/d.1/messages/devicebound/{}", token(&again));
    let quoted = format!("\"{}\"", token(&again));
    stage
        .device("d.1", &request, &[("If-Match", &quoted)], "")
        .await
        .ok(204);
    let lost = stage.device("d.1", &request, &[], "").await;
    lost.refused(412, "DeviceMessageLockLost");

    let second = stage.device("d.1", RECEIVE, &[], "").await.ok(200);
    let request = format!(
        "DELETE /devices/d.1/messages/devicebound/{}?%3Freject=true",
        token(&second)
    );
    stage.device("d.1", &request, &[], "").await.ok(204);
    assert_eq!(stage.device("d.1", RECEIVE, &[], "").await.status(), 204);

    let feedback = stage.owner("GET /messages/serviceBound/feedback", "").await.ok(200);
    let content_type = "application/vnd.microsoft.iothub.feedback.json";
    assert_eq!(feedback.header("content-type"), Some(content_type));
    let records = feedback.json();
    let told: Vec<(&str, &str)> = records
        .as_array()
        .unwrap()
        .iter()
        .map(|record| {
            (
                record["originalMessageId"].as_str().unwrap(),
                record["statusCode"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(told, [("one", "Success"), ("two", "Rejected")]);
    let request = format!("DELETE /messages/serviceBound/feedback/{}", token(&feedback));
    stage.owner(&request, "").await.ok(204);
    stage.owner(&request, "").await.refused(412, "DeviceMessageLockLost");
    let none = stage.owner("GET /messages/serviceBound/feedback", "").await;
    assert_eq!(none.status(), 204);
}

#[tokio::test]
async fn feedback_that_is_given_back_comes_again() {
    let stage = Stage::new().await;
    stage.register("d.1").await;
    send(&stage, "m", "negative").await;
    let purged = stage.owner("DELETE /devices/d.1/commands", "").await.ok(200);
    assert_eq!(
        purged.text(),
        r#"{"totalMessagesPurged":1,"deviceId":"d.1","moduleId":null}"#
    );
    let feedback = stage.owner("GET /messages/serviceBound/feedback", "").await.ok(200);
    assert_eq!(feedback.json()[0]["statusCode"], "Purged");
    let request = format!("POST /messages/serviceBound/feedback/{}/abandon", token(&feedback));
    stage.owner(&request, "").await.ok(204);
    let again = stage.owner("GET /messages/serviceBound/feedback", "").await.ok(200);
    assert_eq!(again.json(), feedback.json());
    assert_ne!(token(&again), token(&feedback));
}

#[tokio::test]
async fn messages_that_are_refused() {
    let stage = Stage::new().await;
    stage.register("d.1").await;
    let request = "POST /devices/d.1/messages/deviceBound";
    for (name, value, error) in [
        ("iothub-ack", "maybe", (400, "ArgumentInvalid")),
        (
            "iothub-expiry",
            "2025-12-31T00:00:00Z",
            (403, "InvalidMessageExpiryTime"),
        ),
        ("iothub-expiry", "tomorrow", (400, "ArgumentInvalid")),
    ] {
        let answer = stage.owner_with(request, &[(name, value)], "").await;
        answer.refused(error.0, error.1);
    }
    let large = "x".repeat(64 * 1024 + 1);
    stage.owner(request, &large).await.refused(413, "MessageTooLarge");
    let unknown = "POST /devices/nobody/messages/deviceBound";
    stage.owner(unknown, "").await.refused(404, "DeviceNotFound");
    for n in 0..50 {
        send(&stage, &n.to_string(), "none").await;
    }
    let full = stage.owner(request, "").await;
    full.refused(403, "DeviceMaximumQueueDepthExceeded");
    let device = stage.owner("GET /devices/d.1", "").await.json();
    assert_eq!(device["cloudToDeviceMessageCount"], 50);
    let lock = "DELETE /devices/d.1/messages/devicebound/lock-1";
    let lost = stage.device("d.1", lock, &[], "").await;
    lost.refused(412, "DeviceMessageLockLost");
}
