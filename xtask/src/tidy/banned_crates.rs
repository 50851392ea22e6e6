//! Crates that must not be in the tree, whoever asks for them (also in `deny.toml`, with the reasons).

use super::tree::{Finding, Tree};

const BANNED: &[&str] = &["openssl", "openssl-sys", "native-tls", "aws-lc-rs", "aws-lc-sys"];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let banned = tree
        .metadata
        .packages
        .iter()
        .filter(|package| BANNED.contains(&package.name.as_str()));
    let finding = |name: &String| Finding {
        path: "Cargo.lock".to_owned(),
        line: None,
        message: format!("{name} is banned: see deny.toml; `cargo tree -i {name}` says who brings it"),
    };
    banned.map(|package| finding(&package.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{metadata::Package, tidy::tree::tests::tree};

    #[track_caller]
    fn check_name(name: &str, expected: usize) {
        let mut tree = tree(&[]);
        let name = name.to_owned();
        tree.metadata.packages.push(Package {
            id: name.clone(),
            name,
            dependencies: Vec::new(),
        });
        assert_eq!(check(&tree).len(), expected);
    }

    #[test]
    fn banned_names() {
        check_name("openssl-sys", 1);
        check_name("aws-lc-rs", 1);
        check_name("ring", 0);
        check_name("openssl-probe", 0);
    }
}
