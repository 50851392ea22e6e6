//! The hub's ports on one directory of one machine.

pub mod meta;
mod seal;
pub mod state;

pub use meta::{DataDir, Meta, MetaError, MetaWanted, Profile};
pub use state::{SqliteState, StateHealth, StateOpenError, StateOptions};
