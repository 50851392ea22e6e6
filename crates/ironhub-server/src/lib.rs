//! A whole hub in one value.
//!
//! [`certificates`] makes what a development hub needs to be trusted on its own machine.

pub mod certificates;
pub mod dev_keys;
