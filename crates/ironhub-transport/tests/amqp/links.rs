//! Which links are taken, and what the others are told.

use ironhub_amqp::performative::condition;
use ironhub_amqp::types::Value;

use crate::client::Client;
use crate::hub::{HOST, start};

#[tokio::test]
async fn strangers_get_nothing_but_cbs() {
    let hub = start().await;
    let mut client = Client::open(&hub, None).await;
    for address in [
        "/messages/devicebound",
        "/devices/d.1/messages/events",
        "$management",
        "nowhere",
    ] {
        let refusal = client.sender(address).await.unwrap_err();
        assert_eq!(refusal.condition, condition::UNAUTHORIZED_ACCESS, "{address}");
        assert_eq!(refusal.description.as_deref(), Some("Unauthorized access."));
    }
    client.pair("$cbs").await;
}

#[tokio::test]
async fn what_is_not_there() {
    let hub = start().await;
    let mut client = Client::with_token(&hub, &hub.policy_token("iothubowner", "")).await;
    for address in [
        "/devices/d.1",
        "other/ConsumerGroups/$Default/Partitions/0",
        "",
        "other/$management",
    ] {
        let refusal = client.receiver(address).await.unwrap_err();
        let text = format!("The messaging entity '{address}' could not be found.");
        assert_eq!(
            (&*refusal.condition, refusal.description),
            (condition::NOT_FOUND, Some(text))
        );
    }
    // Nobody sends to the event hub.
    let refusal = client.sender("hub").await.unwrap_err();
    assert_eq!(refusal.condition, condition::UNAUTHORIZED_ACCESS);
}

#[tokio::test]
async fn a_token_opens_what_its_policy_and_resource_allow() {
    let hub = start().await;
    for (policy, path, expected) in [
        ("device", "", condition::UNAUTHORIZED_ACCESS),
        ("service", "devices/d.1", condition::UNAUTHORIZED_ACCESS),
        ("service", "messages", condition::LINK_REDIRECT),
        ("iothubowner", "", condition::LINK_REDIRECT),
    ] {
        let mut client = Client::with_token(&hub, &hub.policy_token(policy, path)).await;
        let refusal = client.receiver("messages/events/").await.unwrap_err();
        assert_eq!(refusal.condition, expected, "{policy} {path}");
    }
}

#[tokio::test]
async fn the_hub_sends_readers_on_to_its_event_hub() {
    let hub = start().await;
    let mut client = Client::with_token(&hub, &hub.policy_token("service", "")).await;
    let address = format!("amqps://{HOST}/messages/events/$management");
    let by_receiver = client.receiver(&address).await.unwrap_err();
    let by_sender = client.sender("/messages/events/$management").await.unwrap_err();
    for refusal in [by_receiver, by_sender] {
        assert_eq!(
            (&*refusal.condition, refusal.description),
            (condition::LINK_REDIRECT, None)
        );
        assert_eq!(refusal.info.entry("hostname"), Some(Value::String(HOST)));
        assert_eq!(refusal.info.entry("port"), Some(Value::Int(5671)));
        let address = format!("amqps://{HOST}:5671/hub/$management");
        assert_eq!(refusal.info.entry("address"), Some(Value::String(&address)));
    }
}
