//! Reading what devices send.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ironhub_client::{DeviceClient, Error, EventReader, Positions, RetryPolicy, StartFrom};
use tokio::time::Instant;

use crate::features::soon;
use crate::hub::{DEVICE, TestHub, eager, token_lifetime};
use crate::proxy::Proxy;

async fn send(device: &DeviceClient, from: usize, to: usize) {
    let mut batch = Vec::new();
    for n in from..to {
        batch.push(soon(device.submit_telemetry(format!("{n}"))).await.unwrap());
    }
    for acknowledgement in batch {
        soon(acknowledgement).await.unwrap();
    }
}

/// The next telemetry; the hub tells of connections too.
async fn next(reader: &mut EventReader) -> String {
    loop {
        let event = soon(reader.next()).await.unwrap();
        if event.source() == Some("Telemetry") {
            assert_eq!(event.device_id(), Some(DEVICE));
            return String::from_utf8(event.body).unwrap();
        }
    }
}

async fn expect(reader: &mut EventReader, from: usize, to: usize) {
    for n in from..to {
        assert_eq!(next(reader).await, n.to_string());
    }
}

#[tokio::test]
async fn from_the_beginning_from_now_and_from_where_another_ended() {
    let hub = TestHub::start().await;
    let service = hub.service().build().unwrap();
    let device = hub.device().connect().await.unwrap();
    send(&device, 0, 10).await;
    let mut latest = soon(service.events().connect()).await.unwrap();
    let mut all = soon(service.events().start(StartFrom::Earliest).connect())
        .await
        .unwrap();
    let event = soon(all.next()).await.unwrap();
    let since = StartFrom::Since(event.enqueued_at);
    let mut since = soon(service.events().start(since).connect()).await.unwrap();
    send(&device, 10, 20).await;
    expect(&mut latest, 10, 20).await;
    let read_first = usize::from(event.source() == Some("Telemetry"));
    expect(&mut all, read_first, 15).await;
    expect(&mut since, 0, 20).await;

    // The event that was given out last counts as dealt with when the next one is asked for.
    let positions = all.positions().clone();
    soon(all.close()).await;
    let mut rest = soon(service.events().resume_from(positions).connect()).await.unwrap();
    expect(&mut rest, 14, 20).await;
}

#[tokio::test]
async fn checkpoints_tell_what_is_dealt_with() {
    let hub = TestHub::start().await;
    let service = hub.service().build().unwrap();
    let device = hub.device().connect().await.unwrap();
    let told: Arc<Mutex<Vec<Positions>>> = Arc::default();
    let book = Arc::clone(&told);
    let reader = service
        .events()
        .checkpoint_every(3, move |positions| book.lock().unwrap().push(positions.clone()));
    let mut reader = soon(reader.connect()).await.unwrap();
    send(&device, 0, 7).await;
    expect(&mut reader, 0, 7).await;
    let last = told.lock().unwrap().last().cloned().unwrap();
    assert_eq!(told.lock().unwrap().len(), 2);
    let mut resumed = soon(service.events().resume_from(last).connect()).await.unwrap();
    expect(&mut resumed, 6, 7).await;
}

/// No event is lost, none comes twice.
#[tokio::test]
async fn a_reader_goes_on_after_each_cut() {
    const ROUNDS: usize = 10;
    let hub = TestHub::start().await;
    let proxy = Proxy::to(hub.server.announcement().ports.amqp).await;
    let service = hub.service().amqp_port(proxy.port).build().unwrap();
    let device = hub.device().connect().await.unwrap();
    let mut reader = soon(service.events().connect()).await.unwrap();
    // Before the first event of a reader that wants what is new.
    proxy.cut();
    let mut read = 0;
    for round in 0..ROUNDS {
        let sent = (round + 1) * 50;
        send(&device, sent - 50, sent).await;
        // Some of what is on its way when the link is cut was given out, some was not.
        let half = read + (sent - read) / 2;
        expect(&mut reader, read, half).await;
        proxy.cut();
        read = half;
    }
    expect(&mut reader, read, ROUNDS * 50).await;
}

/// A reader that was connected for longer than its patience lasts is patient all the same.
#[tokio::test]
async fn a_reader_gives_up_for_want_of_a_connection_only() {
    let hub = TestHub::start().await;
    let proxy = Proxy::to(hub.server.announcement().ports.amqp).await;
    let patience = Duration::from_millis(200);
    let brief = RetryPolicy {
        give_up_after: Some(patience),
        ..eager()
    };
    let service = hub.service().amqp_port(proxy.port).retry(brief).build().unwrap();
    let device = hub.device().connect().await.unwrap();
    let told: Arc<Mutex<Vec<Error>>> = Arc::default();
    let book = Arc::clone(&told);
    let reader = service
        .events()
        .on_outage(move |error| book.lock().unwrap().push(error.clone()));
    let mut reader = soon(reader.connect()).await.unwrap();
    let (begin, mut sent) = (Instant::now(), 0);
    while begin.elapsed() <= patience {
        send(&device, sent, sent + 1).await;
        expect(&mut reader, sent, sent + 1).await;
        sent += 1;
    }
    assert_eq!(*told.lock().unwrap(), []);
    proxy.cut();
    send(&device, sent, sent + 1).await;
    expect(&mut reader, sent, sent + 1).await;
    let told = told.lock().unwrap();
    assert!(matches!(told[..], [Error::Lost(_)]), "{told:?}");
}

/// Without a renewal the hub cuts the connection when the token ends.
#[tokio::test]
async fn tokens_are_renewed_in_place() {
    let lifetime = token_lifetime();
    let hub = TestHub::with(|config| config.declared.sas_clock_skew_s = Some(0)).await;
    let proxy = Proxy::to(hub.server.announcement().ports.amqp).await;
    let service = hub
        .service()
        .amqp_port(proxy.port)
        .token_lifetime(lifetime)
        .build()
        .unwrap();
    let device = hub.device().connect().await.unwrap();
    let mut reader = soon(service.events().connect()).await.unwrap();
    let (connections, begin) = (proxy.carried(), Instant::now());
    let mut sent = 0;
    while begin.elapsed() < lifetime * 2 {
        send(&device, sent, sent + 1).await;
        expect(&mut reader, sent, sent + 1).await;
        sent += 1;
    }
    assert_eq!(proxy.carried(), connections, "the connection was not made anew");
}
