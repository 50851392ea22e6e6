//! The time on this machine: tokens expire by it.

use std::time::SystemTime;

use ironhub_model::Timestamp;

#[expect(
    clippy::disallowed_methods,
    reason = "the hub judges a token by the time of day; this is the one place that reads it"
)]
pub(crate) fn now() -> Timestamp {
    SystemTime::now().into()
}
