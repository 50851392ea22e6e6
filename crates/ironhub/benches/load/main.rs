//! What a hub costs and bears: starts the hub of this build as a process of its own and measures it from outside.
//!
//! ```text
//! cargo bench -p ironhub --bench load -- ingest      durable telemetry over TLS: rate, latency, server CPU
//! cargo bench -p ironhub --bench load -- memory      idle TLS devices: resident memory of each
//! cargo bench -p ironhub --bench load -- amqp-memory the same over AMQP, with two links
//! cargo bench -p ironhub --bench load -- reader      a partition to one AMQP reader: rate, server CPU
//! cargo bench -p ironhub --bench load -- latency     from a device's send to an AMQP reader at a steady rate
//! cargo bench -p ironhub --bench load -- calibrate   what this disk and processor do without a hub
//! ```
//!
//! Client and hub share the machine. Many connections need many file descriptors on both sides: `ulimit -n`.

mod amqp;
mod calibration;
mod connection;
mod hub_process;
mod ingest;
mod latency;
mod memory;
mod reader;

use std::error::Error;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Measures a hub
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
    /// Where the hub keeps its data while it is measured; a temporary directory is made in it
    #[arg(long, global = true, default_value = ".")]
    directory: PathBuf,
    /// What `cargo bench` passes on; without it nothing is measured
    #[arg(long, global = true, hide = true)]
    bench: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Durable telemetry at QoS 1 in a closed loop over TLS
    Ingest(Ingest),
    /// Resident memory of idle TLS connections
    Memory(Memory),
    /// Resident memory of idle TLS connections over AMQP with two links each
    AmqpMemory(Memory),
    /// A partition to one AMQP reader over TLS, from the tail and from sealed blocks
    Reader(Reader),
    /// From a device's send to an AMQP reader, both over TLS
    Latency(Latency),
    /// The disk's own rate of syncs, and the processor's of signatures
    Calibrate,
}

#[derive(Debug, Args)]
struct Ingest {
    /// Devices, each on a connection of its own
    #[arg(long, default_value_t = 50)]
    connections: usize,
    /// Messages of a device that wait for their PUBACK
    #[arg(long, default_value_t = 32)]
    in_flight: u16,
    /// Bytes of a message's body
    #[arg(long, default_value_t = 300)]
    body_bytes: usize,
    /// How long to measure
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

#[derive(Debug, Args)]
struct Memory {
    /// Devices, each on a connection of its own
    #[arg(long, default_value_t = 2000)]
    connections: usize,
    /// How long they are idle before the memory is read
    #[arg(long, default_value_t = 30)]
    settle_s: u64,
}

#[derive(Debug, Args)]
struct Reader {
    /// How long devices fill the log before it is read
    #[arg(long, default_value_t = 20)]
    fill_s: u64,
    /// Bytes of a message's body
    #[arg(long, default_value_t = 300)]
    body_bytes: usize,
    /// Events of one pass; those of the tail lie in memory
    #[arg(long, default_value_t = 20_000)]
    events: u64,
    /// Passes over the same events, each on a link of its own
    #[arg(long, default_value_t = 20)]
    passes: u64,
}

#[derive(Debug, Args)]
struct Latency {
    /// Devices, each on a connection of its own
    #[arg(long, default_value_t = 50)]
    connections: usize,
    /// Messages a second, of all devices together
    #[arg(long, default_value_t = 5000)]
    rate: u32,
    /// Bytes of a message's body
    #[arg(long, default_value_t = 300)]
    body_bytes: usize,
    /// How long to measure
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if !arguments.bench {
        return Ok(()); // A test run, which wants no figures.
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let directory = tempfile::tempdir_in(&arguments.directory)?;
    runtime.block_on(async {
        match arguments.what {
            Some(What::Ingest(ingest)) => ingest::measure(directory.path(), &ingest).await,
            Some(What::Memory(memory)) => memory::measure(directory.path(), &memory).await,
            Some(What::AmqpMemory(memory)) => memory::measure_amqp(directory.path(), &memory).await,
            Some(What::Reader(reader)) => reader::measure(directory.path(), &reader).await,
            Some(What::Latency(latency)) => latency::measure(directory.path(), &latency).await,
            Some(What::Calibrate) | None => calibration::measure(directory.path()),
        }
    })
}
