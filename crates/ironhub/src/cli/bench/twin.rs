//! Twins: read or updated, by their devices over MQTT or by back ends over HTTPS. Updates are durable when they are
//! answered.

use std::sync::Arc;

use clap::{Args, ValueEnum};
use ironhub_client::limits::TWIN_REQUESTS_MAX;
use ironhub_client::{DeviceClient, Error, Match, ServiceClient};
use ironhub_model::IdentityId;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::load::{Load, repeat};
use super::stage::Stage;
use super::{Benchmark, Common, Launch, RateArgs};
use crate::cli::failure::Failure;

/// What is done to a twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TwinOperation {
    /// The device reads its own over MQTT.
    Read,
    /// The device patches its reported properties over MQTT, one patch after the other.
    Report,
    /// A back end reads it over HTTPS.
    Show,
    /// A back end patches desired properties over HTTPS.
    Update,
}

#[derive(Debug, Args)]
pub(crate) struct TwinArgs {
    /// What to measure
    #[arg(long, value_enum, default_value = "report")]
    operation: TwinOperation,
    /// Devices; with `read` and `report` each has a connection of its own
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    connections: u32,
    /// Operations of a device that wait for their answer; `report` has one, whatever is said here
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = parse_in_flight)]
    in_flight: usize,
    #[command(flatten)]
    rate: RateArgs,
    #[command(flatten)]
    common: Common,
}

impl Benchmark for TwinArgs {
    const NAME: &'static str = "twin";
    const OPERATIONS: &'static str = "operations";

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
        let operation = self.operation.to_possible_value();
        let operation = operation.as_ref().map(|value| value.get_name().to_owned());
        json!({ "operation": operation, "connections": self.connections, "inFlight": self.in_flight() })
    }

    async fn set_up(&self, stage: &Stage) -> Result<Launch, Failure> {
        let workers = match self.operation {
            TwinOperation::Read | TwinOperation::Report => self.devices_at_work(stage).await?,
            TwinOperation::Show | TwinOperation::Update => self.back_ends(stage)?,
        };
        let operation = self.operation;
        Ok(Box::new(move |load| {
            let mut tasks = JoinSet::new();
            for (number, worker) in workers.into_iter().enumerate() {
                tasks.spawn(work(Arc::clone(load), number, worker, operation));
            }
            tasks
        }))
    }
}

/// Who does one operation after the other.
enum Worker {
    Device(DeviceClient),
    BackEnd(ServiceClient, IdentityId),
}

impl TwinArgs {
    fn in_flight(&self) -> usize {
        if self.operation == TwinOperation::Report {
            1
        } else {
            self.in_flight
        }
    }

    /// Each has so many operations under way over its one connection.
    async fn devices_at_work(&self, stage: &Stage) -> Result<Vec<Worker>, Failure> {
        let clients = stage.connect(|builder| builder).await?;
        let each = clients
            .iter()
            .flat_map(|client| (0..self.in_flight()).map(|_| client.clone()));
        Ok(each.map(Worker::Device).collect())
    }

    /// Each has a connection of its own.
    fn back_ends(&self, stage: &Stage) -> Result<Vec<Worker>, Failure> {
        let ids = stage
            .devices
            .iter()
            .map(|device| IdentityId::device(device.device_id.clone()));
        let each = ids.flat_map(|id| (0..self.in_flight()).map(move |_| id.clone()));
        each.map(|id| Ok(Worker::BackEnd(stage.hub.service()?, id))).collect()
    }
}

async fn work(load: Arc<Load>, number: usize, worker: Worker, operation: TwinOperation) {
    repeat(&load, number, |turn| act(&worker, operation, turn)).await;
}

async fn act(worker: &Worker, operation: TwinOperation, turn: u64) -> Result<(), Error> {
    match (worker, operation) {
        (Worker::Device(client), TwinOperation::Read) => client.twin().await.map(drop),
        (Worker::Device(client), _) => client.update_reported(json!({ "turn": turn })).await.map(drop),
        (Worker::BackEnd(service, id), TwinOperation::Show) => service.twin(id).await.map(drop),
        (Worker::BackEnd(service, id), _) => {
            let patch = json!({ "properties": { "desired": { "turn": turn } } });
            service.update_twin(id, &patch, &Match::Any).await.map(drop)
        }
    }
}

fn parse_in_flight(text: &str) -> Result<usize, String> {
    let count = text
        .parse::<usize>()
        .ok()
        .filter(|count| (1..=TWIN_REQUESTS_MAX).contains(count));
    count.ok_or_else(|| format!("expected 1 to {TWIN_REQUESTS_MAX}"))
}
