//! Tokens end; connections go on.

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
