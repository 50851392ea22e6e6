//! What an idle device costs: the growth of the hub's resident memory, divided by the devices.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::connection::Connector;
use crate::hub_process::HubProcess;
use crate::{Memory, Result};

/// Handshakes at a time.
const CONNECTING_MAX: usize = 32;
/// The first connections make what all share: thread stacks, arenas, caches.
const FIRST_CONNECTIONS: usize = 50;

/// Over MQTT.
pub(crate) async fn measure(directory: &Path, options: &Memory) -> Result<()> {
    let connect = |connector: Connector, number| async move { connector.connect(number).await };
    measure_by(directory, options, connect).await
}

/// Over AMQP, with a link each way.
pub(crate) async fn measure_amqp(directory: &Path, options: &Memory) -> Result<()> {
    let connect = |connector: Connector, number| async move { connector.connect_amqp(number).await };
    measure_by(directory, options, connect).await
}

#[expect(clippy::print_stdout, reason = "a measurement prints its figures")]
async fn measure_by<C, F, T>(directory: &Path, options: &Memory, connect: C) -> Result<()>
where
    C: Fn(Connector, usize) -> F,
    F: Future<Output = Result<T>> + Send + 'static,
    T: Send + 'static,
{
    let connections = options.connections;
    let hub = HubProcess::start(directory, connections + FIRST_CONNECTIONS).await?;
    let connector = Connector::new(&hub)?;
    let first = connect_all(&connector, 0..FIRST_CONNECTIONS, &connect).await?;
    sleep(Duration::from_secs(options.settle_s.min(5))).await;
    let before = (hub.status_kib("VmRSS")?, hub.status_kib("RssAnon")?);
    println!(
        "hub with {FIRST_CONNECTIONS} devices: {} KiB resident, {} KiB of them its own",
        before.0, before.1
    );
    let (began, cpu_before) = (Instant::now(), hub.cpu_us()?);
    let held = connect_all(&connector, FIRST_CONNECTIONS..FIRST_CONNECTIONS + connections, &connect).await?;
    let (cpu_us, seconds) = (hub.cpu_us()? - cpu_before, began.elapsed().as_secs_f64());
    let count = float(connections.try_into()?);
    let (rate, cpu_us) = (count / seconds, cpu_us / count);
    println!("{connections} connections: {rate:.0}/s, {cpu_us:.0} us server CPU each");
    sleep(Duration::from_secs(options.settle_s)).await;
    let after = (hub.status_kib("VmRSS")?, hub.status_kib("RssAnon")?);
    let each = |after: u64, before: u64| float(after.saturating_sub(before)) / count;
    println!(
        "after {} s: {} KiB resident; {:.2} KiB a device ({:.2} KiB anonymous)",
        options.settle_s,
        after.0,
        each(after.0, before.0),
        each(after.1, before.1)
    );
    drop((first, held));
    Ok(())
}

/// Connects the devices with these numbers, some at a time, and keeps them.
async fn connect_all<C, F, T>(connector: &Connector, numbers: Range<usize>, connect: &C) -> Result<Vec<T>>
where
    C: Fn(Connector, usize) -> F,
    F: Future<Output = Result<T>> + Send + 'static,
    T: Send + 'static,
{
    let mut held = Vec::with_capacity(numbers.len());
    let mut connecting = JoinSet::new();
    for number in numbers {
        if connecting.len() >= CONNECTING_MAX
            && let Some(connected) = connecting.join_next().await
        {
            held.push(connected??);
        }
        connecting.spawn(connect(connector.clone(), number));
    }
    while let Some(connected) = connecting.join_next().await {
        held.push(connected??);
    }
    Ok(held)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn float(count: u64) -> f64 {
    count as f64
}
