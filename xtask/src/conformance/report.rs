//! The table at the end of a run.

use std::fmt::Write as _;

use super::{
    case::{Case, Outcome},
    exclusions::Exclusions,
    run::SuiteRun,
};

/// How many of the slowest cases are named.
const SLOWEST_MAX: usize = 3;

/// One line a suite, then the slowest cases.
pub(crate) fn table(runs: &[SuiteRun], exclusions: &Exclusions) -> String {
    let mut table = format!(
        "{:<24} {:>7} {:>7} {:>8} {:>12}\n",
        "suite", "passed", "failed", "excluded", "time"
    );
    for run in runs {
        let count = |wanted: fn(&Case, bool) -> bool| {
            run.cases
                .iter()
                .filter(|case| wanted(case, exclusions.contains(&case.name)))
                .count()
        };
        let passed = count(|case, _| case.outcome == Outcome::Passed);
        let failed = count(|case, excluded| case.outcome != Outcome::Passed && !excluded);
        let excluded = count(|_, excluded| excluded);
        let _ = writeln!(
            table,
            "{:<24} {passed:>7} {failed:>7} {excluded:>8} {:>12}",
            run.suite, run.elapsed
        );
    }
    let mut slowest: Vec<&Case> = runs.iter().flat_map(|run| &run.cases).collect();
    slowest.sort_by_key(|case| std::cmp::Reverse(case.ms));
    for case in slowest.iter().take(SLOWEST_MAX) {
        let _ = writeln!(table, "slowest: {} ({} ms)", case.name, case.ms);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::Stopwatch;

    #[test]
    fn counts_and_the_slowest() {
        let text = r#"
{"case":"c0","outcome":"passed","ms":0}
{"case":"c1","outcome":"failed","ms":1}
{"case":"c2","outcome":"skipped","ms":2}
{"case":"c3","outcome":"failed","ms":3}
"#;
        let cases = Case::parse_all(text).unwrap();
        let run = SuiteRun {
            suite: "py".to_owned(),
            cases,
            problem: None,
            elapsed: Stopwatch::start().elapsed(),
        };
        let exclusions = Exclusions::parse("[[exclusion]]\ncase = 'c3'\nreason = 'r'\n").unwrap();
        let table = table(&[run], &exclusions);
        let lines: Vec<_> = table
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert!(lines[1].starts_with("py 1 2 1 "), "{table}");
        assert_eq!(lines[2], "slowest: c3 (3 ms)");
        assert_eq!(lines.len(), 5);
    }
}
