//! One partition to one AMQP reader: what an event costs the hub, from memory and from the disk.

use std::path::Path;
use std::time::Duration;

use ironhub_amqp::connection::Event;
use ironhub_amqp::message::Message;
use ironhub_amqp::performative::DeliveryState;
use ironhub_amqp::types::Encoded;
use tokio::time::{Instant, sleep};

use crate::amqp::Wish;
use crate::connection::Connector;
use crate::hub_process::HubProcess;
use crate::{Ingest, Reader, Result, ingest};

const PARTITION: u32 = 0;
const DEVICES: usize = 50;
const IN_FLIGHT: u16 = 32;
const CREDIT: u32 = 2000;
/// Segments that are full are sealed in the meantime.
const SETTLE: Duration = Duration::from_secs(5);

#[expect(clippy::print_stdout, reason = "a measurement prints its figures")]
pub(crate) async fn measure(directory: &Path, options: &Reader) -> Result<()> {
    let hub = HubProcess::start(directory, DEVICES).await?;
    let connector = Connector::new(&hub)?;
    let fill = Ingest {
        connections: DEVICES,
        in_flight: IN_FLIGHT,
        body_bytes: options.body_bytes,
        seconds: options.fill_s,
    };
    ingest::fill(&connector, &fill).await?;
    sleep(SETTLE).await;
    let last = last_sequence(&connector).await?;
    println!(
        "hub: process {}; partition {PARTITION} holds {} events",
        hub.id(),
        last + 1
    );
    let events = options.events.min(last);
    for (name, first) in [("tail", last - events), ("oldest events", 0)] {
        let (cpu_before, began) = (hub.cpu_us()?, Instant::now());
        for _ in 0..options.passes {
            read(&connector, first, events).await?;
        }
        let (cpu_us, seconds) = (hub.cpu_us()? - cpu_before, began.elapsed().as_secs_f64());
        let count = float(events * options.passes);
        println!(
            "{name}: {events} events, {} times: {:.0}/s, {:.2} us server CPU an event",
            options.passes,
            count / seconds,
            cpu_us / count
        );
    }
    Ok(())
}

/// Reads so many events from this one on.
async fn read(connector: &Connector, first: u64, events: u64) -> Result<()> {
    let (mut client, endpoint) = connector.read_events().await?;
    let selector = format!("x-opt-sequence-number >= '{first}'");
    let wish = Wish {
        partition: PARTITION,
        selector: &selector,
        level: None,
    };
    let link = client.attach(endpoint.reader(&wish)).await?;
    let link = link.map_err(|refusal| format!("{refusal:?}"))?;
    client.amqp.grant(link, CREDIT)?;
    let mut left = events;
    while left > 0 {
        if let Event::Delivery(delivery) = client.event().await? {
            client.amqp.settle(delivery.receipt, DeliveryState::Accepted)?;
            left -= 1;
        }
    }
    Ok(())
}

/// Asks for metrics, and looks at those that come with the oldest event.
async fn last_sequence(connector: &Connector) -> Result<u64> {
    let (mut client, endpoint) = connector.read_events().await?;
    let wish = Wish {
        partition: PARTITION,
        selector: "",
        level: None,
    };
    let mut attach = endpoint.reader(&wish);
    attach.desired_capabilities = Encoded::symbols(["com.microsoft:enable-receiver-runtime-metric"]);
    let link = client.attach(attach).await?;
    client.amqp.grant(link.map_err(|refusal| format!("{refusal:?}"))?, 1)?;
    loop {
        if let Event::Delivery(delivery) = client.event().await? {
            let annotations = Message::parse(&delivery.payload)?.delivery_annotations;
            let last = annotations.value("last_enqueued_sequence_number");
            return Ok(last.and_then(|last| last.as_u64()).ok_or("no metrics")?);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn float(count: u64) -> f64 {
    count as f64
}
