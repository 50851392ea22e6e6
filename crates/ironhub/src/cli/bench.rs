//! `ironhub bench`: what a hub bears and how fast it answers, measured from outside with devices of the measurement's
//! own.
//!
//! A closed loop keeps a number of operations under way and begins the next when one is answered: it finds the highest
//! rate. With `--rate` operations begin by a schedule that no answer holds up, and latency counts from the instant that
//! an operation was due: a hub that stalls is not asked less, and does not look better than it is.

mod connect;
mod cpu;
mod host;
mod ingest;
mod latency;
mod load;
mod machine;
mod method;
mod processors;
mod recorder;
mod report;
mod run;
mod stage;
mod timer;
mod twin;

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::Value;
use tokio::task::JoinSet;

use self::load::{Extent, Load, Plan};
use self::stage::Stage;
use super::failure::Failure;
use super::fleet::parse_prefix;
use super::login::Login;
use super::pace::{parse_rate, parse_seconds};
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Durable telemetry: how many messages a second the hub acknowledges
    #[command(after_help = "Example: ironhub bench ingest --connections 50 --in-flight 32 --duration 30 -o json")]
    Ingest(Box<ingest::IngestArgs>),
    /// New connections: TLS, CONNECT with a token, CONNACK
    #[command(after_help = "Example: ironhub bench connect --connections 20")]
    Connect(Box<connect::ConnectArgs>),
    /// Direct methods, from the back end's request to the device's answer
    #[command(after_help = "Example: ironhub bench method --rate 1000")]
    Method(Box<method::MethodArgs>),
    /// Reads and durable updates of twins, by the device or by a back end
    #[command(after_help = "Example: ironhub bench twin --operation report --connections 100")]
    Twin(Box<twin::TwinArgs>),
    /// From a device's send to a reader of the built-in endpoint, at a steady rate
    #[command(after_help = "Example: ironhub bench latency --rate 5000 --duration 30")]
    Latency(Box<latency::LatencyArgs>),
}

/// The flags of every measurement.
#[derive(Debug, Args)]
struct Common {
    /// Seconds to measure
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_seconds)]
    duration: Duration,
    /// Seconds of the same load beforehand that are not counted
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = parse_seconds)]
    warm_up: Duration,
    /// End after so many operations and count each, in place of a duration
    #[arg(long, value_name = "N", conflicts_with_all = ["duration", "warm_up"])]
    count: Option<NonZeroU64>,
    /// Names of the devices begin with this; they are removed at the end
    #[arg(long, value_name = "TEXT", default_value = "bench-", value_parser = parse_prefix)]
    prefix: String,
    /// The hub's process, when it runs on this machine: tells its CPU time
    #[arg(long, value_name = "PID")]
    hub_pid: Option<u32>,
    /// As JSON, whose members docs/benchmarks.md explains, or as text for people
    #[arg(long, short = 'o', value_enum, default_value = "table")]
    output: Output,
    #[command(flatten)]
    login: Login,
}

/// The flag of those that can follow a schedule.
#[derive(Debug, Args)]
struct RateArgs {
    /// Begin so many operations a second and wait for no answer; as many as the hub answers when left out
    #[arg(long, value_name = "PER_SECOND", value_parser = parse_rate)]
    rate: Option<f64>,
}

/// One kind of measurement.
trait Benchmark {
    const NAME: &'static str;
    /// What is counted, for people.
    const OPERATIONS: &'static str;
    /// Each operation is a TLS handshake: the report tells how many resumed a session.
    const MAKES_HANDSHAKES: bool = false;

    fn common(&self) -> &Common;

    /// Operations a second; none for a closed loop.
    fn rate(&self) -> Option<f64>;

    /// Devices that it needs.
    fn devices(&self) -> usize;

    /// Its own parameters, as the report names them.
    fn parameters(&self) -> Value;

    /// Makes everything ready: what is returned begins the load.
    async fn set_up(&self, stage: &Stage) -> Result<Launch, Failure>;
}

/// Begins the load; it has ended when all of its tasks have.
type Launch = Box<dyn FnOnce(&Arc<Load>) -> JoinSet<()>>;

/// Measures and prints.
pub(crate) async fn run(command: BenchCommand) -> Result<(), Failure> {
    match command {
        BenchCommand::Ingest(args) => run::run(*args).await,
        BenchCommand::Connect(args) => run::run(*args).await,
        BenchCommand::Method(args) => run::run(*args).await,
        BenchCommand::Twin(args) => run::run(*args).await,
        BenchCommand::Latency(args) => run::run(*args).await,
    }
}

impl Common {
    fn plan(&self, rate: Option<f64>) -> Plan {
        Plan {
            warm_up: if self.count.is_some() {
                Duration::ZERO
            } else {
                self.warm_up
            },
            extent: match self.count {
                Some(count) => Extent::Operations(count.get()),
                None => Extent::Time(self.duration),
            },
            rate,
        }
    }
}
