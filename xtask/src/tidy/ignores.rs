//! A test that is not run says why.

use super::{
    rust_text::attribute,
    tree::{Finding, SourceFile},
};

pub(crate) fn check(file: &SourceFile) -> Vec<Finding> {
    if !file.is_rust() {
        return Vec::new();
    }
    file.findings(|line| {
        let bare = attribute(line)?.starts_with("ignore]");
        bare.then(|| "an ignored test says why: #[ignore = \"…\"]".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::tests::{file, lines};

    #[test]
    fn a_bare_ignore_fires() {
        let text = "#[test]\n#[ignore]\nfn a() {}\n#[ignore = \"an hour\"]\nfn b() {}\n";
        assert_eq!(lines(&check(&file("a.rs", text))), [2]);
        assert!(check(&file("a.md", text)).is_empty());
    }
}
