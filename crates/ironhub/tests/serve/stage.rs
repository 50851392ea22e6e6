//! One directory with what a hub may be given, and hubs that live there.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use ironhub_model::ConnectionString;
use ironhub_testkit::{HubHome, HubProcess};
use serde_json::Value;

use crate::service::{Caller, Service};

const START_MAX: Duration = Duration::from_secs(30);

pub(crate) struct Stage {
    pub(crate) home: HubHome,
    directory: tempfile::TempDir,
}

/// A hub that listens.
pub(crate) struct Running {
    pub(crate) process: HubProcess,
    pub(crate) ready: Value,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            home: HubHome::new(env!("CARGO_BIN_EXE_ironhub"), directory.path()),
            directory,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// Writes a certificate for 127.0.0.1 that signs itself, and its key.
    pub(crate) fn certificate(&self) {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        self.write("hub.pem", &made.cert.pem());
        self.write("hub.key", &made.signing_key.serialize_pem());
    }

    /// A development hub with further arguments.
    pub(crate) fn dev(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.serve_dev();
        command.args(arguments);
        command
    }

    /// A production hub on loopback, whose certificate has been written.
    pub(crate) fn production(&self, arguments: &[&str]) -> Command {
        let mut command = self
            .home
            .command(&["serve", "--listen=127.0.0.1", "--host-name=127.0.0.1"]);
        let file = |name: &str| self.path(name).display().to_string();
        let certificate = [
            format!("--certificate={}", file("hub.pem")),
            format!("--key={}", file("hub.key")),
        ];
        command.args(self.home.free_ports()).args(certificate).args(arguments);
        command
    }

    pub(crate) async fn start(&mut self, command: Command) -> Running {
        let mut process = self.home.spawn(command);
        let ready = process.ready(START_MAX).await;
        Running { process, ready }
    }

    /// Runs a command that ends by itself.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.home.command(arguments).output().unwrap()
    }

    /// The exit code of a hub that does not start, and what it says.
    pub(crate) async fn refused(&mut self, command: Command) -> (i32, String) {
        let mut process = self.home.spawn(command);
        let status = process.ended().await;
        (status.code().unwrap(), process.log())
    }
}

impl Running {
    pub(crate) fn port(&self, name: &str) -> u16 {
        self.ready["ports"][name].as_u64().unwrap().try_into().unwrap()
    }

    /// A connection that speaks for a policy's connection string, trusting the certificates in `ca`.
    pub(crate) async fn call_as(&self, connection_string: &str, ca: &Path) -> Caller {
        let policy = ConnectionString::parse(connection_string).unwrap();
        let service = Service::new(self.port("https"), &fs::read(ca).unwrap(), policy);
        service.connect().await.unwrap()
    }

    /// The owner's connection to a development hub.
    pub(crate) async fn owner(&self) -> Caller {
        let ca = PathBuf::from(self.ready["ca_file"].as_str().unwrap());
        let owner = self.ready["connection_strings"]["iothubowner"].as_str().unwrap();
        self.call_as(owner, &ca).await
    }

    pub(crate) async fn stop(mut self) {
        self.process.signal("TERM");
        assert_eq!(self.process.ended().await.code(), Some(0));
    }
}

pub(crate) fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
