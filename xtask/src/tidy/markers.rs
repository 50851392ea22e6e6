//! What is left to do lives in an issue, where someone will find it.

use super::{
    rust_text::has_word,
    tree::{Finding, SourceFile},
};

/// Put together here, so that this file passes its own rule.
const MARKERS: &[&str] = &[concat!("FIX", "ME"), concat!("TO", "DO"), concat!("XX", "X")];

pub(crate) fn check(file: &SourceFile) -> Vec<Finding> {
    file.findings(|line| {
        let marker = MARKERS.iter().find(|marker| has_word(line, marker))?;
        Some(format!("{marker}: do it, or open an issue"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::tests::{file, lines};

    #[test]
    fn markers_fire() {
        for marker in MARKERS {
            let text = format!("fine\n// {marker}: later\n{marker}ED is another word\n");
            assert_eq!(lines(&check(&file("a.rs", &text))), [2]);
        }
        assert!(check(&file("Cargo.toml", "todo = \"warn\"\n")).is_empty());
    }
}
