//! The stages of the test command.

use std::process::{Command, Stdio};

use anyhow::Result;
use clap::ValueEnum;

use super::closing;
use crate::{command, conformance, tally::Tally, tidy, workspace::Workspace};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stage {
    Fmt,
    Clippy,
    Tidy,
    Build,
    Unit,
    Docs,
    Conformance,
}

/// What came of a stage.
pub(crate) struct Report {
    pub(crate) tally: Tally,
    /// The test runner's own closing lines, repeated at the end of the run.
    pub(crate) closing: Vec<String>,
}

impl Report {
    pub(crate) fn failed() -> Self {
        Self::of(Tally::of_status(false))
    }

    fn of(tally: Tally) -> Self {
        Self {
            tally,
            closing: Vec::new(),
        }
    }
}

impl Stage {
    pub(crate) const ALL: [Self; 7] = [
        Self::Fmt,
        Self::Clippy,
        Self::Tidy,
        Self::Build,
        Self::Unit,
        Self::Docs,
        Self::Conformance,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Clippy => "clippy",
            Self::Tidy => "tidy",
            Self::Build => "build",
            Self::Unit => "unit",
            Self::Docs => "docs",
            Self::Conformance => "conformance",
        }
    }

    pub(crate) fn summary(self) -> &'static str {
        match self {
            Self::Fmt => "every file is formatted",
            Self::Clippy => "every lint, warnings denied",
            Self::Tidy => "layering, file sizes, names, links, manifests",
            Self::Build => "the workspace and the hub's binary, once, for all that follows",
            Self::Unit => "unit, property, contract, transcript and crash tests; examples in the documentation",
            Self::Docs => "the documentation builds, warnings denied",
            Self::Conformance => "Microsoft's unmodified SDKs against a running hub",
        }
    }

    pub(crate) fn run(self, workspace: &Workspace) -> Result<Report> {
        let mut cargo = workspace.cargo();
        match self {
            Self::Fmt => check(cargo.args(["fmt", "--all", "--check"])),
            Self::Clippy => check(cargo.args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])),
            Self::Tidy => tidy::run(workspace).map(Report::of),
            Self::Build => check(&mut workspace.build()),
            Self::Unit => unit(workspace),
            Self::Docs => check(
                cargo
                    .args(["doc", "--no-deps", "--workspace"])
                    .env("RUSTDOCFLAGS", "-D warnings"),
            ),
            Self::Conformance => conformance::run(workspace, &conformance::Options::whole_run()).map(Report::of),
        }
    }
}

fn check(command: &mut Command) -> Result<Report> {
    Ok(Report::of(Tally::of_status(command::run(command)?.success)))
}

/// All tests of the workspace: nextest when it is installed (it names a test that hangs), else cargo's own runner.
fn unit(workspace: &Workspace) -> Result<Report> {
    let mut runner = workspace.cargo();
    if has_nextest(workspace) {
        runner.args(["nextest", "run", "--workspace", "--no-fail-fast", "--no-tests", "pass"]);
    } else {
        runner.args([
            "test",
            "--workspace",
            "--lib",
            "--bins",
            "--tests",
            "--examples",
            "--no-fail-fast",
        ]);
    }
    let tests = tests(&mut runner)?;
    let examples = tests_of_documentation(workspace)?;
    Ok(Report {
        tally: tests.tally + examples.tally,
        closing: [tests.closing, examples.closing].concat(),
    })
}

fn tests_of_documentation(workspace: &Workspace) -> Result<Report> {
    tests(
        workspace
            .cargo()
            .args(["test", "--workspace", "--doc", "--no-fail-fast"]),
    )
}

fn tests(command: &mut Command) -> Result<Report> {
    let finished = command::run(command)?;
    let closing = closing::lines(&finished.lines);
    let tally = closing
        .iter()
        .map(|line| closing::tally(line))
        .sum::<Tally>()
        .agreeing_with(finished.success);
    Ok(Report { tally, closing })
}

fn has_nextest(workspace: &Workspace) -> bool {
    let mut nextest = workspace.cargo();
    let quiet = nextest
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}
