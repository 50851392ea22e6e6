//! What a device can do.

use std::fmt::Write;
use std::time::Duration;

use ironhub_client::{
    ClientCertificate, ConnectionState, ConnectionString, DesiredChange, DeviceClient, DeviceClientBuilder, Error,
    MethodResponse, Telemetry, Transport,
};
use ironhub_model::identity::Capabilities;
use ironhub_model::registry::{AuthenticationSpec, DeviceSpec, Precondition};
use ironhub_model::{
    AckRequest, Authentication, AuthenticationType, C2dMessage, IdentityId, MethodCall, MethodName, TwinPatch,
};
use serde_json::{Value, json};

use crate::hub::TestHub;

/// A hub that has not done in this time what it should has hung.
const HANG: Duration = Duration::from_mins(1);

pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG, future).await.expect("nothing happens")
}

#[tokio::test]
async fn telemetry_with_properties_is_in_the_log_when_it_is_acknowledged() {
    let hub = TestHub::start().await;
    let device = hub.device().connect().await.unwrap();
    let message = Telemetry::json(&json!({ "windSpeed": 11.5 })).unwrap();
    let message = message.message_id("m-1").property("alert", "a b&c");
    soon(device.send_telemetry(message)).await.unwrap();
    let events = hub.events().await;
    let event = events.iter().find(|event| event["source"] == "Telemetry").unwrap();
    assert_eq!(event["body"], json!({ "windSpeed": 11.5 }));
    assert_eq!(event["properties"], json!({ "alert": "a b&c" }));
    assert_eq!(event["systemProperties"]["message-id"], "m-1");
    assert_eq!(event["systemProperties"]["content-type"], "application/json");
}

#[tokio::test]
async fn many_messages_are_on_their_way_and_keep_their_order() {
    let hub = TestHub::start().await;
    let device = hub.device().messages_in_flight_max(8).connect().await.unwrap();
    let mut acknowledgements = Vec::new();
    for n in 0..500 {
        acknowledgements.push(soon(device.submit_telemetry(format!("{n}"))).await.unwrap());
    }
    for acknowledgement in acknowledgements {
        soon(acknowledgement).await.unwrap();
    }
    let expected: Vec<String> = (0..500).map(|n| n.to_string()).collect();
    assert_eq!(hub.telemetry().await, expected);
}

#[tokio::test]
async fn the_same_through_a_web_socket_and_as_a_module() {
    let hub = TestHub::start().await;
    let port = hub.server.announcement().ports.https;
    let module = IdentityId::parse("wind-1/m1").unwrap();
    let registered = hub
        .server
        .hub()
        .registry
        .module(&module.device, module.module.as_ref().unwrap());
    let Authentication::Sas { primary: key, .. } = registered.await.unwrap().identity.authentication else {
        panic!("modules have keys")
    };
    let connection = ConnectionString::for_device("localhost", module.device.clone(), module.module.clone(), key);
    let client = hub
        .client(connection)
        .port(port)
        .transport(Transport::MqttOverWebSocket);
    let module = client.connect().await.unwrap();
    let large = "x".repeat(200 * 1024);
    soon(module.send_telemetry(large.clone())).await.unwrap();
    assert_eq!(soon(module.twin()).await.unwrap().desired.version, 1);
    assert_eq!(hub.telemetry().await, [large]);
    // Each time: a call that failed has not taken the stream.
    for _ in 0..2 {
        let refused = soon(module.c2d()).await.unwrap_err();
        assert!(matches!(refused, Error::SubscriptionRefused(_)), "{refused}");
    }
    soon(module.close()).await;
}

