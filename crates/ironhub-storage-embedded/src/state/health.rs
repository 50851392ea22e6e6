//! Whether the store can write, for `/health`.

use std::sync::atomic::{AtomicU8, Ordering};

/// Whether commits go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum StateHealth {
    /// They do.
    Ok = 0,
    /// They wait: no space is left, or another program holds the database. Each second it is tried again.
    NoSpace = 1,
    /// They cannot: the store was closed, or its disk has failed.
    Stopped = 2,
}

/// The present state, written by the writer only.
#[derive(Debug, Default)]
pub(crate) struct Health(AtomicU8);

impl Health {
    /// Returns whether this is news.
    pub(crate) fn set(&self, health: StateHealth) -> bool {
        self.0.swap(health as u8, Ordering::Relaxed) != health as u8
    }

    pub(crate) fn now(&self) -> StateHealth {
        match self.0.load(Ordering::Relaxed) {
            0 => StateHealth::Ok,
            1 => StateHealth::NoSpace,
            _ => StateHealth::Stopped,
        }
    }
}
