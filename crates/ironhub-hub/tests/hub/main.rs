//! The identity half of the hub over real parts: SQLite in memory, and a bus that remembers what it was asked.

#![expect(clippy::unwrap_used, reason = "what goes wrong in a test is its failure")]
#![expect(clippy::too_many_lines, reason = "a table is as long as it has cases")]

mod auth;
mod harness;
mod query;
mod registry;
mod settings;
mod twins;
mod x509;
