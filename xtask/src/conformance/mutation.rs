//! `--mutate`: a test that cannot fail proves nothing, so each mutant must make one fail.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use super::{
    case::Outcome,
    mutants::{Mutant, Mutants},
    pattern::Pattern,
    run::{Bench, SuiteRun},
    suites::Suite,
};
use crate::tally::Tally;

/// Runs the named cases on a sound hub, where they must pass, then on each mutant, where one must fail.
pub(crate) fn run(bench: &Bench<'_>, suites: &[Suite], names: &[String]) -> Result<Tally> {
    let table = Mutants::parse(&bench.workspace.read("conformance/mutants.toml")?)?;
    ensure!(
        table.len() >= Mutants::MIN,
        "mutants.toml: {} mutants, {} are needed",
        table.len(),
        Mutants::MIN
    );
    let mutants = table.chosen(suites, names)?;
    ensure!(!mutants.is_empty(), "mutants.toml has no mutant for these suites");
    let mut tally = Tally::default();
    for suite in suites {
        let mutants: Vec<&Mutant> = mutants
            .iter()
            .copied()
            .filter(|mutant| mutant.suite == suite.name)
            .collect();
        if !mutants.is_empty() {
            tally = tally + run_suite(bench, suite, &mutants)?;
        }
    }
    println!("mutants: {tally}");
    Ok(tally)
}

fn run_suite(bench: &Bench<'_>, suite: &Suite, mutants: &[&Mutant]) -> Result<Tally> {
    let named: BTreeSet<&String> = mutants.iter().flat_map(|mutant| &mutant.cases).collect();
    let sound = bench.run(suite, &patterns(named.iter().copied()), None)?;
    let mut tally = Tally::default();
    for mutant in mutants {
        let verdict = match unsound(&sound, mutant) {
            Some(case) => Err(format!("{case} does not pass without the fault either")),
            None => judge(&bench.run(suite, &patterns(&mutant.cases), Some(&mutant.rule))?, mutant),
        };
        match &verdict {
            Ok(case) => println!("killed   {} by {case}", mutant.name),
            Err(reason) => println!("SURVIVED {} ({}): {reason}", mutant.name, mutant.rule),
        }
        tally = tally + Tally::of_status(verdict.is_ok());
    }
    Ok(tally)
}

fn patterns<'a>(cases: impl IntoIterator<Item = &'a String>) -> Vec<Pattern> {
    cases.into_iter().map(|case| Pattern::exactly(case)).collect()
}

/// A case of the mutant that does not pass on the sound hub.
fn unsound<'a>(sound: &SuiteRun, mutant: &'a Mutant) -> Option<&'a String> {
    mutant.cases.iter().find(|name| !came_out(sound, name, Outcome::Passed))
}

fn came_out(run: &SuiteRun, name: &str, outcome: Outcome) -> bool {
    run.cases
        .iter()
        .any(|case| case.name == name && case.outcome == outcome)
}

/// The case that noticed the mutant, or why it counts as alive.
fn judge<'a>(run: &SuiteRun, mutant: &'a Mutant) -> Result<&'a str, String> {
    match (
        mutant.cases.iter().find(|name| came_out(run, name, Outcome::Failed)),
        &run.problem,
    ) {
        (Some(name), _) => Ok(name),
        (None, Some(problem)) => Err(problem.clone()),
        (None, None) => Err("no named case failed".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{conformance::case::Case, wait::Stopwatch};

    fn run(outcome: &str, problem: Option<&str>) -> SuiteRun {
        let cases = Case::parse_all(&format!("{{\"case\":\"c\",\"outcome\":\"{outcome}\"}}")).unwrap();
        let problem = problem.map(str::to_owned);
        SuiteRun {
            suite: "s".to_owned(),
            cases,
            problem,
            elapsed: Stopwatch::start().elapsed(),
        }
    }

    fn mutant(case: &str) -> Mutant {
        let text = |text: &str| text.to_owned();
        Mutant {
            name: text("m"),
            rule: text("r"),
            suite: text("s"),
            cases: vec![text(case)],
        }
    }

    #[test]
    fn only_a_named_case_that_fails_kills() {
        assert_eq!(judge(&run("failed", None), &mutant("c")), Ok("c"));
        assert_eq!(
            judge(&run("passed", None), &mutant("c")),
            Err("no named case failed".to_owned())
        );
        assert_eq!(
            judge(&run("failed", None), &mutant("d")),
            Err("no named case failed".to_owned())
        );
        assert_eq!(
            judge(&run("skipped", Some("hub died")), &mutant("c")),
            Err("hub died".to_owned())
        );
    }

    #[test]
    fn a_case_that_fails_anyway_proves_nothing() {
        assert_eq!(unsound(&run("passed", None), &mutant("c")), None);
        assert_eq!(unsound(&run("failed", None), &mutant("c")), Some(&"c".to_owned()));
        assert_eq!(unsound(&run("passed", None), &mutant("d")), Some(&"d".to_owned()));
    }
}
