//! Rust source has no tabs, also where rustfmt does not look (strings, macros, comments).

use super::tree::{Finding, SourceFile};

pub(crate) fn check(file: &SourceFile) -> Vec<Finding> {
    if !file.is_rust() {
        return Vec::new();
    }
    file.findings(|line| {
        line.contains('\t')
            .then(|| "a tab: use spaces, or \\t in a string".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::tests::{file, lines};

    #[test]
    fn a_tab_fires() {
        assert_eq!(lines(&check(&file("a.rs", "fn a() {\n\tb();\n}\n"))), [2]);
        assert!(check(&file("Makefile", "\tb\n")).is_empty());
    }
}
