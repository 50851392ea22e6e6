//! The hub as a child process, and where it listens.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ironhub_model::ConnectionString;
use serde_json::Value;
use tokio::time::{Instant, interval, timeout};

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
    directory: PathBuf,
    starts: u32,
    /// The program that runs the hub's, with its arguments; none runs it directly.
    within: Vec<OsString>,
    variables: Vec<(&'static str, OsString)>,
}

/// A running hub; killed when dropped.
pub(crate) struct HubProcess {
    child: Child,
    log: PathBuf,
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
            directory: directory.into(),
            starts: 0,
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
        let log = Self::data(&self.directory).join("log");
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
        let (mut child, _) = self.spawn();
        let lifetime = Duration::from_micros(dice.below(60_000));
        let (ended, end) = std::sync::mpsc::channel::<()>();
        let _ = end.recv_timeout(lifetime); // Nobody sends: this is a pause off the runtime's clock.
        drop(ended);
        child.kill().unwrap();
        child.wait().unwrap();
        lifetime
    }

    /// Starts a hub and waits until it listens.
    pub(crate) async fn start(&mut self) -> HubProcess {
        let began = Instant::now();
        let (mut child, log) = self.spawn();
        let ready_file = self.ready_file();
        let listening = async {
            let mut looks = interval(Duration::from_millis(2));
            loop {
                looks.tick().await;
                if let Ok(text) = fs::read(&ready_file) {
                    return serde_json::from_slice::<Value>(&text).unwrap();
                }
                if let Some(status) = child.try_wait().unwrap() {
                    panic!("the hub ended instead of starting: {status}\n{}", tail(&log));
                }
            }
        };
        let Ok(ready) = timeout(START_MAX, listening).await else {
            let _ = child.kill();
            panic!("the hub does not start\n{}", tail(&log));
        };
        let hub = Hub::read(&ready, began.elapsed());
        HubProcess { child, log, hub }
    }

    fn ready_file(&self) -> PathBuf {
        self.directory.join("ready.json")
    }

    fn spawn(&mut self) -> (Child, PathBuf) {
        self.starts += 1;
        let _ = fs::remove_file(self.ready_file());
        let log = self.directory.join(format!("hub-{}.log", self.starts));
        let path = |name: &str| self.directory.join(name).into_os_string();
        let mut words = self.within.iter().cloned();
        let mut command = match words.next() {
            Some(first) => Command::new(first),
            None => Command::new(env!("CARGO_BIN_EXE_ironhub")),
        };
        if !self.within.is_empty() {
            command.args(words).arg(env!("CARGO_BIN_EXE_ironhub"));
        }
        let child = command
            .envs(self.variables.iter().cloned())
            .args([
                "serve",
                "--dev",
                "--host-name",
                "127.0.0.1",
                "--mqtt-port",
                "0",
                "--https-port",
                "0",
            ])
            .args([
                "--amqp-port",
                "0",
                "--plain-amqp-port",
                "0",
                "--plain-mqtt-port",
                "0",
                "--health-port",
                "0",
                "--log",
                "info",
            ])
            .args(["--segment-size", SEGMENT_SIZE])
            .arg("--data-dir")
            .arg(Self::data(&self.directory))
            .args(["--ca-dir".into(), path("ca")])
            .args([
                "--seed".into(),
                path("seed.toml"),
                "--ready-file".into(),
                path("ready.json"),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        (child, log)
    }
}

impl HubProcess {
    /// Kills the hub: no handler, no destructor, no flush. Returns what it wrote to its log.
    pub(crate) fn kill(mut self) -> String {
        assert_eq!(
            self.child.try_wait().unwrap(),
            None,
            "the hub ended by itself\n{}",
            tail(&self.log)
        );
        self.hub.is_killed.store(true, Ordering::SeqCst);
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Asks the hub to stop in good order.
    pub(crate) async fn stop(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.ended().await
    }

    /// The hub ends by itself. Returns how, and what it wrote to its log.
    pub(crate) async fn end(mut self) -> (ExitStatus, String) {
        let status = self.ended().await;
        (status, fs::read_to_string(&self.log).unwrap())
    }

    async fn ended(&mut self) -> ExitStatus {
        let ended = async {
            let mut looks = interval(Duration::from_millis(5));
            loop {
                looks.tick().await;
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status;
                }
            }
        };
        timeout(STOP_MAX, ended).await.expect("the hub does not stop")
    }
}

impl Drop for HubProcess {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("last lines of the hub's log:\n{}", tail(&self.log));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(20).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
