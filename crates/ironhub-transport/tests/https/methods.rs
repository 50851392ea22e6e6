use ironhub_hub::{Features, LinkEvent, LinkOptions};
use ironhub_model::{IdentityId, MethodResponse};

use crate::stage::{HOST, Stage};

#[tokio::test]
async fn devices_that_do_not_answer() {
    let stage = Stage::new().await;
    stage.register("d").await;
    let call = r#"{"methodName":"reboot"}"#;
    let offline = stage.owner("POST /twins/d/methods", call).await;
    let nested = offline.refused_nested(404_103, "DeviceNotOnline");
    assert_eq!(nested["info"]["timeout"], "00:00:00");
    let unknown = stage.owner("POST /twins/nobody/methods", call).await;
    let nested = unknown.refused_nested(404_001, "DeviceNotFound");
    assert_eq!(nested.get("info"), None);
    let module = stage.owner("POST /twins/d/modules/m/methods", call).await;
    module.refused_nested(404_010, "ModuleNotFound");
}

#[tokio::test]
async fn calls_that_cannot_be() {
    let stage = Stage::new().await;
    stage.register("d").await;
    let large = format!(r#"{{"methodName":"m","payload":"{}"}}"#, "x".repeat(128 * 1024));
    for (body, code, name) in [
        ("", 400_006, "IotHubFormatError"),
        ("{}", 400_005, "ArgumentNull"),
        (r#"{"methodName":"a b"}"#, 400_004, "ArgumentInvalid"),
        (
            r#"{"methodName":"m","responseTimeoutInSeconds":301}"#,
            400_004,
            "ArgumentInvalid",
        ),
        (&large, 413_001, "MessageTooLarge"),
    ] {
        let answer = stage.owner("POST /twins/d/methods", body).await;
        answer.refused_nested(code, name);
    }
}

#[tokio::test]
async fn an_answer_is_passed_on_letter_for_letter() {
    let stage = Stage::new().await;
    stage.register("d").await;
    let id = IdentityId::parse("d").unwrap();
    let token = stage.device_token("d").await;
    let auth = &stage.hub.auth;
    let principal = auth.connect_device(&id, HOST, Some(&token), &[]).await.unwrap();
    let options = LinkOptions::default();
    let (mut link, _) = stage.hub.connections.open(principal, options).await.unwrap();
    let features = Features {
        methods: true,
        ..Features::default()
    };
    link.set_filters(Vec::new(), features).await.unwrap();
    let device = tokio::spawn(async move {
        loop {
            if let LinkEvent::Method { request_id, call } = link.next().await {
                let payload = call.payload;
                link.method_response(request_id, MethodResponse { status: -7, payload });
            }
        }
    });
    for payload in [
        "null",
        r#""""#,
        r#"{ "b" : 1.0, "a":1e2 }"#,
        "123456789012345678901234567890",
    ] {
        let body = format!(r#"{{"methodName":"echo","payload":{payload},"responseTimeoutInSeconds":30}}"#);
        let answer = stage.owner("POST /twins/d/methods", &body).await.ok(200);
        assert_eq!(answer.text(), format!(r#"{{"status":-7,"payload":{payload}}}"#));
    }
    let nothing = stage
        .owner("POST /twins/d/methods", r#"{"methodName":"echo"}"#)
        .await
        .ok(200);
    assert_eq!(nothing.text(), r#"{"status":-7,"payload":null}"#);
    device.abort();
}
