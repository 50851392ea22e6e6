use crate::stage::{API, HOST, Stage};

#[tokio::test]
async fn every_answer_says_when_and_which_request_it_answers() {
    let stage = Stage::new().await;
    stage.register("d").await;
    let found = stage.owner("GET /devices/d", "").await;
    let missing = stage.owner("GET /devices/e", "").await;
    assert!(found.head.starts_with("HTTP/1.1 200 OK\r\n"), "{}", found.head);
    assert!(
        missing.head.starts_with("HTTP/1.1 404 Not Found\r\n"),
        "{}",
        missing.head
    );
    for answer in [&found, &missing] {
        assert!(answer.header("date").is_some(), "{}", answer.head);
        assert_eq!(answer.header("x-ms-request-id").map(str::len), Some(36));
    }
    assert_ne!(found.header("x-ms-request-id"), missing.header("x-ms-request-id"));
    let id = missing.header("x-ms-request-id").unwrap().replace('-', "");
    assert!(missing.text().contains(&id), "the tracking ID is the request's");
}

#[tokio::test]
async fn paths_and_methods() {
    let stage = Stage::new().await;
    stage.register("a:b").await;
    for request in [
        "GET /devices/a:b",
        "GET /Devices/a%3Ab/",
        "GET /devices%2Fa%3Ab",
        "GET /devices%2Fa%253Ab",
        "GET /twins/a%3Ab",
    ] {
        stage.owner(request, "").await.ok(200);
    }
    stage.owner("GET /devices/A:B", "").await.refused(404, "DeviceNotFound");
    for path in [
        "/",
        "/nothing",
        "/devices/d/nothing",
        "/ironhub/v2/events",
        "/ironhub/v1",
    ] {
        let answer = stage.owner(&format!("GET {path}"), "").await;
        answer.refused(404, "GenericNotFound");
    }
    for (request, allowed) in [
        ("PATCH /devices/d", "DELETE, GET, PUT"),
        ("OPTIONS /devices/d", "DELETE, GET, PATCH, POST, PUT"),
        ("POST /ironhub/v1/events", "GET"),
    ] {
        let answer = stage.owner(request, "").await;
        answer.refused(405, "GenericMethodNotAllowed");
        assert_eq!(answer.header("allow"), Some(allowed), "{request}");
    }
    for request in ["GET /jobs/v2/x", "GET /configurations/", "POST /devices/d/files"] {
        stage.owner(request, "").await.refused(404, "FeatureNotSupported");
    }
}

/// An identity whose name is another's when decoded once more is found under its own name, and authorized for it.
#[tokio::test]
async fn a_path_is_decoded_twice_only_when_once_finds_nobody() {
    let stage = Stage::new().await;
    for id in ["a%41", "aA"] {
        stage.register(id).await;
    }
    let once = stage.owner("GET /devices/a%2541", "").await.ok(200);
    assert_eq!(once.json()["deviceId"], "a%41");
    let telemetry = "POST /devices/a%2541/messages/events";
    for id in ["a%41", "aA"] {
        stage.device(id, telemetry, &[], id).await.ok(204);
    }
    let events = "GET /ironhub/v1/events?from=earliest&follow=false";
    let events = stage.owner(events, "").await.ok(200);
    let mut senders: Vec<String> = events
        .text()
        .lines()
        .map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(event["deviceId"], event["body"]);
            event["deviceId"].as_str().unwrap().to_owned()
        })
        .collect();
    senders.sort();
    assert_eq!(senders, ["a%41", "aA"]);
    // The body says which of the two is meant.
    let created = stage.owner("PUT /devices/x%2541", r#"{"deviceId":"xA"}"#).await.ok(200);
    assert_eq!(created.json()["deviceId"], "xA");
}

