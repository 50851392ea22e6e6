//! A home for everything is a home for nothing: names that say nothing are not names.

use super::tree::{Finding, SourceFile};

const BANNED: &[&str] = &[
    "util", "utils", "helper", "helpers", "common", "misc", "types", "manager",
];

/// AMQP's type system is called that: its files may be, too.
const TYPES_ALLOWED: &str = "crates/ironhub-amqp/";

const EXTENSIONS: &[&str] = &["rs", "py", "js", "cjs", "mjs", "ts"];

pub(crate) fn check(file: &SourceFile) -> Vec<Finding> {
    if !EXTENSIONS.iter().any(|extension| file.has_extension(extension)) {
        return Vec::new();
    }
    if file.name() == "mod.rs" {
        return vec![file.finding("name it after its module: foo.rs beside foo/")];
    }
    let stems = file.path.split('/').map(|part| part.split('.').next().unwrap_or(part));
    let banned = stems.filter(|stem| BANNED.contains(stem));
    let wrong = banned.filter(|stem| *stem != "types" || !file.path.starts_with(TYPES_ALLOWED));
    wrong
        .map(|stem| file.finding(format!("`{stem}` says nothing: name what is in it")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::tests::file;

    #[track_caller]
    fn check_path(path: &str, fires: bool) {
        assert_eq!(!check(&file(path, "")).is_empty(), fires, "{path}");
    }

    #[test]
    fn names() {
        check_path("crates/ironhub-hub/src/twin.rs", false);
        check_path("crates/ironhub-hub/src/utils.rs", true);
        check_path("crates/ironhub-hub/src/twin/mod.rs", true);
        check_path("crates/ironhub-hub/tests/common/hub.rs", true);
        check_path("conformance/python/helpers.py", true);
        check_path("crates/ironhub-hub/src/types.rs", true);
        check_path("crates/ironhub-amqp/src/types/list.rs", false);
        check_path("crates/ironhub-amqp/src/types.rs", false);
        check_path("docs/types.md", false);
    }
}
