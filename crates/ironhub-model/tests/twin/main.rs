//! Every rule about twins, as tables; and merging against a small model of it.

#![expect(clippy::unwrap_used, reason = "what goes wrong in a test is its failure")]

mod limits;
mod merge_model;
mod rules;
mod view;
