use crate::stage::{HOST, Stage};
use ironhub_model::{Timestamp, sas_token};

const POLICIES: [&str; 5] = ["iothubowner", "service", "device", "registryRead", "registryReadWrite"];

/// Which policies may do it; all others are refused. What comes of it otherwise does not matter here.
const RIGHTS: &[(&str, &[&str])] = &[
    ("GET /devices", &["iothubowner", "registryRead", "registryReadWrite"]),
    ("GET /devices/d", &["iothubowner", "registryRead", "registryReadWrite"]),
    (
        "GET /devices/d/modules",
        &["iothubowner", "registryRead", "registryReadWrite"],
    ),
    (
        "GET /devices/d/modules/m",
        &["iothubowner", "registryRead", "registryReadWrite"],
    ),
    ("PUT /devices/d", &["iothubowner", "registryReadWrite"]),
    ("DELETE /devices/nobody", &["iothubowner", "registryReadWrite"]),
    ("PUT /devices/d/modules/m", &["iothubowner", "registryReadWrite"]),
    (
        "DELETE /devices/d/modules/nobody",
        &["iothubowner", "registryReadWrite"],
    ),
    ("POST /devices", &["iothubowner", "registryReadWrite"]),
    ("POST /devices/keys/regenerate", &["iothubowner", "registryReadWrite"]),
    (
        "GET /statistics/devices",
        &["iothubowner", "service", "registryRead", "registryReadWrite"],
    ),
    (
        "GET /statistics/service",
        &["iothubowner", "service", "registryRead", "registryReadWrite"],
    ),
    ("POST /devices/query", &["iothubowner", "service"]),
    ("GET /twins/d", &["iothubowner", "service"]),
    ("PATCH /twins/d", &["iothubowner", "service"]),
    ("PUT /twins/d", &["iothubowner", "service"]),
    ("POST /twins/d/methods", &["iothubowner", "service"]),
    ("POST /devices/d/messages/devicebound", &["iothubowner", "service"]),
    ("DELETE /devices/d/commands", &["iothubowner", "service"]),
    ("GET /messages/servicebound/feedback", &["iothubowner", "service"]),
    ("DELETE /messages/servicebound/feedback/x", &["iothubowner", "service"]),
    (
        "POST /messages/servicebound/feedback/x/abandon",
        &["iothubowner", "service"],
    ),
    ("POST /devices/d/messages/events", &["iothubowner", "device"]),
    ("GET /devices/d/messages/devicebound", &["iothubowner", "device"]),
    ("DELETE /devices/d/messages/devicebound/x", &["iothubowner", "device"]),
    (
        "POST /devices/d/messages/devicebound/x/abandon",
        &["iothubowner", "device"],
    ),
    ("GET /ironhub/v1/events?follow=false", &["iothubowner", "service"]),
    (
        "GET /ironhub/v1/settings",
        &["iothubowner", "service", "registryRead", "registryReadWrite"],
    ),
    (
        "GET /ironhub/v1/consumerGroups",
        &["iothubowner", "service", "registryRead", "registryReadWrite"],
    ),
    (
        "GET /ironhub/v1/consumerGroups/x",
        &["iothubowner", "service", "registryRead", "registryReadWrite"],
    ),
    (
        "PUT /ironhub/v1/consumerGroups/x",
        &["iothubowner", "registryReadWrite"],
    ),
    (
        "DELETE /ironhub/v1/consumerGroups/x",
        &["iothubowner", "registryReadWrite"],
    ),
    ("PUT /ironhub/v1/settings", &["iothubowner"]),
    ("POST /ironhub/v1/certificates", &["iothubowner"]),
    ("DELETE /ironhub/v1/certificates/x", &["iothubowner"]),
    ("POST /ironhub/v1/certificates/x/verification-code", &["iothubowner"]),
    ("POST /ironhub/v1/certificates/x/verify", &["iothubowner"]),
];

#[tokio::test]
async fn each_policy_may_do_what_it_is_for() {
    let stage = Stage::new().await;
    stage.register("d").await;
    for (request, allowed) in RIGHTS {
        for policy in POLICIES {
            let answer = stage.policy((policy, request), &[], "").await;
            let is_allowed = answer.status() != 401;
            assert_eq!(is_allowed, allowed.contains(&policy), "{policy}: {request}");
        }
        let anonymous = stage.ask(request, &[], "").await;
        assert_eq!(anonymous.header("iothub-errorcode"), Some("IotHubUnauthorizedAccess"));
    }
}

#[tokio::test]
async fn tokens_that_do_not_count() {
    let stage = Stage::new().await;
    stage.register("d").await;
    let key = stage
        .hub
        .settings
        .current()
        .policy("iothubowner")
        .unwrap()
        .primary_key
        .clone();
    let sign = |resource: &str, expires_s: i64| {
        let expires_at = Timestamp::from_secs(expires_s);
        sas_token::sign(resource, &key, expires_at, Some("iothubowner"))
    };
    let now_s = stage.hub.now().as_secs();
    for (token, status) in [
        (sign(HOST, now_s + 60), 200),
        (sign(&format!("{HOST}/devices/d"), now_s + 60), 200),
        (sign(&format!("{HOST}/devices/e"), now_s + 60), 401),
        (sign("other.example.test", now_s + 60), 401),
        (sign(HOST, now_s - 3600), 401),
        (sign(HOST, now_s + 60).replace("sig=", "sig=A"), 401),
        ("Bearer x".into(), 401),
        (String::new(), 401),
    ] {
        let answer = stage.ask("GET /devices/d", &[("Authorization", &token)], "").await;
        assert_eq!(answer.status(), status, "{token}");
    }
    let refused = stage.ask("GET /devices/nobody", &[("Authorization", "x")], "").await;
    refused.refused(401, "IotHubUnauthorizedAccess");
    assert_eq!(
        refused.json()["Message"],
        "ErrorCode:IotHubUnauthorizedAccess;Unauthorized"
    );
}

#[tokio::test]
async fn a_device_reaches_nothing_but_itself() {
    let stage = Stage::new().await;
    for id in ["d", "e", "d/m"] {
        stage.register(id).await;
    }
    let own = stage.device("d", "POST /devices/d/messages/events", &[], "x").await;
    assert_eq!(own.status(), 204);
    let module = "POST /devices/d/modules/m/messages/events";
    assert_eq!(stage.device("d/m", module, &[], "x").await.status(), 204);
    for (id, request) in [
        ("d", "POST /devices/e/messages/events"),
        ("d", "GET /devices/e/messages/devicebound"),
        ("d", module),
        ("d/m", "POST /devices/d/messages/events"),
        ("d/m", "GET /devices/d/messages/devicebound"),
        ("d", "GET /devices/d"),
        ("d", "GET /twins/d"),
        ("d", "POST /devices/d/messages/devicebound"),
        ("d", "GET /ironhub/v1/settings"),
    ] {
        let answer = stage.device(id, request, &[], "x").await;
        answer.refused(401, "IotHubUnauthorizedAccess");
    }
}
