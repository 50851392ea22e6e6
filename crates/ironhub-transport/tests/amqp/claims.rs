//! Claims end, are renewed and taken back; what rests on them goes with them, and nothing else.

use std::time::Duration;

use ironhub_amqp::performative::condition;
use ironhub_hub::ports::Clock;
use ironhub_model::registry::Precondition;
use ironhub_model::sas_token;

use crate::client::{Answer, Client};
use crate::hub::{HOST, TestHub, policies, policy_key, start};

/// A token of a policy that ends so soon.
fn short_token(hub: &TestHub, policy: &str, life: Duration) -> String {
    let expires_at = hub.clock.now().saturating_add(life);
    sas_token::sign(HOST, &policy_key(), expires_at, Some(policy))
}

#[tokio::test]
async fn a_claim_ends_at_its_expiry_and_the_skew() {
    let hub = start().await;
    let mut client = Client::with_token(&hub, &short_token(&hub, "service", Duration::from_mins(1))).await;
    let pair = client.pair("$management").await;
    assert_eq!(hub.hub.settings.current().sas_clock_skew_s, 300);
    hub.clock.advance(Duration::from_mins(6));
    client.receiver("hub/$management").await.unwrap();
    hub.clock.advance(Duration::from_millis(1));
    let error = client.detached(pair.requests).await.unwrap();
    assert_eq!(error.condition, condition::UNAUTHORIZED_ACCESS);
}

#[tokio::test]
async fn a_renewed_claim_goes_on() {
    let hub = start().await;
    let mut client = Client::open(&hub, None).await;
    let cbs = client.pair("$cbs").await;
    let short = short_token(&hub, "service", Duration::from_mins(1));
    assert_eq!(client.put_token(cbs, &short).await, Answer::ok());
    client.pair("$management").await;
    assert_eq!(
        client.put_token(cbs, &hub.policy_token("service", "")).await,
        Answer::ok()
    );
    hub.clock.advance(Duration::from_secs(361));
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(400)).await;
    tokio::time::resume();
    // Still there: a new link is taken by the same claim.
    client.receiver("hub/$management").await.unwrap();
}

#[tokio::test]
async fn a_policy_that_is_rolled_or_removed_cuts_its_links_only() {
    let hub = start().await;
    let mut owner = Client::with_token(&hub, &hub.policy_token("iothubowner", "")).await;
    let kept = owner.pair("$management").await;
    let mut service = Client::with_token(&hub, &hub.policy_token("service", "")).await;
    let lost = service.pair("$management").await;
    let mut settings = (*hub.hub.settings.current()).clone();
    settings.policies = policies()
        .into_iter()
        .filter(|policy| policy.name != "service")
        .collect();
    hub.hub.settings.replace(settings, Precondition::Any).await.unwrap();
    let error = service.detached(lost.requests).await.unwrap();
    assert_eq!(error.condition, condition::UNAUTHORIZED_ACCESS);
    // The other connection has seen the same change.
    let request = [];
    assert_eq!(owner.ask(kept, &request).await.0.code, 400);
}
