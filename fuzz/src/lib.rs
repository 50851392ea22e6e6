//! What the fuzzers run: one function per target, from bytes to panics.
//!
//! A target panics when the code under test does, and when one of the invariants that it names does not hold. The
//! functions are ordinary code, so that `cargo test` replays the corpora without a fuzzer; `cargo xtask fuzz` runs them
//! under libFuzzer.

#![expect(clippy::expect_used, reason = "to panic is how a target tells what it has found")]

mod amqp_connection;
mod amqp_decode;
mod script;

/// One target.
pub struct Target {
    /// Its name: the folder of its corpus, too.
    pub name: &'static str,
    /// Takes any bytes.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target {
        name: "amqp_connection",
        run: amqp_connection::run,
    },
    Target {
        name: "amqp_decode",
        run: amqp_decode::run,
    },
];

/// Runs the target of that name.
///
/// # Panics
///
/// When there is no such target, and when the target finds something.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    let Some(target) = target else {
        panic!("there is no target '{name}'");
    };
    (target.run)(data);
}
