//! A hub of the runner's own: started, ready, ended.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use super::suites::Suite;
use crate::{command, wait};

/// From start to ready file. A hub starts in milliseconds; this is for a machine that does much else.
const START_MAX: Duration = Duration::from_mins(1);

/// From SIGTERM to exit: the hub drains first.
const DRAIN_MAX: Duration = Duration::from_mins(1);

/// What SDKs connect to, by the names of the ready file; none of them can be told another port for everything.
const STANDARD_PORTS: &[(&str, u16)] = &[("mqtt", 8883), ("https", 443), ("amqp", 5671), ("amqp_plain", 5672)];

/// A hub that listens.
pub(crate) struct Hub {
    process: Process,
    pub(crate) ready: Ready,
}

/// Whatever goes wrong, no hub outlives the run.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a process that is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How to start a hub; a second start finds what the first has stored.
pub(crate) struct Launch {
    binary: PathBuf,
    /// Below it: data, user directory, ready file, log.
    directory: PathBuf,
    host_name: String,
    /// Keeps nothing on disk but its CA.
    in_memory: bool,
    flags: Vec<String>,
}

/// The part of the hub's ready file that the runner needs.
#[derive(Deserialize)]
pub(crate) struct Ready {
    pub(crate) ca_file: PathBuf,
    ports: BTreeMap<String, u16>,
}

impl Launch {
    pub(crate) fn new(binary: &Path, directory: &Path, suite: &Suite, fault: Option<&str>) -> Self {
        let fault = fault
            .into_iter()
            .flat_map(|rule| ["--fault".to_owned(), rule.to_owned()]);
        Self {
            binary: binary.to_owned(),
            directory: directory.to_owned(),
            host_name: suite.host_name(),
            in_memory: suite.in_memory,
            flags: suite.hub_flags.iter().cloned().chain(fault).collect(),
        }
    }

    pub(crate) fn ready_file(&self) -> PathBuf {
        self.directory.join("ready.json")
    }

    pub(crate) fn data_directory(&self) -> PathBuf {
        self.directory.join("data")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.directory.join("hub.log")
    }

    /// Starts the hub and waits until it listens.
    pub(crate) fn start(&self) -> Result<Hub> {
        remove_file(&self.ready_file())?;
        let log = File::options().create(true).append(true).open(self.log())?;
        let mut serve = Command::new(&self.binary);
        // Each of its flags is a variable, too: only those given here count.
        for (name, _) in env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"IRONHUB_")) {
            serve.env_remove(name);
        }
        serve.args(["serve", "--dev", "--host-name", &self.host_name]);
        if self.in_memory {
            serve.arg("--in-memory");
        } else {
            serve.arg("--data-dir").arg(self.data_directory());
        }
        serve.arg("--ready-file").arg(self.ready_file());
        // The CA is the user's: this hub's user is the run.
        serve
            .args(&self.flags)
            .env("XDG_DATA_HOME", self.directory.join("user"));
        serve.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = serve
            .spawn()
            .with_context(|| format!("cannot start {}", self.binary.display()))?;
        let mut process = Process(child);
        let ready = self.wait(&mut process)?;
        ready.require_standard_ports()?;
        Ok(Hub { process, ready })
    }

    fn wait(&self, process: &mut Process) -> Result<Ready> {
        let ready = wait::until(START_MAX, || {
            if let Some(status) = process.0.try_wait()? {
                bail!(
                    "the hub ended before it was ready ({status}):\n{}",
                    log_end(&self.log())
                );
            }
            // Not there, or not yet whole: look again.
            Ok(fs::read(self.ready_file())
                .ok()
                .and_then(|text| serde_json::from_slice(&text).ok()))
        })?;
        ready.with_context(|| format!("no ready file after {START_MAX:?}:\n{}", log_end(&self.log())))
    }
}

