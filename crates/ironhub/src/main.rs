//! The `ironhub` program.

mod cli;
mod config_file;
mod demo;
mod exit;
mod logging;
mod output;
mod paths;
mod policy;
mod reference;
mod serve;
mod trust;

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// An Azure IoT Hub that you run yourself
#[derive(Debug, Parser)]
#[command(
    name = "ironhub",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = exit::help()
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a hub
    #[command(after_help = "Example: ironhub serve --dev")]
    Serve(Box<serve::ServeArgs>),
    /// Print how each kind of client takes the development hub's CA
    #[command(after_help = "Example: ironhub trust")]
    Trust(trust::TrustArgs),
    /// The shared access policies of a hub on this machine
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    #[command(flatten)]
    Verb(cli::Verb),
    /// Print a page of the reference
    #[command(hide = true)]
    Reference {
        /// Which page
        #[arg(value_enum, default_value = "settings")]
        page: reference::Page,
    },
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::failed(error.as_ref()),
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let expanded = config_file::expand::<Cli>(std::env::args_os())?;
    match Cli::parse_from(expanded.arguments).command {
        Command::Serve(args) => serve::run(*args, &expanded.sources),
        Command::Trust(args) => trust::run(&args),
        Command::Policy(command) => policy::run(command),
        Command::Verb(verb) => Ok(cli::run(verb)?),
        Command::Reference { page } => reference::run(page),
    }
}
