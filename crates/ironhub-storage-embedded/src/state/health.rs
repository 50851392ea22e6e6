//! Whether the store can write, for `/health`.

use std::mem::discriminant;

use parking_lot::Mutex;

/// Whether commits go through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum StateHealth {
    /// They do.
    #[default]
    Ok,
    /// They wait: no space is left, or another program holds the database. Each second it is tried again. Holds why.
    NoSpace(String),
    /// They cannot: the store was closed, or its disk has failed.
    Stopped,
}

/// The present state, written by the writer only.
#[derive(Debug, Default)]
pub(crate) struct Health(Mutex<StateHealth>);

impl Health {
    /// Returns whether this is news; another reason is not.
    pub(crate) fn set(&self, health: StateHealth) -> bool {
        let mut known = self.0.lock();
        let is_news = discriminant(&*known) != discriminant(&health);
        *known = health;
        is_news
    }

    pub(crate) fn now(&self) -> StateHealth {
        self.0.lock().clone()
    }
}