#[tokio::test]
async fn methods_are_answered() {
    let hub = TestHub::start().await;
    let device = hub.device().connect().await.unwrap();
    let echo = |request: ironhub_client::MethodRequest| async move {
        MethodResponse::json(201, &request.json::<Value>().unwrap())
    };
    soon(device.on_method("echo", echo)).await.unwrap();
    let invoke = async |name: &str, payload: Option<&str>| {
        let call = MethodCall {
            name: MethodName::parse(name).unwrap(),
            payload: payload.map(Into::into),
            response_timeout: Duration::from_secs(30),
            connect_timeout: Duration::ZERO,
        };
        let response = soon(hub.server.hub().methods.invoke(&TestHub::id(), call))
            .await
            .unwrap();
        (response.status, response.payload.as_deref().map(str::to_owned))
    };
    assert_eq!(
        invoke("echo", Some(r#"{"a":1}"#)).await,
        (201, Some(r#"{"a":1}"#.into()))
    );
    assert_eq!(invoke("echo", None).await, (201, Some("null".into())));
    assert_eq!(invoke("other", None).await.0, 501);
}

#[tokio::test]
async fn the_twin_is_read_reported_and_followed() {
    let hub = TestHub::start().await;
    let device = hub.device().connect().await.unwrap();
    let mut desired = soon(device.desired()).await.unwrap();
    let Some(DesiredChange::All(all)) = soon(desired.next()).await else {
        panic!("the first news is everything")
    };
    assert_eq!(Value::Object(all.properties), json!({ "interval": 5 }));

    let version = soon(device.update_reported(json!({ "firmware": "1", "gone": true })))
        .await
        .unwrap();
    let next = soon(device.update_reported(json!({ "gone": null }))).await.unwrap();
    assert_eq!(next, version + 1);
    let twin = soon(device.twin()).await.unwrap();
    assert_eq!(Value::Object(twin.reported.properties), json!({ "firmware": "1" }));
    assert_eq!(twin.reported.version, next);
    let refused = soon(device.update_reported(json!({ "a.b": 1 }))).await.unwrap_err();
    assert_eq!(refused.code(), Some(400_004), "{refused}");

    change_interval(&hub, 7).await;
    let Some(DesiredChange::Patch(patch)) = soon(desired.next()).await else {
        panic!("a patch is a patch")
    };
    assert_eq!(patch.version, all.version + 1);
    assert_eq!(Value::Object(patch.properties), json!({ "interval": 7 }));
    soon(device.close()).await;
    assert_eq!(soon(desired.next()).await, None);
}

pub(crate) async fn change_interval(hub: &TestHub, interval: u64) {
    let patch = TwinPatch {
        tags: None,
        desired: Some(json!({ "interval": interval })),
    };
    let twins = &hub.server.hub().twins;
    twins.patch(&TestHub::id(), patch, Precondition::None).await.unwrap();
}

#[tokio::test]
async fn messages_to_the_device_leave_the_queue_when_completed() {
    let hub = TestHub::start().await;
    let device = hub.device().connect().await.unwrap();
    let mut stream = soon(device.c2d()).await.unwrap();
    let c2d = &hub.server.hub().c2d;
    let id = TestHub::id().device;
    for n in 0..3 {
        c2d.send(&id, order(n)).await.unwrap();
    }
    for n in 0..3 {
        let message = soon(stream.next()).await.unwrap();
        assert_eq!(*message, order(n));
        soon(message.complete()).await.unwrap();
    }
    soon(device.close()).await;
    soon(hub.c2d_is_empty()).await;
    assert!(soon(stream.next()).await.is_none());
}

pub(crate) fn order(n: u32) -> C2dMessage {
    C2dMessage {
        message_id: Some(n.to_string()),
        correlation_id: None,
        user_id: None,
        to: "/devices/wind-1/messages/devicebound".into(),
        content_type: None,
        content_encoding: None,
        ack: Some(AckRequest::Full),
        expires_at: None,
        properties: vec![("n".into(), n.to_string())],
        body: b"order".to_vec(),
    }
}

#[tokio::test]
async fn a_device_proves_itself_by_certificate() {
    let hub = TestHub::start().await;
    let device = certified(&hub).await.connect().await.unwrap();
    soon(device.send_telemetry("hello")).await.unwrap();
    assert_eq!(hub.telemetry().await, ["hello"]);
}

/// Registers a device with a certificate of its own.
pub(crate) async fn certified(hub: &TestHub) -> DeviceClientBuilder {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["x".into()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let thumbprint = sha256(certificate.der());
    let spec = DeviceSpec {
        device_id: IdentityId::parse("certified").unwrap().device,
        status: None,
        status_reason: None,
        authentication: AuthenticationSpec {
            kind: Some(AuthenticationType::SelfSigned),
            primary_thumbprint: Some(thumbprint),
            ..AuthenticationSpec::default()
        },
        capabilities: Capabilities::default(),
        device_scope: None,
        parent_scopes: Vec::new(),
    };
    hub.server
        .hub()
        .registry
        .put_device(spec, Precondition::None)
        .await
        .unwrap();
    let connection = ConnectionString::parse("HostName=localhost;DeviceId=certified;x509=true").unwrap();
    let own = ClientCertificate::from_pem(certificate.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap();
    hub.client(connection).certificate(own)
}

fn sha256(der: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, der);
    let mut text = String::new();
    for byte in digest.as_ref() {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

#[tokio::test]
async fn closing_waits_for_what_was_submitted_and_nothing_goes_after_it() {
    let hub = TestHub::start().await;
    let device: DeviceClient = hub.device().messages_in_flight_max(1).connect().await.unwrap();
    let mut acknowledgements = Vec::new();
    for n in 0..20 {
        acknowledgements.push(soon(device.submit_telemetry(format!("{n}"))).await.unwrap());
    }
    soon(device.close()).await;
    for acknowledgement in acknowledgements {
        soon(acknowledgement).await.unwrap();
    }
    assert_eq!(hub.telemetry().await.len(), 20);
    assert_eq!(soon(device.send_telemetry("late")).await, Err(Error::Closed));
    assert_eq!(soon(device.twin()).await, Err(Error::Closed));
}

#[tokio::test]
async fn a_client_that_nobody_holds_ends_its_connection() {
    let hub = TestHub::start().await;
    let device = hub.device().connect().await.unwrap();
    let stream = soon(device.c2d()).await.unwrap();
    let mut state = device.state();
    drop(device);
    let closed = ConnectionState::Closed { error: None };
    soon(state.wait_for(|state| *state == closed)).await.unwrap();
    drop(stream);
}
