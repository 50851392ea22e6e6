//! The measured hub: a child process with a seed of devices.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ironhub_testkit::HubHome;
use serde_json::Value;

use crate::Result;
use crate::connection::KEY;

/// Registering ten thousand devices takes a while.
const START_MAX: Duration = Duration::from_mins(5);
/// The unit of `/proc/PID/stat`, everywhere on Linux.
const TICK_US: f64 = 10_000.0;

/// Killed when dropped.
pub(crate) struct HubProcess {
    process: ironhub_testkit::HubProcess,
    pub(crate) mqtt_port: u16,
    pub(crate) amqp_port: u16,
    pub(crate) ca_pem: Vec<u8>,
    /// An Event Hubs connection string.
    pub(crate) event_hubs: String,
}

/// The device with this number.
pub(crate) fn device_id(number: usize) -> String {
    format!("device-{number:06}")
}

impl HubProcess {
    /// Starts a hub with so many devices and waits until it listens.
    pub(crate) async fn start(directory: &Path, devices: usize) -> Result<Self> {
        let mut home = HubHome::new(env!("CARGO_BIN_EXE_ironhub"), directory);
        let seed_file = home.path("seed.toml");
        fs::write(&seed_file, seed(devices)?)?;
        // With the environment of whoever measures: it may set the allocator.
        let mut command = Command::new(env!("CARGO_BIN_EXE_ironhub"));
        command
            .args(home.serve_dev_arguments())
            .args(["--log", "warn", "--seed"])
            .arg(seed_file);
        let mut process = home.spawn(command);
        let ready = process.ready(START_MAX).await;
        let event_hubs = ready.pointer("/connection_strings/event_hubs");
        Ok(Self {
            process,
            mqtt_port: port(&ready, "/ports/mqtt")?,
            amqp_port: port(&ready, "/ports/amqp")?,
            ca_pem: fs::read(ready.get("ca_file").and_then(Value::as_str).ok_or("no CA")?)?,
            event_hubs: event_hubs.and_then(Value::as_str).ok_or("no endpoint")?.into(),
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// User and system time so far.
    pub(crate) fn cpu_us(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        // Behind the name, which may hold spaces: state is field 3, user time 14, system time 15.
        let (_, fields) = stat.rsplit_once(')').ok_or("an odd stat")?;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
        Ok(ticks.sum::<std::result::Result<f64, _>>()? * TICK_US)
    }

    /// A size of `/proc/PID/status`, as `VmRSS` and `RssAnon`.
    pub(crate) fn status_kib(&self, name: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let size = line
            .and_then(|line| line.split_whitespace().next())
            .ok_or("no such size")?;
        Ok(size.parse()?)
    }
}

fn port(ready: &Value, pointer: &str) -> Result<u16> {
    let port = ready.pointer(pointer).and_then(Value::as_u64).ok_or("no such port")?;
    Ok(port.try_into()?)
}

fn seed(devices: usize) -> Result<String> {
    let mut seed = String::new();
    for number in 0..devices {
        let id = device_id(number);
        writeln!(
            seed,
            "[[device]]\nid = \"{id}\"\nauthentication = {{ primary-key = \"{KEY}\" }}"
        )?;
    }
    Ok(seed)
}
