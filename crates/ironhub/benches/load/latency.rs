//! From a device's send to a back end's reader, at a steady rate that no answer holds up.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use ironhub_amqp::connection::Event;
use ironhub_amqp::message::{Body, Message};
use ironhub_amqp::performative::DeliveryState;
use ironhub_mqtt::packet::{Delivery, PacketId, PublishRef, encode_publish};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};

use crate::amqp::Wish;
use crate::connection::Connector;
use crate::hub_process::{HubProcess, device_id};
use crate::ingest::payload;
use crate::{Latency, Result};

const PARTITIONS: u32 = 4;
const CREDIT: u32 = 2000;
const WARM_UP: Duration = Duration::from_secs(2);
/// A body begins with the microseconds since the run began, in so many digits.
const TIME_DIGITS: usize = 16;

/// What all tasks share.
struct Run {
    began: Instant,
    is_counting: AtomicBool,
    is_over: AtomicBool,
}

#[expect(clippy::print_stdout, reason = "a measurement prints its figures")]
pub(crate) async fn measure(directory: &Path, options: &Latency) -> Result<()> {
    let hub = HubProcess::start(directory, options.connections).await?;
    let connector = Connector::new(&hub)?;
    let run = Arc::new(Run {
        began: Instant::now(),
        is_counting: AtomicBool::new(false),
        is_over: AtomicBool::new(false),
    });
    let readers: Vec<_> = (0..PARTITIONS)
        .map(|partition| tokio::spawn(read(connector.clone(), partition, Arc::clone(&run))))
        .collect();
    let period = Duration::from_secs(1) * u32::try_from(options.connections)? / options.rate;
    for number in 0..options.connections {
        let start = Instant::now() + period * u32::try_from(number)? / u32::try_from(options.connections)?;
        let (connector, body_bytes) = (connector.clone(), options.body_bytes);
        let run = Arc::clone(&run);
        tokio::spawn(async move { send(&connector, (number, body_bytes), (start, period), &run).await });
    }
    sleep(WARM_UP).await;
    let (cpu_before, began) = (hub.cpu_us()?, Instant::now());
    run.is_counting.store(true, Ordering::Relaxed);
    sleep(Duration::from_secs(options.seconds)).await;
    run.is_counting.store(false, Ordering::Relaxed);
    let (cpu_us, seconds) = (hub.cpu_us()? - cpu_before, began.elapsed().as_secs_f64());
    sleep(Duration::from_secs(1)).await;
    run.is_over.store(true, Ordering::Relaxed);
    let mut latencies_us = Vec::new();
    for reader in readers {
        latencies_us.extend(reader.await??);
    }
    latencies_us.sort_unstable();
    let at =
        |share: usize| latencies_us.get((latencies_us.len() * share / 1000).min(latencies_us.len().saturating_sub(1)));
    let ms = |share| float(at(share).copied().unwrap_or_default()) / 1000.0;
    let events = float(latencies_us.len().try_into()?);
    println!(
        "{events} events of {} B from {} devices: {:.0}/s",
        options.body_bytes,
        options.connections,
        events / seconds
    );
    println!(
        "send to reader: {:.1} ms (p50), {:.1} ms (p99), {:.1} ms (p99.9)",
        ms(500),
        ms(990),
        ms(999)
    );
    println!("server CPU: {:.1} us an event, in and out", cpu_us / events);
    Ok(())
}

/// Sends at each tick, whatever has been acknowledged.
async fn send(
    connector: &Connector,
    (number, body_bytes): (usize, usize),
    (start, period): (Instant, Duration),
    run: &Run,
) -> Result<()> {
    let (mut input, mut output) = tokio::io::split(connector.connect(number).await?);
    let acknowledgements = tokio::spawn(async move {
        let mut bytes = [0; 4096];
        while input.read(&mut bytes).await? > 0 {}
        Ok::<_, std::io::Error>(())
    });
    let topic = format!("devices/{}/messages/events/", device_id(number));
    let rest = payload(number, body_bytes.saturating_sub(TIME_DIGITS));
    let mut ticks = interval_at(start.max(Instant::now()), period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut packet, mut packet_id) = (BytesMut::new(), 0_u16);
    while !run.is_over.load(Ordering::Relaxed) {
        // The time at which it should leave: a sender that is late counts, too.
        let due = ticks.tick().await;
        packet_id = packet_id.checked_add(1).unwrap_or(1);
        let mut body = format!("{:0TIME_DIGITS$}", (due - run.began).as_micros()).into_bytes();
        body.extend_from_slice(&rest);
        let message = PublishRef {
            topic: &topic,
            payload: &body,
            delivery: Delivery::AtLeastOnce {
                packet_id: PacketId::new(packet_id).ok_or("a packet identifier is not 0")?,
                dup: false,
            },
            retain: false,
        };
        encode_publish(&mut packet, &message)?;
        output.write_all_buf(&mut packet).await?;
        output.flush().await?;
    }
    acknowledgements.abort();
    Ok(())
}

/// Reads what comes; returns the latencies, in microseconds, of what counts.
async fn read(connector: Connector, partition: u32, run: Arc<Run>) -> Result<Vec<u64>> {
    let (mut client, endpoint) = connector.read_events().await?;
    let wish = Wish {
        partition,
        selector: "x-opt-offset > '@latest'",
        level: None,
    };
    let link = client.attach(endpoint.reader(&wish)).await?;
    client
        .amqp
        .grant(link.map_err(|refusal| format!("{refusal:?}"))?, CREDIT)?;
    let mut latencies_us = Vec::new();
    while !run.is_over.load(Ordering::Relaxed) {
        let Ok(event) = timeout(WARM_UP, client.event()).await else {
            continue; // Nobody sends any more.
        };
        let Event::Delivery(delivery) = event? else {
            continue;
        };
        client.amqp.settle(delivery.receipt, DeliveryState::Accepted)?;
        let now_us = u64::try_from(run.began.elapsed().as_micros())?;
        if run.is_counting.load(Ordering::Relaxed) {
            latencies_us.push(now_us.saturating_sub(sent_us(&delivery.payload)?));
        }
    }
    Ok(latencies_us)
}

fn sent_us(payload: &[u8]) -> Result<u64> {
    let Body::Data(mut data) = Message::parse(payload)?.bare.body else {
        return Err("no data".into());
    };
    let digits = data
        .next()
        .and_then(|body| body.get(..TIME_DIGITS))
        .ok_or("a short body")?;
    Ok(std::str::from_utf8(digits)?.parse()?)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn float(count: u64) -> f64 {
    count as f64
}
