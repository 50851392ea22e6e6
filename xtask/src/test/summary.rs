//! What the test command prints last.

use std::fmt;

use super::stage::{Report, Stage};
use crate::{tally::Tally, wait::Elapsed};

/// The stages so far; its display ends with the tally of all of them.
#[derive(Default)]
pub(crate) struct Summary {
    rows: Vec<Row>,
}

struct Row {
    stage: Stage,
    /// `None`: the stage was not run, since one before it failed.
    ran: Option<(Report, Elapsed)>,
}

impl Summary {
    pub(crate) fn add(&mut self, stage: Stage, report: Report, elapsed: Elapsed) {
        self.rows.push(Row {
            stage,
            ran: Some((report, elapsed)),
        });
    }

    pub(crate) fn skip(&mut self, stage: Stage) {
        self.rows.push(Row { stage, ran: None });
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.tally().failed > 0
    }

    pub(crate) fn tally(&self) -> Tally {
        self.reports().map(|report| report.tally).sum()
    }

    fn reports(&self) -> impl Iterator<Item = &Report> {
        self.rows
            .iter()
            .filter_map(|row| row.ran.as_ref().map(|(report, _)| report))
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Row { stage, ran } in &self.rows {
            match ran {
                Some((report, elapsed)) => {
                    let verdict = if report.tally.failed == 0 { "ok" } else { "FAILED" };
                    writeln!(out, "{:<12} {verdict:<7} {elapsed:>12}  {}", stage.name(), report.tally)?;
                }
                None => writeln!(out, "{:<12} not run", stage.name())?,
            }
        }
        for line in self.reports().flat_map(|report| &report.closing) {
            writeln!(out, "{line}")?;
        }
        write!(out, "{}", self.tally())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::Stopwatch;

    #[test]
    fn closing_lines_stay_visible_and_the_tally_is_last() {
        let mut summary = Summary::default();
        let closing = vec!["Summary [0.1s] 9 tests run: 8 passed, 1 failed".to_owned()];
        let report = Report {
            tally: Tally { passed: 8, failed: 1 },
            closing,
        };
        summary.add(Stage::Unit, report, Stopwatch::start().elapsed());
        assert!(summary.has_failed());
        summary.skip(Stage::Docs);
        let text = summary.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].contains("unit") && lines[0].contains("FAILED"), "{text}");
        assert!(lines[1].contains("not run"), "{text}");
        assert_eq!(
            lines[2..],
            ["Summary [0.1s] 9 tests run: 8 passed, 1 failed", "8 passed, 1 failed"]
        );
    }
}
