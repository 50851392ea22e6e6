//! An exception to a lint is `#[expect(…, reason = "…")]`: it goes when its cause goes, and says why it is there.

use super::{
    rust_text::{attribute, has_word},
    tree::{Finding, SourceFile},
};

pub(crate) fn check(file: &SourceFile) -> Vec<Finding> {
    if !file.is_rust() {
        return Vec::new();
    }
    file.findings(|line| {
        let allows = has_word(attribute(line)?.split('"').next()?, "allow");
        allows.then(|| "use #[expect(…, reason = \"…\")], which complains when it is no longer needed".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::tests::{file, lines};

    #[test]
    fn allow_fires() {
        let text = "#![allow(dead_code)]\n    #[allow(clippy::x, reason = \"y\")]\n#[cfg_attr(test, allow(x))]\n";
        assert_eq!(lines(&check(&file("a.rs", text))), [1, 2, 3]);
        let fine = "#[expect(clippy::x, reason = \"we allow (it)\")]\nfn allow() {}\n#[serde(rename = \"allow\")]\n";
        assert!(check(&file("a.rs", fine)).is_empty());
    }
}
