//! npm's lock file pins versions and hashes, not the host that a machine happened to fetch them from.

use super::tree::{Finding, SourceFile};

pub(crate) fn check(file: &SourceFile) -> Vec<Finding> {
    if file.name() != "package-lock.json" {
        return Vec::new();
    }
    file.findings(|line| {
        let names_host = line.trim_start().starts_with("\"resolved\"");
        names_host.then(|| "names a registry host: npm install --omit-lockfile-registry-resolved".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::tests::{file, lines};

    #[test]
    fn resolved_fires() {
        let text = "{\n  \"version\": \"1.0.0\",\n  \"resolved\": \"https://registry.example/x.tgz\"\n}\n";
        assert_eq!(lines(&check(&file("conformance/node/package-lock.json", text))), [3]);
        assert!(check(&file("other.json", text)).is_empty());
    }
}
