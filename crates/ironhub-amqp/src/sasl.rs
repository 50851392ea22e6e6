//! Authentication before the connection opens (AMQP 1.0 part 5): the frames, and the four mechanisms of Azure.

mod frame;
mod mechanism;

pub use frame::{SaslFrame, SaslOutcome};
pub use mechanism::{Credentials, OFFERED};
