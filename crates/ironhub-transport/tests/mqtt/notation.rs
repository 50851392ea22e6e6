//! A notation for packets that reads like the specification's tables: that of the wire crate's own tests, where a last
//! word `…` in what a server sends stands for anything.

#[path = "../../../ironhub-mqtt/tests/wire/notation.rs"]
mod exact;

/// The bytes of one packet, and whether anything may follow within it.
pub(crate) fn packet(notation: &str) -> (Vec<u8>, bool) {
    match notation.strip_suffix('…') {
        Some(start) => (exact::bytes(start), true),
        None => (exact::bytes(notation), false),
    }
}
