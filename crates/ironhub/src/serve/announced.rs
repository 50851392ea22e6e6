//! A file that tells of a running hub.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// There as long as this value is, unless another hub has written its own in its place.
pub(super) struct Announced {
    path: PathBuf,
    text: String,
    /// What another hub had written there, and how to tell whether that one still runs.
    before: Option<(String, IsRunning)>,
}

type IsRunning = fn(&str) -> bool;

impl Announced {
    /// The same as [`Self::write`], for a place that several hubs share: in the end it is given back to the one before
    /// if that still runs.
    pub(super) fn write_in_place(path: PathBuf, text: &str, is_running: IsRunning) -> io::Result<Self> {
        let before = fs::read_to_string(&path).ok().map(|text| (text, is_running));
        let mut own = Self::write(path, text)?;
        own.before = before;
        Ok(own)
    }

    /// Writes through a temporary file, so that whoever waits for the name never reads half of it. It holds keys: 0600.
    pub(super) fn write(path: PathBuf, text: &str) -> io::Result<Self> {
        put(&path, text)?;
        Ok(Self {
            path,
            text: text.to_owned(),
            before: None,
        })
    }
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let _ = fs::remove_file(&temporary);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(text.as_bytes())?;
    fs::rename(&temporary, path)
}

impl Drop for Announced {
    fn drop(&mut self) {
        if !fs::read(&self.path).is_ok_and(|text| text == self.text.as_bytes()) {
            return;
        }
        let before = self.before.take();
        let given_back = before
            .filter(|(text, is_running)| is_running(text))
            .is_some_and(|(text, _)| put(&self.path, &text).is_ok());
        if !given_back {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_removes_its_own_file_and_nobody_elses() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/hub.json");
        let first = Announced::write(path.clone(), "first").unwrap();
        let second = Announced::write(path.clone(), "second").unwrap();
        drop(first);
        assert_eq!(fs::read_to_string(&path).unwrap(), "second");
        drop(second);
        assert!(!path.exists());
        assert_eq!(
            fs::read_dir(path.parent().unwrap()).unwrap().count(),
            0,
            "nothing is left"
        );
    }

    #[test]
    fn the_place_is_given_back_to_a_hub_that_still_runs() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hub.json");
        for (first, left) in [("runs", Some("runs")), ("was killed", None)] {
            fs::write(&path, first).unwrap();
            let second = Announced::write_in_place(path.clone(), "second", |text| text == "runs").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "second");
            drop(second);
            assert_eq!(fs::read_to_string(&path).ok().as_deref(), left);
        }
    }
}
