//! Time-outs, in time that the runtime makes pass, and the end of the hub.

use std::time::Duration;

use ironhub_amqp::connection::Event;
use ironhub_amqp::performative::condition;
use ironhub_model::limits::AMQP_CLAIM_WAIT_MAX;
use tokio::time::{Instant, pause};

use crate::client::Client;
use crate::hub::start;

/// Seconds since then, rounded: some of the first one may have passed before the runtime had time in its hand.
fn seconds_since(begin: Instant) -> u64 {
    (begin.elapsed() + Duration::from_millis(500)).as_secs()
}

#[tokio::test]
async fn a_connection_that_proves_nothing_ends() {
    let hub = start().await;
    let begin = Instant::now();
    let mut client = Client::open(&hub, None).await;
    client.pair("$cbs").await;
    pause();
    let error = client.closed().await.unwrap();
    assert_eq!(error.condition, condition::UNAUTHORIZED_ACCESS);
    assert_eq!(seconds_since(begin), AMQP_CLAIM_WAIT_MAX.as_secs());
}

#[tokio::test]
async fn a_silent_peer_is_given_up_after_twice_the_idle_time_out() {
    let hub = start().await;
    let mut client = Client::with_token(&hub, &hub.policy_token("service", "")).await;
    hub.clock.advance(Duration::from_secs(1));
    pause();
    let begin = Instant::now();
    let error = client.closed().await.unwrap();
    assert_eq!(error.condition, condition::CONNECTION_FORCED);
    assert_eq!(seconds_since(begin), 480);
}

#[tokio::test]
async fn a_hub_that_stops_ends_the_stream_and_waits_for_no_answer() {
    let hub = start().await;
    let mut client = Client::with_token(&hub, &hub.policy_token("service", "")).await;
    hub.drain.begin(Instant::now() + Duration::from_mins(1));
    // Without CLOSE: Node devices do not come back after one.
    while let Some(event) = client.event().await {
        assert!(!matches!(event, Event::Closed { .. }), "{event:?}");
    }
    hub.listener.await.unwrap();
}
