//! TLS sessions that are resumed, and those that are not.

use ironhub_client::{DeviceClient, DeviceClientBuilder, Transport, Trust};

use crate::features::{certified, soon};
use crate::hub::TestHub;
use crate::proxy::Proxy;

/// Connects with each of these, one after the other, and says which have resumed a session.
async fn resumed(device: &DeviceClientBuilder, trusts: &[&Trust]) -> Vec<bool> {
    let mut resumed = Vec::new();
    for trust in trusts {
        let device: DeviceClient = device.clone().trust(Trust::clone(trust)).connect().await.unwrap();
        resumed.push(device.is_tls_resumed());
        soon(device.close()).await;
    }
    resumed
}

#[tokio::test]
async fn clones_of_a_trust_share_its_sessions() {
    let hub = TestHub::start().await;
    let (shared, own, none) = (
        &hub.trust,
        &hub.trust.with_own_sessions(),
        &hub.trust.without_resumption(),
    );
    let mqtt = hub.device();
    assert_eq!(resumed(&mqtt, &[shared, shared, shared]).await, [false, true, true]);
    assert_eq!(resumed(&mqtt, &[none, none]).await, [false, false]);
    assert_eq!(resumed(&mqtt, &[own, own, shared]).await, [false, true, true]);
    let own = &hub.trust.with_own_sessions();
    let web_socket = mqtt
        .transport(Transport::MqttOverWebSocket)
        .port(hub.server.announcement().ports.https);
    assert_eq!(resumed(&web_socket, &[own, own, none]).await, [false, true, false]);
}

#[tokio::test]
async fn a_device_that_comes_back_resumes_unless_it_must_not() {
    let hub = TestHub::start().await;
    let certified = certified(&hub).await;
    for (device, trust, expected) in [
        (hub.device(), hub.trust.clone(), true),
        (hub.device(), hub.trust.without_resumption(), false),
        (certified.clone(), hub.trust.clone(), true),
        (certified, hub.trust.without_resumption(), false),
    ] {
        let proxy = Proxy::to(hub.mqtt_port()).await;
        let device = device.trust(trust).port(proxy.port).connect().await.unwrap();
        assert!(!device.is_tls_resumed());
        proxy.cut();
        soon(proxy.reach(2)).await;
        soon(device.send_telemetry("back")).await.unwrap();
        assert_eq!(device.is_tls_resumed(), expected, "{device:?}");
        soon(device.close()).await;
    }
}
