//! Wall-clock time as a port, so that tests and development hubs can move it.

use ironhub_model::Timestamp;

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// The present instant. May step back when an operator sets the system clock.
    fn now(&self) -> Timestamp;
}