impl Ready {
    fn require_standard_ports(&self) -> Result<()> {
        for (name, port) in STANDARD_PORTS {
            let found = self.ports.get(*name).map_or_else(|| "none".to_owned(), u16::to_string);
            ensure!(
                found == port.to_string(),
                "SDKs use port {port} for {name}; the hub got {found}. \
                 Run as root, or let everyone bind them: sysctl net.ipv4.ip_unprivileged_port_start=443"
            );
        }
        Ok(())
    }
}

impl Hub {
    /// An error when it has ended by itself, which it must not.
    pub(crate) fn require_running(&mut self) -> Result<()> {
        match self.process.0.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the hub ended by itself ({status})"),
        }
    }

    /// SIGTERM; the hub drains and must exit with 0.
    pub(crate) fn end(mut self) -> Result<()> {
        self.require_running()?;
        let child = &mut self.process.0;
        command::run_quietly(Command::new("kill").args(["-TERM", &child.id().to_string()]))?;
        match wait::until(DRAIN_MAX, || Ok(child.try_wait()?))? {
            Some(status) if status.success() => Ok(()),
            Some(status) => bail!("the hub ended with {status} after SIGTERM"),
            None => bail!("the hub still runs {DRAIN_MAX:?} after SIGTERM"),
        }
    }

    /// SIGKILL: the process gets no chance to save anything.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

pub(crate) fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// The last lines of a log, for an error message.
pub(crate) fn log_end(path: &Path) -> String {
    const LINES: usize = 40;
    let bytes = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join(
        "
",
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const READY: &str =
        r#"echo '{"ca_file":"ca.pem","ports":{"mqtt":8883,"https":443,"amqp":5671,"amqp_plain":5672}}' > "$ready""#;

    /// Starts a shell script as the hub. `$ready` is the path of its ready file.
    fn start(script: &str) -> (tempfile::TempDir, Result<Hub>) {
        let directory = tempfile::tempdir().unwrap();
        let binary = directory.path().join("hub");
        let find = "while [ \"$1\" != --ready-file ]; do shift; done; ready=$2\n";
        fs::write(&binary, format!("#!/bin/sh\n{find}{script}\n")).unwrap();
        fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
        let launch = Launch {
            binary,
            directory: directory.path().to_owned(),
            host_name: "127.0.1.1".to_owned(),
            in_memory: true,
            flags: Vec::new(),
        };
        let hub = launch.start();
        (directory, hub)
    }

    #[track_caller]
    fn check(script: &str, expected: Result<(), &str>) {
        let (_directory, hub) = start(script);
        match (hub.and_then(Hub::end), expected) {
            (Ok(()), Ok(())) => {}
            (Err(error), Err(expected)) => assert!(format!("{error:#}").contains(expected), "{error:#}"),
            (found, _) => panic!("{found:?}"),
        }
    }

    #[test]
    fn a_hub_starts_and_drains() {
        check(
            &format!("trap 'exit 0' TERM\n{READY}\nwhile :; do sleep 0.02; done"),
            Ok(()),
        );
        check(
            &format!("trap 'exit 3' TERM\n{READY}\nwhile :; do sleep 0.02; done"),
            Err("after SIGTERM"),
        );
    }

    #[test]
    fn a_hub_that_ends_by_itself_is_an_error() {
        check("echo 'address in use' >&2; exit 1", Err("address in use"));
        let (_directory, hub) = start(&format!("{READY}\nread wait_for_ever < /dev/zero"));
        let mut hub = hub.unwrap();
        assert!(hub.require_running().is_ok());
        hub.process.0.kill().unwrap();
        hub.process.0.wait().unwrap();
        assert!(hub.require_running().is_err());
    }

    #[test]
    fn another_port_says_what_to_do() {
        check(
            &format!("{}\nsleep 60", READY.replace("443", "8443")),
            Err("ip_unprivileged_port_start"),
        );
        let without = READY.replace(r#","amqp_plain":5672"#, "");
        check(
            &format!("{without}\nsleep 60"),
            Err("port 5672 for amqp_plain; the hub got none"),
        );
    }
}
