//! From a device's send to a reader of the built-in endpoint: devices send over MQTT by a schedule, one reader takes all
//! partitions over AMQP.

use std::sync::Arc;

use clap::Args;
use ironhub_client::device::Acknowledgement;
use ironhub_client::{DeviceClient, Event, EventReader};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::ingest::{message, parse_size};
use super::load::Load;
use super::stage::Stage;
use super::{Benchmark, Common, Launch};
use crate::cli::failure::Failure;
use crate::cli::pace::parse_rate;

/// A body begins with the number of its message, in so many digits.
const NUMBER_DIGITS: usize = 20;
/// Messages of a device that wait for their acknowledgement.
const WAITING_MAX: usize = 64;

#[derive(Debug, Args)]
pub(crate) struct LatencyArgs {
    /// Messages a second, of all devices together
    #[arg(long, value_name = "PER_SECOND", default_value = "1000", value_parser = parse_rate)]
    rate: f64,
    /// Devices, each on a connection of its own
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    connections: u32,
    /// Bytes of a message's body; 20 at least
    #[arg(long, value_name = "BYTES", default_value_t = 300, value_parser = parse_size)]
    size: usize,
    #[command(flatten)]
    common: Common,
}

impl Benchmark for LatencyArgs {
    const NAME: &'static str = "latency";
    const OPERATIONS: &'static str = "messages";

    fn common(&self) -> &Common {
        &self.common
    }

    fn rate(&self) -> Option<f64> {
        Some(self.rate)
    }

    fn devices(&self) -> usize {
        usize::try_from(self.connections).unwrap_or(usize::MAX)
    }

    fn parameters(&self) -> Value {
        json!({ "connections": self.connections, "sizeBytes": self.size.max(NUMBER_DIGITS) })
    }

    async fn set_up(&self, stage: &Stage) -> Result<Launch, Failure> {
        let clients = stage.connect(|builder| builder).await?;
        let (prefix, size) = (stage.prefix().to_owned(), self.size);
        let events = stage.service.events().connect().await?;
        Ok(Box::new(move |load| {
            let mut tasks = JoinSet::new();
            let (acknowledged_in, acknowledged) = mpsc::channel(clients.len().max(1));
            for client in clients {
                tasks.spawn(send((Arc::clone(load), client), size, acknowledged_in.clone()));
            }
            let reader = Reader {
                load: Arc::clone(load),
                events,
                prefix,
                seen: Numbers::default(),
            };
            tasks.spawn(reader.read(acknowledged));
            tasks
        }))
    }
}

/// Sends what is due; in the end tells how many messages the hub has acknowledged.
async fn send((load, client): (Arc<Load>, DeviceClient), size: usize, acknowledged: mpsc::Sender<u64>) {
    let filler = "x".repeat(size.saturating_sub(NUMBER_DIGITS));
    let (waiting, mut flying) = mpsc::channel::<Acknowledgement>(WAITING_MAX);
    let (load, client) = (&load, &client);
    // Owns the channel's entrance: the receiver's loop ends with it.
    let send = async move {
        while let Some(operation) = load.next().await {
            let body = format!("{:0NUMBER_DIGITS$}{filler}", operation.number);
            match client.submit_telemetry(message(body)).await {
                Ok(acknowledgement) => drop(waiting.send(acknowledgement).await),
                Err(error) => return load.failed(error).await,
            }
        }
    };
    let receive = async {
        let mut count = 0;
        while let Some(acknowledgement) = flying.recv().await {
            match acknowledgement.await {
                Ok(()) => count += 1,
                Err(error) => load.failed(error).await,
            }
        }
        count
    };
    let ((), count) = tokio::join!(send, receive);
    let _ = acknowledged.send(count).await;
}

struct Reader {
    load: Arc<Load>,
    events: EventReader,
    /// Of the devices of this run.
    prefix: String,
    seen: Numbers,
}

impl Reader {
    /// Until all that the hub has acknowledged has come.
    async fn read(mut self, mut acknowledged: mpsc::Receiver<u64>) {
        let (mut expected, mut is_final) = (0, false);
        while !is_final || self.seen.count < expected {
            tokio::select! {
                event = self.events.next() => match event {
                    Ok(event) => self.take(&event),
                    Err(error) => return self.load.failed(error).await,
                },
                count = acknowledged.recv(), if !is_final => match count {
                    Some(count) => expected += count,
                    None => is_final = true,
                },
            }
        }
        self.events.close().await;
    }

    fn take(&mut self, event: &Event) {
        let is_own = event.device_id().is_some_and(|id| id.starts_with(&self.prefix));
        let number = event
            .body
            .get(..NUMBER_DIGITS)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(number) = number.and_then(|digits| digits.parse::<u64>().ok()).filter(|_| is_own)
            && number < self.load.taken()
            && self.seen.insert(number)
            && let Some(operation) = self.load.scheduled(number)
        {
            self.load.done(operation, 0);
        }
    }
}

/// A set of small numbers, one bit each: a message that was sent twice counts once.
#[derive(Debug, Default)]
struct Numbers {
    bits: Vec<u64>,
    count: u64,
}

impl Numbers {
    /// False when it was there already.
    fn insert(&mut self, number: u64) -> bool {
        let (word, mask) = (usize::try_from(number / 64).unwrap_or(usize::MAX), 1 << (number % 64));
        if word >= self.bits.len() {
            self.bits.resize(word + 1, 0);
        }
        let Some(bits) = self.bits.get_mut(word) else {
            return false;
        };
        let is_new = *bits & mask == 0;
        *bits |= mask;
        self.count += u64::from(is_new);
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_once() {
        let mut numbers = Numbers::default();
        let inserted = [0, 63, 64, 1000, 64, 0].map(|number| numbers.insert(number));
        assert_eq!(inserted, [true, true, true, true, false, false]);
        assert_eq!(numbers.count, 4);
    }
}
