//! Every crate takes its lints, its version and the versions of its dependencies from the workspace.

use toml::{Table, Value};

use super::tree::{Finding, SourceFile};

const INHERITED: &[&str] = &["version", "edition", "rust-version", "license"];
/// Programs that people copy: they may print and read the environment without an excuse that would be copied, too.
const OWN_LINTS: &str = "examples/Cargo.toml";
const DEPENDENCIES: &[&str] = &["dependencies", "dev-dependencies", "build-dependencies"];

pub(crate) fn check(file: &SourceFile) -> Vec<Finding> {
    if file.name() != "Cargo.toml" || file.path == "Cargo.toml" || file.path.starts_with("fuzz/libfuzzer/") {
        return Vec::new();
    }
    match file.text.parse::<Table>() {
        Ok(manifest) => complaints(&manifest, file.path == OWN_LINTS)
            .into_iter()
            .map(|message| file.finding(message))
            .collect(),
        Err(error) => vec![file.finding(format!("cannot be read: {}", error.message()))],
    }
}

fn complaints(manifest: &Table, has_own_lints: bool) -> Vec<String> {
    let mut complaints = Vec::new();
    let lints = manifest.get("lints");
    if has_own_lints && lints.is_none() {
        complaints.push("needs `[lints]`".to_owned());
    }
    if !has_own_lints && !lints.is_some_and(is_inherited) {
        complaints.push("needs `[lints] workspace = true`".to_owned());
    }
    let package = manifest.get("package");
    let missing = INHERITED
        .iter()
        .filter(|key| !package.and_then(|package| package.get(**key)).is_some_and(is_inherited));
    complaints.extend(missing.map(|key| format!("needs `{key}.workspace = true`")));
    if package.and_then(|package| package.get("description")).is_none() {
        complaints.push("needs a `description`".to_owned());
    }
    let tables = DEPENDENCIES.iter().filter_map(|kind| manifest.get(*kind)?.as_table());
    let own_version = tables.flatten().filter(|(_, dependency)| !is_inherited(dependency));
    complaints.extend(own_version.map(|(name, _)| format!("take {name} from [workspace.dependencies]")));
    complaints
}

fn is_inherited(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::tests::file;

    const GOOD: &str = r#"
[package]
name = "ironhub-x"
description = "x"
version.workspace = true
edition.workspace = true
rust-version.workspace = true
license.workspace = true
[dependencies]
serde = { workspace = true, features = ["rc"] }
[lints]
workspace = true
"#;

    #[track_caller]
    fn check_text(text: &str, expected: &[&str]) {
        let found = check(&file("crates/ironhub-x/Cargo.toml", text));
        assert_eq!(
            found.iter().map(|finding| finding.message.as_str()).collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    fn examples_have_lints_of_their_own() {
        let none = GOOD.replace("[lints]\nworkspace = true", "");
        let own = none.clone() + "[lints.clippy]\npedantic = \"warn\"\n";
        assert_eq!(check(&file(OWN_LINTS, &none)).len(), 1);
        assert_eq!(check(&file(OWN_LINTS, &own)), []);
        check_text(&own, &["needs `[lints] workspace = true`"]);
    }

    #[test]
    fn manifests() {
        check_text(GOOD, &[]);
        check_text(
            &GOOD.replace("[lints]\nworkspace = true", ""),
            &["needs `[lints] workspace = true`"],
        );
        check_text(
            &GOOD.replace("edition.workspace = true", ""),
            &["needs `edition.workspace = true`"],
        );
        check_text(&GOOD.replace("description = \"x\"", ""), &["needs a `description`"]);
        let own_version = GOOD.replace("{ workspace = true, features", "{ version = \"1\", features");
        check_text(&own_version, &["take serde from [workspace.dependencies]"]);
    }
}