#[tokio::test]
async fn versions() {
    let stage = Stage::new().await;
    stage.register("d").await;
    for (query, status) in [
        ("api-version=2016-11-14", 200),
        ("api-version=2017-11-08-preview", 200),
        ("API-VERSION=2099-01-01", 200),
        ("api-version=", 400),
        ("x-api-version-x=2021-04-12&api-version=latest", 400),
    ] {
        let answer = stage.owner(&format!("GET /devices/d?{query}"), "").await;
        assert_eq!(answer.status(), status, "{query}");
    }
    let mut connection = stage.connect().await;
    connection
        .send(format!("GET /devices/d HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes())
        .await;
    connection.answer().await.refused(400, "InvalidProtocolVersion");
}

#[tokio::test]
async fn foreign_pages_are_refused() {
    let stage = Stage::new().await;
    stage.register("d").await;
    for (origin, status) in [
        ("https://localhost:443", 200),
        ("https://console.example.test", 200),
        ("https://evil.example", 403),
        ("null", 403),
    ] {
        let answer = stage.owner_with("GET /devices/d", &[("Origin", origin)], "").await;
        assert_eq!(answer.status(), status, "{origin}");
    }
}

#[tokio::test]
async fn a_connection_serves_request_after_request() {
    let stage = Stage::new().await;
    stage.register("d").await;
    let token = stage.policy_token("iothubowner");
    let request = format!("GET /devices/d?{API} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: {token}\r\n");
    let mut connection = stage.connect().await;
    for _ in 0..3 {
        // The C SDK names a length of zero on requests without a body.
        connection
            .send(format!("{request}Content-Length: 0\r\n\r\n").as_bytes())
            .await;
        assert_eq!(connection.answer().await.status(), 200);
    }
    connection
        .send(format!("{request}\r\n{request}Connection: close\r\n\r\n").as_bytes())
        .await;
    for _ in 0..2 {
        assert_eq!(connection.answer().await.status(), 200);
    }
    assert!(connection.is_closed().await);
}

#[tokio::test]
async fn what_is_no_http_ends_the_connection_and_nothing_else() {
    let stage = Stage::new().await;
    stage.register("d").await;
    for request in [
        "PUT /devices/e HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        "PUT /devices/e HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "PUT /devices/e HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "GET /devices/d HTTP/3\r\n\r\n",
        "\u{16}\u{3}\u{1}\0\r\n\r\n",
        "GET /devices/d HTTP/1.1\r\nbad header\r\n\r\n",
    ] {
        let mut connection = stage.connect().await;
        connection.send(request.as_bytes()).await;
        let head = connection.head().await;
        assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{request:?}: {head}");
        assert!(connection.is_closed().await, "{request:?}");
    }
    let mut connection = stage.connect().await;
    let head = format!(
        "GET /devices/d HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
        "x".repeat(150_000)
    );
    connection.send(head.as_bytes()).await;
    let head = connection.head().await;
    assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
    stage.owner("GET /devices/d", "").await.ok(200);
}

#[tokio::test]
async fn a_body_that_ends_early_changes_nothing() {
    let stage = Stage::new().await;
    let token = stage.policy_token("iothubowner");
    {
        let mut connection = stage.connect().await;
        let head = format!(
            "PUT /devices/e?{API} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: {token}\r\nContent-Length: 100\r\n\r\n{{}}"
        );
        connection.send(head.as_bytes()).await;
    }
    stage.owner("GET /devices/e", "").await.refused(404, "DeviceNotFound");
}

/// What the head admits to is refused before it has been sent.
#[tokio::test]
async fn bodies_have_a_limit() {
    let stage = Stage::new().await;
    let token = stage.policy_token("iothubowner");
    let mut connection = stage.connect().await;
    let head = format!(
        "POST /devices?{API} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: {token}\r\nContent-Length: 8388609\r\n\r\n"
    );
    connection.send(head.as_bytes()).await;
    let answer = connection.answer().await;
    answer.refused(413, "GenericRequestEntityTooLarge");
}
