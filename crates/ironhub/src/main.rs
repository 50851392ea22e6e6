//! The `ironhub` program.

mod config_file;
mod logging;
mod paths;
mod serve;
mod trust;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// An Azure IoT Hub that you run yourself
#[derive(Debug, Parser)]
#[command(name = "ironhub", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a hub
    Serve(Box<serve::ServeArgs>),
    /// Print how each kind of client takes the development hub's CA
    Trust(trust::TrustArgs),
}

fn main() -> ExitCode {
    let arguments = match config_file::expand::<Cli>(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(error) => return failure(&error),
    };
    let result = match Cli::parse_from(arguments).command {
        Command::Serve(args) => serve::run(*args),
        Command::Trust(args) => trust::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure(error.as_ref()),
    }
}

fn failure(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
