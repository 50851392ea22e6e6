//! What every adapter of a port does, whatever it is made of.

mod device_bus;
mod state_store;

pub use device_bus::device_bus;
pub use state_store::state_store;
