//! `ironhub man`: the manual pages.

use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;

use super::failure::Failure;
use crate::{Cli, output};

/// The flags of `ironhub man`.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The command to print the page of; the program's own when left out
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
    /// Write the pages of all commands into this directory instead, which is made if it is not there
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(args: &ManArgs) -> Result<(), Failure> {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    match &args.dir {
        Some(directory) => write_all(&program, directory)
            .map_err(|error| Failure::failed(format!("cannot write pages to {}: {error}", directory.display()))),
        None => Ok(output::print(&String::from_utf8_lossy(&page(named(
            &program,
            &args.command,
        )?)?))?),
    }
}

/// The command at this path.
fn named<'a>(program: &'a Command, path: &[String]) -> Result<&'a Command, Failure> {
    path.iter().try_fold(program, |command, name| {
        let unknown = || Failure::usage(format!("there is no command {:?}", path.join(" ")));
        command.find_subcommand(name).ok_or_else(unknown)
    })
}

fn write_all(program: &Command, directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let mut left = vec![program];
    while let Some(command) = left.pop() {
        left.extend(command.get_subcommands().filter(|command| !command.is_hide_set()));
        fs::write(directory.join(format!("{}.1", title(command))), page(command)?)?;
    }
    Ok(())
}

fn page(command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let man = Man::new(command.clone())
        .title(title(command))
        .source(concat!("ironhub ", env!("CARGO_PKG_VERSION")))
        .manual("IronHub");
    man.render(&mut page)?;
    Ok(page)
}

/// `ironhub-device-identity-create`.
fn title(command: &Command) -> String {
    command.get_bin_name().unwrap_or(command.get_name()).replace(' ', "-")
}
