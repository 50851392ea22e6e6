//! What tests of the hub share: a clock that tests move, a log that they hold, the
//! program as a child process, and the contract that every adapter of a port fulfils.
//!
//! An adapter's tests call the functions of [`contract`] with a way to make a fresh adapter. A breach is a panic that
//! says which rule was broken.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a library of tests: what goes wrong is the test's failure"
)]

pub mod contract;
mod fake_clock;
mod held_log;
mod hub_process;

pub use fake_clock::FakeClock;
pub use held_log::HeldLog;
pub use hub_process::{HubHome, HubProcess};
