//! What the cases of a run come to.

use std::collections::BTreeSet;

use super::{
    case::{Case, Outcome},
    coverage::Coverage,
    exclusions::Exclusions,
    run::SuiteRun,
};
use crate::tally::Tally;

pub(crate) struct Verdict {
    /// Cases that passed; complaints.
    pub(crate) tally: Tally,
    pub(crate) complaints: Vec<String>,
}

impl Verdict {
    /// Judges the runs. `coverage` only when everything was run: a part of the cases cannot fill the table.
    pub(crate) fn of(runs: &[SuiteRun], exclusions: &Exclusions, coverage: Option<&Coverage>) -> Self {
        let cases: Vec<&Case> = runs.iter().flat_map(|run| &run.cases).collect();
        let mut complaints: Vec<String> = runs
            .iter()
            .filter_map(|run| Some(format!("{}: {}", run.suite, run.problem.as_ref()?)))
            .collect();
        complaints.extend(cases.iter().filter_map(|case| complaint(case, exclusions)));
        complaints.extend(duplicates(&cases));
        if let Some(coverage) = coverage {
            let passed = cases
                .iter()
                .filter(|case| case.outcome == Outcome::Passed)
                .map(|case| case.name.as_str());
            complaints.extend(coverage.gaps(&passed.chain(exclusions.cases()).collect()));
            complaints.extend(unknown_exclusions(&cases, exclusions));
        }
        let passed = cases.iter().filter(|case| case.outcome == Outcome::Passed).count();
        Self {
            tally: Tally {
                passed,
                failed: complaints.len(),
            },
            complaints,
        }
    }
}

fn complaint(case: &Case, exclusions: &Exclusions) -> Option<String> {
    let Case { name, message, .. } = case;
    match (case.outcome, exclusions.contains(name)) {
        (Outcome::Passed, true) => Some(format!("{name}: passes; take it out of exclusions.toml")),
        (Outcome::Failed, false) => Some(format!("{name}: {message}")),
        (Outcome::Skipped, false) => Some(format!("{name}: skipped without an exclusion: {message}")),
        (Outcome::Passed, false) | (Outcome::Failed | Outcome::Skipped, true) => None,
    }
}

fn duplicates(cases: &[&Case]) -> Vec<String> {
    let mut names = BTreeSet::new();
    let again = cases.iter().filter(|case| !names.insert(&case.name));
    again
        .map(|case| format!("{}: reported twice; names are unique across suites", case.name))
        .collect()
}

fn unknown_exclusions(cases: &[&Case], exclusions: &Exclusions) -> Vec<String> {
    let unknown = exclusions
        .cases()
        .filter(|name| cases.iter().all(|case| case.name != **name));
    unknown
        .map(|name| format!("{name}: in exclusions.toml, but no suite has it"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::Stopwatch;

    fn run(cases: &[(&str, &str)]) -> SuiteRun {
        let lines = cases
            .iter()
            .map(|(name, outcome)| format!("{{\"case\":\"{name}\",\"outcome\":\"{outcome}\"}}\n"));
        let cases = Case::parse_all(&lines.collect::<String>()).unwrap();
        SuiteRun {
            suite: "s".to_owned(),
            cases,
            problem: None,
            elapsed: Stopwatch::start().elapsed(),
        }
    }

    fn exclusions(names: &[&str]) -> Exclusions {
        let entry = |name: &&str| format!("[[exclusion]]\ncase = '{name}'\nreason = 'r'\n");
        Exclusions::parse(&names.iter().map(entry).collect::<String>()).unwrap()
    }

    #[track_caller]
    fn check(cases: &[(&str, &str)], excluded: &[&str], expected: &[&str]) {
        let verdict = Verdict::of(&[run(cases)], &exclusions(excluded), None);
        assert_eq!(verdict.complaints, expected);
        assert_eq!(verdict.tally.failed, expected.len());
    }

    #[test]
    fn outcomes() {
        check(&[("a", "passed"), ("b", "passed")], &[], &[]);
        check(&[("a", "failed")], &[], &["a: "]);
        check(&[("a", "skipped")], &[], &["a: skipped without an exclusion: "]);
        check(&[("a", "failed"), ("b", "skipped")], &["a", "b"], &[]);
        check(
            &[("a", "passed")],
            &["a"],
            &["a: passes; take it out of exclusions.toml"],
        );
        check(
            &[("a", "passed"), ("a", "passed")],
            &[],
            &["a: reported twice; names are unique across suites"],
        );
    }

    #[test]
    fn a_suite_that_broke_down_fails_the_run() {
        let mut broken = run(&[("a", "passed")]);
        broken.problem = Some("ended with 2".to_owned());
        let verdict = Verdict::of(&[broken], &exclusions(&[]), None);
        assert_eq!(verdict.complaints, ["s: ended with 2"]);
        assert_eq!(verdict.tally, Tally { passed: 1, failed: 1 });
    }

    #[test]
    fn the_table_is_judged_with_passed_and_excluded_cases() {
        let table = "[[column]]\nname='c'\nrole='device'\nwhat=''\n[[row]]\nfeature='f'\nrole='device'\nfailure=['no']\nc=['yes','later']\n";
        let coverage = Coverage::parse(table).unwrap();
        let complaints = |cases: &[(&str, &str)], excluded: &[&str]| {
            Verdict::of(&[run(cases)], &exclusions(excluded), Some(&coverage)).complaints
        };
        assert_eq!(
            complaints(&[("no", "passed"), ("yes", "passed"), ("later", "failed")], &["later"]),
            [""; 0]
        );
        let gap = "coverage: f × c names later, which did not run or did not pass";
        assert_eq!(complaints(&[("no", "passed"), ("yes", "passed")], &[]), [gap]);
        let stale = "later: in exclusions.toml, but no suite has it";
        assert_eq!(complaints(&[("no", "passed"), ("yes", "passed")], &["later"]), [stale]);
    }
}
