//! The project's automation, run as `cargo xtask <command>`.
#![expect(
    clippy::print_stdout,
    reason = "a command line tool for people and CI: its output is its product"
)]

mod command;
mod conformance;
mod fuzz;
mod metadata;
mod tally;
mod test;
mod tidy;
mod wait;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::{tally::Tally, workspace::Workspace};

/// The project's automation.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    /// Run every check and every test: what CI runs.
    Test(test::Options),
    /// Check what no compiler checks: layering, file sizes, names, links, manifests.
    Tidy,
    /// Run Microsoft's unmodified SDKs against a running hub.
    Conformance(conformance::Options),
    /// Run a fuzz target; needs a nightly toolchain and cargo-fuzz.
    Fuzz(fuzz::Options),
}

fn main() -> ExitCode {
    match run(&Task::parse()) {
        Ok(tally) if tally.failed == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: &Task) -> Result<Tally> {
    let workspace = Workspace::locate()?;
    match task {
        Task::Test(options) => Ok(test::run(&workspace, options)),
        Task::Tidy => tidy::run(&workspace),
        Task::Conformance(options) => conformance::run(&workspace, options),
        Task::Fuzz(options) => fuzz::run(&workspace, options),
    }
}
