use ironhub_amqp::connection::{Event, LinkId};
use ironhub_amqp::message::{
    Body, Message, MessageId, Properties, annotations::write_message_annotations, write_data, write_properties,
};
use ironhub_amqp::types::Value;
use ironhub_model::IdentityId;
use ironhub_model::registry::Precondition;
use ironhub_model::twin::TwinPatch;
use serde_json::json;

use super::{address, device};
use crate::client::Client;
use crate::hub::{DEVICE, TestHub, start};

const REPORTED: &str = "/properties/reported";
const NOTICES: &str = "/notifications/twin/properties/desired";

async fn links(client: &mut Client) -> (LinkId, LinkId) {
    let requests = client.sender(&address("twin")).await.unwrap();
    let answers = client.receiver(&address("twin")).await.unwrap();
    client.amqp.grant(answers, 10).unwrap();
    (requests, answers)
}

fn request(operation: &str, resource: Option<&str>, id: MessageId<'_>, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_message_annotations(&mut out, |map| {
        map.push("operation", operation);
        if let Some(resource) = resource {
            map.push("resource", resource);
        }
    });
    let properties = Properties {
        correlation_id: Some(id),
        ..Properties::default()
    };
    write_properties(&mut out, &properties);
    write_data(&mut out, body);
    out
}

/// What the hub says next on the twin's link: an answer as `id status version body`, a notice as `body`.
async fn heard(client: &mut Client) -> String {
    let delivery = client.delivery().await;
    let message = Message::parse(&delivery.payload).unwrap();
    let Body::Data(data) = message.bare.body else {
        panic!("no data")
    };
    let body = String::from_utf8(data.flatten().copied().collect()).unwrap();
    let Some(id) = message.bare.properties.correlation_id else {
        assert_eq!(message.message_annotations.value("status"), None);
        return body;
    };
    let value = |name| message.message_annotations.value(name);
    let Some(Value::Int(status)) = value("status") else {
        panic!("a status of type int")
    };
    let version = match value("version") {
        None => "-".into(),
        Some(Value::Long(version)) => version.to_string(),
        Some(other) => panic!("{other:?}"),
    };
    let id = match id {
        MessageId::String(text) => text.to_owned(),
        MessageId::Uuid(bytes) => format!("uuid{}", bytes[0]),
        other => panic!("{other:?}"),
    };
    format!("{id} {status} {version} {body}")
}

async fn set_desired(hub: &TestHub, value: u64) {
    let patch = TwinPatch {
        tags: None,
        desired: Some(json!({ "n": value })),
    };
    let id = IdentityId::parse(DEVICE).unwrap();
    hub.hub.twins.patch(&id, patch, Precondition::None).await.unwrap();
}

#[tokio::test]
async fn requests_are_answered_in_their_order_and_under_their_names() {
    let hub = start().await;
    let mut client = device(&hub).await;
    let (requests, _) = links(&mut client).await;
    let named = MessageId::String("id-1");
    for request in [
        request("GET", None, named, b" "),
        request("PATCH", Some(REPORTED), MessageId::Uuid([7; 16]), br#"{"a":1}"#),
        request("PATCH", Some(REPORTED), named, br#"{"a":null,"b":[2]}"#),
        request("GET", None, named, b""),
    ] {
        client.send_as(requests, 0, &request).await;
    }
    assert_eq!(
        heard(&mut client).await,
        r#"id-1 200 - {"desired":{"$version":1},"reported":{"$version":1}}"#
    );
    assert_eq!(heard(&mut client).await, "uuid7 204 2 ");
    assert_eq!(heard(&mut client).await, "id-1 204 3 ");
    assert_eq!(
        heard(&mut client).await,
        r#"id-1 200 - {"desired":{"$version":1},"reported":{"b":[2],"$version":3}}"#
    );
}

#[tokio::test]
async fn what_is_refused_is_told_with_its_status() {
    let hub = start().await;
    let mut client = device(&hub).await;
    let (requests, _) = links(&mut client).await;
    for request in [
        request("PATCH", Some(REPORTED), MessageId::String("a"), b"no json"),
        request("FETCH", None, MessageId::String("b"), b""),
    ] {
        client.send_as(requests, 0, &request).await;
        let answer = heard(&mut client).await;
        let (_, rest) = answer.split_once(' ').unwrap();
        let (status, body) = rest.split_once(" - ").unwrap();
        assert_eq!(status, "400");
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["errorCode"].as_u64().unwrap() / 1000, 400);
    }
}

#[tokio::test]
async fn desired_properties_are_told_to_subscribers() {
    let hub = start().await;
    let mut client = device(&hub).await;
    let (requests, answers) = links(&mut client).await;
    set_desired(&hub, 1).await;
    // The C SDK takes its subscription back by another PUT.
    for (operation, id) in [("PUT", "on"), ("PUT", "again")] {
        client
            .send_as(
                requests,
                0,
                &request(operation, Some(NOTICES), MessageId::String(id), b" "),
            )
            .await;
        assert_eq!(heard(&mut client).await, format!("{id} 200 - "));
    }
    set_desired(&hub, 2).await;
    set_desired(&hub, 3).await;
    assert_eq!(heard(&mut client).await, r#"{"n":2,"$version":3}"#);
    assert_eq!(heard(&mut client).await, r#"{"n":3,"$version":4}"#);
    client
        .send_as(
            requests,
            0,
            &request("DELETE", Some(NOTICES), MessageId::String("off"), b""),
        )
        .await;
    assert_eq!(heard(&mut client).await, "off 200 - ");
    set_desired(&hub, 4).await;
    client.amqp.grant(answers, 10).unwrap();
    let seen = client.round_trip("off").await;
    assert!(
        !seen.iter().any(|event| matches!(event, Event::Delivery(_))),
        "{seen:?}"
    );
}

/// Java subscribes as soon as its sender is up.
#[tokio::test]
async fn answers_and_notices_wait_for_their_link_and_its_credit() {
    let hub = start().await;
    let mut client = device(&hub).await;
    let requests = client.sender(&address("twin")).await.unwrap();
    client
        .send_as(
            requests,
            0,
            &request("PUT", Some(NOTICES), MessageId::Uuid([1; 16]), b""),
        )
        .await;
    client.outcomes().await;
    let answers = client.receiver(&address("twin")).await.unwrap();
    client.round_trip("attached").await;
    set_desired(&hub, 1).await;
    client.amqp.grant(answers, 1).unwrap();
    assert_eq!(heard(&mut client).await, "uuid1 200 - ");
    client.amqp.grant(answers, 2).unwrap();
    assert_eq!(heard(&mut client).await, r#"{"n":1,"$version":2}"#);
}
