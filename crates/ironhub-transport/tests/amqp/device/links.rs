use std::time::Duration;

use ironhub_amqp::cbs;
use ironhub_amqp::message::write_data;
use ironhub_amqp::performative::{DeliveryState, Role, condition};
use ironhub_amqp::sasl::Credentials;
use ironhub_hub::ports::Clock;
use ironhub_model::registry::{ConnectionState, DeviceSpec, Precondition};
use ironhub_model::{DeviceId, DeviceStatus, sas_token};

use super::{address, attach, device};
use crate::client::{Answer, Client};
use crate::hub::{HOST, TestHub, device_id, key, start};

const MODULE: &str = "devices/d.1/modules/m.1";

async fn register(hub: &TestHub, name: &str, status: DeviceStatus, precondition: Precondition) {
    let mut spec = DeviceSpec::new(DeviceId::parse(name).unwrap());
    spec.authentication.primary_key = Some(key().expose().into());
    spec.status = Some(status);
    hub.hub.registry.put_device(spec, precondition).await.unwrap();
}

async fn state(hub: &TestHub) -> ConnectionState {
    hub.hub.registry.device(&device_id()).await.unwrap().connection.state
}

/// Sends a message, which must be accepted.
pub(super) async fn works(client: &mut Client, link: ironhub_amqp::connection::LinkId) {
    let mut message = Vec::new();
    write_data(&mut message, b"1");
    client.send_as(link, 0, &message).await;
    assert_eq!(client.outcomes().await.1, DeliveryState::Accepted);
}

#[tokio::test]
async fn who_may_have_a_link_to_what() {
    let hub = start().await;
    let mut client = device(&hub).await;
    let module = |suffix: &str| format!("/{MODULE}/{suffix}");
    let wide = format!("amqps://{HOST}:5671/devices/d%2E1/messages/events/");
    for (address, role, refusal) in [
        (address("messages/events"), Role::Sender, None),
        (address("messages/events"), Role::Receiver, Some(condition::NOT_ALLOWED)),
        (wide, Role::Sender, None),
        (address("messages/deviceBound"), Role::Receiver, None),
        (
            address("messages/devicebound"),
            Role::Sender,
            Some(condition::NOT_ALLOWED),
        ),
        (address("methods/devicebound"), Role::Sender, None),
        (address("twin"), Role::Receiver, None),
        (address("files"), Role::Sender, Some(condition::NOT_FOUND)),
        (
            "/devices/d.2/twin".into(),
            Role::Sender,
            Some(condition::UNAUTHORIZED_ACCESS),
        ),
        (module("twin"), Role::Sender, Some(condition::UNAUTHORIZED_ACCESS)),
    ] {
        let attached = client
            .attach(attach(&format!("{address}{role:?}"), role, &address))
            .await;
        assert_eq!(
            attached.err().map(|error| error.condition),
            refusal.map(Into::into),
            "{address} {role:?}"
        );
    }
    let mut client = Client::with_token(&hub, &hub.own_token(MODULE)).await;
    for (suffix, role) in [
        ("messages/events", Role::Sender),
        ("messages/events", Role::Receiver),
        ("messages/devicebound", Role::Receiver),
        ("twin", Role::Sender),
    ] {
        let attached = client
            .attach(attach(&format!("{suffix}{role:?}"), role, &module(suffix)))
            .await;
        assert!(attached.is_ok(), "{suffix} {attached:?}");
    }
}

