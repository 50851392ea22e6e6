//! What each operation of an IoT hub means.
//!
//! Every operation reads as its story: authorize, load, decide, commit, tell. The decision is a pure function; the
//! state and the events it causes are one commit. This crate knows no protocol and no storage engine: it is called
//! with typed requests and calls [`ports`].

pub mod ports;
