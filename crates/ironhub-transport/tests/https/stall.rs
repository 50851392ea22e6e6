//! A log that takes events and never makes them durable, as when its disk has no room.

use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt;
use hyper::Request;
use ironhub_hub::{Hub, HubConfig, Parts, Ports};
use ironhub_model::{AccessPolicy, HubSettings, Permissions, SymmetricKey, sas_token};
use ironhub_storage_embedded::{LocalBus, SqliteState};
use ironhub_testkit::{FakeClock, HeldLog};
use ironhub_transport::https::{HttpsOptions, router};
use tower_service::Service;

use crate::stage::HOST;

struct StallingPorts;

impl Ports for StallingPorts {
    type State = SqliteState;
    type Log = HeldLog;
    type Bus = LocalBus;
    type Clock = FakeClock;
}

async fn send(is_full: bool) -> (u16, Option<String>, String) {
    let key = SymmetricKey::from_bytes(&[1; 32]).unwrap();
    let owner = AccessPolicy {
        name: "iothubowner".into(),
        permissions: Permissions::ALL,
        primary_key: key.clone(),
        secondary_key: key.clone(),
    };
    let log = HeldLog::new();
    log.set_full(is_full);
    let parts = Parts::<StallingPorts> {
        state: SqliteState::open_in_memory().unwrap(),
        log,
        bus: LocalBus::new(),
        clock: FakeClock::default(),
    };
    let settings = HubSettings::with_policies(vec![owner]);
    let hub = Hub::start(HubConfig::new("hub", vec![HOST.into()], settings), parts)
        .await
        .unwrap();
    let device = ironhub_model::DeviceId::parse("d").unwrap();
    let spec = ironhub_model::registry::DeviceSpec::new(device);
    let precondition = ironhub_model::registry::Precondition::None;
    hub.registry.put_device(spec, precondition).await.unwrap();
    let expires_at = hub.now().saturating_add(Duration::from_mins(1));
    let token = sas_token::sign(HOST, &key, expires_at, Some("iothubowner"));
    let options = HttpsOptions {
        wait_max: Duration::from_millis(500),
    };
    let request = Request::post("/devices/d/messages/events?api-version=2021-04-12")
        .header("Authorization", token)
        .body(Body::from("x"))
        .unwrap();
    let response = router(hub, options).call(request).await.unwrap();
    let status = response.status().as_u16();
    let retry_after = response.headers().get("retry-after");
    let retry_after = retry_after.map(|value| value.to_str().unwrap().to_owned());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, retry_after, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_sender_is_told_to_come_again() {
    for is_full in [false, true] {
        let (status, retry_after, body) = send(is_full).await;
        assert_eq!((status, retry_after.as_deref()), (503, Some("1")), "{body}");
        assert!(body.starts_with(r#"{"Message":"ErrorCode:ServerBusy;"#), "{body}");
    }
}
