//! A gateway: many devices on one connection and one session, as the C SDK multiplexes them.

use std::collections::HashMap;

use ironhub_amqp::cbs;
use ironhub_amqp::connection::{Event, LinkId};
use ironhub_amqp::message::{Body, Message, write_data};
use ironhub_amqp::performative::DeliveryState;
use ironhub_hub::StoredEvent;
use ironhub_hub::ports::Start;
use ironhub_model::registry::{DeviceSpec, Precondition};
use ironhub_model::{C2dMessage, DeviceId, PartitionId, SequenceNumber};

use crate::client::{Answer, Client};
use crate::hub::{TestHub, key, start};

/// Devices of the everyday test; `IRONHUB_AMQP_DEVICES` says otherwise. Java allows a thousand on a connection.
const DEVICES: usize = 100;

fn devices() -> Vec<DeviceId> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the long form of a test is asked for by a variable"
    )]
    let asked = std::env::var("IRONHUB_AMQP_DEVICES").ok();
    let count = asked.map_or(DEVICES, |count| count.parse().expect("a number of devices"));
    (0..count)
        .map(|number| DeviceId::parse(&format!("gateway-{number}")).unwrap())
        .collect()
}

fn c2d(device: &DeviceId) -> C2dMessage {
    C2dMessage {
        to: format!("/devices/{device}/messages/devicebound"),
        body: format!("for {device}").into_bytes(),
        ..C2dMessage::default()
    }
}

/// Registers a device, proves it, and opens its two links.
async fn join(hub: &TestHub, client: &mut Client, cbs: crate::client::Pair, device: &DeviceId) -> (LinkId, LinkId) {
    let mut spec = DeviceSpec::new(device.clone());
    spec.authentication.primary_key = Some(key().expose().into());
    hub.hub.registry.put_device(spec, Precondition::None).await.unwrap();
    let token = hub.own_token(&format!("devices/{device}"));
    assert_eq!(client.put_token(cbs, &token).await, Answer::ok());
    let telemetry = client.sender(&format!("/devices/{device}/messages/events")).await;
    let messages = client
        .receiver(&format!("/devices/{device}/messages/devicebound"))
        .await;
    let messages = messages.unwrap();
    client.amqp.grant(messages, 1).unwrap();
    (telemetry.unwrap(), messages)
}

/// Who has sent what is stored, in any order.
async fn stored(hub: &TestHub) -> Vec<(String, String)> {
    let events = &hub.hub.events;
    let mut all = Vec::new();
    for partition in (0..events.partitions()).map(PartitionId) {
        let mut next = events.bounds(partition).unwrap().first;
        while next < events.bounds(partition).unwrap().next {
            let records = events.read(partition, Start::At(next), 1 << 20).await.unwrap();
            for record in &records {
                let event = StoredEvent::parse(&record.event).unwrap();
                let message = Message::parse(event.bare_message).unwrap();
                let device = event.device.to_owned();
                all.push((device, text(&message)));
                next = SequenceNumber(record.sequence.0 + 1);
            }
        }
    }
    all.sort();
    all
}

fn text(message: &Message<'_>) -> String {
    let Body::Data(data) = message.bare.body.clone() else {
        panic!("no data")
    };
    String::from_utf8(data.flatten().copied().collect()).unwrap()
}

#[tokio::test]
async fn each_of_many_devices_is_itself() {
    let (hub, devices) = (start().await, devices());
    let mut client = Client::open(&hub, None).await;
    let cbs = client.pair(cbs::NODE).await;
    let mut telemetry = Vec::new();
    let mut owners = HashMap::new();
    for device in &devices {
        let (sender, receiver) = join(&hub, &mut client, cbs, device).await;
        telemetry.push((device, sender));
        owners.insert(receiver, device);
    }
    for (device, link) in &telemetry {
        let mut payload = Vec::new();
        write_data(&mut payload, format!("from {device}").as_bytes());
        client.send(*link, &payload).await;
        hub.hub.c2d.send(device, c2d(device)).await.unwrap();
    }
    // All is accepted, and each message comes on the link of the device that it is for.
    let (mut accepted, mut received) = (0, Vec::new());
    while accepted < devices.len() || received.len() < devices.len() {
        match client.event().await.expect("the connection lives") {
            Event::Disposition { deliveries, state, .. } => {
                assert_eq!(state, DeliveryState::Accepted);
                accepted += deliveries.len();
            }
            Event::Delivery(delivery) => {
                let device = owners[&delivery.receipt.link()];
                assert_eq!(
                    text(&Message::parse(&delivery.payload).unwrap()),
                    format!("for {device}")
                );
                client.amqp.settle(delivery.receipt, DeliveryState::Accepted).unwrap();
                received.push(device);
            }
            Event::Credit { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    client.flush().await;
    received.sort_by_key(|device| device.as_str());
    received.dedup();
    assert_eq!(received.len(), devices.len());
    let mut expected: Vec<_> = devices
        .iter()
        .map(|device| (device.to_string(), format!("from {device}")))
        .collect();
    expected.sort();
    assert_eq!(stored(&hub).await, expected);
    // The answer to this comes behind what was said before.
    let token = hub.own_token(&format!("devices/{}", devices[0]));
    assert_eq!(client.put_token(cbs, &token).await, Answer::ok());
    hub.hub.drain().await;
    for device in &devices {
        assert_eq!(hub.hub.c2d.count(device).await, Ok(0), "{device}");
    }
}
