//! The development hub of this user, which verbs find by themselves: `serve --dev` writes where it is.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::failure::Failure;
use crate::paths;

/// What the hub announces, as far as clients need it.
#[derive(Debug, Deserialize)]
pub(super) struct DevHub {
    host_name: String,
    pub(super) ports: Ports,
    pub(super) ca_file: Option<PathBuf>,
    connection_strings: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Ports {
    pub(super) https: u16,
    pub(super) amqp: u16,
    pub(super) mqtt: u16,
}

impl DevHub {
    /// The hub that runs now.
    pub(super) fn find() -> Result<Self, Failure> {
        let path = paths::dev_announcement();
        let text = fs::read(&path).map_err(|error| not_read(&path, &error))?;
        let unusable = |reason: String| Failure::failed(format!("{} is not usable: {reason}", path.display()));
        let hub: Self = serde_json::from_slice(&text).map_err(|error| unusable(error.to_string()))?;
        // A hub that was killed leaves its file behind.
        match hub.reach() {
            Ok(()) => Ok(hub),
            Err(error) => Err(gone(&hub, &path, &error)),
        }
    }

    fn reach(&self) -> io::Result<()> {
        TcpStream::connect((self.host_name.as_str(), self.ports.https)).map(drop)
    }

    /// The connection string of this policy.
    pub(super) fn policy(&self, name: &str) -> Result<&str, Failure> {
        let strings = self.connection_strings.get(name);
        // The other texts in there are no policy's.
        let policy = strings
            .and_then(Value::as_str)
            .filter(|text| text.starts_with("HostName="));
        policy.ok_or_else(|| Failure::usage(format!("the development hub has no policy {name:?}")))
    }

    /// The policy that may do everything.
    pub(super) fn owner(&self) -> Result<&str, Failure> {
        let owner = self.connection_strings.get("iothubowner").and_then(Value::as_str);
        owner.ok_or_else(|| Failure::failed("the development hub has no policy iothubowner; give --login"))
    }
}

/// Does the hub that has announced this still run?
pub(crate) fn runs(announcement: &str) -> bool {
    serde_json::from_str::<DevHub>(announcement).is_ok_and(|hub| hub.reach().is_ok())
}

const HINT: &str = "start one with `ironhub serve --dev`, or name a hub by --login or IRONHUB_LOGIN";

fn not_read(path: &Path, error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::NotFound {
        return Failure::unreachable("no --login is given, and no development hub of this user runs").with_hint(HINT);
    }
    Failure::failed(format!("cannot read {}: {error}", path.display()))
}

fn gone(hub: &DevHub, path: &Path, error: &io::Error) -> Failure {
    let (host, port, path) = (&hub.host_name, hub.ports.https, path.display());
    Failure::unreachable(format!(
        "no --login is given, and the development hub of {path} does not answer at {host}:{port}: {error}"
    ))
    .with_hint(HINT)
}
