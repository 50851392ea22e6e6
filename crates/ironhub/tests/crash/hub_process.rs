//! The hub as a child process, and where it listens.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ironhub_model::ConnectionString;
use ironhub_testkit::HubHome;
use serde_json::Value;
use tokio::time::{Instant, timeout};

use crate::amqp::Endpoint;
use crate::dice::Dice;
use crate::service::Service;

/// A start that takes longer than this has hung.
const START_MAX: Duration = Duration::from_secs(30);
const STOP_MAX: Duration = Duration::from_secs(30);
/// Small, so that journals fill and are sealed in each life.
const SEGMENT_SIZE: &str = "8MiB";

/// One directory in which hubs live one after the other.
pub(crate) struct Home {
    directory: HubHome,
    /// The program that runs the hub's, with its arguments; none runs it directly.
    within: Vec<OsString>,
    variables: Vec<(&'static str, OsString)>,
}

/// A running hub; killed when dropped.
pub(crate) struct HubProcess {
    process: ironhub_testkit::HubProcess,
    pub(crate) hub: Hub,
}

/// Where a running hub is.
#[derive(Clone)]
pub(crate) struct Hub {
    pub(crate) mqtt_port: u16,
    pub(crate) health_port: u16,
    pub(crate) amqp_port: u16,
    pub(crate) events: Endpoint,
    pub(crate) service: Service,
    pub(crate) started_in: Duration,
    is_killed: Arc<AtomicBool>,
}

impl Home {
    pub(crate) fn new(directory: &Path, seed: &str) -> Self {
        fs::write(directory.join("seed.toml"), seed).unwrap();
        Self {
            directory: HubHome::new(env!("CARGO_BIN_EXE_ironhub"), directory),
            within: Vec::new(),
            variables: Vec::new(),
        }
    }

    /// Has the hubs to come run by this command.
    pub(crate) fn run_within(&mut self, command: impl IntoIterator<Item = OsString>) {
        self.within = command.into_iter().collect();
    }

    /// Gives the hubs to come these variables, and no others than they had before there were any.
    pub(crate) fn set_variables(&mut self, variables: impl IntoIterator<Item = (&'static str, OsString)>) {
        self.variables = variables.into_iter().collect();
    }

    /// Where the hubs keep state and events.
    pub(crate) fn data(directory: &Path) -> PathBuf {
        directory.join("data")
    }

    /// How many files of the event log have a path, from its directory, that begins so.
    pub(crate) fn log_files(&self, prefix: &str) -> usize {
        let log = self.directory.path("data").join("log");
        let entries = fs::read_dir(log).unwrap().map(|entry| entry.unwrap());
        let named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
        let files = named.map(|entry| {
            if entry.path().is_dir() {
                fs::read_dir(entry.path()).unwrap().count()
            } else {
                1
            }
        });
        files.sum()
    }

    /// Starts a hub that is killed while it starts.
    pub(crate) fn stillborn(&mut self, dice: &mut Dice) -> Duration {
        let mut process = self.spawn();
        let lifetime = Duration::from_micros(dice.below(60_000));
        let (ended, end) = std::sync::mpsc::channel::<()>();
        let _ = end.recv_timeout(lifetime); // Nobody sends: this is a pause off the runtime's clock.
        drop(ended);
        process.kill();
        lifetime
    }

    /// Starts a hub and waits until it listens.
    pub(crate) async fn start(&mut self) -> HubProcess {
        let began = Instant::now();
        let mut process = self.spawn();
        let ready = process.ready(START_MAX).await;
        let hub = Hub::read(&ready, began.elapsed());
        HubProcess { process, hub }
    }

    /// Starts a hub that cannot run. Returns how it ends, and what it wrote to its log.
    pub(crate) async fn start_in_vain(&mut self) -> (ExitStatus, String) {
        let mut process = self.spawn();
        let status = ended(&mut process).await;
        (status, process.log())
    }

    fn spawn(&mut self) -> ironhub_testkit::HubProcess {
        let mut words = self.within.iter().cloned();
        let mut command = match words.next() {
            Some(first) => Command::new(first),
            None => Command::new(env!("CARGO_BIN_EXE_ironhub")),
        };
        if !self.within.is_empty() {
            command.args(words).arg(env!("CARGO_BIN_EXE_ironhub"));
        }
        command
            .envs(self.variables.iter().cloned())
            .args(self.directory.serve_dev_arguments())
            .args(["--log", "info", "--segment-size", SEGMENT_SIZE, "--seed"])
            .arg(self.directory.path("seed.toml"));
        self.directory.spawn(command)
    }
}

impl HubProcess {
    /// Kills the hub: no handler, no destructor, no flush. Returns what it wrote to its log.
    pub(crate) fn kill(mut self) -> String {
        self.process.assert_running("by itself");
        self.hub.is_killed.store(true, Ordering::SeqCst);
        self.process.kill();
        self.process.log()
    }

    /// Asks the hub to stop in good order.
    pub(crate) async fn stop(mut self) -> ExitStatus {
        self.process.signal("TERM");
        ended(&mut self.process).await
    }

    /// The hub ends by itself. Returns how, and what it wrote to its log.
    pub(crate) async fn end(mut self) -> (ExitStatus, String) {
        let status = ended(&mut self.process).await;
        (status, self.process.log())
    }
}

async fn ended(process: &mut ironhub_testkit::HubProcess) -> ExitStatus {
    let ended = timeout(STOP_MAX, process.ended()).await;
    ended.expect("the hub does not stop")
}

impl Hub {
    fn read(ready: &Value, started_in: Duration) -> Self {
        let port = |name: &str| u16::try_from(ready["ports"][name].as_u64().unwrap()).unwrap();
        let event_hub = ready["connection_strings"]["event_hubs"].as_str().unwrap();
        let owner = ready["connection_strings"]["iothubowner"].as_str().unwrap();
        let ca = fs::read(ready["ca_file"].as_str().unwrap()).unwrap();
        Self {
            mqtt_port: port("mqtt_plain"),
            health_port: port("health"),
            amqp_port: port("amqp_plain"),
            events: Endpoint::parse(event_hub).unwrap(),
            service: Service::new(port("https"), &ca, ConnectionString::parse(owner).unwrap()),
            started_in,
            is_killed: Arc::default(),
        }
    }

    /// A connection is gone: that is right only when the hub has been killed.
    #[track_caller]
    pub(crate) fn assert_killed(&self) {
        assert!(
            self.is_killed.load(Ordering::SeqCst),
            "the hub lives and has closed a connection"
        );
    }
}
