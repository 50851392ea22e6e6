//! The `ironhub` program as a child process.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::time::{interval, timeout};

/// How often a file or process is looked at that tells of itself in no other way.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// Whatever a test waits for takes far less.
const WATCHDOG: Duration = Duration::from_mins(1);
/// What a failed test shows of the log.
const TAIL_LINES: usize = 20;

/// A directory in which hubs live one after the other: data, authority, seed, ready file, logs.
#[derive(Debug)]
pub struct HubHome {
    program: PathBuf,
    directory: PathBuf,
    starts: u32,
}

/// A hub that was started; killed when dropped.
#[derive(Debug)]
pub struct HubProcess {
    child: Child,
    log: PathBuf,
    ready_file: PathBuf,
}

impl HubHome {
    /// `program` is what a test finds in `CARGO_BIN_EXE_ironhub`.
    pub fn new(program: impl Into<PathBuf>, directory: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            directory: directory.into(),
            starts: 0,
        }
    }

    /// A name in the directory. Hubs keep `data` and `ca` there.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The program, with no variable that could set anything.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).env_clear().env("HOME", &self.directory);
        command
    }

    /// A development hub on free ports of 127.0.0.1, its files in the directory.
    pub fn serve_dev(&self) -> Command {
        let mut command = self.command(&[]);
        command.args(self.serve_dev_arguments());
        command
    }

    /// The arguments of [`Self::serve_dev`], for a command that keeps its environment or that runs another program.
    pub fn serve_dev_arguments(&self) -> Vec<String> {
        let hub = ["serve", "--dev", "--host-name", "127.0.0.1"].map(String::from);
        let plain_ports = ["--plain-mqtt-port=0", "--plain-amqp-port=0"].map(String::from);
        hub.into_iter().chain(self.free_ports()).chain(plain_ports).collect()
    }

    /// The settings of any hub of this directory: free ports, data, authority, ready file.
    pub fn free_ports(&self) -> Vec<String> {
        let ports = ["--mqtt-port=0", "--amqp-port=0", "--https-port=0", "--health-port=0"].map(String::from);
        let files = [("data-dir", "data"), ("ca-dir", "ca"), ("ready-file", "ready.json")];
        let files = files.map(|(flag, name)| format!("--{flag}={}", self.path(name).display()));
        ports.into_iter().chain(files).collect()
    }

    /// Starts the command and does not wait for it.
    pub fn spawn(&mut self, mut command: Command) -> HubProcess {
        self.starts += 1;
        let ready_file = self.path("ready.json");
        let _ = fs::remove_file(&ready_file);
        let log = self.path(&format!("hub-{}.log", self.starts));
        let output = File::create(self.path(&format!("hub-{}.out", self.starts))).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        HubProcess { child, log, ready_file }
    }

    /// What the last hub has written to standard output.
    pub fn output(&self) -> String {
        read(&self.path(&format!("hub-{}.out", self.starts)))
    }
}

impl HubProcess {
    /// The content of the ready file, once everything listens.
    pub async fn ready(&mut self, within: Duration) -> Value {
        let ready_file = self.ready_file.clone();
        let listening = async {
            let mut looks = interval(LOOK_EVERY);
            loop {
                looks.tick().await;
                if let Ok(text) = fs::read(&ready_file) {
                    return serde_json::from_slice(&text).unwrap();
                }
                self.assert_running("instead of starting");
            }
        };
        let ready = timeout(within, listening).await.ok();
        ready.unwrap_or_else(|| panic!("the hub does not start\n{}", self.tail()))
    }

    /// Waits until the log holds this text.
    pub async fn logged(&mut self, text: &str) {
        let waiting = async {
            let mut looks = interval(LOOK_EVERY);
            while !self.log().contains(text) {
                looks.tick().await;
                self.assert_running("before it logged what was expected");
            }
        };
        let logged = timeout(WATCHDOG, waiting).await;
        logged.unwrap_or_else(|_| panic!("never logged: {text}\n{}", self.tail()));
    }

    /// Waits until the hub has ended.
    pub async fn ended(&mut self) -> ExitStatus {
        let waiting = async {
            let mut looks = interval(LOOK_EVERY);
            loop {
                looks.tick().await;
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status;
                }
            }
        };
        let ended = timeout(WATCHDOG, waiting).await.ok();
        ended.unwrap_or_else(|| panic!("the hub does not end\n{}", self.tail()))
    }

    /// Fails unless the hub runs.
    #[track_caller]
    pub fn assert_running(&mut self, when: &str) {
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("the hub ended {when}: {status}\n{}", self.tail());
        }
    }

    /// Sends a signal by its name: `TERM`, `HUP`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status();
        assert!(sent.unwrap().success(), "kill -{name} {pid}");
    }

    /// Kills the hub: no handler, no destructor, no flush.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The process ID.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        read(&self.log)
    }

    fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().rev().take(TAIL_LINES).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for HubProcess {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("last lines of the hub's log:\n{}", self.tail());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}
