//! Microsoft's batch of messages: one delivery, each data section a whole encoded message. The C device SDK sends all
//! its telemetry this way, Event Hubs producers theirs.

use super::{SectionKind, Sections};
use crate::types::DecodeError;

/// Message format of a transfer that carries a batch.
pub const MESSAGE_FORMAT: u32 = 0x8001_3700;

/// The encoded messages of a batch, in order. Sections other than data (properties shared by the batch, a partition
/// key) are passed over.
pub fn messages(batch: &[u8]) -> impl Iterator<Item = Result<&[u8], DecodeError>> {
    Sections::new(batch).filter_map(|section| match section {
        Ok(section) if section.kind == SectionKind::Data => {
            let bytes = section.value().map(|value| value.as_binary());
            Some(bytes.and_then(|bytes| bytes.ok_or(DecodeError::Expected("binary in a data section"))))
        }
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}
