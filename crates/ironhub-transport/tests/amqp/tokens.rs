//! `$cbs` and SASL: who is let in, and what others are told.

use ironhub_amqp::cbs;
use ironhub_amqp::message::{MessageId, Properties, write_application_properties, write_properties};
use ironhub_amqp::sasl::Credentials;
use ironhub_model::sas_token;
use ironhub_model::{SymmetricKey, Timestamp};

use crate::client::{Answer, Client};
use crate::hub::{EVENT_HUB, HOST, TestHub, policy_key, start};

/// Puts one token on a connection of its own.
async fn put(hub: &TestHub, token: &str) -> (i32, Option<String>) {
    let mut client = Client::open(hub, None).await;
    let cbs = client.pair(cbs::NODE).await;
    let Answer { code, condition, .. } = client.put_token(cbs, token).await;
    (code, condition)
}

/// The key as Event Hubs clients take it: its text.
fn key_text() -> SymmetricKey {
    SymmetricKey::from_bytes(policy_key().expose().as_bytes()).unwrap()
}

fn event_hubs_token(hub: &TestHub, path: &str, key: &SymmetricKey, policy: Option<&str>) -> String {
    use ironhub_hub::ports::Clock;
    let expires_at = hub.clock.now().saturating_add(std::time::Duration::from_hours(1));
    sas_token::sign(&format!("sb://{HOST}/{path}"), key, expires_at, policy)
}

#[tokio::test]
async fn good_tokens_of_every_kind() {
    let hub = start().await;
    let group = format!("{EVENT_HUB}/consumergroups/$default");
    let wrong_time = sas_token::sign(HOST, &policy_key(), Timestamp::UNIX_EPOCH, Some("service"));
    for (token, code, condition) in [
        (hub.policy_token("service", ""), 200, None),
        (hub.policy_token("device", "devices/d.1"), 200, None),
        (hub.own_token("devices/d.1"), 200, None),
        (hub.own_token("devices/d.1/modules/m.1"), 200, None),
        (
            event_hubs_token(&hub, EVENT_HUB, &key_text(), Some("service")),
            200,
            None,
        ),
        (event_hubs_token(&hub, &group, &key_text(), Some("service")), 200, None),
        (
            event_hubs_token(&hub, EVENT_HUB, &policy_key(), Some("service")),
            200,
            None,
        ),
        (
            hub.token("", &policy_key(), Some("nobody")),
            401,
            Some("amqp:unauthorized-access"),
        ),
        (hub.token("", &key_text(), None), 401, Some("amqp:unauthorized-access")),
        (
            hub.token("devices/d.1", &policy_key(), None),
            401,
            Some("amqp:unauthorized-access"),
        ),
        // A device signs with the decoded key only.
        (
            hub.policy_token("registryRead", ""),
            401,
            Some("amqp:unauthorized-access"),
        ),
        (wrong_time, 401, Some("amqp:unauthorized-access")),
        // Who does not hold its key learns nothing of a device; who holds a policy's key does.
        (hub.own_token("devices/unknown"), 401, Some("amqp:unauthorized-access")),
        (
            hub.policy_token("device", "devices/unknown"),
            404,
            Some("amqp:not-found"),
        ),
        (
            event_hubs_token(&hub, "other", &key_text(), Some("service")),
            404,
            Some("amqp:not-found"),
        ),
        (
            event_hubs_token(&hub, "hub/consumergroups/other", &key_text(), Some("service")),
            404,
            Some("amqp:not-found"),
        ),
        (
            "SharedAccessSignature sr=x".into(),
            400,
            Some("amqp:unauthorized-access"),
        ),
        ("Bearer x".into(), 400, Some("amqp:unauthorized-access")),
    ] {
        let expected = (code, condition.map(str::to_owned));
        assert_eq!(put(&hub, &token).await, expected, "{token}");
    }
}

#[tokio::test]
async fn refusals_say_nothing_of_their_reason() {
    let hub = start().await;
    let mut client = Client::open(&hub, None).await;
    let cbs = client.pair(cbs::NODE).await;
    for token in [
        hub.own_token("devices/unknown"),
        hub.token("devices/d.1", &policy_key(), None),
    ] {
        let answer = client.put_token(cbs, &token).await;
        assert_eq!(answer.description, "Unauthorized access.");
    }
    let answer = client
        .put_token(cbs, &hub.policy_token("device", "devices/unknown"))
        .await;
    assert_eq!(answer.description, "the device unknown is not registered");
}

#[tokio::test]
async fn what_is_no_request_is_answered() {
    let hub = start().await;
    let mut client = Client::open(&hub, None).await;
    let cbs = client.pair(cbs::NODE).await;
    let request = |properties: &[(&str, &str)]| {
        let mut payload = Vec::new();
        let properties_section = Properties {
            message_id: Some(MessageId::String("m")),
            ..Properties::default()
        };
        write_properties(&mut payload, &properties_section);
        write_application_properties(&mut payload, properties.iter().copied());
        payload
    };
    let kind = ("type", "servicebus.windows.net:sastoken");
    for payload in [
        b"no message".to_vec(),
        request(&[]),
        request(&[("operation", "put-token"), kind, ("name", HOST)]),
        request(&[("operation", "delete-token"), kind, ("name", HOST)]),
    ] {
        let (answer, _) = client.ask(cbs, &payload).await;
        assert_eq!(
            (answer.code, answer.condition.as_deref()),
            (400, Some("amqp:invalid-field"))
        );
    }
    // The connection is none the worse for it.
    assert_eq!(
        client.put_token(cbs, &hub.policy_token("service", "")).await,
        Answer::ok()
    );
}

fn plain(user: &str, password: &str) -> Credentials {
    Credentials::Plain {
        authorization_id: String::new(),
        user: user.into(),
        password: password.into(),
    }
}

#[tokio::test]
async fn sasl() {
    let hub = start().await;
    let service = hub.policy_token("service", "");
    let device = hub.own_token("devices/d.1");
    for (credentials, is_let_in) in [
        (Some(Credentials::Anonymous), true),
        (Some(Credentials::Mssbcbs), true),
        (Some(Credentials::External), false),
        (Some(plain("service@sas.root.hub", &service)), true),
        // The rights are those of the token, whatever the user calls itself.
        (Some(plain("iothubowner@sas.root.hub", &service)), true),
        (Some(plain("service@sas.root.hub", &device)), false),
        (Some(plain("service@sas.root.hub", policy_key().expose())), false),
        (Some(plain("d.1@sas.hub", &device)), true),
        (Some(plain("d.2@sas.hub", &device)), false),
        (Some(plain("d.1@sas.hub", &hub.policy_token("device", ""))), true),
        (Some(plain("d.1@sas.hub", &service)), false),
        (Some(plain("service", policy_key().expose())), true),
        (Some(plain("service", "c2hvcnQ=")), false),
        (Some(plain("registryRead", policy_key().expose())), false),
        (Some(plain("", "")), false),
    ] {
        let shown = format!("{credentials:?}");
        let client = Client::knock(&hub, credentials).await;
        assert_eq!(client.is_some(), is_let_in, "{shown}");
    }
}
