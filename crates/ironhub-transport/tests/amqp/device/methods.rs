use ironhub_amqp::connection::{Delivery, LinkId};
use ironhub_amqp::message::{
    self, Body, Message, MessageId, Properties, write_application_properties, write_data, write_properties,
};
use ironhub_amqp::performative::DeliveryState;
use ironhub_amqp::types::Value;
use ironhub_hub::HubError;
use ironhub_model::method::MethodName;
use ironhub_model::{IdentityId, MethodCall, MethodResponse};
use std::time::Duration;
use tokio::task::JoinHandle;

use super::{address, device};
use crate::client::Client;
use crate::hub::{DEVICE, TestHub, start};

type Outcome = Result<MethodResponse, HubError>;

fn invoke(hub: &TestHub, payload: Option<&str>) -> JoinHandle<Outcome> {
    let call = MethodCall {
        name: MethodName::parse("reboot").unwrap(),
        payload: payload.map(Into::into),
        response_timeout: Duration::from_secs(30),
        connect_timeout: Duration::ZERO,
    };
    let hub = hub.hub.clone();
    tokio::spawn(async move { hub.methods.invoke(&IdentityId::parse(DEVICE).unwrap(), call).await })
}

/// Both links, and credit for calls.
async fn listening(client: &mut Client) -> (LinkId, LinkId) {
    let answers = client.sender(&address("methods/devicebound")).await.unwrap();
    let calls = client.receiver(&address("methods/devicebound")).await.unwrap();
    client.amqp.grant(calls, 10).unwrap();
    client.round_trip("listening").await;
    (answers, calls)
}

fn uuid(call: &Delivery) -> [u8; 16] {
    let message = Message::parse(&call.payload).unwrap();
    let Some(MessageId::Uuid(uuid)) = message.bare.properties.correlation_id else {
        panic!("no uuid")
    };
    uuid
}

fn answer(uuid: [u8; 16], status: i32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let properties = Properties {
        correlation_id: Some(MessageId::Uuid(uuid)),
        ..Properties::default()
    };
    write_properties(&mut out, &properties);
    write_application_properties(&mut out, [("IoThub-status", status)]);
    write_data(&mut out, payload);
    out
}

#[tokio::test]
async fn a_call_and_its_answer() {
    let hub = start().await;
    let mut client = device(&hub).await;
    let (answers, _) = listening(&mut client).await;
    for (payload, expected, response) in [(Some("{\"a\":1}"), "{\"a\":1}", "[2]"), (None, "", "")] {
        let invoked = invoke(&hub, payload);
        let call = client.delivery().await;
        assert!(!call.receipt.is_settled());
        let message = Message::parse(&call.payload).unwrap();
        let name = message.bare.application_properties.value("IoThub-methodname");
        assert_eq!(name, Some(Value::String("reboot")));
        assert!(matches!(message.bare.body, Body::Data(data) if data.clone().eq([expected.as_bytes()])));
        client.amqp.settle(call.receipt, DeliveryState::Accepted).unwrap();
        client
            .send_as(answers, 0, &answer(uuid(&call), 207, response.as_bytes()))
            .await;
        assert_eq!(client.outcomes().await.1, DeliveryState::Accepted);
        let answered = MethodResponse {
            status: 207,
            payload: Some(response).filter(|text| !text.is_empty()).map(Into::into),
        };
        assert_eq!(invoked.await.unwrap(), Ok(answered));
    }
}

#[tokio::test]
async fn a_device_listens_while_both_links_are_up() {
    let hub = start().await;
    let mut client = device(&hub).await;
    let not_online = Err(HubError::NotOnline {
        connect_timeout: Duration::ZERO,
    });
    let answers = client.sender(&address("methods/devicebound")).await.unwrap();
    assert_eq!(invoke(&hub, None).await.unwrap(), not_online);
    let calls = client.receiver(&address("methods/devicebound")).await.unwrap();
    // Without credit a call waits.
    let invoked = invoke(&hub, None);
    client.amqp.grant(calls, 1).unwrap();
    let call = client.delivery().await;
    client.send_as(answers, 0, &answer(uuid(&call), 200, b"")).await;
    assert!(invoked.await.unwrap().is_ok());
    client.amqp.detach(answers, None).unwrap();
    client.round_trip("detached").await;
    assert_eq!(invoke(&hub, None).await.unwrap(), not_online);
}

#[tokio::test]
async fn what_is_no_answer_fails_the_call_or_is_ignored() {
    let hub = start().await;
    let mut client = device(&hub).await;
    let (answers, _) = listening(&mut client).await;
    // An answer that is no JSON.
    let invoked = invoke(&hub, None);
    let call = client.delivery().await;
    client.send_as(answers, 0, &answer(uuid(&call), 200, b"no json")).await;
    assert_eq!(client.outcomes().await.1, DeliveryState::Accepted);
    assert_eq!(invoked.await.unwrap(), Err(HubError::InvalidMethodResponse));
    // One that nobody waits for, and one that names no call.
    for uuid in [uuid(&call), [7; 16]] {
        client.send_as(answers, 0, &answer(uuid, 200, b"")).await;
        assert_eq!(client.outcomes().await.1, DeliveryState::Accepted);
    }
    // One without status.
    let mut broken = Vec::new();
    message::write_data(&mut broken, b"{}");
    client.send_as(answers, 0, &broken).await;
    assert_eq!(client.rejection().await, "amqp:decode-error");
    // A call that the device cannot read.
    let invoked = invoke(&hub, None);
    let call = client.delivery().await;
    client.amqp.settle(call.receipt, DeliveryState::Rejected(None)).unwrap();
    client.flush().await;
    assert_eq!(invoked.await.unwrap(), Err(HubError::InvalidMethodResponse));
}
