//! The link is cut again and again.

use std::collections::BTreeSet;
use std::time::Duration;

use ironhub_client::limits::DRAIN_WAIT_MAX;
use ironhub_client::{ConnectionState, DesiredChange, DeviceClient, Error, MethodResponse, RetryPolicy, Trust};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::features::{change_interval, order, soon};
use crate::hub::TestHub;
use crate::proxy::Proxy;

/// How often the link is cut; the long run sets this variable to 1000.
const CUTS_VARIABLE: &str = "IRONHUB_CLIENT_CUTS";
const CUTS_DEFAULT: u64 = 40;
const SENDERS: usize = 4;
const HOUR: Duration = Duration::from_hours(1);

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

/// A message that was submitted is worth one more attempt, and worth it at once.
#[tokio::test]
async fn closing_without_a_connection_makes_one_for_what_was_submitted() {
    let hub = TestHub::start().await;
    let proxy = Proxy::to(hub.mqtt_port()).await;
    let patient = RetryPolicy {
        first_delay: HOUR,
        delay_max: HOUR,
        give_up_after: None,
    };
    let device = hub.device().port(proxy.port).retry(patient).connect().await.unwrap();
    proxy.cut();
    let mut state = device.state();
    let waiting = state.wait_for(|state| matches!(state, ConnectionState::Waiting { .. }));
    drop(soon(waiting).await.unwrap());
    let acknowledgement = device.submit_telemetry("last words").await.unwrap();
    soon(device.close()).await;
    soon(acknowledgement).await.unwrap();
    assert_eq!(hub.telemetry().await, ["last words"]);
}

/// Where there is no hub, closing takes as long as messages may take, and no time without any.
#[tokio::test(start_paused = true)]
async fn closing_without_a_hub_ends() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for (messages, expected) in [(0, Duration::ZERO), (1, DRAIN_WAIT_MAX)] {
        let device = DeviceClient::builder("HostName=127.0.0.1;DeviceId=d;SharedAccessKey=MDEyMzQ1Njc4OWFiY2RlZg==")
            .unwrap()
            .trust(Trust::system_and_ca_files([""; 0]).unwrap())
            .port(nobody.port())
            .start()
            .unwrap();
        let mut acknowledgements = Vec::new();
        for _ in 0..messages {
            acknowledgements.push(device.submit_telemetry("nobody hears it").await.unwrap());
        }
        let began = tokio::time::Instant::now();
        device.close().await;
        assert_eq!(began.elapsed().as_secs(), expected.as_secs());
        for acknowledgement in acknowledgements {
            assert_eq!(acknowledgement.await, Err(Error::Closed));
        }
    }
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
