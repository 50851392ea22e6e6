//! Back ends send cloud-to-device messages.

use ironhub_amqp::connection::{Event, LinkId};
use ironhub_amqp::message::{self, MessageId, Properties};
use ironhub_amqp::performative::{DeliveryState, condition};
use ironhub_amqp::types::Value;
use ironhub_hub::DevicePrincipal;
use ironhub_model::limits::{C2D_LOCK_DEFAULT, C2D_MESSAGE_BYTES_MAX};
use ironhub_model::registry::{DeviceSpec, Precondition};
use ironhub_model::{AckRequest, C2dDelivery, DeviceId, IdentityId, Timestamp};

use crate::client::Client;
use crate::hub::{DEVICE, HOST, TestHub, device_id, key, start};

const TO: &str = "/devices/d.1/messages/devicebound";

async fn sender(hub: &TestHub) -> (Client, LinkId) {
    let mut client = Client::with_token(hub, &hub.policy_token("service", "")).await;
    let address = format!("amqps://{HOST}/messages/deviceBound");
    let link = client.sender(&address).await.unwrap();
    (client, link)
}

fn encoded(properties: &Properties<'_>, own: &[(&str, Value<'_>)], body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    message::write_properties(&mut out, properties);
    message::write_application_properties(&mut out, own.iter().copied());
    message::write_data(&mut out, body);
    out
}

fn to(address: &str) -> Properties<'_> {
    Properties {
        to: Some(address),
        ..Properties::default()
    }
}

/// What became of the next message.
async fn outcome(client: &mut Client) -> DeliveryState {
    let disposition = |event| matches!(event, Event::Disposition { .. }).then_some(event);
    let Event::Disposition { state, settled, .. } = client.until(disposition).await else {
        panic!("no disposition")
    };
    assert!(settled);
    state
}

async fn device(hub: &TestHub) -> DevicePrincipal {
    let id = IdentityId::parse(DEVICE).unwrap();
    let token = hub.own_token(&format!("devices/{DEVICE}"));
    hub.hub.auth.authorize_device(&id, Some(&token), &[]).await.unwrap()
}

async fn receive(hub: &TestHub) -> Option<C2dDelivery> {
    let caller = device(hub).await;
    hub.hub.c2d.receive(&caller, C2D_LOCK_DEFAULT).await.unwrap()
}

#[tokio::test]
async fn what_is_accepted_is_in_the_queue_with_all_that_was_said() {
    let hub = start().await;
    let (mut client, link) = sender(&hub).await;
    let properties = Properties {
        message_id: Some(MessageId::Uuid([0x22; 16])),
        correlation_id: Some(MessageId::String("c")),
        user_id: Some(b"me"),
        content_type: Some("application/json"),
        content_encoding: Some("utf-8"),
        absolute_expiry_time_ms: Some(1_767_225_700_000),
        ..to(TO)
    };
    let own = [("iothub-ack", Value::String("full")), ("alert", Value::Boolean(true))];
    client.send(link, &encoded(&properties, &own, b"{}")).await;
    assert_eq!(outcome(&mut client).await, DeliveryState::Accepted);
    let message = receive(&hub).await.unwrap().message;
    assert_eq!(
        message.message_id.as_deref(),
        Some("22222222-2222-2222-2222-222222222222")
    );
    assert_eq!(message.correlation_id.as_deref(), Some("c"));
    assert_eq!(message.user_id.as_deref(), Some("me"));
    assert_eq!(message.to, TO);
    assert_eq!(message.content_type.as_deref(), Some("application/json"));
    assert_eq!(message.content_encoding.as_deref(), Some("utf-8"));
    assert_eq!(message.ack, Some(AckRequest::Full));
    assert_eq!(message.expires_at, Some(Timestamp::from_millis(1_767_225_700_000)));
    assert_eq!(message.properties, [("alert".to_owned(), "true".to_owned())]);
    assert_eq!(message.body, b"{}");
}

