use std::time::Duration;

use fe2o3_amqp::Receiver;
use fe2o3_amqp::link::delivery::DeliveryInfo;
use fe2o3_amqp::link::receiver::CreditMode;
use fe2o3_amqp::types::messaging::annotations::OwnedKey;
use fe2o3_amqp::types::messaging::{ApplicationProperties, Data, Message, MessageAnnotations, MessageId, Properties};
use fe2o3_amqp::types::primitives::{SimpleValue, Value};
use ironhub_model::method::MethodName;
use ironhub_model::registry::Precondition;
use ironhub_model::twin::TwinPatch;
use ironhub_model::{AckRequest, C2dMessage, FeedbackStatus, IdentityId, MethodCall};
use serde_json::json;

use super::{Client, application_property, text};
use crate::hub::{DEVICE, device_id, start};

fn address(suffix: &str) -> String {
    format!("/devices/{DEVICE}/{suffix}")
}

#[tokio::test]
async fn messages_are_released_rejected_and_accepted() {
    let hub = start().await;
    for id in ["a", "b"] {
        let message = C2dMessage {
            message_id: Some(id.into()),
            to: address("messages/devicebound"),
            content_type: Some("text/plain".into()),
            ack: Some(AckRequest::Full),
            properties: vec![("colour".into(), "red".into())],
            body: id.into(),
            ..C2dMessage::default()
        };
        hub.hub.c2d.send(&device_id(), message).await.unwrap();
    }
    let mut client = Client::device(&hub).await;
    let receiver = Receiver::builder().name("c2d").source(address("messages/deviceBound"));
    // One at a time: what is given back comes before what is behind it.
    let receiver = receiver.credit_mode(CreditMode::Manual).attach(&mut client.session);
    let mut receiver = receiver.await.unwrap();
    for (expected, count) in [("a", 1), ("a", 2), ("b", 1)] {
        receiver.set_credit(1).await.unwrap();
        let delivery = receiver.recv().await.unwrap();
        assert_eq!(text(&delivery), expected);
        let message = delivery.message();
        let properties = message.properties.as_ref().unwrap();
        assert_eq!(properties.message_id, Some(MessageId::String(expected.into())));
        assert_eq!(properties.content_type.as_ref().unwrap().as_str(), "text/plain");
        assert_eq!(
            application_property(&delivery, "colour"),
            Some(SimpleValue::String("red".into()))
        );
        let annotations = &message.message_annotations.as_ref().unwrap().0;
        let delivery_count = annotations.get(&OwnedKey::from("iothub-deliverycount"));
        assert_eq!(delivery_count, Some(&Value::Ubyte(count)));
        let info = DeliveryInfo::from(&delivery);
        match (expected, count) {
            ("a", 1) => receiver.release(info).await.unwrap(),
            ("a", _) => receiver.accept(info).await.unwrap(),
            _ => receiver.reject(info, None).await.unwrap(),
        }
    }
    client.close().await;
    hub.hub.drain().await;
    assert_eq!(hub.hub.c2d.count(&device_id()).await, Ok(0));
    let reports = hub.hub.feedback.receive(Duration::ZERO).await.unwrap().unwrap();
    let reports: Vec<_> = reports.records.iter().map(|record| record.status_code).collect();
    assert_eq!(reports, [FeedbackStatus::Success, FeedbackStatus::Rejected]);
}

fn request(operation: &str, resource: &str, body: &'static str) -> Message<Data> {
    let mut annotations = MessageAnnotations::builder().insert("operation", operation);
    if !resource.is_empty() {
        annotations = annotations.insert("resource", resource);
    }
    Message::builder()
        .message_annotations(annotations.build())
        .properties(Properties::builder().correlation_id(operation.to_owned()).build())
        .data(body.as_bytes())
        .build()
}

#[tokio::test]
async fn the_twin_is_read_reported_and_followed() {
    let hub = start().await;
    let mut client = Client::device(&hub).await;
    let mut requests = client.sender(&address("twin")).await;
    let mut answers = client.receiver(&address("twin")).await;
    for (request, expected) in [
        (request("PATCH", "/properties/reported", r#"{"a":1}"#), ""),
        (
            request("GET", "", " "),
            r#"{"desired":{"$version":1},"reported":{"a":1,"$version":2}}"#,
        ),
        (request("PUT", "/notifications/twin/properties/desired", ""), ""),
    ] {
        let asked = request.properties.as_ref().unwrap().correlation_id.clone();
        requests.send(request).await.unwrap();
        let answer = answers.recv().await.unwrap();
        assert_eq!(answer.message().properties.as_ref().unwrap().correlation_id, asked);
        assert_eq!(text(&answer), expected);
        answers.accept(&answer).await.unwrap();
    }
    let patch = TwinPatch {
        tags: None,
        desired: Some(json!({ "n": 7 })),
    };
    let id = IdentityId::device(device_id());
    hub.hub.twins.patch(&id, patch, Precondition::None).await.unwrap();
    let notice = answers.recv().await.unwrap();
    assert_eq!(text(&notice), r#"{"n":7,"$version":2}"#);
    let correlation_id = notice
        .message()
        .properties
        .as_ref()
        .and_then(|p| p.correlation_id.clone());
    assert_eq!(correlation_id, None);
    client.close().await;
}

#[tokio::test]
async fn a_method_is_called() {
    let hub = start().await;
    let mut client = Client::device(&hub).await;
    let mut answers = client.sender(&address("methods/devicebound")).await;
    let mut calls = client.receiver(&address("methods/devicebound")).await;
    let call = MethodCall {
        name: MethodName::parse("reboot").unwrap(),
        payload: Some("[1]".into()),
        response_timeout: Duration::from_secs(30),
        connect_timeout: Duration::from_secs(30),
    };
    let methods = hub.hub.methods.clone();
    let called = tokio::spawn(async move { methods.invoke(&IdentityId::device(device_id()), call).await });
    let call = calls.recv().await.unwrap();
    assert_eq!(text(&call), "[1]");
    let name = application_property(&call, "IoThub-methodname");
    assert_eq!(name, Some(SimpleValue::String("reboot".into())));
    calls.accept(&call).await.unwrap();
    let id = call
        .message()
        .properties
        .as_ref()
        .unwrap()
        .correlation_id
        .clone()
        .unwrap();
    assert!(matches!(id, MessageId::Uuid(_)), "{id:?}");
    let answer = Message::builder()
        .properties(Properties::builder().correlation_id(id).build())
        .application_properties(ApplicationProperties::builder().insert("IoThub-status", 202).build())
        .data(&b"{}"[..])
        .build();
    assert!(answers.send(answer).await.unwrap().is_accepted());
    let answer = called.await.unwrap().unwrap();
    assert_eq!((answer.status, answer.payload.as_deref()), (202, Some("{}")));
    client.close().await;
}
