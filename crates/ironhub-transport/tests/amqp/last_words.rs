//! What a client says of a message right before it leaves counts, whichever way it leaves.

use std::time::Duration;

use ironhub_amqp::connection::LinkId;
use ironhub_amqp::performative::DeliveryState;
use ironhub_model::{AckRequest, C2dMessage, FeedbackStatus, IdentityId};
use tokio::io::AsyncWriteExt;

use crate::client::Client;
use crate::hub::{DEVICE, HOST, TestHub, device_id, start};

/// How a client goes. Its word on a message and this leave in one write, and the socket ends.
#[derive(Debug, Clone, Copy)]
enum Leaving {
    Close,
    End,
    Detach,
    Cut,
}

const WAYS: [Leaving; 4] = [Leaving::Close, Leaving::End, Leaving::Detach, Leaving::Cut];

/// Settles the next message, goes, and waits until the hub has done all that was asked of it.
async fn settle_and_leave(hub: &TestHub, mut client: Client, link: LinkId, (state, way): (DeliveryState, Leaving)) {
    client.amqp.grant(link, 10).unwrap();
    let delivery = client.delivery().await;
    client.amqp.settle(delivery.receipt, state).unwrap();
    match way {
        Leaving::Close => client.amqp.close(None),
        Leaving::End => client.amqp.end(client.session.unwrap(), None).unwrap(),
        Leaving::Detach => client.amqp.detach(link, None).unwrap(),
        Leaving::Cut => {}
    }
    client.flush().await;
    client.stream.shutdown().await.unwrap();
    while client.event().await.is_some() {}
    hub.hub.drain().await;
}

async fn message(hub: &TestHub) {
    let message = C2dMessage {
        message_id: Some("m-1".into()),
        to: "/devices/d.1/messages/devicebound".into(),
        ack: Some(AckRequest::Full),
        ..C2dMessage::default()
    };
    hub.hub.c2d.send(&device_id(), message).await.unwrap();
}

/// What is reported, and to nobody yet.
async fn reports(hub: &TestHub) -> Vec<FeedbackStatus> {
    let batch = hub.hub.feedback.receive(Duration::ZERO).await.unwrap();
    let records = batch.into_iter().flat_map(|batch| batch.records);
    records.map(|record| record.status_code).collect()
}

#[tokio::test]
async fn of_a_device_on_its_messages() {
    for way in WAYS {
        for (state, report) in [
            (DeliveryState::Accepted, FeedbackStatus::Success),
            (DeliveryState::Rejected(None), FeedbackStatus::Rejected),
        ] {
            let hub = start().await;
            message(&hub).await;
            let mut client = Client::with_token(&hub, &hub.own_token("devices/d.1")).await;
            let link = client.receiver("/devices/d.1/messages/devicebound").await.unwrap();
            settle_and_leave(&hub, client, link, (state, way)).await;
            assert_eq!(hub.hub.c2d.count(&device_id()).await, Ok(0), "{way:?}");
            assert_eq!(reports(&hub).await, [report], "{way:?}");
        }
    }
}

#[tokio::test]
async fn of_a_back_end_on_reports() {
    for way in WAYS {
        for state in [DeliveryState::Accepted, DeliveryState::Rejected(None)] {
            let hub = start().await;
            message(&hub).await;
            let id = IdentityId::parse(DEVICE).unwrap();
            let token = hub.own_token("devices/d.1");
            let device = hub.hub.auth.authorize_device(&id, Some(&token), &[]).await.unwrap();
            let delivery = hub.hub.c2d.receive(&device, Duration::ZERO).await.unwrap().unwrap();
            hub.hub.c2d.complete(&device, &delivery.lock_token).await.unwrap();

            let mut client = Client::with_token(&hub, &hub.policy_token("service", "")).await;
            let address = format!("amqps://{HOST}/messages/serviceBound/feedback");
            let link = client.receiver(&address).await.unwrap();
            settle_and_leave(&hub, client, link, (state, way)).await;
            assert_eq!(reports(&hub).await, [], "{way:?}");
        }
    }
}
