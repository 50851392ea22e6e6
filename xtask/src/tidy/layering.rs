//! Dependencies between the project's crates point one way. The table is this file; a new arrow needs a decision
//! record in `docs/adr/`.

use super::tree::{Finding, Tree};
use crate::metadata::{Dependency, Metadata, Package};

/// The crates that know bytes and protocol state only: no other crate of the project, not even in their tests.
const WIRE: &[&str] = &["ironhub-mqtt", "ironhub-amqp", "ironhub-query"];

/// What each crate may depend on. Development dependencies are free, except for [`WIRE`].
const ALLOWED: &[(&str, &[&str])] = &[
    ("ironhub-mqtt", &[]),
    ("ironhub-amqp", &[]),
    ("ironhub-query", &[]),
    ("ironhub-model", &[]),
    ("ironhub-console", &[]),
    ("ironhub-dialect", &["ironhub-model", "ironhub-mqtt", "ironhub-amqp"]),
    ("ironhub-hub", &["ironhub-model", "ironhub-query", "ironhub-amqp"]),
    ("ironhub-storage-embedded", &["ironhub-model", "ironhub-hub"]),
    ("ironhub-storage-jetstream", &["ironhub-model", "ironhub-hub"]),
    ("ironhub-testkit", &["ironhub-model", "ironhub-hub"]),
    (
        "ironhub-transport",
        &[
            "ironhub-model",
            "ironhub-dialect",
            "ironhub-mqtt",
            "ironhub-amqp",
            "ironhub-hub",
        ],
    ),
    (
        "ironhub-client",
        &["ironhub-model", "ironhub-dialect", "ironhub-mqtt", "ironhub-amqp"],
    ),
    (
        "ironhub-server",
        &[
            "ironhub-model",
            "ironhub-hub",
            "ironhub-transport",
            "ironhub-storage-embedded",
            "ironhub-storage-jetstream",
            "ironhub-console",
        ],
    ),
    ("ironhub", &["ironhub-server", "ironhub-model", "ironhub-client"]),
    ("ironhub-examples", &["ironhub-client"]),
    ("ironhub-fuzz", &["ironhub-amqp"]),
    ("xtask", &[]),
];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let members: Vec<&Package> = tree.metadata.members().collect();
    members
        .iter()
        .flat_map(|package| wrong_arrows(&tree.metadata, package))
        .collect()
}

fn wrong_arrows(metadata: &Metadata, package: &Package) -> Vec<Finding> {
    let finding = |message| Finding {
        path: package.name.clone(),
        line: None,
        message,
    };
    let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == package.name) else {
        return vec![finding(
            "this crate is not in the table of tidy's layering rule".to_owned(),
        )];
    };
    let is_member = |name: &str| metadata.members().any(|member| member.name == name);
    let is_exempt = |dependency: &Dependency| dependency.is_dev() && !WIRE.contains(&package.name.as_str());
    let is_wrong = |dependency: &&Dependency| {
        is_member(&dependency.name) && !allowed.contains(&dependency.name.as_str()) && !is_exempt(dependency)
    };
    let wrong = package.dependencies.iter().filter(is_wrong);
    wrong
        .map(|dependency| finding(format!("may not depend on {}", dependency.name)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::tests::tree;

    fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Package {
        let dependency = |(name, kind): &(&str, Option<&str>)| Dependency {
            name: (*name).to_owned(),
            kind: kind.map(str::to_owned),
        };
        Package {
            dependencies: dependencies.iter().map(dependency).collect(),
            ..Package::named(name)
        }
    }

    #[track_caller]
    fn check_arrow(from: &str, to: &str, kind: Option<&str>, expected: &[&str]) {
        let mut tree = tree(&[]);
        tree.metadata.packages = vec![package(from, &[(to, kind), ("serde", None)]), package("serde", &[])];
        tree.metadata.workspace_members = vec![from.to_owned()];
        if from != to {
            tree.metadata.packages.push(package(to, &[]));
            tree.metadata.workspace_members.push(to.to_owned());
        }
        let found: Vec<_> = check(&tree).into_iter().map(|finding| finding.to_string()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn arrows() {
        check_arrow("ironhub-hub", "ironhub-model", None, &[]);
        check_arrow(
            "ironhub-hub",
            "ironhub-transport",
            None,
            &["ironhub-hub: may not depend on ironhub-transport"],
        );
        check_arrow(
            "ironhub",
            "ironhub-hub",
            Some("build"),
            &["ironhub: may not depend on ironhub-hub"],
        );
        check_arrow(
            "ironhub-client",
            "ironhub-hub",
            None,
            &["ironhub-client: may not depend on ironhub-hub"],
        );
        check_arrow("ironhub-hub", "ironhub-testkit", Some("dev"), &[]);
    }

    #[test]
    fn wire_crates_stand_alone_even_in_tests() {
        let expected = "ironhub-mqtt: may not depend on ironhub-model";
        check_arrow("ironhub-mqtt", "ironhub-model", Some("dev"), &[expected]);
    }

    #[test]
    fn an_unknown_crate_needs_a_row() {
        let expected = "ironhub-extra: this crate is not in the table of tidy's layering rule";
        check_arrow("ironhub-extra", "ironhub-model", None, &[expected]);
    }
}
