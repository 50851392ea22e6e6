use ironhub_hub::connections::CloseReason;
use ironhub_hub::{HubError, LinkEvent, StoredEvent, TelemetryError, Unauthorized};
use ironhub_model::limits::D2C_MESSAGE_BYTES_MAX;
use ironhub_model::registry::{DeviceSpec, Precondition};
use ironhub_model::{D2cMessage, DeviceStatus, PartitionId};
use std::time::Duration;

use crate::world::{World, device, id, next};

fn message(body: &[u8]) -> D2cMessage<'_> {
    D2cMessage {
        body,
        ..D2cMessage::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_reaches_its_partition_with_its_sender() {
    let (world, hub) = World::hub_with_device().await;
    let link = world.link(&hub).await;
    let sender = link.telemetry();
    sender.submit(&message(b"1")).unwrap().durable().await.unwrap();
    sender.submit(&message(b"2")).unwrap().durable().await.unwrap();
    let telemetry: Vec<_> = world
        .told()
        .into_iter()
        .filter(|(name, _)| name == "Telemetry")
        .collect();
    assert_eq!(
        telemetry.iter().map(|(_, body)| body.as_str()).collect::<Vec<_>>(),
        ["1", "2"]
    );
    let principal = link.principal();
    for event in world
        .log
        .events()
        .iter()
        .map(|event| StoredEvent::parse(event).unwrap())
    {
        assert_eq!(event.device, "d");
        if event.auth.is_some() {
            assert_eq!(event.generation, Some(principal.generation_id.as_str()));
        }
    }
    let events = hub.events.bounds(PartitionId(9));
    assert_eq!(events, Err(HubError::PartitionNotFound));
    assert!(hub.events.has_consumer_group("$default") && !hub.events.has_consumer_group("other"));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_taken_is_refused_by_its_reason() {
    let (world, hub) = World::hub_with_device().await;
    let link = world.link(&hub).await;
    let sender = link.telemetry();
    let large = vec![0; D2C_MESSAGE_BYTES_MAX + 1];
    let too_large = HubError::MessageTooLarge {
        bytes_max: D2C_MESSAGE_BYTES_MAX,
    };
    assert_eq!(
        sender.submit(&message(&large)).unwrap_err(),
        TelemetryError::Hub(too_large)
    );
    assert!(sender.submit(&message(&large[1..])).is_ok());
    *world.log.refusals.lock() = 1;
    assert_eq!(sender.submit(&message(b"")).unwrap_err(), TelemetryError::Full);
    sender.ready().await.unwrap();
    assert!(sender.submit(&message(b"")).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_connection_ends_at_the_instant_of_its_token() {
    let (world, hub) = World::hub_with_device().await;
    let mut link = world.link(&hub).await;
    let end = link.principal().expires_at.unwrap();
    let sender = link.telemetry();
    world.clock.set(end);
    assert!(sender.submit(&message(b"")).is_ok());
    world.clock.advance(Duration::from_micros(1));
    let expired = HubError::Unauthorized(Unauthorized::ExpiredToken);
    assert_eq!(
        sender.submit(&message(b"")).unwrap_err(),
        TelemetryError::Hub(expired.clone())
    );
    assert_eq!(next(&mut link).await, LinkEvent::Close(CloseReason::TokenExpired));
    assert_eq!(link.check_open(), Err(expired));
}

#[tokio::test(start_paused = true)]
async fn disabling_cuts_before_the_next_message() {
    let (world, hub) = World::hub_with_device().await;
    let mut link = world.link(&hub).await;
    let sender = link.telemetry();
    let mut spec = DeviceSpec::new(device("d"));
    spec.status = Some(DeviceStatus::Disabled);
    hub.registry.put_device(spec, Precondition::Any).await.unwrap();
    let revoked = HubError::Unauthorized(Unauthorized::Revoked);
    assert_eq!(sender.submit(&message(b"")).unwrap_err(), TelemetryError::Hub(revoked));
    assert_eq!(next(&mut link).await, LinkEvent::Close(CloseReason::Revoked));
    assert!(world.principal(&hub, &id("d")).await.is_err());
}
