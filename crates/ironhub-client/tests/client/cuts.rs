//! The link is cut again and again.

use std::collections::BTreeSet;
use std::time::Duration;

use ironhub_client::{DesiredChange, DeviceClient, MethodResponse};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::features::{change_interval, order, soon};
use crate::hub::TestHub;
use crate::proxy::Proxy;

/// How often the link is cut; the long run sets this variable to 1000.
const CUTS_VARIABLE: &str = "IRONHUB_CLIENT_CUTS";
const CUTS_DEFAULT: u64 = 40;
const SENDERS: usize = 4;

#[expect(
    clippy::disallowed_methods,
    reason = "the length of a test run is the runner's choice"
)]
fn cuts() -> u64 {
    let wish = std::env::var(CUTS_VARIABLE).ok();
    wish.and_then(|wish| wish.parse().ok()).unwrap_or(CUTS_DEFAULT)
}

/// Every message that is acknowledged is in the log, and each is acknowledged or its sender told: here all are
/// acknowledged, since the client goes on for ever.
#[tokio::test]
async fn no_acknowledged_message_is_missing() {
    let hub = TestHub::start().await;
    let proxy = Proxy::to(hub.mqtt_port()).await;
    let device = hub.device().port(proxy.port).connect().await.unwrap();
    let mut senders = JoinSet::new();
    let (stop, stopped) = watch::channel(false);
    let (acknowledgements, mut progress) = watch::channel(0);
    for sender in 0..SENDERS {
        let progress = acknowledgements.clone();
        senders.spawn(send_until(device.clone(), sender, stopped.clone(), progress));
    }
    for _ in 0..cuts() {
        // Each cut falls on a connection that carries messages, at a moment that chance chooses.
        let due = *progress.borrow() + u64::from(rand_byte()) / 4;
        soon(progress.wait_for(|count| *count > due)).await.unwrap();
        let before = proxy.carried();
        proxy.cut();
        soon(proxy.reach(before + 1)).await;
    }
    stop.send_replace(true);
    let mut acknowledged = BTreeSet::new();
    while let Some(sent) = senders.join_next().await {
        acknowledged.extend(sent.unwrap());
    }
    device.close().await;
    let in_log: BTreeSet<String> = hub.telemetry().await.into_iter().collect();
    let missing: Vec<_> = acknowledged.difference(&in_log).collect();
    assert!(missing.is_empty(), "acknowledged and lost: {missing:?}");
    assert_eq!(
        acknowledged.len(),
        in_log.len(),
        "each message was acknowledged in the end"
    );
    assert!(proxy.carried() > cuts());
}

async fn send_until(
    device: DeviceClient,
    sender: usize,
    stopped: watch::Receiver<bool>,
    progress: watch::Sender<u64>,
) -> Vec<String> {
    let mut sent = Vec::new();
    while !*stopped.borrow() {
        let mut batch = Vec::new();
        for n in 0..16 {
            let body = format!("{sender}-{}", sent.len() + n);
            batch.push((body.clone(), device.submit_telemetry(body).await.unwrap()));
        }
        for (body, acknowledgement) in batch {
            acknowledgement.await.unwrap();
            sent.push(body);
            progress.send_modify(|count| *count += 1);
        }
    }
    sent
}

/// What a device listens to is listened to again after a reconnect, and what it missed is told.
#[tokio::test]
async fn everything_goes_on_after_a_cut() {
    let hub = TestHub::start().await;
    let proxy = Proxy::to(hub.mqtt_port()).await;
    let device = hub.device().port(proxy.port).connect().await.unwrap();
    device
        .on_method("ping", |_| async { MethodResponse::status(200) })
        .await
        .unwrap();
    let mut desired = device.desired().await.unwrap();
    let mut orders = device.c2d().await.unwrap();
    desired.next().await.unwrap();
    for n in 0..5 {
        let before = proxy.carried();
        proxy.cut();
        change_interval(&hub, 100 + u64::from(n)).await;
        hub.server
            .hub()
            .c2d
            .send(&TestHub::id().device, order(n))
            .await
            .unwrap();
        let change = soon(desired.next()).await.unwrap();
        let (DesiredChange::All(section) | DesiredChange::Patch(section)) = change;
        assert_eq!(section.properties["interval"], 100 + n);
        let received = soon(orders.next()).await.unwrap();
        assert_eq!(*received, order(n));
        received.complete().await.unwrap();
        device.twin().await.unwrap();
        assert!(proxy.carried() > before);
        assert_eq!(invoke_ping(&hub).await, 200);
    }
    device.close().await;
    soon(hub.c2d_is_empty()).await;
}

async fn invoke_ping(hub: &TestHub) -> i32 {
    let call = ironhub_model::MethodCall {
        name: ironhub_model::MethodName::parse("ping").unwrap(),
        payload: None,
        response_timeout: Duration::from_secs(30),
        connect_timeout: Duration::from_secs(30),
    };
    let response = hub.server.hub().methods.invoke(&TestHub::id(), call).await;
    response.unwrap().status
}

fn rand_byte() -> u8 {
    let mut byte = [0];
    getrandom::fill(&mut byte).unwrap();
    byte[0]
}
