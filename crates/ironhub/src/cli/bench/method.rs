//! Direct methods: back ends call over HTTPS, devices answer at once.

use std::sync::Arc;

use clap::Args;
use ironhub_client::{DeviceClient, MethodInvocation, MethodResponse, ServiceClient};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::load::repeat;
use super::stage::Stage;
use super::{Benchmark, Common, Launch, RateArgs};
use crate::cli::failure::Failure;

const METHOD: &str = "bench";

#[derive(Debug, Args)]
pub(crate) struct MethodArgs {
    /// Devices that answer
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    connections: u32,
    /// Calls that wait for their answer, each on an HTTPS connection of its own
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    in_flight: u32,
    #[command(flatten)]
    rate: RateArgs,
    #[command(flatten)]
    common: Common,
}

impl Benchmark for MethodArgs {
    const NAME: &'static str = "method";
    const OPERATIONS: &'static str = "calls";

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
        json!({ "connections": self.connections, "inFlight": self.in_flight })
    }

    async fn set_up(&self, stage: &Stage) -> Result<Launch, Failure> {
        let clients = stage.connect(|builder| builder).await?;
        for client in &clients {
            let answer = |_| async { MethodResponse::from(json!({ "done": true })) };
            client.on_method(METHOD, answer).await?;
        }
        let callers = (0..self.in_flight).map(|_| stage.hub.service());
        let callers = callers.collect::<Result<Vec<_>, _>>()?;
        Ok(Box::new(move |load| {
            let clients: Arc<[DeviceClient]> = clients.into();
            let mut tasks = JoinSet::new();
            for (worker, service) in callers.into_iter().enumerate() {
                let (load, clients) = (Arc::clone(load), Arc::clone(&clients));
                tasks.spawn(async move {
                    repeat(&load, worker, |number| call(&service, &clients, number)).await;
                });
            }
            tasks
        }))
    }
}

/// Calls one device after the other.
async fn call(service: &ServiceClient, clients: &[DeviceClient], number: u64) -> Result<(), ironhub_client::Error> {
    let place = usize::try_from(number).unwrap_or_default() % clients.len().max(1);
    let Some(client) = clients.get(place) else {
        return Ok(());
    };
    let result = service
        .invoke_method(&client.id().to_string(), MethodInvocation::new(METHOD))
        .await?;
    debug_assert_eq!(result.status, 200, "answered by {METHOD}'s own handler");
    Ok(())
}
