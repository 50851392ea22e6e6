//! `cargo xtask tidy`: what no compiler checks. Each rule is one file below; its tests show it firing.

mod allows;
mod file_lengths;
mod file_names;
mod ignores;
mod imports;
mod layering;
mod licenses;
mod links;
mod lock_files;
mod machine_paths;
mod manifests;
mod markers;
mod newlines;
mod rust_text;
mod tabs;
mod third_parties;
mod tree;

use anyhow::Result;

use self::tree::{Finding, SourceFile, Tree};
use crate::{tally::Tally, workspace::Workspace};

struct Rule {
    name: &'static str,
    check: Check,
}

enum Check {
    File(fn(&SourceFile) -> Vec<Finding>),
    Tree(fn(&Tree) -> Vec<Finding>),
}

const RULES: &[Rule] = &[
    Rule {
        name: "layering",
        check: Check::Tree(layering::check),
    },
    Rule {
        name: "third parties",
        check: Check::Tree(third_parties::check),
    },
    Rule {
        name: "links",
        check: Check::Tree(links::check),
    },
    Rule {
        name: "imports",
        check: Check::File(imports::check),
    },
    Rule {
        name: "manifests",
        check: Check::File(manifests::check),
    },
    Rule {
        name: "lock files",
        check: Check::File(lock_files::check),
    },
    Rule {
        name: "file lengths",
        check: Check::File(file_lengths::check),
    },
    Rule {
        name: "file names",
        check: Check::File(file_names::check),
    },
    Rule {
        name: "markers",
        check: Check::File(markers::check),
    },
    Rule {
        name: "ignores",
        check: Check::File(ignores::check),
    },
    Rule {
        name: "allows",
        check: Check::File(allows::check),
    },
    Rule {
        name: "newlines",
        check: Check::File(newlines::check),
    },
    Rule {
        name: "machine paths",
        check: Check::File(machine_paths::check),
    },
    Rule {
        name: "tabs",
        check: Check::File(tabs::check),
    },
];

impl Rule {
    fn findings(&self, tree: &Tree) -> Vec<Finding> {
        match self.check {
            Check::File(check) => tree.files.iter().flat_map(check).collect(),
            Check::Tree(check) => check(tree),
        }
    }
}

/// Checks the working tree, prints what is wrong, and counts rules.
pub(crate) fn run(workspace: &Workspace) -> Result<Tally> {
    let tree = Tree::load(workspace)?;
    let mut tally = Tally::default();
    for rule in RULES {
        let findings = rule.findings(&tree);
        for finding in &findings {
            println!("{finding} [{}]", rule.name);
        }
        tally = tally + Tally::of_status(findings.is_empty());
    }
    println!("tidy: {} files, {tally}", tree.files.len());
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `cargo test` alone holds the tree to the rules.
    #[test]
    fn the_repository_is_tidy() -> Result<()> {
        assert_eq!(
            run(&Workspace::locate()?)?,
            Tally {
                passed: RULES.len(),
                failed: 0
            }
        );
        Ok(())
    }
}
