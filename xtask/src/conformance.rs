//! `cargo xtask conformance`: Microsoft's unmodified SDKs against a running hub.
//!
//! What is run, what it must cover and what is excused are data in `conformance/`: `suites.toml`, `coverage.toml`,
//! `exclusions.toml`, `mutants.toml`. Each file says at its top what it means.

mod case;
mod client;
mod clients;
mod coverage;
mod exclusions;
mod hub;
mod mutants;
mod mutation;
mod pattern;
mod report;
mod restart;
mod run;
mod suites;
mod verdict;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;

use self::{
    clients::Clients, coverage::Coverage, exclusions::Exclusions, pattern::Pattern, run::Bench, suites::Suites,
    verdict::Verdict,
};
use crate::{command, tally::Tally, workspace::Workspace};

#[derive(Args)]
pub(crate) struct Options {
    /// Run only this suite (may be given several times).
    #[arg(long = "suite", value_name = "NAME")]
    suites: Vec<String>,
    /// Run only the cases whose name fits; `*` stands for anything (may be given several times).
    #[arg(long = "case", value_name = "PATTERN")]
    cases: Vec<Pattern>,
    /// Break one feature at a time by a fault rule: each must turn a case red.
    #[arg(long)]
    mutate: bool,
    /// With --mutate: only this mutant (may be given several times).
    #[arg(long = "mutant", value_name = "NAME", requires = "mutate")]
    mutants: Vec<String>,
    /// Keep the hubs' data directories.
    #[arg(long)]
    keep: bool,
    /// Use this hub instead of building one.
    #[arg(long, value_name = "FILE")]
    hub: Option<PathBuf>,
}

impl Options {
    /// Every suite and every case, on the hub that the build stage has made.
    pub(crate) fn whole_run() -> Self {
        Self {
            suites: Vec::new(),
            cases: Vec::new(),
            mutate: false,
            mutants: Vec::new(),
            keep: false,
            hub: None,
        }
    }

    fn is_whole(&self) -> bool {
        self.suites.is_empty() && self.cases.is_empty()
    }
}

/// Runs the chosen suites, prints what came of them and counts cases.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<Tally> {
    let suites = Suites::parse(&workspace.read("conformance/suites.toml")?)?.chosen(&options.suites)?;
    let hub = hub_binary(workspace, options)?;
    let clients = Clients::prepare(workspace, &suites)?;
    let bench = Bench {
        workspace,
        clients: &clients,
        hub: &hub,
        keep: options.keep,
    };
    if options.mutate {
        return mutation::run(&bench, &suites, &options.mutants);
    }
    let coverage = Coverage::parse(&workspace.read("conformance/coverage.toml")?)?;
    let exclusions = Exclusions::parse(&workspace.read("conformance/exclusions.toml")?)?;
    let runs = bench.run_all(&suites, &options.cases)?;
    let is_empty = runs.iter().all(|run| run.cases.is_empty() && run.problem.is_none());
    ensure!(!is_empty || suites.is_empty(), "no case has such a name");
    let verdict = Verdict::of(&runs, &exclusions, options.is_whole().then_some(&coverage));
    println!("{}", report::table(&runs, &exclusions));
    verdict
        .complaints
        .iter()
        .for_each(|complaint| println!("FAILED {complaint}"));
    println!("conformance: {}", verdict.tally);
    Ok(verdict.tally)
}

fn hub_binary(workspace: &Workspace, options: &Options) -> Result<PathBuf> {
    if let Some(hub) = &options.hub {
        return Ok(std::path::absolute(hub)?);
    }
    ensure!(command::run(&mut workspace.build())?.success, "the hub does not build");
    let hub = workspace.hub_binary();
    ensure!(
        hub.is_file(),
        "the workspace builds no hub: {} is missing",
        hub.display()
    );
    Ok(hub)
}

#[cfg(test)]
mod tests {
    use super::{mutants::Mutants, *};

    /// A mistake in a table shows in seconds, not after the build.
    #[test]
    fn the_tables_of_the_repository_agree() -> Result<()> {
        let workspace = Workspace::locate()?;
        let suites = Suites::parse(&workspace.read("conformance/suites.toml")?)?.chosen(&[])?;
        let mutants = Mutants::parse(&workspace.read("conformance/mutants.toml")?)?;
        assert_eq!(
            mutants.chosen(&suites, &[])?.len(),
            mutants.len(),
            "a mutant names a suite that does not exist"
        );
        Coverage::parse(&workspace.read("conformance/coverage.toml")?)?;
        Exclusions::parse(&workspace.read("conformance/exclusions.toml")?)?;
        Ok(())
    }
}
