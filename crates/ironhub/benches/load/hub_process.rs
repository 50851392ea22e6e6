//! The measured hub: a child process with a seed of devices.

use std::fmt::Write;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::time::{interval, timeout};

use crate::Result;
use crate::connection::KEY;

/// Registering ten thousand devices takes a while.
const START_MAX: Duration = Duration::from_mins(5);
/// The unit of `/proc/PID/stat`, everywhere on Linux.
const TICK_US: f64 = 10_000.0;

/// Killed when dropped.
pub(crate) struct HubProcess {
    child: Child,
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
        let path = |name: &str| directory.join(name);
        fs::write(path("seed.toml"), seed(devices)?)?;
        let child = Command::new(env!("CARGO_BIN_EXE_ironhub"))
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
                "warn",
            ])
            .args([
                "--data-dir".as_ref(),
                path("data").as_os_str(),
                "--ca-dir".as_ref(),
                path("ca").as_os_str(),
            ])
            .args(["--seed".as_ref(), path("seed.toml").as_os_str()])
            .args(["--ready-file".as_ref(), path("ready.json").as_os_str()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(path("hub.log"))?)
            .spawn()?;
        let mut process = Self {
            child,
            mqtt_port: 0,
            amqp_port: 0,
            ca_pem: Vec::new(),
            event_hubs: String::new(),
        };
        let ready = timeout(START_MAX, process.ready(directory)).await??;
        process.mqtt_port = port(&ready, "/ports/mqtt")?;
        process.amqp_port = port(&ready, "/ports/amqp")?;
        let event_hubs = ready.pointer("/connection_strings/event_hubs");
        process.event_hubs = event_hubs.and_then(Value::as_str).ok_or("no endpoint")?.into();
        process.ca_pem = fs::read(ready.get("ca_file").and_then(Value::as_str).ok_or("no CA")?)?;
        Ok(process)
    }

    async fn ready(&mut self, directory: &Path) -> Result<Value> {
        let mut looks = interval(Duration::from_millis(5));
        loop {
            looks.tick().await;
            if let Ok(text) = fs::read(directory.join("ready.json")) {
                return Ok(serde_json::from_slice(&text)?);
            }
            if let Some(status) = self.child.try_wait()? {
                let log = fs::read_to_string(directory.join("hub.log"))?;
                return Err(format!("the hub ended instead of starting: {status}\n{log}").into());
            }
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// User and system time so far.
    pub(crate) fn cpu_us(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // Behind the name, which may hold spaces: state is field 3, user time 14, system time 15.
        let (_, fields) = stat.rsplit_once(')').ok_or("an odd stat")?;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
        Ok(ticks.sum::<std::result::Result<f64, _>>()? * TICK_US)
    }

    /// A size of `/proc/PID/status`, as `VmRSS` and `RssAnon`.
    pub(crate) fn status_kib(&self, name: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let size = line
            .and_then(|line| line.split_whitespace().next())
            .ok_or("no such size")?;
        Ok(size.parse()?)
    }
}

impl Drop for HubProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
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
