//! The suites of `conformance/suites.toml`.

use std::{collections::BTreeSet, net::Ipv4Addr, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Suites {
    #[serde(default)]
    suite: Vec<Suite>,
}

/// One program that runs cases of one language against a hub of its own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Suite {
    pub(crate) name: String,
    pub(crate) language: Language,
    /// Program and arguments; run in `conformance/`.
    pub(crate) command: Vec<String>,
    /// The N of the hub's address 127.0.1.N.
    pub(crate) address: u8,
    /// Flags for `ironhub serve` besides those of the runner.
    #[serde(default)]
    pub(crate) hub_flags: Vec<String>,
    /// Whether its hub keeps nothing on disk.
    #[serde(default)]
    pub(crate) in_memory: bool,
    /// A suite that takes longer is ended and has failed.
    #[serde(default = "default_timeout_s")]
    timeout_s: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Language {
    Python,
    Node,
}

fn default_timeout_s() -> u64 {
    600
}

impl Suite {
    pub(crate) fn host_name(&self) -> String {
        Ipv4Addr::new(127, 0, 1, self.address).to_string()
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_s)
    }
}

impl Suites {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let suites: Self = toml::from_str(text).context("conformance/suites.toml")?;
        let (mut names, mut addresses) = (BTreeSet::new(), BTreeSet::new());
        for suite in &suites.suite {
            ensure!(
                names.insert(&suite.name),
                "suites.toml: two suites are called {}",
                suite.name
            );
            ensure!(
                addresses.insert(suite.address),
                "suites.toml: two suites share {}",
                suite.host_name()
            );
            ensure!(
                suite.address != 0 && suite.address != 255,
                "suites.toml: address of {}: 1 to 254",
                suite.name
            );
            ensure!(!suite.command.is_empty(), "suites.toml: {} has no command", suite.name);
        }
        Ok(suites)
    }

    /// The suites with these names, or all when none is named.
    pub(crate) fn chosen(self, names: &[String]) -> Result<Vec<Suite>> {
        if let Some(unknown) = names
            .iter()
            .find(|name| self.suite.iter().all(|suite| suite.name != **name))
        {
            let known: Vec<_> = self.suite.iter().map(|suite| suite.name.as_str()).collect();
            bail!("there is no suite {unknown}; there are: {}", known.join(", "));
        }
        let is_chosen = |suite: &Suite| names.is_empty() || names.contains(&suite.name);
        Ok(self.suite.into_iter().filter(is_chosen).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "[[suite]]\nname = 'a'\nlanguage = 'python'\naddress = 1\ncommand = ['pytest']\n";

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found = match Suites::parse(text).and_then(|suites| suites.chosen(&[])) {
            Ok(suites) => suites
                .iter()
                .map(|suite| suite.name.clone())
                .collect::<Vec<_>>()
                .join(" "),
            Err(error) => format!("{error:#}"),
        };
        assert!(found.contains(expected), "{found}");
    }

    #[test]
    fn suites() {
        check("", "");
        check(ONE, "a");
        check(
            &(ONE.to_owned() + &ONE.replace("'a'", "'b'").replace("= 1", "= 2")),
            "a b",
        );
        check(
            &(ONE.to_owned() + &ONE.replace("= 1", "= 2")),
            "two suites are called a",
        );
        check(
            &(ONE.to_owned() + &ONE.replace("'a'", "'b'")),
            "two suites share 127.0.1.1",
        );
        check(&ONE.replace("= 1", "= 0"), "1 to 254");
        check(&ONE.replace("'python'", "'cobol'"), "cobol");
        check(&ONE.replace("'pytest'", ""), "no command");
    }

    #[test]
    fn an_unknown_name_lists_the_known() -> Result<()> {
        let error = Suites::parse(ONE)?.chosen(&["b".to_owned()]).unwrap_err();
        assert_eq!(error.to_string(), "there is no suite b; there are: a");
        Ok(())
    }
}
