//! What a back end asks over HTTPS.

use ironhub_client::service::Thumbprints;
use ironhub_client::{
    Device, DeviceAuthentication, DeviceId, DeviceStatus, Error, IdentityId, KeyChoice, Match, MethodInvocation,
    MethodResponse, Module, ModuleId, ServiceClient,
};
use serde_json::json;

use crate::features::soon;
use crate::hub::{DEVICE, TestHub};

fn id(text: &str) -> DeviceId {
    DeviceId::parse(text).unwrap()
}

#[track_caller]
fn check<T: std::fmt::Debug>(outcome: Result<T, Error>, code: u32) {
    let error = outcome.unwrap_err();
    assert_eq!(error.code(), Some(code), "{error}");
    assert!(error.to_string().starts_with(&code.to_string()), "{error}");
}

#[tokio::test]
async fn identities_are_written_and_read() {
    let hub = TestHub::start().await;
    let service = hub.service().build().unwrap();
    let mut device = service.create_device(&Device::new(id("a'b%20#?"))).await.unwrap();
    assert_eq!(service.device(&device.device_id).await.unwrap(), device);
    check(service.create_device(&device).await, 409_001);

    device.status = DeviceStatus::Disabled;
    let stale = Match::Etag(device.etag.clone().unwrap());
    let updated = service.update_device(&device, &stale).await.unwrap();
    assert_eq!(
        (updated.status, &updated.authentication),
        (DeviceStatus::Disabled, &device.authentication)
    );
    check(service.update_device(&device, &stale).await, 412_001);
    let statistics = service.device_statistics().await.unwrap();
    assert_eq!(
        (statistics.total_device_count, statistics.disabled_device_count),
        (2, 1)
    );

    let module = Module::new(device.device_id.clone(), ModuleId::parse("m").unwrap());
    let module = service.create_module(&module).await.unwrap();
    let modules = service.modules(&device.device_id).await.unwrap();
    assert_eq!(modules, std::slice::from_ref(&module));
    service
        .delete_module(&module.device_id, &module.module_id, &Match::Any)
        .await
        .unwrap();
    check(service.module(&module.device_id, &module.module_id).await, 404_010);

    service.delete_device(&device.device_id, &Match::Any).await.unwrap();
    check(service.device(&device.device_id).await, 404_001);
    let left = service.devices(10).await.unwrap();
    assert_eq!(
        left.iter().map(|device| device.device_id.as_str()).collect::<Vec<_>>(),
        [DEVICE]
    );
}

#[tokio::test]
async fn a_new_device_connects_with_the_string_it_was_given() {
    let hub = TestHub::start().await;
    let service = hub.service().build().unwrap();
    let device = service.create_device(&Device::new(id("new"))).await.unwrap();
    let connection = service.connection_string(&device).unwrap();
    let client = hub.client(connection).connect().await.unwrap();
    soon(client.send_telemetry("hello")).await.unwrap();
    assert_eq!(hub.telemetry().await, ["hello"]);

    let module = Module::new(id("new"), "gearbox".to_owned().try_into().unwrap());
    let module = service.create_module(&module).await.unwrap();
    let connection = service.module_connection_string(&module).unwrap();
    let client = hub.client(connection).connect().await.unwrap();
    assert_eq!(client.id().to_string(), "new/gearbox");
    soon(client.send_telemetry("hello too")).await.unwrap();
    let thumbprints = Thumbprints {
        primary_thumbprint: Some("0".repeat(40)),
        secondary_thumbprint: None,
    };
    let mut certified = Device::new(id("certified"));
    let keyless = service.connection_string(&certified).unwrap_err().to_string();
    assert!(keyless.starts_with("the record of certified has no keys"), "{keyless}");
    certified.authentication = DeviceAuthentication::self_signed(thumbprints);
    let connection = service.connection_string(&certified).unwrap();
    assert_eq!(connection.expose(), "HostName=localhost;DeviceId=certified;x509=true");
}

