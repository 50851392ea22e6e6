use serde_json::json;

use crate::stage::Stage;

const REQUEST: &str = "POST /devices/query";

fn body(query: &str) -> String {
    json!({ "query": query }).to_string()
}

#[tokio::test]
async fn pages() {
    let stage = Stage::new().await;
    for id in ["a", "b"] {
        stage.register(id).await;
    }
    let query = body("SELECT * FROM devices");
    let all = stage.owner(REQUEST, &query).await.ok(200);
    assert_eq!(all.header("x-ms-item-type"), Some("Twin"));
    assert_eq!(all.header("x-ms-continuation"), None);
    let twin = stage.owner("GET /twins/a", "").await.json();
    assert_eq!(all.json()[0], twin);

    let one = [("x-ms-max-item-count", "1")];
    let first = stage.owner_with(REQUEST, &one, &query).await.ok(200);
    assert_eq!(first.json(), json!([twin]));
    let token = first.header("x-ms-continuation").unwrap();
    let next = [("x-ms-max-item-count", "1"), ("X-MS-Continuation", token)];
    let last = stage.owner_with(REQUEST, &next, &query).await.ok(200);
    assert_eq!(last.json()[0]["deviceId"], "b");
    // Node asks for more as long as the header is there, whatever its value.
    assert_eq!(last.header("x-ms-continuation"), None);
    assert_eq!(last.header("x-ms-item-type"), Some("Twin"));
}

#[tokio::test]
async fn rows_of_other_shapes() {
    let stage = Stage::new().await;
    stage.register("d").await;
    let explorer = "SELECT deviceId as DeviceId, status as Status, capabilities.iotEdge as IotEdge FROM devices";
    let rows = stage.owner("POST /devices%2Fquery", &body(explorer)).await.ok(200);
    assert_eq!(rows.header("x-ms-item-type"), Some("Raw"));
    assert_eq!(rows.text(), r#"[{"DeviceId":"d","Status":"enabled","IotEdge":false}]"#);
    let nobody = body("SELECT * FROM devices WHERE deviceId = 'nobody'");
    let none = stage.owner(REQUEST, &nobody).await.ok(200);
    assert_eq!(none.text(), "[]");
    assert_eq!(none.header("x-ms-item-type"), Some("Twin"));
}

#[tokio::test]
async fn queries_that_cannot_be() {
    let stage = Stage::new().await;
    let long = body(&format!(
        "SELECT * FROM devices WHERE deviceId = '{}'",
        "x".repeat(8192)
    ));
    for (body, name) in [
        ("", "IotHubFormatError"),
        ("{}", "ArgumentNull"),
        (r#"{"query":7}"#, "IotHubFormatError"),
        (&body("SELECT"), "ArgumentInvalid"),
        (&body("SELECT * FROM devices ORDER BY deviceId"), "ArgumentInvalid"),
        (&long, "ArgumentInvalid"),
    ] {
        stage.owner(REQUEST, body).await.refused(400, name);
    }
    let query = body("SELECT * FROM devices");
    let made_up = [("x-ms-continuation", "made-up")];
    let answer = stage.owner_with(REQUEST, &made_up, &query).await;
    answer.refused(400, "ArgumentInvalid");
}
