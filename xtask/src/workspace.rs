//! Where the workspace is, and how cargo is called in it.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::metadata::Metadata;

/// The checkout that the command was started in.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// Cargo's target directory; everything that xtask makes lies below it.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Finds the workspace around the current directory.
    pub(crate) fn locate() -> Result<Self> {
        let metadata = Metadata::of_members(Path::new("."))?;
        Ok(Self {
            root: metadata.workspace_root,
            target: metadata.target_directory,
        })
    }

    /// Cargo, in the root of the workspace, with the environment of a person's shell: some build scripts (ring's) run
    /// again whenever the variables change that cargo has set for this tool.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(cargo_program());
        for (name, _) in env::vars_os().filter(|(name, _)| is_about_this_package(name)) {
            command.env_remove(name);
        }
        command.current_dir(&self.root);
        command
    }

    /// The hub's binary as [`Self::build`] leaves it.
    pub(crate) fn hub_binary(&self) -> PathBuf {
        self.target
            .join("debug")
            .join(format!("ironhub{}", env::consts::EXE_SUFFIX))
    }

    /// The one build that tests and conformance share.
    ///
    /// The targets are those of `cargo test`: naming them makes cargo choose the same dependency features here and
    /// there, so nothing is compiled a second time.
    pub(crate) fn build(&self) -> Command {
        let mut command = self.cargo();
        command.args(["build", "--workspace", "--lib", "--bins", "--tests", "--examples"]);
        command
    }

    /// Reads a file of the repository; the error names it.
    pub(crate) fn read(&self, path: &str) -> Result<String> {
        std::fs::read_to_string(self.root.join(path)).with_context(|| format!("cannot read {path}"))
    }
}

/// The cargo that started us, so that a toolchain override holds for everything below.
pub(crate) fn cargo_program() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Whether cargo has set this variable to describe the program that it runs.
fn is_about_this_package(name: &OsStr) -> bool {
    const PREFIXES: &[&str] = &[
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_BIN_",
        "CARGO_CRATE_",
        "CARGO_PRIMARY_",
    ];
    name.to_str()
        .is_some_and(|name| PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_cargo_are_passed_on() {
        let removed = |name| is_about_this_package(OsStr::new(name));
        assert!(removed("CARGO_PKG_NAME") && removed("CARGO_MANIFEST_DIR"));
        assert!(!removed("CARGO_TARGET_DIR") && !removed("CARGO_HOME") && !removed("CARGO_TERM_COLOR"));
    }
}