#[tokio::test]
async fn keys_are_made_anew() {
    let hub = TestHub::start().await;
    let service = hub.service().build().unwrap();
    let wind = service.device(&id(DEVICE)).await.unwrap();
    let ids = [DEVICE, "nobody"].map(|name| IdentityId::device(id(name)));
    let result = service.regenerate_keys(&ids, KeyChoice::Primary).await.unwrap();
    let [rotated] = &result.rotated_keys[..] else {
        panic!("{result:?}")
    };
    assert_eq!((&rotated.id, &rotated.secondary_key), (&wind.device_id, &None));
    assert_ne!(rotated.primary_key.as_ref(), wind.authentication.primary_key());
    let now = service.device(&wind.device_id).await.unwrap();
    assert_eq!(now.authentication.primary_key(), rotated.primary_key.as_ref());
    let [error] = &result.errors[..] else {
        panic!("{result:?}")
    };
    assert_eq!(
        (error.id.as_str(), error.error_code.as_str()),
        ("nobody", "DeviceNotFound")
    );
}

#[tokio::test]
async fn twins_are_merged_replaced_and_queried_page_by_page() {
    let hub = TestHub::start().await;
    let service = hub.service().build().unwrap();
    let wind = IdentityId::device(id(DEVICE));
    let before = service.twin(&wind).await.unwrap();
    assert_eq!(before.properties.desired["interval"], 5);
    let patch = json!({ "tags": { "site": "north" }, "properties": { "desired": { "interval": 7 } } });
    let version = Match::Etag(before.etag);
    let after = service.update_twin(&wind, &patch, &version).await.unwrap();
    assert_eq!(
        (&after.tags["site"], &after.properties.desired["interval"]),
        (&json!("north"), &json!(7))
    );
    check(service.update_twin(&wind, &patch, &version).await, 412_001);
    let replaced = service
        .replace_twin(&wind, &json!({ "tags": { "a": 1 } }), &Match::Any)
        .await
        .unwrap();
    assert_eq!(json!(replaced.tags), json!({ "a": 1 }));

    for n in 0..5 {
        service.create_device(&Device::new(id(&format!("d{n}")))).await.unwrap();
    }
    let mut pages = service.query("SELECT * FROM devices", 4);
    let mut sizes = Vec::new();
    while let Some(page) = pages.next().await.unwrap() {
        sizes.push(page.len());
    }
    assert_eq!(sizes, [4, 2]);
    check(service.query("SELEKT", 10).next().await, 400_004);
}

#[tokio::test]
async fn methods_are_called() {
    let hub = TestHub::start().await;
    let service: ServiceClient = hub.service().build().unwrap();
    let call = || MethodInvocation::new("echo").payload(json!({ "a": [1, "x"] }));
    check(service.invoke_method(DEVICE, call()).await, 404_103);
    check(service.invoke_method("nobody", call()).await, 404_001);
    let device = hub.device().connect().await.unwrap();
    let echo = |request: ironhub_client::MethodRequest| async move {
        MethodResponse::json(202, &request.json::<serde_json::Value>().unwrap())
    };
    soon(device.on_method("echo", echo)).await.unwrap();
    let answer = soon(service.invoke_method(DEVICE, call())).await.unwrap();
    assert_eq!((answer.status, answer.payload), (202, json!({ "a": [1, "x"] })));
}

#[tokio::test]
async fn a_wrong_key_and_a_device_string_are_told() {
    let hub = TestHub::start().await;
    let other =
        "HostName=localhost;SharedAccessKeyName=service;SharedAccessKey=b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVyb3Q=";
    let ports = &hub.server.announcement().ports;
    let wrong = ServiceClient::builder(other).unwrap().trust(hub.trust.clone());
    let wrong = wrong.https_port(ports.https).amqp_port(ports.amqp).build().unwrap();
    check(wrong.devices(1).await, 401_002);
    let refused = wrong.events().connect().await.unwrap_err();
    assert_eq!(refused.code(), Some(401_002), "{refused}");
    let error = ServiceClient::builder(&hub.connection_string().expose())
        .unwrap()
        .build()
        .unwrap_err();
    let expected = "the connection string has no SharedAccessKeyName: a back end needs that of a policy";
    assert_eq!(error.to_string(), expected);
}
