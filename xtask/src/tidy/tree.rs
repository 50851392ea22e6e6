//! What the rules look at, and what they say.

use std::{fmt, fs, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};

use crate::{metadata::Metadata, workspace::Workspace};

/// The files of the repository and the crates of the workspace.
pub(crate) struct Tree {
    pub(crate) files: Vec<SourceFile>,
    pub(crate) metadata: Metadata,
}

/// One file that git knows or would take.
pub(crate) struct SourceFile {
    /// From the root of the repository, with `/`.
    pub(crate) path: String,
    /// Empty for a file that is not text.
    pub(crate) text: String,
}

/// Something that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) path: String,
    /// Counted from 1; `None` for the file as a whole.
    pub(crate) line: Option<usize>,
    pub(crate) message: String,
}

impl Tree {
    pub(crate) fn load(workspace: &Workspace) -> Result<Self> {
        let metadata = Metadata::of_everything(&workspace.root)?;
        let files = tracked(&workspace.root)?
            .into_iter()
            .filter_map(|path| SourceFile::load(&workspace.root, path));
        Ok(Self {
            files: files.collect(),
            metadata,
        })
    }

    /// Whether the repository holds this file or directory.
    pub(crate) fn contains(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let below = |file: &SourceFile| file.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
        path.is_empty() || self.files.iter().any(|file| file.path == path || below(file))
    }
}

/// Tracked files and new ones that are not ignored.
fn tracked(root: &Path) -> Result<Vec<String>> {
    let mut git = Command::new("git");
    git.args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
        "--deduplicate",
    ])
    .current_dir(root);
    let output = git.output().context("cannot start git")?;
    ensure!(
        output.status.success(),
        "git ls-files failed: {}",
        String::from_utf8_lossy(&output.stderr).trim_end()
    );
    let paths = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
    Ok(paths.split_terminator('\0').map(str::to_owned).collect())
}

impl SourceFile {
    /// `None` when the file is gone from the working tree or is no plain file.
    fn load(root: &Path, path: String) -> Option<Self> {
        let place = root.join(&path);
        let plain = fs::symlink_metadata(&place).is_ok_and(|metadata| metadata.is_file());
        let bytes = plain.then(|| fs::read(&place).ok())??;
        let text = String::from_utf8(bytes)
            .ok()
            .filter(|text| !text.contains('\0'))
            .unwrap_or_default();
        Some(Self { path, text })
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.has_extension("rs")
    }

    pub(crate) fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path)
            .extension()
            .is_some_and(|found| found == extension)
    }

    /// The last part of the path.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// A finding about the file as a whole.
    pub(crate) fn finding(&self, message: impl Into<String>) -> Finding {
        Finding {
            path: self.path.clone(),
            line: None,
            message: message.into(),
        }
    }

    /// One finding for each line that `says` complains about.
    pub(crate) fn findings(&self, says: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
        let lines = self.text.lines().enumerate();
        let finding = |(index, line)| {
            let message = says(line)?;
            Some(Finding {
                path: self.path.clone(),
                line: Some(index + 1),
                message,
            })
        };
        lines.filter_map(finding).collect()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(out, "{}:{line}: {}", self.path, self.message),
            None => write!(out, "{}: {}", self.path, self.message),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A file that exists only in a test.
    pub(crate) fn file(path: &str, text: &str) -> SourceFile {
        SourceFile {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// A tree of such files, without crates.
    pub(crate) fn tree(files: &[(&str, &str)]) -> Tree {
        let metadata = Metadata {
            packages: Vec::new(),
            workspace_members: Vec::new(),
            workspace_root: ".".into(),
            target_directory: "target".into(),
        };
        Tree {
            files: files.iter().map(|(path, text)| file(path, text)).collect(),
            metadata,
        }
    }

    /// Where the findings are: line numbers, `0` for a whole file.
    pub(crate) fn lines(findings: &[Finding]) -> Vec<usize> {
        findings.iter().map(|finding| finding.line.unwrap_or(0)).collect()
    }

    #[test]
    fn a_directory_is_contained_by_its_files() {
        let tree = tree(&[("crates/a/src/lib.rs", "")]);
        for path in ["crates/a/src/lib.rs", "crates/a", "crates/a/", ""] {
            assert!(tree.contains(path), "{path}");
        }
        for path in ["crates/b", "crates/a/src/lib", "crates/a/src/lib.rs/x"] {
            assert!(!tree.contains(path), "{path}");
        }
    }

    #[test]
    fn a_finding_reads_as_a_compiler_message() {
        let finding = file("a.rs", "x\n").findings(|_| Some("wrong".to_owned()));
        assert_eq!(finding[0].to_string(), "a.rs:1: wrong");
        assert_eq!(file("a.rs", "").finding("wrong").to_string(), "a.rs: wrong");
    }
}
