//! Restarts of the hub that a case asks for: what was acknowledged must be there afterwards.
//!
//! The case writes `drain` or `kill` into the file named by `IRONHUB_RESTART`; the file is gone when the new hub
//! listens.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use super::hub::{Hub, Launch, remove_file};

/// Takes the requests of one suite.
pub(crate) struct Restarts<'a> {
    pub(crate) launch: &'a Launch,
    pub(crate) request: &'a Path,
}

/// How the old hub goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// SIGTERM.
    Drain,
    /// SIGKILL.
    Kill,
}

impl Restarts<'_> {
    /// `None` also for a request that is not whole yet.
    pub(crate) fn requested(&self) -> Option<Manner> {
        match fs::read_to_string(self.request).ok()?.trim() {
            "drain" => Some(Manner::Drain),
            "kill" => Some(Manner::Kill),
            _ => None,
        }
    }

    pub(crate) fn restart(&self, hub: Hub, manner: Manner) -> Result<Hub> {
        match manner {
            Manner::Drain => hub.end()?,
            Manner::Kill => hub.kill(),
        }
        let hub = self.launch.start().context("restart")?;
        remove_file(self.request)?;
        Ok(hub)
    }
}
