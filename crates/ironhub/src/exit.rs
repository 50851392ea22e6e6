//! How the program ends, for people on standard error and for scripts and service managers by its exit code.

use std::error::Error;
use std::process::ExitCode;

use ironhub_server::{ConfigError, SeedError, StartError};

use crate::config_file::ConfigFileError;
use crate::logging::InvalidFilter;

/// The exit codes and what they mean; 2 is also what a wrong command line ends with.
pub(crate) const CODES: [(u8, &str); 4] = [
    (
        0,
        "It is done; a hub was stopped by SIGTERM or SIGINT and has let everything end.",
    ),
    (
        1,
        "It failed: a port is taken, a file cannot be read, others can get at the data directory.",
    ),
    (
        2,
        "A flag, a variable, the configuration file or the seed says what cannot be. Starting it again does not help.",
    ),
    (
        74,
        "The disk failed under a write or sync. Nothing was acknowledged since; a restart finds what was.",
    ),
];

const FAILURE: u8 = 1;
const MISCONFIGURED: u8 = 2;

/// Says what went wrong, and gives the exit code.
pub(crate) fn failed(error: &(dyn Error + 'static)) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(code(error))
}

fn code(error: &(dyn Error + 'static)) -> u8 {
    let is_misconfigured = error.is::<ConfigError>()
        || error.is::<ConfigFileError>()
        || error.is::<InvalidFilter>()
        || error.is::<SeedError>()
        || error
            .downcast_ref::<StartError>()
            .is_some_and(StartError::is_misconfiguration);
    if is_misconfigured { MISCONFIGURED } else { FAILURE }
}
