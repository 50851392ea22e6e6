//! The time of day, for what people read.

use std::time::SystemTime;

use ironhub_model::Timestamp;

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where verbs read the time of day; none decides by it"
)]
pub(crate) fn now() -> Timestamp {
    SystemTime::now().into()
}
