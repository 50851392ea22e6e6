//! What every adapter of a port does, whatever it is made of.

mod state_store;

pub use state_store::state_store;
