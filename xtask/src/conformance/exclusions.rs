//! The cases of `conformance/exclusions.toml`: what we do not pass, and why.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

/// Excluded case names, each with its reason.
#[derive(Debug, Default)]
pub(crate) struct Exclusions(BTreeMap<String, String>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    exclusion: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    case: String,
    reason: String,
}

impl Exclusions {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let file: File = toml::from_str(text).context("conformance/exclusions.toml")?;
        let mut reasons = BTreeMap::new();
        for Entry { case, reason } in file.exclusion {
            ensure!(!reason.trim().is_empty(), "exclusions.toml: {case} needs a reason");
            let known = reasons.insert(case.clone(), reason);
            ensure!(known.is_none(), "exclusions.toml: {case} is there twice");
        }
        Ok(Self(reasons))
    }

    pub(crate) fn contains(&self, case: &str) -> bool {
        self.0.contains_key(case)
    }

    pub(crate) fn cases(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found = match Exclusions::parse(text) {
            Ok(exclusions) => exclusions.cases().collect::<Vec<_>>().join(" "),
            Err(error) => format!("{error:#}"),
        };
        assert!(found.contains(expected), "{found}");
    }

    #[test]
    fn exclusions() {
        let one = "[[exclusion]]\ncase = 'a'\nreason = 'the SDK does not send it'\n";
        check(one, "a");
        check(&one.repeat(2), "a is there twice");
        check(&one.replace("the SDK does not send it", " "), "a needs a reason");
        check("[[exclusion]]\ncase = 'a'\n", "reason");
    }
}
