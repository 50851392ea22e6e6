//! The part of `cargo metadata` that the checks need.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::workspace::cargo_program;

#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) workspace_members: Vec<String>,
    pub(crate) workspace_root: PathBuf,
    pub(crate) target_directory: PathBuf,
}

#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    /// An SPDX expression.
    pub(crate) license: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `None` for an ordinary dependency, else `dev` or `build`.
    pub(crate) kind: Option<String>,
}

impl Dependency {
    pub(crate) fn is_dev(&self) -> bool {
        self.kind.as_deref() == Some("dev")
    }
}

impl Metadata {
    /// The members only: fast, and works without a network.
    pub(crate) fn of_members(directory: &Path) -> Result<Self> {
        Self::load(directory, &["--no-deps"])
    }

    /// Members and everything that they pull in with their default features.
    pub(crate) fn of_everything(directory: &Path) -> Result<Self> {
        Self::load(directory, &[])
    }

    fn load(directory: &Path, flags: &[&str]) -> Result<Self> {
        let mut cargo = Command::new(cargo_program());
        let cargo = cargo
            .args(["metadata", "--format-version", "1"])
            .args(flags)
            .current_dir(directory);
        let output = cargo.output().context("cannot start cargo")?;
        if !output.status.success() {
            bail!(
                "cargo metadata failed:\n{}",
                String::from_utf8_lossy(&output.stderr).trim_end()
            );
        }
        serde_json::from_slice(&output.stdout).context("cargo metadata has an unknown form")
    }

    /// The packages of this workspace.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| self.workspace_members.contains(&package.id))
    }
}

#[cfg(test)]
impl Package {
    /// A package that exists only in a test.
    pub(crate) fn named(name: &str) -> Self {
        let name = name.to_owned();
        Self {
            id: name.clone(),
            name,
            license: Some("MIT".to_owned()),
            dependencies: Vec::new(),
        }
    }
}
