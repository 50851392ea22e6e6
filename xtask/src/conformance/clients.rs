//! The clients: a Python virtual environment and a `node_modules`, made below the target directory.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::suites::{Language, Suite};
use crate::{command, workspace::Workspace};

/// Written last, with all that the installation was made from: whole or not there.
const STAMP: &str = "ironhub-stamp";

/// Where the installed clients are.
pub(crate) struct Clients {
    directory: PathBuf,
}

impl Clients {
    /// Installs what the suites need; does nothing when it is there already.
    pub(crate) fn prepare(workspace: &Workspace, suites: &[Suite]) -> Result<Self> {
        let clients = Self {
            directory: workspace.target.join("conformance"),
        };
        let needs = |language| suites.iter().any(|suite| suite.language == language);
        if needs(Language::Python) {
            clients
                .prepare_python(workspace)
                .context("cannot install the Python clients")?;
        }
        if needs(Language::Node) {
            clients
                .prepare_node(workspace)
                .context("cannot install the Node clients")?;
        }
        Ok(clients)
    }

    /// The virtual environment.
    pub(crate) fn venv(&self) -> PathBuf {
        self.directory.join("venv")
    }

    /// What Node finds packages in.
    pub(crate) fn node_modules(&self) -> PathBuf {
        self.directory.join("node").join("node_modules")
    }

    fn prepare_python(&self, workspace: &Workspace) -> Result<()> {
        let requirements = workspace.read("conformance/python/requirements.txt")?;
        let stamp = version("python3")? + &requirements;
        install(&self.venv(), &stamp, |venv| {
            command::run_quietly(Command::new("python3").args(["-m", "venv"]).arg(venv))?;
            let mut pip = Command::new(venv.join("bin").join("python"));
            pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--requirement"]);
            command::run_quietly(pip.arg(workspace.root.join("conformance/python/requirements.txt")))
        })
    }

    fn prepare_node(&self, workspace: &Workspace) -> Result<()> {
        let package = workspace.read("conformance/node/package.json")?;
        let lock = workspace.read("conformance/node/package-lock.json")?;
        let stamp = version("node")? + &package + &lock;
        install(&self.directory.join("node"), &stamp, |directory| {
            fs::create_dir_all(directory)?;
            fs::write(directory.join("package.json"), &package)?;
            fs::write(directory.join("package-lock.json"), &lock)?;
            let mut npm = Command::new("npm");
            npm.args(["ci", "--omit=dev", "--no-audit", "--no-fund"])
                .current_dir(directory);
            command::run_quietly(&mut npm)
        })
    }
}

/// Fills `directory` by `fill` unless its stamp says that this has been done from the same sources.
fn install(directory: &Path, stamp: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if fs::read_to_string(directory.join(STAMP)).is_ok_and(|found| found == stamp) {
        return Ok(());
    }
    println!("installing {}", directory.display());
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    fs::create_dir_all(directory)?;
    fill(directory)?;
    Ok(fs::write(directory.join(STAMP), stamp)?)
}

fn version(program: &str) -> Result<String> {
    let output = Command::new(program)
        .arg("--version")
        .output()
        .with_context(|| format!("{program} is needed"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn installs_once_and_again_when_the_source_changes() -> Result<()> {
        let directory = tempfile::tempdir()?;
        let target = directory.path().join("venv");
        let mut fills = 0;
        for stamp in ["a", "a", "b"] {
            install(&target, stamp, |_| {
                fills += 1;
                Ok(())
            })?;
        }
        assert_eq!(fills, 2);
        Ok(())
    }

    #[test]
    fn a_failed_installation_is_made_again() -> Result<()> {
        let directory = tempfile::tempdir()?;
        let target = directory.path().join("venv");
        let half = install(&target, "a", |target| {
            fs::write(target.join("half"), "")?;
            bail!("no network")
        });
        assert!(half.is_err());
        install(&target, "a", |target| {
            assert!(!target.join("half").exists());
            Ok(())
        })
    }
}
