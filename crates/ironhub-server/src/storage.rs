//! The embedded adapters, put together: one directory, or memory.

use std::path::Path;
use std::process;
use std::sync::Arc;

use ironhub_hub::Parts;
use ironhub_hub::ports::{Clock, Ports};
use ironhub_model::Timestamp;
use ironhub_storage_embedded::disk::{Disk, MemoryDisk, RealDisk};
use ironhub_storage_embedded::log::{Log, LogOptions};
use ironhub_storage_embedded::{DataDir, LocalBus, Meta, MetaWanted, SqliteState, StateOptions};

use crate::clock::SystemClock;
use crate::config::{ServerConfig, Storage};
use crate::server::StartError;

/// The exit code after a disk that can no longer be trusted: `EX_IOERR` of sysexits.h.
pub const EXIT_DISK_FAILED: i32 = 74;

/// The hub's id in stored keys and names. There is one hub in a process today.
const HUB_ID: &str = "default";

/// SQLite and the segment log in one directory, the device bus in this process.
#[derive(Debug, Clone, Copy)]
pub struct Embedded;

impl Ports for Embedded {
    type State = SqliteState;
    type Log = Log;
    type Bus = LocalBus;
    type Clock = SystemClock;
}

/// Opens everything that the configuration names, and tells when it was made.
pub(crate) fn open(config: &ServerConfig, hub_name: &str) -> Result<(Parts<Embedded>, Timestamp), StartError> {
    let (state, log, created_at) = match &config.storage {
        Storage::InMemory => in_memory(config)?,
        Storage::Directory(path) => in_directory(config, hub_name, path)?,
    };
    let parts = Parts {
        state,
        log,
        bus: LocalBus::new(),
        clock: SystemClock,
    };
    Ok((parts, created_at))
}

fn in_memory(config: &ServerConfig) -> Result<(SqliteState, Log, Timestamp), StartError> {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
    let log = Log::open(disk, Path::new("log"), log_options(config).in_memory())?;
    Ok((SqliteState::open_in_memory()?, log, SystemClock.now()))
}

fn in_directory(
    config: &ServerConfig,
    hub_name: &str,
    path: &Path,
) -> Result<(SqliteState, Log, Timestamp), StartError> {
    let directory = DataDir::open(path)?;
    let wanted = MetaWanted {
        hub_id: HUB_ID.into(),
        hub_name: hub_name.into(),
        partitions: config.partitions,
        profile: config.profile,
    };
    let meta = Meta::open_or_create(&directory, &wanted, SystemClock.now())?;
    let options = StateOptions {
        on_fatal: Arc::new(|_| disk_failed()),
        ..StateOptions::default()
    };
    let state = SqliteState::open(&directory, &options)?;
    let log = Log::open(Arc::new(RealDisk), &path.join("log"), log_options(config))?;
    Ok((state, log, meta.created))
}

fn log_options(config: &ServerConfig) -> LogOptions {
    let clock = Arc::new(|| SystemClock.now());
    let mut options = LogOptions::new(config.partitions, clock, Box::new(|_| disk_failed()));
    options.retention = config.retention;
    options.segment_bytes = config.segment_bytes;
    options
}

/// Ends the process: after a failed sync nobody knows what is durable, and only a restart finds out. The store has said
/// in the log what failed.
fn disk_failed() {
    process::exit(EXIT_DISK_FAILED);
}