#[tokio::test]
async fn a_device_is_connected_while_it_has_links() {
    let hub = start().await;
    let mut client = device(&hub).await;
    assert_eq!(state(&hub).await, ConnectionState::Disconnected);
    let first = client.sender(&address("messages/events")).await.unwrap();
    let second = client.receiver(&address("twin")).await.unwrap();
    assert_eq!(state(&hub).await, ConnectionState::Connected);
    client.amqp.detach(first, None).unwrap();
    client.round_trip("one").await;
    assert_eq!(state(&hub).await, ConnectionState::Connected);
    client.amqp.detach(second, None).unwrap();
    client.round_trip("none").await;
    while state(&hub).await == ConnectionState::Connected {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn several_identities_share_a_connection_and_one_is_cut() {
    let hub = start().await;
    register(&hub, "d.2", DeviceStatus::Enabled, Precondition::None).await;
    let mut client = device(&hub).await;
    let cbs = client.pair(cbs::NODE).await;
    for path in ["devices/d.2", MODULE] {
        assert_eq!(client.put_token(cbs, &hub.own_token(path)).await, Answer::ok());
    }
    let first = client.sender(&address("messages/events")).await.unwrap();
    let twin = client.receiver(&address("twin")).await.unwrap();
    let second = client.sender("/devices/d.2/messages/events").await.unwrap();
    let module = client.sender(&format!("/{MODULE}/messages/events")).await.unwrap();
    for link in [first, second, module] {
        works(&mut client, link).await;
    }
    register(&hub, "d.2", DeviceStatus::Disabled, Precondition::Any).await;
    let error = client.detached(second).await.unwrap();
    assert_eq!(error.condition, condition::DETACH_FORCED);
    works(&mut client, first).await;
    works(&mut client, module).await;
    let refused = client.sender("/devices/d.2/twin").await.unwrap_err();
    assert_eq!(refused.condition, condition::NOT_FOUND);
    // All that the identity has.
    hub.hub
        .registry
        .delete_device(&device_id(), Precondition::Any)
        .await
        .unwrap();
    let mut ended = Vec::new();
    while ended.len() < 3 {
        ended.push(
            client
                .until(|event| match event {
                    ironhub_amqp::connection::Event::Detached { link, error } => Some((link, error.unwrap().condition)),
                    _ => None,
                })
                .await,
        );
    }
    ended.sort();
    let mut expected = [first, twin, module].map(|link| (link, condition::DETACH_FORCED.into()));
    expected.sort();
    assert_eq!(ended, expected);
}

#[tokio::test]
async fn the_newest_wins() {
    let hub = start().await;
    let mut older = device(&hub).await;
    let of_older = older.sender(&address("messages/events")).await.unwrap();
    let mut newer = device(&hub).await;
    let first = newer.sender(&address("messages/events")).await.unwrap();
    let stolen = older.detached(of_older).await.unwrap();
    assert_eq!(stolen.condition, condition::LINK_STOLEN);
    // On one connection, too, for the same address and direction.
    let again = attach("again", Role::Sender, &address("messages/events"));
    let second = newer.attach(again).await.unwrap();
    works(&mut newer, second).await;
    let refused = newer.amqp.can_send(first);
    assert!(!refused);
}

#[tokio::test]
async fn a_token_ends_and_a_renewed_one_goes_on() {
    let hub = start().await;
    let end = |hub: &TestHub, life| hub.clock.now().saturating_add(Duration::from_secs(life));
    let token = |end| sas_token::sign(&format!("{HOST}/devices/d.1"), &key(), end, None);
    let mut client = Client::open(&hub, None).await;
    let pair = client.pair(cbs::NODE).await;
    assert_eq!(client.put_token(pair, &token(end(&hub, 60))).await, Answer::ok());
    let link = client.sender(&address("messages/events")).await.unwrap();
    works(&mut client, link).await;
    hub.clock.advance(Duration::from_mins(5));
    assert_eq!(client.put_token(pair, &token(end(&hub, 60))).await, Answer::ok());
    client.round_trip("renewed").await;
    hub.clock.advance(Duration::from_mins(5));
    works(&mut client, link).await;
    hub.clock.advance(Duration::from_secs(61));
    let ended = client.detached(link).await.unwrap();
    assert_eq!(ended.condition, condition::UNAUTHORIZED_ACCESS);
}

#[tokio::test]
async fn a_device_may_come_by_sasl() {
    let hub = start().await;
    let credentials = Credentials::Plain {
        authorization_id: String::new(),
        user: "d.1@sas.hub".into(),
        password: hub.own_token("devices/d.1"),
    };
    let mut client = Client::open(&hub, Some(credentials)).await;
    let link = client.sender(&address("messages/events")).await.unwrap();
    works(&mut client, link).await;
}
