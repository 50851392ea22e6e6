use std::time::Duration;

use fe2o3_amqp::Receiver;
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::types::definitions::{AmqpError, ErrorCondition};
use fe2o3_amqp::types::messaging::annotations::OwnedKey;
use fe2o3_amqp::types::messaging::{ApplicationProperties, Data, Message, MessageId, Outcome, Properties, Source};
use fe2o3_amqp::types::primitives::{SimpleValue, Symbol, Value};
use ironhub_model::{AckRequest, IdentityId, PartitionId};
use serde_amqp::described::Described;
use serde_amqp::descriptor::Descriptor;

use super::{Client, application_property, plain, text};
use crate::hub::{DEVICE, EVENT_HUB, HOST, TestHub, device_id, policy_key, start};

fn message(to: &str, id: &str) -> Message<Data> {
    let properties = Properties::builder()
        .message_id(id.to_owned())
        .to(format!("/devices/{to}/messages/devicebound"));
    Message::builder()
        .properties(properties.build())
        .application_properties(ApplicationProperties::builder().insert("iothub-ack", "full").build())
        .data(&b"hello"[..])
        .build()
}

#[tokio::test]
async fn messages_to_devices_and_reports_on_them() {
    let hub = start().await;
    let mut client = Client::service(&hub).await;
    let mut sender = client.sender(&format!("amqps://{HOST}/messages/devicebound")).await;
    let mut reports = client.receiver("/messages/serviceBound/feedback").await;
    assert!(sender.send(message(DEVICE, "m-1")).await.unwrap().is_accepted());
    let refused = sender.send(message("unknown", "m-2")).await.unwrap();
    let Outcome::Rejected(rejected) = refused else {
        panic!("{refused:?}")
    };
    let error = rejected.error.unwrap();
    assert_eq!(error.condition, AmqpError::NotFound.into());

    let id = IdentityId::device(device_id());
    let token = hub.own_token(&format!("devices/{DEVICE}"));
    let caller = hub.hub.auth.authorize_device(&id, Some(&token), &[]).await.unwrap();
    let received = hub.hub.c2d.receive(&caller, Duration::ZERO).await;
    let received = received.unwrap().unwrap();
    assert_eq!(received.message.ack, Some(AckRequest::Full));
    assert_eq!(&*received.message.body, b"hello");
    hub.hub.c2d.complete(&caller, &received.lock_token).await.unwrap();

    let batch = reports.recv().await.unwrap();
    let records: serde_json::Value = serde_json::from_str(&text(&batch)).unwrap();
    assert_eq!(records[0]["originalMessageId"], "m-1");
    assert_eq!(records[0]["statusCode"], "Success");
    assert_eq!(batch.delivery_tag().len(), 16);
    reports.accept(&batch).await.unwrap();
    client.close().await;
}

/// From the second on, by a filter as the Event Hubs SDKs write it.
#[tokio::test]
async fn events_of_a_partition() {
    let hub = start().await;
    let mut device = Client::device(&hub).await;
    let mut sender = device.sender(&format!("/devices/{DEVICE}/messages/events")).await;
    for id in ["m-0", "m-1", "m-2"] {
        let properties = ApplicationProperties::builder().insert("alert", id).build();
        let message = Message::builder()
            .properties(Properties::builder().message_id(id.to_owned()).build())
            .application_properties(properties)
            .data(&b"21.5"[..])
            .build();
        assert!(sender.send(message).await.unwrap().is_accepted());
    }

    // By the raw key, as older Event Hubs clients do.
    let mut client = Client::open(&hub, plain("service", policy_key().expose().into())).await;
    let name = Symbol::from("apache.org:selector-filter:string");
    let filter = Described {
        descriptor: Descriptor::Name(name.clone()),
        value: Value::from("amqp.annotation.x-opt-sequence-number > '0'"),
    };
    let address = format!("{EVENT_HUB}/ConsumerGroups/$Default/Partitions/{}", partition(&hub));
    let source = Source::builder().address(address).add_to_filter(name, filter).build();
    let receiver = Receiver::builder().name("events").source(source);
    let mut receiver = receiver.attach(&mut client.session).await.unwrap();
    for (sequence, id) in [(1, "m-1"), (2, "m-2")] {
        let event = receiver.recv().await.unwrap();
        let message = event.message();
        let properties = message.properties.as_ref().unwrap();
        assert_eq!(properties.message_id, Some(MessageId::String(id.into())));
        assert_eq!(
            application_property(&event, "alert"),
            Some(SimpleValue::String(id.into()))
        );
        assert_eq!(text(&event), "21.5");
        let annotations = &message.message_annotations.as_ref().unwrap().0;
        let annotation = |name: &str| annotations.get(&OwnedKey::from(name));
        assert_eq!(annotation("x-opt-sequence-number"), Some(&Value::Long(sequence)));
        assert_eq!(annotation("x-opt-offset"), Some(&Value::String(sequence.to_string())));
        let own = Value::String(DEVICE.into());
        assert_eq!(annotation("iothub-connection-device-id"), Some(&own));
    }
    receiver.close().await.unwrap();
    sender.close().await.unwrap();
    device.close().await;
    client.close().await;
}

fn partition(hub: &TestHub) -> PartitionId {
    let mut partitions = (0..hub.hub.events.partitions()).map(PartitionId);
    let holds_some = |partition: &PartitionId| hub.hub.events.bounds(*partition).unwrap().next.0 > 0;
    partitions.find(holds_some).unwrap()
}

#[tokio::test]
async fn a_token_opens_what_was_refused_without_it() {
    let hub = start().await;
    let mut client = Client::open(&hub, SaslProfile::Anonymous).await;
    let refused = ErrorCondition::from(AmqpError::UnauthorizedAccess);
    assert_eq!(client.refusal("messages/devicebound").await, refused);
    assert_eq!(client.put_token(hub.policy_token("registryRead", "")).await, 401);
    assert_eq!(client.refusal("messages/devicebound").await, refused);
    assert_eq!(client.put_token(hub.policy_token("service", "")).await, 200);
    assert_eq!(
        client.put_token("SharedAccessSignature sr=x&sig=x&se=1".into()).await,
        400
    );
    let sender = client.sender("messages/devicebound").await;
    sender.close().await.unwrap();
    client.close().await;
}
