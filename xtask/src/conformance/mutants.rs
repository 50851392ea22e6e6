//! The mutants of `conformance/mutants.toml`: faults that the cases must notice.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use super::suites::Suite;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mutants {
    #[serde(default)]
    mutant: Vec<Mutant>,
}

/// One feature broken by a fault rule of the hub, and the cases that should see it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mutant {
    pub(crate) name: String,
    /// The argument of the hub's `--fault`.
    pub(crate) rule: String,
    pub(crate) suite: String,
    /// At least one of them must fail.
    pub(crate) cases: Vec<String>,
}

impl Mutants {
    /// Fewest mutants of the whole table: every feature of the hub is broken at least once.
    pub(crate) const MIN: usize = 25;

    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mutants: Self = toml::from_str(text).context("conformance/mutants.toml")?;
        let mut names = BTreeSet::new();
        for mutant in &mutants.mutant {
            ensure!(
                names.insert(&mutant.name),
                "mutants.toml: two mutants are called {}",
                mutant.name
            );
            ensure!(!mutant.cases.is_empty(), "mutants.toml: {} names no case", mutant.name);
        }
        Ok(mutants)
    }

    pub(crate) fn len(&self) -> usize {
        self.mutant.len()
    }

    /// The mutants of these suites; those named only, when any is named.
    pub(crate) fn chosen(&self, suites: &[Suite], names: &[String]) -> Result<Vec<&Mutant>> {
        if let Some(unknown) = names
            .iter()
            .find(|name| self.mutant.iter().all(|mutant| mutant.name != **name))
        {
            bail!("there is no mutant {unknown}");
        }
        let is_chosen = |mutant: &&Mutant| {
            suites.iter().any(|suite| suite.name == mutant.suite) && (names.is_empty() || names.contains(&mutant.name))
        };
        Ok(self.mutant.iter().filter(is_chosen).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::suites::Suites;

    const ONE: &str = "[[mutant]]\nname = 'm'\nrule = 'r'\nsuite = 'a'\ncases = ['c']\n";

    #[track_caller]
    fn check(text: &str, names: &[&str], expected: &str) {
        let suites = "[[suite]]\nname = 'a'\nlanguage = 'node'\naddress = 1\ncommand = ['node']\n";
        let suites = Suites::parse(suites).and_then(|suites| suites.chosen(&[])).unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let joined = |mutants: &Mutants| {
            let chosen = mutants.chosen(&suites, &names)?;
            Ok(chosen
                .iter()
                .map(|mutant| mutant.name.clone())
                .collect::<Vec<_>>()
                .join(" "))
        };
        let found = match Mutants::parse(text).and_then(|mutants| joined(&mutants)) {
            Ok(names) => names,
            Err(error) => format!("{error:#}"),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn mutants() {
        check(ONE, &[], "m");
        check(ONE, &["m"], "m");
        check(ONE, &["x"], "there is no mutant x");
        check(&ONE.replace("'a'", "'b'"), &[], "");
        check(&ONE.repeat(2), &[], "mutants.toml: two mutants are called m");
        check(&ONE.replace("'c'", ""), &[], "mutants.toml: m names no case");
    }
}
