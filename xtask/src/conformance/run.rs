//! One suite against one hub.

use std::{
    fs,
    path::Path,
    process::ExitStatus,
    thread::{self, ScopedJoinHandle},
};

use anyhow::{Context as _, Result, bail};

use super::{
    case::{Case, Outcome},
    client::{Client, Surroundings},
    clients::Clients,
    hub::{self, Launch},
    pattern::Pattern,
    restart::{Manner, Restarts},
    suites::Suite,
};
use crate::{
    wait::{self, Elapsed, Stopwatch},
    workspace::Workspace,
};

/// All that suites run on.
pub(crate) struct Bench<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) clients: &'a Clients,
    /// The hub's binary.
    pub(crate) hub: &'a Path,
    /// Whether data directories stay after the run.
    pub(crate) keep: bool,
}

/// What a suite reported.
pub(crate) struct SuiteRun {
    pub(crate) suite: String,
    pub(crate) cases: Vec<Case>,
    /// Why the run as a whole is no good, whatever its cases say.
    pub(crate) problem: Option<String>,
    pub(crate) elapsed: Elapsed,
}

impl Bench<'_> {
    /// Runs the suites side by side: each has an address and a hub of its own.
    pub(crate) fn run_all(&self, suites: &[Suite], cases: &[Pattern]) -> Result<Vec<SuiteRun>> {
        thread::scope(|scope| {
            let runs: Vec<_> = suites
                .iter()
                .map(|suite| scope.spawn(move || self.run(suite, cases, None)))
                .collect();
            let ended = |run: ScopedJoinHandle<'_, Result<SuiteRun>>| {
                run.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            runs.into_iter().map(ended).collect()
        })
    }

    /// Starts a hub, runs the cases that fit (all, when no pattern is given) and ends the hub.
    pub(crate) fn run(&self, suite: &Suite, cases: &[Pattern], fault: Option<&str>) -> Result<SuiteRun> {
        println!("── {} on {} ──", suite.name, suite.host_name());
        let stopwatch = Stopwatch::start();
        let directory = self.workspace.target.join("conformance").join("run").join(&suite.name);
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        fs::create_dir_all(&directory)?;
        let launch = Launch::new(self.hub, &directory, suite, fault);
        let surroundings = Surroundings {
            conformance: self.workspace.root.join("conformance"),
            directory: &directory,
            clients: self.clients,
            hub_binary: self.hub,
            ready_file: launch.ready_file(),
        };
        let ended = converse(suite, &launch, &surroundings, cases);
        let (cases, problem) = reported(&surroundings, ended, cases);
        if !self.keep && launch.data_directory().exists() {
            fs::remove_dir_all(launch.data_directory())?;
        }
        Ok(SuiteRun {
            suite: suite.name.clone(),
            cases,
            problem,
            elapsed: stopwatch.elapsed(),
        })
    }
}

/// Runs the client until it ends, and the hub as long; neither is left behind.
fn converse(suite: &Suite, launch: &Launch, surroundings: &Surroundings<'_>, cases: &[Pattern]) -> Result<ExitStatus> {
    let mut hub = launch.start()?;
    let mut client = Client::start(suite, surroundings, &hub.ready, cases)?;
    let restart_file = surroundings.restart_file();
    let restarts = Restarts {
        launch,
        request: &restart_file,
    };
    let status = loop {
        let event = wait::until(suite.timeout(), || {
            hub.require_running().with_context(|| hub::log_end(&launch.log()))?;
            Ok(match client.ended()? {
                Some(status) => Some(Event::Ended(status)),
                None => restarts.requested().map(Event::Restart),
            })
        })?;
        match event {
            Some(Event::Ended(status)) => break status,
            Some(Event::Restart(how)) => hub = restarts.restart(hub, how)?,
            None => bail!(
                "not done after {:?}\n{}",
                suite.timeout(),
                hub::log_end(&surroundings.log())
            ),
        }
    };
    hub.end()?;
    Ok(status)
}

enum Event {
    Ended(ExitStatus),
    Restart(Manner),
}

/// The reported cases that were asked for, and what is wrong with the report.
fn reported(
    surroundings: &Surroundings<'_>,
    ended: Result<ExitStatus>,
    wanted: &[Pattern],
) -> (Vec<Case>, Option<String>) {
    let text = fs::read_to_string(surroundings.results_file()).unwrap_or_default();
    let (mut cases, unreadable) = match Case::parse_all(&text) {
        Ok(cases) => (cases, None),
        Err(error) => (Vec::new(), Some(format!("{error:#}"))),
    };
    let has_failed = cases.iter().any(|case| case.outcome == Outcome::Failed);
    let log_end = || hub::log_end(&surroundings.log());
    let problem = match ended {
        Err(error) => Some(format!("{error:#}")),
        Ok(status) if !status.success() && !has_failed => Some(format!("ended with {status}\n{}", log_end())),
        Ok(_) if cases.is_empty() && wanted.is_empty() => Some(format!("reported no case\n{}", log_end())),
        Ok(_) => None,
    };
    cases.retain(|case| wanted.is_empty() || wanted.iter().any(|pattern| pattern.matches(&case.name)));
    (cases, unreadable.or(problem))
}

#[cfg(test)]
mod tests;
