//! What a command answers, on standard output.

use std::io::{self, Write};

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    /// For scripts.
    Json,
    /// For people.
    Table,
}

/// Writes the answer. A reader that has read enough (`| head`) is no failure.
pub(crate) fn print(answer: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(answer.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
