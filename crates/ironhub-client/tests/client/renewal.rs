//! Tokens end; connections go on.

use std::time::Duration;

use crate::features::soon;
use crate::hub::{TestHub, token_lifetime};
use crate::proxy::Proxy;

/// How often the token is replaced while messages flow.
const RENEWALS: u64 = 3;

/// A planned change of the token loses nothing and repeats nothing.
#[tokio::test]
async fn tokens_are_renewed_under_load() {
    let hub = TestHub::start().await;
    let proxy = Proxy::to(hub.mqtt_port()).await;
    let device = hub
        .device()
        .port(proxy.port)
        .token_lifetime(token_lifetime())
        .connect()
        .await
        .unwrap();
    let mut sent = 0;
    while proxy.carried() <= RENEWALS {
        let mut batch = Vec::new();
        for _ in 0..32 {
            batch.push(device.submit_telemetry(format!("{sent:06}")).await.unwrap());
            sent += 1;
        }
        for acknowledgement in batch {
            acknowledgement.await.unwrap();
        }
    }
    device.close().await;
    let expected: Vec<String> = (0..sent).map(|n| format!("{n:06}")).collect();
    assert_eq!(hub.telemetry().await, expected);
}

/// Whoever closes while a token is replaced has said so no earlier than others.
#[tokio::test]
async fn closing_during_a_renewal_loses_nothing() {
    let hub = TestHub::start().await;
    let proxy = Proxy::to(hub.mqtt_port()).await;
    let brief = hub.device().port(proxy.port).token_lifetime(Duration::from_secs(2));
    let device = brief.connect().await.unwrap();
    soon(proxy.reach(2)).await;
    let mut acknowledgements = Vec::new();
    for n in 0..20 {
        acknowledgements.push(soon(device.submit_telemetry(format!("{n}"))).await.unwrap());
    }
    soon(device.close()).await;
    for acknowledgement in acknowledgements {
        soon(acknowledgement).await.unwrap();
    }
    assert_eq!(hub.telemetry().await.len(), 20);
}
