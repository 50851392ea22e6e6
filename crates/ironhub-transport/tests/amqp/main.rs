//! AMQP against a whole hub: a real listener, real sockets, storage in memory.
#![cfg(test)]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test waits for one event among many")]

mod c2d_send;
#[path = "../transport/certificates.rs"]
#[expect(dead_code, reason = "shared with the suite about TLS, which needs more of it")]
mod certificates;
mod claims;
mod client;
mod deadlines;
mod device;
mod events;
mod faults;
mod feedback;
mod golden;
mod hostile;
mod hub;
mod independent;
#[path = "../https/json_pattern.rs"]
mod json_pattern;
mod last_words;
mod links;
mod management;
mod many_devices;
mod notation;
mod tokens;
mod transcripts;
