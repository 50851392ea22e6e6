//! What people see on standard error while something runs.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

/// A line that is written anew again and again, on a terminal only; and lines that stay.
#[derive(Debug)]
pub(crate) struct Progress {
    is_terminal: bool,
    /// One writer at a time.
    turn: Mutex<()>,
}

/// Back to the first column; erase to the end of the line (ECMA-48).
const BACK: &str = "\r\x1b[K";

impl Progress {
    pub(crate) fn new() -> Self {
        Self {
            is_terminal: io::stderr().is_terminal(),
            turn: Mutex::new(()),
        }
    }

    /// Does anybody see [`Self::show`]?
    pub(crate) fn is_shown(&self) -> bool {
        self.is_terminal
    }

    /// Replaces the line.
    pub(crate) fn show(&self, line: &str) {
        if self.is_terminal {
            self.write(&format!("{BACK}{line}"));
        }
    }

    /// Takes the line away.
    pub(crate) fn clear(&self) {
        self.show("");
    }

    /// Writes a line that stays.
    pub(crate) fn note(&self, line: &str) {
        let back = if self.is_terminal { BACK } else { "" };
        self.write(&format!("{back}{line}\n"));
    }

    fn write(&self, text: &str) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut err = io::stderr().lock();
        // Nobody is left to hear of it.
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }
}
