use serde_json::json;

use crate::stage::Stage;

#[tokio::test]
async fn a_device_from_creation_to_deletion() {
    let stage = Stage::new().await;
    let created = stage.owner("PUT /devices/d", r#"{"deviceId":"d"}"#).await.ok(200);
    assert_eq!(created.header("content-type"), Some("application/json; charset=utf-8"));
    let read = stage.owner("GET /devices/d", "").await.ok(200);
    assert_eq!(read.json(), created.json());
    assert_eq!(read.json()["authentication"]["type"], "sas");

    let again = stage.owner("PUT /devices/d", "{}").await;
    again.refused(409, "DeviceAlreadyExists");

    let quoted = format!("\"{}\"", created.json()["etag"].as_str().unwrap());
    let disabled = r#"{"deviceId":"d","status":"disabled","statusReason":"lost"}"#;
    let updated = stage
        .owner_with("PUT /devices/d", &[("If-Match", &quoted)], disabled)
        .await;
    assert_eq!(updated.ok(200).json()["statusReason"], "lost");
    let outdated = stage.owner_with("PUT /devices/d", &[("If-Match", &quoted)], "{}").await;
    outdated.refused(412, "PreconditionFailed");
    let unquoted = quoted.trim_matches('"');
    let ignored = stage
        .owner_with("PUT /devices/d", &[("If-Match", unquoted)], "{}")
        .await;
    assert_eq!(ignored.ok(200).json()["statusReason"], json!(null));

    let deleted = stage
        .owner_with("DELETE /devices/d", &[("If-Match", "\"*\"")], "")
        .await
        .ok(204);
    assert!(deleted.head.starts_with("HTTP/1.1 204 No Content\r\n"));
    for request in ["GET /devices/d", "DELETE /devices/d"] {
        let missing = stage.owner(request, "").await;
        missing.refused(404, "DeviceNotFound");
        assert_eq!(missing.json()["Message"], "ErrorCode:DeviceNotFound;d");
    }
    let update = stage.owner_with("PUT /devices/d", &[("If-Match", "*")], "{}").await;
    update.refused(404, "DeviceNotFound");
}

#[tokio::test]
async fn bodies_that_cannot_be() {
    let stage = Stage::new().await;
    for (body, name) in [
        ("", "IotHubFormatError"),
        ("[]", "IotHubFormatError"),
        (r#"{"deviceId":7}"#, "IotHubFormatError"),
        (r#"{"deviceId":"e"}"#, "ArgumentInvalid"),
        (
            r#"{"authentication":{"symmetricKey":{"primaryKey":"1","secondaryKey":"2"}}}"#,
            "IotHubFormatError",
        ),
    ] {
        stage.owner("PUT /devices/d", body).await.refused(400, name);
    }
    stage
        .owner("PUT /devices/a%20b", "{}")
        .await
        .refused(400, "ArgumentInvalid");
    stage.owner("GET /devices/d", "").await.refused(404, "DeviceNotFound");
}

#[tokio::test]
async fn lists_and_numbers() {
    let stage = Stage::new().await;
    for id in ["a", "b", "c"] {
        stage.register(id).await;
    }
    let all = stage.owner("GET /devices/", "").await.ok(200);
    assert_eq!(all.json().as_array().unwrap().len(), 3);
    let two = stage.owner("GET /devices/?top=2", "").await.ok(200);
    assert_eq!(two.json().as_array().unwrap().len(), 2);
    let statistics = stage.owner("GET /statistics/devices", "").await.ok(200);
    assert_eq!(
        statistics.text(),
        r#"{"totalDeviceCount":3,"enabledDeviceCount":3,"disabledDeviceCount":0}"#
    );
    let service = stage.owner("GET /statistics/service", "").await.ok(200);
    assert_eq!(service.text(), r#"{"connectedDeviceCount":0}"#);
}

#[tokio::test]
async fn modules() {
    let stage = Stage::new().await;
    stage.register("d").await;
    let created = stage
        .owner("PUT /devices/d/modules/m", r#"{"moduleId":"m","deviceId":"d"}"#)
        .await
        .ok(200);
    assert_eq!(created.json()["moduleId"], "m");
    stage
        .owner("PUT /devices/d/modules/m", "{}")
        .await
        .refused(409, "ModuleAlreadyExistsOnDevice");
    let list = stage.owner("GET /devices/d/modules", "").await.ok(200);
    assert_eq!(list.json()[0], created.json());
    stage
        .owner("GET /devices/d/modules/n", "")
        .await
        .refused(404, "ModuleNotFound");
    stage.owner("DELETE /devices/d/modules/m", "").await.ok(204);
    assert_eq!(stage.owner("GET /devices/d/modules", "").await.text(), "[]");
}

#[tokio::test]
async fn many_at_once() {
    let stage = Stage::new().await;
    stage.register("a").await;
    let body = r#"[{"id":"b","importMode":"create"},{"id":"c","importMode":"Create"}]"#;
    let done = stage.owner("POST /devices/", body).await.ok(200);
    assert_eq!(done.text(), r#"{"isSuccessful":true,"errors":[],"warnings":[]}"#);

    let body = r#"[{"id":"a","importMode":"create"},{"id":"e","importMode":"create"}]"#;
    let partly = stage.owner("POST /devices", body).await.ok(400);
    let failed = &partly.json()["errors"][0];
    assert_eq!(failed["deviceId"], "a");
    assert_eq!(failed["errorCode"], "DeviceAlreadyExists");
    assert_eq!(failed["operation"], "create");
    // .NET does not look at the body of a 400 without this header.
    assert_eq!(partly.header("IotHubErrorCode"), Some("BulkRegistryOperationFailure"));
    assert_eq!(partly.header("iothub-errorcode"), Some("BulkRegistryOperationFailure"));
    stage.owner("GET /devices/e", "").await.ok(200);

    stage
        .owner("POST /devices", "{}")
        .await
        .refused(400, "IotHubFormatError");
    let items: Vec<_> = (0..101).map(|n| json!({"id": format!("x{n}")})).collect();
    let too_many = stage.owner("POST /devices", &json!(items).to_string()).await;
    too_many.refused(413, "TooManyDevices");
}

#[tokio::test]
async fn new_keys() {
    let stage = Stage::new().await;
    stage.register("d").await;
    let before = stage.owner("GET /devices/d", "").await.json();
    let keys = stage
        .owner(
            "POST /devices/keys/regenerate",
            r#"{"policyKey":"primaryKey","devices":[{"id":"d"}]}"#,
        )
        .await
        .ok(200)
        .json();
    let after = stage.owner("GET /devices/d", "").await.json();
    let key = |device: &serde_json::Value, name: &str| device["authentication"]["symmetricKey"][name].clone();
    assert_eq!(keys["policyKey"], "primaryKey");
    assert_eq!(keys["rotatedKeys"][0]["primaryKey"], key(&after, "primaryKey"));
    assert_eq!(keys["rotatedKeys"][0]["secondaryKey"], json!(null));
    assert_ne!(key(&before, "primaryKey"), key(&after, "primaryKey"));
    assert_eq!(key(&before, "secondaryKey"), key(&after, "secondaryKey"));
    let unknown = r#"{"policyKey":"both","devices":[{"id":"nobody"}]}"#;
    let refused = stage.owner("POST /devices/keys/regenerate", unknown).await.ok(400);
    assert_eq!(refused.json()["errors"][0]["errorCode"], "DeviceNotFound");
}
