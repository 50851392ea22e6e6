//! Readers of the Event Hubs-compatible endpoint: where they begin, what they get, what they are told when they may not.

mod delivery;
mod reader;
mod received;
mod refusal;
mod start;

pub use delivery::{RuntimeMetrics, StoredParts, write_event};
pub use reader::ReaderOptions;
pub use received::ReceivedEvent;
pub use refusal::{consumer_group_removed, displaced, level_too_low, no_such_partition, owned, too_many_readers};
pub use start::{StartPosition, filter_after_offset, filter_since, start_position};
