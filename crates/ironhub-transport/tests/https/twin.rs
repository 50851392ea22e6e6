use serde_json::json;

use crate::stage::Stage;

#[tokio::test]
async fn read_merged_and_replaced() {
    let stage = Stage::new().await;
    stage.register("d").await;
    let fresh = stage.owner("GET /twins/d", "").await.ok(200);
    assert_eq!(fresh.json()["etag"], "AAAAAAAAAAE=");
    assert_eq!(fresh.json()["version"], 2);
    assert_eq!(fresh.json().get("tags"), None);

    let body =
        r#"{"tags":{"plant":"A"},"properties":{"desired":{"interval":66,"limit":28.02,"on":"2020-01-01T00:00:00"}}}"#;
    let etag = [("If-Match", "\"AAAAAAAAAAE=\"")];
    let merged = stage.owner_with("PATCH /twins/d", &etag, body).await.ok(200);
    assert_eq!(merged.json()["version"], 3);
    assert_eq!(merged.json()["tags"], json!({"plant": "A"}));
    let desired = r#""desired":{"interval":66,"limit":28.02,"on":"2020-01-01T00:00:00","#;
    assert!(merged.text().contains(desired), "{}", merged.text());

    let outdated = stage.owner_with("PATCH /twins/d", &etag, body).await;
    outdated.refused_nested(412_001, "PreconditionFailed");
    // IoT Explorer and the SDKs send whole twins back.
    let back = stage.owner("PATCH /twins/d", merged.text()).await.ok(200);
    assert_eq!(back.json()["properties"]["desired"]["interval"], 66);

    let replaced = stage
        .owner("PUT /twins/d", r#"{"properties":{"desired":{"new":true}}}"#)
        .await
        .ok(200)
        .json();
    assert_eq!(replaced["tags"], json!({"plant": "A"}));
    assert_eq!(replaced["properties"]["desired"].get("interval"), None);
    assert_eq!(replaced["properties"]["desired"]["new"], true);
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let stage = Stage::new().await;
    stage.register("d").await;
    let before = stage.owner("GET /twins/d", "").await.json();
    for (body, code, name) in [
        ("x", 400_006, "IotHubFormatError"),
        (r#"{"tags":"badinput"}"#, 400_004, "ArgumentInvalid"),
        (r#"{"properties":{"desired":[]}}"#, 400_004, "ArgumentInvalid"),
        (r#"{"tags":{"a.b":1}}"#, 400_004, "ArgumentInvalid"),
    ] {
        let answer = stage.owner("PATCH /twins/d", body).await;
        answer.refused_nested(code, name);
    }
    let deep = format!("{}1{}", r#"{"tags":{"a":"#.repeat(100), "}}".repeat(100));
    let answer = stage.owner("PATCH /twins/d", &deep).await;
    answer.refused_nested(400_006, "IotHubFormatError");
    assert_eq!(stage.owner("GET /twins/d", "").await.json(), before);
}

#[tokio::test]
async fn twins_that_are_not_there() {
    let stage = Stage::new().await;
    stage.register("d").await;
    let device = stage.owner("GET /twins/nobody", "").await;
    let nested = device.refused_nested(404_001, "DeviceNotFound");
    assert_eq!(nested.get("info"), None);
    let module = stage.owner("GET /twins/d/modules/m", "").await;
    module.refused_nested(404_010, "ModuleNotFound");
    stage.register("d/m").await;
    let module = stage.owner("GET /twins/d/modules/m", "").await.ok(200);
    assert_eq!(module.json()["moduleId"], "m");
}
