//! A verb that runs while others do: monitors, and whoever waits.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};

use crate::stage::{Ran, Stage};

/// A verb under way; killed when dropped.
pub(crate) struct Beside {
    line: String,
    child: Child,
    notes: BufReader<ChildStderr>,
    stderr: String,
    lines: Receiver<String>,
    stdout: Option<JoinHandle<String>>,
}

impl Stage {
    /// Starts a verb that goes on by itself.
    pub(crate) fn beside(&self, arguments: &[&str]) -> Beside {
        Beside::start(self.home.command(arguments))
    }
}

impl Beside {
    fn start(mut command: Command) -> Self {
        let line = Ran::line(&command);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, lines) = channel();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let stdout = thread::spawn(move || {
            let mut all = String::new();
            loop {
                let mut line = String::new();
                if answers.read_line(&mut line).unwrap() == 0 {
                    return all;
                }
                all += &line;
                let _ = send.send(line);
            }
        });
        Self {
            line,
            notes: BufReader::new(child.stderr.take().unwrap()),
            child,
            stderr: String::new(),
            lines,
            stdout: Some(stdout),
        }
    }

    /// Waits for a line on standard error that begins like this.
    pub(crate) fn notes(&mut self, beginning: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(
                self.notes.read_line(&mut line).unwrap() > 0,
                "{beginning}: {}",
                self.stderr
            );
            self.stderr += &line;
            if line.starts_with(beginning) {
                return line;
            }
        }
    }

    /// Waits for a line on standard output that holds this.
    pub(crate) fn prints(&self, part: &str) {
        while !self.lines.recv().expect("the verb has ended").contains(part) {}
    }

    /// Sends a signal by its name, and what the verb has done is all.
    pub(crate) fn stopped_by(self, signal: &str) -> Ran {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &pid]).status();
        assert!(sent.unwrap().success(), "kill -{signal} {pid}");
        self.ended()
    }

    /// Waits until the verb ends by itself.
    pub(crate) fn ended(mut self) -> Ran {
        self.notes.read_to_string(&mut self.stderr).unwrap();
        let stdout = self.stdout.take().unwrap().join().unwrap();
        let status = self.child.wait().unwrap();
        Ran {
            line: self.line.clone(),
            code: status.code().unwrap_or(-1),
            stdout,
            stderr: self.stderr.clone(),
        }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
