//! Runs a program: its output goes to the terminal as it comes and is kept for reading afterwards.

use std::{
    io::{self, BufRead, BufReader, IsTerminal as _, Read},
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
    thread,
};

use anyhow::{Context as _, Result};

/// A finished program.
pub(crate) struct Finished {
    pub(crate) success: bool,
    /// Both outputs, without colour codes, in the order in which the lines came.
    pub(crate) lines: Vec<String>,
}

/// Prints the command line, runs it and shows its output.
pub(crate) fn run(command: &mut Command) -> Result<Finished> {
    println!("$ {}", line(command));
    if io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", line(command)))?;
    let lines = Mutex::new(Vec::new());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        scope.spawn(|| copy(stdout, &lines));
        scope.spawn(|| copy(stderr, &lines));
    });
    let status = child.wait()?;
    let lines = lines.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Finished {
        success: status.success(),
        lines,
    })
}

/// Runs a command whose output matters only when it fails: then the error carries it.
pub(crate) fn run_quietly(command: &mut Command) -> Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", line(command)))?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    anyhow::bail!(
        "{} failed ({}):\n{}",
        line(command),
        output.status,
        String::from_utf8_lossy(&text).trim_end()
    )
}

/// The command as one would type it, for messages.
fn line(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn copy(stream: Option<impl Read>, lines: &Mutex<Vec<String>>) {
    let Some(stream) = stream else { return };
    for line in BufReader::new(stream).split(b'\n') {
        let Ok(line) = line else { return };
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        println!("{line}");
        lines.push(without_colour(&line));
    }
}

/// Drops the terminal's escape sequences (`ESC [ … letter`).
fn without_colour(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            characters.by_ref().skip(1).find(char::is_ascii_alphabetic);
        } else {
            plain.push(character);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_dropped() {
        assert_eq!(
            without_colour("\u{1b}[32;1m     Summary\u{1b}[0m 3 tests"),
            "     Summary 3 tests"
        );
        assert_eq!(without_colour("plain \u{1b}["), "plain ");
    }

    #[test]
    fn output_is_kept_and_the_status_is_told() -> Result<()> {
        let finished = run(Command::new("sh").args(["-c", "echo one; exit 3"]))?;
        assert_eq!((finished.success, finished.lines), (false, vec!["one".to_owned()]));
        Ok(())
    }

    #[test]
    fn a_quiet_failure_carries_its_output() {
        let error = run_quietly(Command::new("sh").args(["-c", "echo no such thing >&2; exit 1"])).unwrap_err();
        assert!(error.to_string().contains("no such thing"), "{error}");
    }
}
