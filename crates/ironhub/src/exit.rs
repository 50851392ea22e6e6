//! How the program ends, for people on standard error and for scripts and service managers by its exit code.

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use ironhub_server::{ConfigError, SeedError, StartError};

use crate::cli::Failure;
use crate::config_file::ConfigFileError;
use crate::logging::InvalidFilter;

/// The exit codes and what they mean; 2 is also what a wrong command line ends with.
pub(crate) const CODES: [(u8, &str); 7] = [
    (
        0,
        "It is done; a hub was stopped by SIGTERM or SIGINT and has let everything end.",
    ),
    (
        FAILURE,
        "It failed: a port is taken, a file cannot be read, others can get at the data directory.",
    ),
    (
        MISCONFIGURED,
        "A flag, a variable, the configuration file, the seed or a connection string says what cannot be. Starting it \
         again does not help.",
    ),
    (REFUSED, "The hub understood and said no; its code is printed."),
    (
        UNREACHABLE,
        "The hub cannot be reached, or its certificate is not trusted.",
    ),
    (TIMED_OUT, "What was waited for did not come in time."),
    (
        74,
        "The disk failed under a write or sync. Nothing was acknowledged since; a restart finds what was.",
    ),
];

/// The exit codes for `--help`.
pub(crate) fn help() -> String {
    let lines = CODES.iter().map(|(code, meaning)| format!("\n  {code:<4}{meaning}"));
    lines.fold("Exit codes:".to_owned(), |text, line| text + &line)
}

pub(crate) const FAILURE: u8 = 1;
pub(crate) const MISCONFIGURED: u8 = 2;
pub(crate) const REFUSED: u8 = 3;
pub(crate) const UNREACHABLE: u8 = 4;
pub(crate) const TIMED_OUT: u8 = 5;

/// Says what went wrong and what to do about it, and gives the exit code.
pub(crate) fn failed(error: &(dyn Error + 'static)) -> ExitCode {
    say("error:", RED, &error.to_string());
    if let Some(hint) = error.downcast_ref::<Failure>().and_then(Failure::hint) {
        say("hint:", CYAN, hint);
    }
    ExitCode::from(code(error))
}

const RED: &str = "\x1b[1;31m";
const CYAN: &str = "\x1b[1;36m";

/// Nobody is left to tell when standard error is closed.
fn say(word: &str, colour: &str, text: &str) {
    let mut err = io::stderr().lock();
    let _ = if err.is_terminal() && has_colours() {
        writeln!(err, "{colour}{word}\x1b[0m {text}")
    } else {
        writeln!(err, "{word} {text}")
    };
}

/// See <https://no-color.org>.
fn has_colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn code(error: &(dyn Error + 'static)) -> u8 {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return failure.code();
    }
    let is_misconfigured = error.is::<ConfigError>()
        || error.is::<ConfigFileError>()
        || error.is::<InvalidFilter>()
        || error.is::<SeedError>()
        || error
            .downcast_ref::<StartError>()
            .is_some_and(StartError::is_misconfiguration);
    if is_misconfigured { MISCONFIGURED } else { FAILURE }
}
