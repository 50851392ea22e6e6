//! What a page points at exists: relative links of every page, and every path that `ARCHITECTURE.md` mentions.

use super::tree::{Finding, SourceFile, Tree};

/// The page whose plain mentions of files are checked, too.
const MAP: &str = "ARCHITECTURE.md";

/// How a path that the map mentions begins.
const ROOTS: &[&str] = &[
    "crates/",
    "xtask/",
    "conformance/",
    "examples/",
    "fuzz/",
    "deploy/",
    "docs/",
];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let pages = tree.files.iter().filter(|file| file.has_extension("md"));
    pages
        .flat_map(|page| broken_links(tree, page).into_iter().chain(missing_paths(tree, page)))
        .collect()
}

fn broken_links(tree: &Tree, page: &SourceFile) -> Vec<Finding> {
    let directory = page.path.rsplit_once('/').map_or("", |(directory, _)| directory);
    page.findings(|line| {
        let broken = link_targets(line).find(|target| !tree.contains(&resolve(directory, target)))?;
        Some(format!("links to {broken}, which does not exist"))
    })
}

/// The files behind `[text](target)`, without `#fragment`; not those of the web.
fn link_targets(line: &str) -> impl Iterator<Item = &str> {
    let targets = line
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', ' ']).next());
    let files = targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:"));
    files
        .filter_map(|target| target.split('#').next())
        .filter(|path| !path.is_empty())
}

/// `docs` and `../a/b.md` make `a/b.md`.
fn resolve(directory: &str, target: &str) -> String {
    let mut parts: Vec<&str> = directory.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

fn missing_paths(tree: &Tree, page: &SourceFile) -> Vec<Finding> {
    if page.path != MAP {
        return Vec::new();
    }
    page.findings(|line| {
        let missing = mentioned_paths(line).find(|path| !tree.contains(path))?;
        Some(format!("mentions {missing}, which does not exist"))
    })
}

/// The paths that a line mentions; of a pattern (`crates/*/src`, `a/{b,c}`) the part before it.
fn mentioned_paths(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split(|character: char| character.is_whitespace() || "`()[]<>|,;\"'".contains(character));
    let paths = words.filter(|word| ROOTS.iter().any(|root| word.starts_with(root)));
    paths.map(|path| match path.find(['*', '{', '…']) {
        Some(end) => path
            .get(..end)
            .and_then(|start| start.rsplit_once('/'))
            .map_or(path, |(start, _)| start),
        None => path
            .split_once("::")
            .map_or(path, |(file, _)| file)
            .trim_end_matches(['.', ':']),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::tests::{lines, tree};

    #[track_caller]
    fn check_page(path: &str, text: &str, expected: &[usize]) {
        let tree = tree(&[(path, text), ("crates/a/src/lib.rs", ""), ("docs/start.md", "")]);
        assert_eq!(lines(&check(&tree)), expected, "{text}");
    }

    #[test]
    fn links_point_at_files() {
        check_page(
            "README.md",
            "[a](docs/start.md) [b](https://example.com/x) [c](#d)\n[e](docs/none.md)\n",
            &[2],
        );
        check_page(
            "docs/other.md",
            "[a](start.md#part)\n[b](../crates/a)\n[c](docs/start.md)\n",
            &[3],
        );
    }

    #[test]
    fn the_map_mentions_what_exists() {
        check_page(
            "ARCHITECTURE.md",
            "see `crates/a/src/lib.rs`.\n`crates/a/src/gone.rs` too\n",
            &[2],
        );
        check_page(
            "ARCHITECTURE.md",
            "crates/a/src/lib.rs::parse and crates/*/src, crates/a/{src,b}.\n",
            &[],
        );
        check_page("ARCHITECTURE.md", "crates/b/{x,y}\n", &[1]);
        check_page("docs/other.md", "crates/a/src/gone.rs\n", &[]);
    }
}
