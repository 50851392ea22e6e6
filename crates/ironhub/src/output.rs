//! What a command answers, on standard output.

use std::io::{self, Write};
use std::ops::ControlFlow;

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
    print_one(answer).map(drop)
}

/// Writes one of many answers; breaks when the reader has read enough.
pub(crate) fn print_one(answer: &str) -> io::Result<ControlFlow<()>> {
    let mut out = io::stdout().lock();
    match out.write_all(answer.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(error),
    }
}

/// Says something beside the answer, on standard error. Nobody is left to tell when that is closed.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
