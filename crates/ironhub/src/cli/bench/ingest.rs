//! Durable telemetry at QoS 1: each device keeps a window of messages under way, or all follow one schedule.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use clap::Args;
use ironhub_client::device::Acknowledgement;
use ironhub_client::limits::MESSAGES_IN_FLIGHT_MAX;
use ironhub_client::{DeviceClient, Error, Telemetry};
use ironhub_model::limits::D2C_MESSAGE_BYTES_MAX;
use ironhub_model::message::SystemProperties;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::load::{Load, Operation};
use super::stage::Stage;
use super::{Benchmark, Common, Launch, RateArgs};
use crate::cli::dice::Dice;
use crate::cli::failure::Failure;

/// Bodies are made beforehand and take no more room than this, whatever their size.
const BODIES_BYTES_MAX: usize = 8 * 1024 * 1024;
const BODIES_MAX: usize = 16 * 1024;
/// What a body may have beside its content type: nothing else is sent.
const PROPERTIES_BYTES_MAX: usize = 64;

#[derive(Debug, Args)]
pub(crate) struct IngestArgs {
    /// Devices, each on a connection of its own
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    connections: u32,
    /// Messages of a device that wait for their acknowledgement
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=i64::from(MESSAGES_IN_FLIGHT_MAX)))]
    in_flight: u16,
    /// Bytes of a message's body
    #[arg(long, value_name = "BYTES", default_value_t = 300, value_parser = parse_size)]
    size: usize,
    #[command(flatten)]
    rate: RateArgs,
    #[command(flatten)]
    common: Common,
}

impl Benchmark for IngestArgs {
    const NAME: &'static str = "ingest";
    const OPERATIONS: &'static str = "messages";

    fn common(&self) -> &Common {
        &self.common
    }

    fn rate(&self) -> Option<f64> {
        self.rate.rate
    }

    fn devices(&self) -> usize {
        usize::try_from(self.connections).unwrap_or(usize::MAX)
    }

    fn parameters(&self) -> Value {
        json!({ "connections": self.connections, "inFlight": self.in_flight, "sizeBytes": self.size })
    }

    async fn set_up(&self, stage: &Stage) -> Result<Launch, Failure> {
        let in_flight = self.in_flight;
        let clients = stage
            .connect(|builder| builder.messages_in_flight_max(in_flight))
            .await?;
        let bodies: Arc<[Telemetry]> = bodies(self.size).into();
        Ok(Box::new(move |load| {
            let mut tasks = JoinSet::new();
            for (number, client) in clients.into_iter().enumerate() {
                let sender = Sender {
                    load: Arc::clone(load),
                    client,
                    bodies: Arc::clone(&bodies),
                    number,
                };
                if load.is_paced() {
                    tasks.spawn(sender.follow_schedule(in_flight.into()));
                } else {
                    tasks.spawn(sender.keep_window(in_flight.into()));
                }
            }
            tasks
        }))
    }
}

/// One device.
struct Sender {
    load: Arc<Load>,
    client: DeviceClient,
    bodies: Arc<[Telemetry]>,
    number: usize,
}

type Flying = VecDeque<(Operation, Acknowledgement)>;

impl Sender {
    /// A message for each one that is acknowledged.
    async fn keep_window(self, in_flight: usize) {
        let mut flying = Flying::with_capacity(in_flight);
        loop {
            while flying.len() < in_flight
                && let Some(operation) = self.load.take()
            {
                match self.submit(operation).await {
                    Ok(acknowledgement) => flying.push_back((operation, acknowledgement)),
                    Err(error) => return self.load.failed(error).await,
                }
            }
            if flying.is_empty() {
                return;
            }
            if let Err(error) = self.land(&mut flying).await {
                self.load.failed(error).await;
            }
        }
    }

    /// A message whenever one is due; acknowledgements are waited for beside that.
    async fn follow_schedule(self, in_flight: usize) {
        let (waiting, mut flying) = mpsc::channel::<(Operation, Acknowledgement)>(in_flight);
        let this = &self;
        // Owns the channel's entrance: the receiver's loop ends with it.
        let send = async move {
            while let Some(operation) = this.load.next().await {
                match this.submit(operation).await {
                    Ok(acknowledgement) => drop(waiting.send((operation, acknowledgement)).await),
                    Err(error) => return this.load.failed(error).await,
                }
            }
        };
        let receive = async {
            while let Some((operation, acknowledgement)) = flying.recv().await {
                match acknowledgement.await {
                    Ok(()) => self.load.done(operation, self.number),
                    Err(error) => self.load.failed(error).await,
                }
            }
        };
        tokio::join!(send, receive);
    }

    async fn submit(&self, operation: Operation) -> Result<Acknowledgement, Error> {
        let place = usize::try_from(operation.number).unwrap_or_default() % self.bodies.len().max(1);
        let message = self.bodies.get(place).cloned().unwrap_or_default();
        self.client.submit_telemetry(message).await
    }

    /// Waits for an acknowledgement, and takes all that have come: they come in the order of the messages.
    async fn land(&self, flying: &mut Flying) -> Result<(), Error> {
        let mut landed = 0;
        poll_fn(|cx| {
            while let Some((operation, acknowledgement)) = flying.front_mut() {
                match Pin::new(acknowledgement).poll(cx) {
                    Poll::Pending if landed == 0 => return Poll::Pending,
                    Poll::Pending => break,
                    Poll::Ready(Ok(())) => self.load.done(*operation, self.number),
                    Poll::Ready(Err(error)) => {
                        flying.pop_front();
                        return Poll::Ready(Err(error));
                    }
                }
                flying.pop_front();
                landed += 1;
            }
            Poll::Ready(Ok(()))
        })
        .await
    }
}

/// Messages of text that no compressor makes much of: sixteen letters, each as likely as the other. There are so many
/// that a hub that compresses finds no repetition near enough.
fn bodies(size: usize) -> Vec<Telemetry> {
    let count = (BODIES_BYTES_MAX / size.max(1)).clamp(1, BODIES_MAX);
    let mut dice = Dice::thrown();
    (0..count).map(|_| body(size, &mut dice)).collect()
}

/// One such message; JSON by its content type, since most telemetry says so and hubs look at it.
fn body(size: usize, dice: &mut Dice) -> Telemetry {
    let mut letters = Vec::with_capacity(size);
    while letters.len() < size {
        let eight = dice.bits().to_le_bytes().map(|byte| b'a' + byte % 16);
        letters.extend(eight.iter().take(size - letters.len()));
    }
    message(letters)
}

/// Made so that a copy of it costs nothing.
pub(super) fn message(body: impl Into<Bytes>) -> Telemetry {
    Telemetry::new(body).system(SystemProperties {
        content_type: Some(Cow::Borrowed("application/json")),
        content_encoding: Some(Cow::Borrowed("utf-8")),
        ..SystemProperties::default()
    })
}

pub(super) fn parse_size(text: &str) -> Result<usize, String> {
    let most = D2C_MESSAGE_BYTES_MAX - PROPERTIES_BYTES_MAX;
    let size = text.parse::<usize>().ok().filter(|size| *size <= most);
    size.ok_or_else(|| format!("expected a number of bytes up to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_take_little_room_whatever_their_size() {
        for (size, count) in [(0, 16_384), (300, 16_384), (262_000, 32)] {
            assert_eq!(bodies(size).len(), count, "{size}");
        }
        assert!(parse_size("262144").is_err());
        assert_eq!(parse_size("0"), Ok(0));
    }
}
