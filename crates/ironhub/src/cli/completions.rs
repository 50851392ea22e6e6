//! `ironhub completions`: what makes a shell complete the program's verbs and flags.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::failure::Failure;
use crate::{Cli, output};

/// The flags of `ironhub completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "ironhub", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(())
}
