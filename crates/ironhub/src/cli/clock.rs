//! The time of day, for what people read and write.

use std::time::SystemTime;

use ironhub_model::Timestamp;

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where verbs read the time of day, which is what their users mean"
)]
pub(crate) fn now() -> Timestamp {
    SystemTime::now().into()
}
