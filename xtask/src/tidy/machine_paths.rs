//! No file of the repository knows where somebody's checkout is.

use super::tree::{Finding, SourceFile};

/// Put together here, so that this file passes its own rule.
const PLACES: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];

pub(crate) fn check(file: &SourceFile) -> Vec<Finding> {
    file.findings(|line| {
        let place = PLACES
            .iter()
            .find(|place| line.match_indices(**place).any(|(at, _)| is_absolute(line, at)))?;
        Some(format!("a path of one machine ({place}…)"))
    })
}

/// Whether a path starts here: not in the middle of a longer path or of a URL.
fn is_absolute(line: &str, at: usize) -> bool {
    let before = line.get(..at).and_then(|before| before.chars().next_back());
    !before.is_some_and(|character| character.is_alphanumeric() || "._-/~})>".contains(character))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::tests::{file, lines};

    #[test]
    fn machine_paths_fire() {
        for place in PLACES {
            let text = format!("cd {place}ironhub\nsee https://example.com{place}x\nfrom ${{base}}{place}x\n");
            assert_eq!(lines(&check(&file("README.md", &text))), [1], "{place}");
        }
    }
}
