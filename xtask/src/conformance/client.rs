//! The program of a suite, and what it is told.

use std::{
    env,
    ffi::OsString,
    fs::File,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use anyhow::{Context as _, Result};

use super::{
    clients::Clients,
    hub::{Ready, remove_file},
    pattern::Pattern,
    suites::Suite,
};
use crate::command;

/// A proxy would sit between the client and the hub.
const PROXIES: &[&str] = &[
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
];

/// The places that a client knows of.
pub(crate) struct Surroundings<'a> {
    /// The repository's `conformance/`: where the client runs.
    pub(crate) conformance: PathBuf,
    /// The directory of this run: results, log, scratch.
    pub(crate) directory: &'a Path,
    pub(crate) clients: &'a Clients,
    pub(crate) hub_binary: &'a Path,
    pub(crate) ready_file: PathBuf,
}

impl Surroundings<'_> {
    pub(crate) fn results_file(&self) -> PathBuf {
        self.directory.join("results.jsonl")
    }

    pub(crate) fn restart_file(&self) -> PathBuf {
        self.directory.join("restart")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.directory.join("suite.log")
    }

    /// The variables that `conformance/suites.toml` promises.
    fn variables(&self, ready: &Ready, cases: &[Pattern]) -> Result<Vec<(&'static str, OsString)>> {
        let scratch = self.directory.join("scratch");
        std::fs::create_dir_all(&scratch)?;
        let cases: Vec<_> = cases.iter().map(Pattern::as_str).collect();
        Ok(vec![
            ("IRONHUB_READY_FILE", (&self.ready_file).into()),
            ("IRONHUB_RESULTS", self.results_file().into()),
            ("IRONHUB_CASES", cases.join("\n").into()),
            ("IRONHUB_RESTART", self.restart_file().into()),
            ("IRONHUB_SCRATCH", scratch.into()),
            ("IRONHUB_BIN", self.hub_binary.into()),
            ("SSL_CERT_FILE", (&ready.ca_file).into()),
            ("REQUESTS_CA_BUNDLE", (&ready.ca_file).into()),
            ("NODE_EXTRA_CA_CERTS", (&ready.ca_file).into()),
            ("NODE_PATH", self.clients.node_modules().into()),
            ("VIRTUAL_ENV", self.clients.venv().into()),
            ("PATH", self.search_path()?),
            ("PYTHONUNBUFFERED", "1".into()),
            ("PYTHONDONTWRITEBYTECODE", "1".into()),
        ])
    }

    /// The virtual environment's programs first.
    fn search_path(&self) -> Result<OsString> {
        let inherited = env::var_os("PATH").unwrap_or_default();
        let venv = self.clients.venv().join("bin");
        Ok(env::join_paths(
            std::iter::once(venv).chain(env::split_paths(&inherited)),
        )?)
    }
}

/// A running suite. Dropping it kills it and all that it has started.
pub(crate) struct Client(Child);

impl Client {
    pub(crate) fn start(suite: &Suite, at: &Surroundings<'_>, ready: &Ready, cases: &[Pattern]) -> Result<Self> {
        remove_file(&at.results_file())?;
        let log = File::create(at.log())?;
        let (program, arguments) = suite.command.split_first().context("the suite has no command")?;
        let variables = at.variables(ready, cases)?;
        // Looked up with the client's own PATH, not with ours.
        let mut client = Command::new("env");
        client
            .arg(program)
            .args(arguments)
            .current_dir(&at.conformance)
            .envs(variables)
            .process_group(0);
        for proxy in PROXIES {
            client.env_remove(proxy);
        }
        client.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(Self(client.spawn().with_context(|| format!("cannot start {program}"))?))
    }

    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.0.try_wait()?)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Fails when nobody of the group is left, which is what we want.
        let _ = command::run_quietly(Command::new("kill").args(["-KILL", "--", &format!("-{}", self.0.id())]));
        let _ = self.0.wait();
    }
}
