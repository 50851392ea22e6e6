//! Conversations with single frames: what clients do, in the order in which they do it, and what hostile peers try.
#![cfg(test)]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test waits for one event among many")]

mod hostile;
mod open;
mod peer;
mod receiving;
mod requests;
mod sending;
mod timing;
mod transcripts;
mod two_ends;
