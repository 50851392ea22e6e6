//! What `$management` tells of the event hub.

use ironhub_amqp::message::{Body, MessageId, Properties, write_application_properties, write_properties};
use ironhub_amqp::request::Reply;
use ironhub_amqp::types::{Map, Value};

use crate::client::{Answer, Client, Pair};
use crate::hub::{TestHub, start};

async fn connected(hub: &TestHub) -> (Client, Pair) {
    let mut client = Client::with_token(hub, &hub.policy_token("service", "")).await;
    let pair = client.pair("$management").await;
    (client, pair)
}

fn read(properties: &[(&str, Value<'_>)]) -> Vec<u8> {
    let mut payload = Vec::new();
    let head = Properties {
        message_id: Some(MessageId::Uuid([3; 16])),
        ..Properties::default()
    };
    write_properties(&mut payload, &head);
    write_application_properties(&mut payload, properties.iter().copied());
    payload
}

fn map<'a>(reply: &Reply<'a>) -> Map<'a> {
    match &reply.body {
        Body::Value(value) => value.as_map().expect("a map"),
        body => panic!("{body:?}"),
    }
}

const READ: (&str, Value<'static>) = ("operation", Value::String("READ"));
const NAME: (&str, Value<'static>) = ("name", Value::String("hub"));
const EVENT_HUB: (&str, Value<'static>) = ("type", Value::String("com.microsoft:eventhub"));
const PARTITION: (&str, Value<'static>) = ("type", Value::String("com.microsoft:partition"));

#[tokio::test]
async fn the_event_hub() {
    let hub = start().await;
    let (mut client, pair) = connected(&hub).await;
    let (answer, payload) = client.ask(pair, &read(&[READ, NAME, EVENT_HUB])).await;
    assert_eq!(answer, Answer::ok());
    let reply = Reply::read(&payload).unwrap();
    assert_eq!(reply.correlation_id, Some(MessageId::Uuid([3; 16])));
    assert_eq!(map(&reply).value("partition_count"), Some(Value::Int(2)));
}

#[tokio::test]
async fn a_partition() {
    let hub = start().await;
    let (mut client, pair) = connected(&hub).await;
    let request = read(&[READ, NAME, PARTITION, ("partition", Value::String("1"))]);
    let (_, payload) = client.ask(pair, &request).await;
    let reply = Reply::read(&payload).unwrap();
    let body = map(&reply);
    assert_eq!(body.value("partition"), Some(Value::String("1")));
    assert_eq!(body.value("last_enqueued_offset"), Some(Value::String("-1")));
    assert_eq!(body.value("is_partition_empty"), Some(Value::Boolean(true)));
}

#[tokio::test]
async fn what_is_wrong_with_a_request() {
    let hub = start().await;
    let (mut client, pair) = connected(&hub).await;
    let partition = |value| [READ, NAME, PARTITION, ("partition", value)];
    for (request, code, condition) in [
        (
            read(&[READ, ("name", Value::String("other")), EVENT_HUB]),
            404,
            "amqp:not-found",
        ),
        (read(&partition(Value::String("2"))), 404, "amqp:not-found"),
        (read(&partition(Value::String("x"))), 404, "amqp:not-found"),
        (read(&partition(Value::Int(1))), 400, "com.microsoft:argument-error"),
        (read(&[READ, NAME, PARTITION]), 400, "com.microsoft:argument-error"),
        (read(&[READ, NAME]), 400, "com.microsoft:argument-error"),
        (
            read(&[("operation", Value::String("DELETE")), NAME, EVENT_HUB]),
            400,
            "com.microsoft:argument-error",
        ),
        (b"\0".to_vec(), 400, "com.microsoft:argument-error"),
    ] {
        let (answer, _) = client.ask(pair, &request).await;
        assert_eq!((answer.code, answer.condition.as_deref()), (code, Some(condition)));
    }
}
