//! `cargo xtask test`: every check and every test, in the order in which a failure is cheapest to find.

mod closing;
mod stage;
mod summary;

use clap::Args;

use self::{
    stage::{Report, Stage},
    summary::Summary,
};
use crate::{tally::Tally, wait::Stopwatch, workspace::Workspace};

#[derive(Args)]
pub(crate) struct Options {
    /// Run only this stage (may be given several times).
    #[arg(long, value_name = "STAGE")]
    only: Vec<Stage>,
    /// Leave this stage out (may be given several times).
    #[arg(long, value_name = "STAGE")]
    skip: Vec<Stage>,
    /// Go on after a stage that failed.
    #[arg(long)]
    keep_going: bool,
    /// Print the stages and what each does; run nothing.
    #[arg(long)]
    list: bool,
}

impl Options {
    fn stages(&self) -> Vec<Stage> {
        let chosen = |stage: &Stage| self.only.is_empty() || self.only.contains(stage);
        Stage::ALL
            .into_iter()
            .filter(|stage| chosen(stage) && !self.skip.contains(stage))
            .collect()
    }
}

/// Runs the chosen stages and prints the summary; its last line is the tally of all.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Tally {
    if options.list {
        for stage in Stage::ALL {
            println!("{:<12} {}", stage.name(), stage.summary());
        }
        return Tally::default();
    }
    let mut summary = Summary::default();
    for stage in options.stages() {
        if summary.has_failed() && !options.keep_going {
            summary.skip(stage);
            continue;
        }
        println!("\n── {} ──", stage.name());
        let stopwatch = Stopwatch::start();
        let report = stage.run(workspace).unwrap_or_else(|error| {
            println!("error: {error:#}");
            Report::failed()
        });
        println!("── {}: {} ──", stage.name(), stopwatch.elapsed());
        summary.add(stage, report, stopwatch.elapsed());
    }
    println!("\n{summary}");
    summary.tally()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    #[track_caller]
    fn check(words: &[&str], expected: &str) {
        let line = Line::try_parse_from(std::iter::once(&"test").chain(words)).unwrap();
        let names: Vec<_> = line.options.stages().into_iter().map(Stage::name).collect();
        assert_eq!(names.join(" "), expected);
    }

    #[test]
    fn chosen_stages() {
        check(&[], "fmt clippy tidy build unit docs conformance");
        check(&["--only", "unit", "--only", "fmt"], "fmt unit");
        check(
            &["--skip", "conformance", "--skip", "docs"],
            "fmt clippy tidy build unit",
        );
        check(&["--only", "unit", "--skip", "unit"], "");
    }
}
