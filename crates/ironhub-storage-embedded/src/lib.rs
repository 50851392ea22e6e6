//! The hub's ports on one directory of one machine.

pub mod bus;
pub mod disk;
pub mod log;
pub mod meta;
mod seal;
pub mod state;

pub use bus::{LocalBus, Switchboard};
pub use log::{Log, LogHealth, LogOptions, LogStats};
pub use meta::{DataDir, Meta, MetaError, MetaWanted, Profile};
pub use state::{BackupError, SqliteState, StateHealth, StateLook, StateOpenError, StateOptions};
