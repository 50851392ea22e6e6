//! What a suite reports: one JSON object a line, one line a case.

use anyhow::{Context as _, Result};
use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Case {
    #[serde(rename = "case")]
    pub(crate) name: String,
    pub(crate) outcome: Outcome,
    /// How long it took, in milliseconds.
    #[serde(default)]
    pub(crate) ms: u64,
    /// Why it failed or was skipped.
    #[serde(default)]
    pub(crate) message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Passed,
    Failed,
    Skipped,
}

impl Case {
    /// Reads a results file; an error names the line.
    pub(crate) fn parse_all(text: &str) -> Result<Vec<Self>> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let parse = |(index, line)| {
            serde_json::from_str(line).with_context(|| format!("line {} of the results: {line}", index + 1))
        };
        lines.map(parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results() -> Result<()> {
        let text = "{\"case\":\"a\",\"outcome\":\"passed\",\"ms\":3}\n\n{\"case\":\"b\",\"outcome\":\"failed\",\"message\":\"no\"}\n";
        let cases = Case::parse_all(text)?;
        assert_eq!(cases.len(), 2);
        assert_eq!((cases[0].outcome, cases[0].ms), (Outcome::Passed, 3));
        assert_eq!((cases[1].outcome, cases[1].message.as_str()), (Outcome::Failed, "no"));
        Ok(())
    }

    #[test]
    fn a_line_cut_short_is_named() {
        let error = Case::parse_all("{\"case\":\"a\",\"outcome\":\"passed\"}\n{\"case\":").unwrap_err();
        assert!(format!("{error:#}").starts_with("line 2 of the results"), "{error:#}");
    }
}
