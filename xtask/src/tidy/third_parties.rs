//! Crates of others: what `deny.toml` bans is not in the tree, and every licence is one that it allows.

use toml::{Table, Value};

use super::{
    licenses::is_allowed,
    tree::{Finding, Tree},
};

const POLICY: &str = "deny.toml";

/// What the policy says, as far as it is checked here.
struct Policy {
    licenses: Vec<String>,
    banned: Vec<String>,
}

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let finding = |message| Finding {
        path: POLICY.to_owned(),
        line: None,
        message,
    };
    let text = tree
        .files
        .iter()
        .find(|file| file.path == POLICY)
        .map_or("", |file| &file.text);
    let Some(policy) = text.parse().ok().and_then(|table| Policy::read(&table)) else {
        return vec![finding("needs licenses.allow and bans.deny".to_owned())];
    };
    let complaints = tree.metadata.packages.iter().filter_map(|package| {
        let name = &package.name;
        if policy.banned.contains(name) {
            return Some(format!("{name} is banned: `cargo tree -i {name}` says who brings it"));
        }
        let license = package.license.as_deref().unwrap_or("none");
        let allowed = is_allowed(license, &policy.licenses);
        (!allowed).then(|| format!("{name} has a licence that is not allowed: {license}"))
    });
    complaints.map(finding).collect()
}

impl Policy {
    fn read(table: &Table) -> Option<Self> {
        let licenses = table.get("licenses")?.get("allow")?.as_array()?;
        let banned = table.get("bans")?.get("deny")?.as_array()?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Some(Self {
            licenses: licenses.iter().map(text).collect::<Option<_>>()?,
            banned: banned
                .iter()
                .map(|entry| text(entry.get("crate")?))
                .collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{metadata::Package, tidy::tree::tests::tree};

    const RULES: &str = "[licenses]\nallow = ['MIT']\n[bans]\ndeny = [{ crate = 'openssl-sys' }]\n";

    #[track_caller]
    fn check_package(policy: &str, name: &str, license: &str, expected: &str) {
        let mut tree = tree(&[(POLICY, policy)]);
        tree.metadata.packages.push(Package {
            license: Some(license.to_owned()),
            ..Package::named(name)
        });
        let found: Vec<_> = check(&tree).into_iter().map(|finding| finding.message).collect();
        assert!(found.len() <= 1 && found.concat().starts_with(expected), "{found:?}");
        assert_eq!(found.is_empty(), expected.is_empty());
    }

    #[test]
    fn bans_and_licences() {
        check_package(RULES, "ring", "MIT", "");
        check_package(RULES, "openssl-probe", "MIT", "");
        check_package(RULES, "openssl-sys", "MIT", "openssl-sys is banned");
        check_package(
            RULES,
            "ring",
            "GPL-3.0",
            "ring has a licence that is not allowed: GPL-3.0",
        );
        check_package("[licenses]\n", "ring", "MIT", "needs licenses.allow and bans.deny");
    }
}
