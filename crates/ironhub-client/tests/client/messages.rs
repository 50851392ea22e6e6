//! Messages to devices over AMQP, and what became of them.

use std::time::Duration;

use ironhub_client::{Error, Settlement};
use ironhub_model::limits::C2D_MESSAGE_BYTES_MAX;
use ironhub_model::{C2dMessage, DeviceId, FeedbackStatus};

use crate::features::{order, soon};
use crate::hub::TestHub;
use crate::proxy::Proxy;

#[tokio::test]
async fn a_message_goes_to_its_device_and_feedback_comes_back() {
    let hub = TestHub::start().await;
    let service = hub.service().build().unwrap();
    let device = hub.device().connect().await.unwrap();
    let mut orders = soon(device.c2d()).await.unwrap();
    let mut feedback = service.feedback();
    let mut sender = service.c2d_sender();
    for n in 0..3 {
        soon(sender.send(&TestHub::id().device, order(n))).await.unwrap();
        let received = soon(orders.next()).await.unwrap();
        assert_eq!(*received, order(n));
        soon(received.complete()).await.unwrap();
        let batch = soon(feedback.next()).await.unwrap();
        let told: Vec<_> = batch
            .records
            .iter()
            .map(|record| (record.original_message_id.clone(), record.status_code))
            .collect();
        assert_eq!(told, [(Some(n.to_string()), FeedbackStatus::Success)]);
        soon(feedback.complete(batch)).await.unwrap();
    }
    sender.close().await;
    feedback.close().await;
}

#[tokio::test]
async fn refusals_are_told_and_the_sender_goes_on() {
    let hub = TestHub::start().await;
    let service = hub.service().build().unwrap();
    let mut sender = service.c2d_sender();
    let id = TestHub::id().device;
    let unknown = soon(sender.send(&DeviceId::parse("nobody").unwrap(), order(0)))
        .await
        .unwrap_err();
    assert!(
        matches!(&unknown, Error::Hub(error) if error.status == 404),
        "{unknown}"
    );
    let large = C2dMessage {
        body: vec![0; C2D_MESSAGE_BYTES_MAX + 1],
        ..order(0)
    };
    let too_large = soon(sender.send(&id, large)).await.unwrap_err();
    assert!(matches!(too_large, Error::MessageTooLarge { .. }), "{too_large}");
    for n in 0..50 {
        soon(sender.send(&id, order(n))).await.unwrap();
    }
    let full = soon(sender.send(&id, order(50))).await.unwrap_err();
    assert_eq!(full.code(), Some(403_004), "{full}");
    let purged = service.purge_c2d(&id).await.unwrap();
    assert_eq!(purged.total_messages_purged, 50);
    soon(sender.send(&id, order(51))).await.unwrap();
}

#[tokio::test]
async fn a_tool_looks_at_the_queue_in_the_devices_place() {
    let hub = TestHub::start().await;
    let service = hub.service().build().unwrap();
    let id = TestHub::id().device;
    assert_eq!(service.receive_c2d(&id, None).await.unwrap(), None);
    let mut sender = service.c2d_sender();
    for n in 0..2 {
        soon(sender.send(&id, order(n))).await.unwrap();
    }
    for (settlement, count) in [(Settlement::Abandon, 1), (Settlement::Reject, 2)] {
        let first = service
            .receive_c2d(&id, Some(Duration::from_secs(30)))
            .await
            .unwrap()
            .unwrap();
        assert_eq!((&first.message, first.delivery_count), (&order(0), count));
        service.settle_c2d(&id, first.lock_token, settlement).await.unwrap();
        let again = service.settle_c2d(&id, first.lock_token, settlement).await.unwrap_err();
        assert_eq!(again.code(), Some(412_002), "{again}");
    }
    let second = service.receive_c2d(&id, None).await.unwrap().unwrap();
    assert_eq!(second.message, order(1));
    service
        .settle_c2d(&id, second.lock_token, Settlement::Complete)
        .await
        .unwrap();
    assert_eq!(service.receive_c2d(&id, None).await.unwrap(), None);
}

#[tokio::test]
async fn sender_and_receiver_come_back_after_a_cut() {
    let hub = TestHub::start().await;
    let proxy = Proxy::to(hub.server.announcement().ports.amqp).await;
    let service = hub.service().amqp_port(proxy.port).build().unwrap();
    let device = hub.device().connect().await.unwrap();
    let mut orders = soon(device.c2d()).await.unwrap();
    let (mut sender, mut feedback) = (service.c2d_sender(), service.feedback());
    for n in 0..3 {
        soon(sender.send(&TestHub::id().device, order(n))).await.unwrap();
        soon(soon(orders.next()).await.unwrap().complete()).await.unwrap();
        // AMQP does not confirm a settlement: feedback may come once more when the link is cut right behind it.
        loop {
            let batch = soon(feedback.next()).await.unwrap();
            let is_new = batch
                .records
                .iter()
                .any(|record| record.original_message_id == Some(n.to_string()));
            soon(feedback.complete(batch)).await.unwrap();
            if is_new {
                break;
            }
        }
        proxy.cut();
        soon(proxy.idle()).await;
    }
}
