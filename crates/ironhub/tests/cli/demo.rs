//! `ironhub serve --dev --demo`: each verb has something to talk to.

use std::time::Duration;

use ironhub_client::{Match, MethodInvocation, StartFrom};
use ironhub_model::{C2dMessage, DeviceId, IdentityId};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::bench::until;
use crate::stage::{Ran, Stage};

const WATCHDOG: Duration = Duration::from_mins(1);
const THERMOSTAT: &str = "demo-thermostat-1";
const CONTROLLER: &str = "demo-pump-1/controller";

impl Stage {
    async fn reported(&self, id: &str) -> Value {
        let id = IdentityId::parse(id).unwrap();
        let twin = self.service().twin(&id).await;
        twin.map_or(Value::Null, |twin| twin.properties.reported) // Not registered yet.
    }

    async fn call(&self, id: &str, method: &str, payload: Value) -> (i32, Value) {
        let invocation = MethodInvocation::new(method)
            .payload(payload)
            .connect_timeout(Duration::from_secs(30));
        let answer = self.service().invoke_method(id, invocation).await.unwrap();
        (answer.status, answer.payload)
    }
}

#[tokio::test]
async fn demonstration_devices_send() {
    let stage = Stage::with(&["--demo"]).await;
    let mut events = stage
        .service()
        .events()
        .start(StartFrom::Earliest)
        .connect()
        .await
        .unwrap();
    let mut silent = vec![THERMOSTAT, "demo-thermostat-2", "demo-pump-1", CONTROLLER];
    while !silent.is_empty() {
        let event = timeout(WATCHDOG, events.next()).await.expect("telemetry").unwrap();
        let module = event.module_id().map(|module| format!("/{module}")).unwrap_or_default();
        let id = format!("{}{module}", event.device_id().unwrap_or_default());
        let body: Value = serde_json::from_slice(&event.body).unwrap();
        let measured = ["temperature", "pressureBar", "motorTemperature"].map(|name| body[name].is_f64());
        assert!(measured.contains(&true), "{body}");
        assert_eq!(
            body["temperature"].is_f64(),
            event.properties.contains_key("temperatureAlert")
        );
        silent.retain(|known| *known != id);
    }
    events.close().await;
}

#[tokio::test]
async fn demonstration_devices_answer_and_report() {
    let stage = Stage::with(&["--demo"]).await;
    until("reported", async || {
        stage.reported(THERMOSTAT).await["targetTemperature"] == 21.0
    })
    .await;
    let answer = stage.call(THERMOSTAT, "reboot", json!(null)).await;
    assert_eq!(answer, (200, json!({ "rebooting": true })));
    until("rebooted", async || {
        stage.reported(THERMOSTAT).await["lastReboot"].is_string()
    })
    .await;
    let refused = stage.call(THERMOSTAT, "setInterval", json!({ "seconds": 0 })).await;
    assert_eq!(refused.0, 400);
    let answer = stage.call(THERMOSTAT, "setInterval", json!(1)).await;
    assert_eq!(answer, (200, json!({ "intervalSeconds": 1.0 })));
    until("interval", async || {
        stage.reported(THERMOSTAT).await["intervalSeconds"] == 1.0
    })
    .await;
    until("reported", async || {
        stage.reported(CONTROLLER).await["speedRpm"] == 1500.0
    })
    .await;
    let answer = stage.call(CONTROLLER, "stop", json!(null)).await;
    assert_eq!(answer, (200, json!({ "speedRpm": 0.0 })));
    until("stopped", async || stage.reported(CONTROLLER).await["speedRpm"] == 0.0).await;
    assert_eq!(stage.call(THERMOSTAT, "fly", json!(null)).await.0, 501);
}

#[tokio::test]
async fn demonstration_devices_obey_and_are_remembered() {
    let mut stage = Stage::with(&["--demo"]).await;
    let device = DeviceId::parse(THERMOSTAT).unwrap();
    until("registered", async || stage.service().device(&device).await.is_ok()).await;
    let message = C2dMessage {
        body: b"hello".to_vec(),
        ..C2dMessage::default()
    };
    stage.service().c2d_sender().send(&device, message).await.unwrap();
    let queued = async || {
        stage
            .service()
            .device(&device)
            .await
            .unwrap()
            .cloud_to_device_message_count
    };
    until("completed", async || queued().await == 0).await;

    let (id, patch) = (
        IdentityId::device(device.clone()),
        json!({ "properties": { "desired": { "targetTemperature": 24.5, "other": 1 } } }),
    );
    stage.service().update_twin(&id, &patch, &Match::Any).await.unwrap();
    let follows = async |stage: &Stage| stage.reported(THERMOSTAT).await["targetTemperature"] == 24.5;
    until("followed", async || follows(&stage).await).await;
    let north = "SELECT deviceId FROM devices WHERE tags.site = 'north'";
    assert_eq!(stage.json(&["query", "-q", north]), json!([{ "deviceId": THERMOSTAT }]));

    stage.hub.signal("TERM");
    assert_eq!(stage.hub.ended().await.code(), Some(0));
    assert!(!stage.hub.log().contains("ERROR"), "{}", stage.hub.log());
    stage.again(&["--demo"]).await;
    until("remembered", async || follows(&stage).await).await;
}

#[tokio::test]
async fn only_a_development_hub_demonstrates() {
    let stage = Stage::new().await;
    let refused = Ran::of(stage.home.command(&["serve", "--demo", "--data-dir", "/nonexistent"]));
    stage.compare("demo-without-dev", &refused);
    assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{refused}");
}
