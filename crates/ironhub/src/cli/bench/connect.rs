//! New connections: each device connects, leaves, and connects again.

use std::sync::Arc;

use clap::Args;
use ironhub_client::DeviceClientBuilder;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::load::Load;
use super::stage::Stage;
use super::{Benchmark, Common, Launch, RateArgs};
use crate::cli::failure::Failure;

#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    /// Devices that connect, leave and connect again, side by side
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    connections: u32,
    /// Each device resumes its TLS session where the hub lets; each connection makes a full handshake when left out
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    rate: RateArgs,
    #[command(flatten)]
    common: Common,
}

impl Benchmark for ConnectArgs {
    const NAME: &'static str = "connect";
    const OPERATIONS: &'static str = "connections";
    const MAKES_HANDSHAKES: bool = true;

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
        json!({ "connections": self.connections, "resume": self.resume })
    }

    async fn set_up(&self, stage: &Stage) -> Result<Launch, Failure> {
        let full = stage.hub.trust.without_resumption();
        let builders = stage.devices.iter().map(|device| {
            let trust = if self.resume {
                // As devices are: each a program of its own, that remembers its own sessions.
                stage.hub.trust.with_own_sessions()
            } else {
                full.clone()
            };
            Ok(stage.builder(device)?.trust(trust))
        });
        let builders = builders.collect::<Result<Vec<_>, Failure>>()?;
        Ok(Box::new(move |load| {
            let mut tasks = JoinSet::new();
            for (worker, builder) in builders.into_iter().enumerate() {
                let load = Arc::clone(load);
                tasks.spawn(async move { come_and_go(&load, worker, &builder).await });
            }
            tasks
        }))
    }
}

/// Only coming is measured.
async fn come_and_go(load: &Load, worker: usize, builder: &DeviceClientBuilder) {
    while let Some(operation) = load.next().await {
        match builder.clone().connect().await {
            Ok(client) => {
                load.done(operation, worker);
                if client.is_tls_resumed() {
                    load.resumed(operation);
                }
                client.close().await;
            }
            Err(error) => load.failed(error).await,
        }
    }
}
