//! Every limit of the event log. The unit is part of the name.

use std::time::Duration;

/// Largest event in its stored form: the largest message, its annotations, and room to grow.
pub const EVENT_BYTES_MAX: usize = 1024 * 1024;
/// Records of one batch: one write, one sync.
pub const BATCH_RECORDS_MAX: u32 = 2048;
/// Bytes of one batch, unless it is a single larger event.
pub const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Records submitted and not yet durable.
pub const INBOX_RECORDS_MAX: u32 = 65_536;
/// Bytes submitted and not yet durable.
pub const INBOX_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Largest frame body that a reader believes: a batch, its group headers, one event over the brim.
pub const FRAME_BODY_BYTES_MAX: usize = BATCH_BYTES_MAX + EVENT_BYTES_MAX + 64 * 1024;
/// A journal segment, unless the operator wants another size: large enough that sealing is rare, small enough that a
/// restart has read two of them in a second.
pub const SEGMENT_BYTES_DEFAULT: u64 = 128 * 1024 * 1024;
/// Smallest journal segment that an operator can ask for.
pub const SEGMENT_BYTES_MIN: u64 = 1024 * 1024;
/// Largest journal segment that an operator can ask for. A restart reads what is not sealed.
pub const SEGMENT_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Journal segments of one shard that are not sealed yet, the active one included. The committer waits beyond that.
pub const UNSEALED_SEGMENTS_MAX: usize = 2;
/// Uncompressed bytes of one sealed block, unless it is a single larger event.
pub const BLOCK_BYTES_MAX: usize = 64 * 1024;
/// Largest uncompressed block that a reader believes.
pub const BLOCK_RAW_BYTES_MAX: usize = BLOCK_BYTES_MAX + EVENT_BYTES_MAX + 1024;
/// A sync of a batch that takes longer counts as slow: who waits for an acknowledgement notices it.
pub const SLOW_SYNC: Duration = Duration::from_millis(10);
/// Bytes by which a segment grows that was not prepared: little enough for one batch to bear.
pub const GROWTH_STEP_BYTES: u64 = 256 * 1024;
/// Bytes that work behind the commits leaves un-synced in a file, give or take what it writes at once. Larger syncs hold
/// up those of commits for longer.
pub const BACKGROUND_STEP_BYTES: u64 = 1024 * 1024;
/// Sealed files of one partition that are kept open with their index.
pub const OPEN_SEALED_FILES_MAX: usize = 8;
/// Largest answer of one read, whatever the caller asks for.
pub const READ_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Partitions that a journal's header has room for.
pub const PARTITIONS_MAX: u32 = 128;
/// Shards, each with its journal and its committer thread.
pub const SHARDS_MAX: u32 = 16;
/// A journal's sparse index has one point per partition each so many bytes.
pub const INDEX_STRIDE_BYTES: u64 = 16 * 1024;

// One event always fits where its batch goes, and an empty inbox takes it.
const _: () = assert!(EVENT_BYTES_MAX < BATCH_BYTES_MAX && BATCH_BYTES_MAX < INBOX_BYTES_MAX);
const _: () = assert!(ironhub_model::limits::D2C_MESSAGE_BYTES_MAX < EVENT_BYTES_MAX);
const _: () = assert!(ironhub_model::limits::PARTITIONS_MAX <= PARTITIONS_MAX);
