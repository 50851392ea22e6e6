//! The time on this machine: tokens expire by it.

use std::time::{SystemTime, UNIX_EPOCH};

use ironhub_model::Timestamp;

#[expect(
    clippy::disallowed_methods,
    reason = "the hub judges a token by the time of day; this is the one place that reads it"
)]
pub(crate) fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
}
