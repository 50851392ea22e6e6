//! A text file ends with one newline.

use super::tree::{Finding, SourceFile};

/// Bytes that a test wants exactly as they are.
const EXACT: &[&str] = &["fixtures", "corpus"];

pub(crate) fn check(file: &SourceFile) -> Vec<Finding> {
    let is_exact = file.path.split('/').any(|part| EXACT.contains(&part));
    if file.text.is_empty() || is_exact {
        return Vec::new();
    }
    if !file.text.ends_with('\n') {
        return vec![file.finding("does not end with a newline")];
    }
    if file.text.ends_with("\n\n") {
        return vec![file.finding("ends with an empty line")];
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::tests::file;

    #[track_caller]
    fn check_text(path: &str, text: &str, fires: bool) {
        assert_eq!(!check(&file(path, text)).is_empty(), fires, "{path} {text:?}");
    }

    #[test]
    fn ends() {
        check_text("a.md", "text\n", false);
        check_text("a.md", "", false);
        check_text("a.md", "text", true);
        check_text("a.md", "text\n\n", true);
        check_text("crates/x/tests/fixtures/event.json", "{}", false);
    }
}
