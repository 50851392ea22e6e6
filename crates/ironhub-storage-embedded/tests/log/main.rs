//! The event log from outside, on disks that misbehave.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests fail by panicking, and the exemption of test functions does not reach what they call"
)]

mod basics;
mod contract;
mod faults;
mod golden;
mod harness;
mod load;
mod suite;