#[tokio::test]
async fn what_cannot_be_stored_is_rejected_with_a_reason() {
    let hub = start().await;
    let (mut client, link) = sender(&hub).await;
    let past = Properties {
        absolute_expiry_time_ms: Some(0),
        ..to(TO)
    };
    let large = vec![0; C2D_MESSAGE_BYTES_MAX + 1];
    for (message, expected) in [
        (
            encoded(&to("/devices/other/messages/devicebound"), &[], b""),
            condition::NOT_FOUND,
        ),
        (encoded(&Properties::default(), &[], b""), condition::INVALID_FIELD),
        (
            encoded(&to("/devices/d.1/modules/m.1/messages/devicebound"), &[], b""),
            condition::NOT_ALLOWED,
        ),
        (encoded(&to(TO), &[], &large), condition::MESSAGE_SIZE_EXCEEDED),
        (encoded(&past, &[], b""), "com.microsoft:argument-error"),
        (
            encoded(&to(TO), &[("iothub-ack", Value::String("yes"))], b""),
            "com.microsoft:argument-error",
        ),
        (b"\x00\x53\x75".to_vec(), condition::DECODE_ERROR),
    ] {
        client.send(link, &message).await;
        let DeliveryState::Rejected(Some(error)) = outcome(&mut client).await else {
            panic!("not {expected}")
        };
        assert_eq!(error.condition, expected);
    }
    assert_eq!(hub.hub.c2d.count(&device_id()).await, Ok(0));
    // The link is none the worse for it.
    client.send(link, &encoded(&to(TO), &[], b"")).await;
    assert_eq!(outcome(&mut client).await, DeliveryState::Accepted);
}

#[tokio::test]
async fn messages_stay_in_order_and_a_full_queue_takes_no_more() {
    let hub = start().await;
    let mut other = DeviceSpec::new(DeviceId::parse("a:b").unwrap());
    other.authentication.primary_key = Some(key().expose().into());
    hub.hub.registry.put_device(other, Precondition::None).await.unwrap();
    let (mut client, link) = sender(&hub).await;
    // All at once, every other one for another device, whose ID comes encoded.
    for number in 0..51 {
        let body = number.to_string();
        client.send(link, &encoded(&to(TO), &[], body.as_bytes())).await;
        if number < 20 {
            let address = to("/devices/a%3Ab/messages/devicebound");
            client.send(link, &encoded(&address, &[], body.as_bytes())).await;
        }
    }
    client.flush().await;
    let mut rejected = Vec::new();
    let mut settled = 0;
    while settled < 71 {
        let disposition = |event| matches!(event, Event::Disposition { .. }).then_some(event);
        let Event::Disposition { deliveries, state, .. } = client.until(disposition).await else {
            panic!("no disposition")
        };
        settled += deliveries.len();
        if let DeliveryState::Rejected(error) = state {
            rejected.extend(error);
        }
    }
    assert_eq!(rejected.len(), 1);
    assert_eq!(rejected[0].condition, condition::RESOURCE_LIMIT_EXCEEDED);
    for number in 0..50 {
        let delivery = receive(&hub).await.unwrap();
        assert_eq!(delivery.message.body, number.to_string().as_bytes());
    }
    let other = DeviceId::parse("a:b").unwrap();
    assert_eq!(hub.hub.c2d.count(&other).await, Ok(20));
}

#[tokio::test]
async fn links_of_back_ends_go_one_way() {
    let hub = start().await;
    let mut client = Client::with_token(&hub, &hub.policy_token("service", "")).await;
    let refusal = client.receiver("/messages/devicebound").await.unwrap_err();
    assert_eq!(refusal.condition, condition::NOT_ALLOWED);
    for address in [
        "/messages/serviceBound/feedback",
        "/messages/serviceBound/filenotifications",
    ] {
        let refusal = client.sender(address).await.unwrap_err();
        assert_eq!(refusal.condition, condition::NOT_ALLOWED, "{address}");
        client.receiver(address).await.unwrap();
    }
}
