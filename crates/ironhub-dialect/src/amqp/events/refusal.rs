//! What readers are told that may not read, or not any more. Clients act on the condition; people search for the texts.

use ironhub_amqp::performative::{AmqpError, condition};
use ironhub_model::{OwnerLevel, PartitionId};

use crate::amqp::condition::ARGUMENT_OUT_OF_RANGE;

/// The consumer group of a reader was removed.
pub fn consumer_group_removed(group: &str) -> AmqpError {
    let text = format!("The messaging entity '{group}' could not be found: the consumer group was removed.");
    AmqpError::new(condition::NOT_FOUND, text)
}

/// The partition does not exist.
pub fn no_such_partition(partition: &str, partitions: u32) -> AmqpError {
    let last = PartitionId(partitions.saturating_sub(1));
    let text = format!("The specified partition is invalid: '{partition}'. The partitions are '0' to '{last}'.");
    AmqpError::new(ARGUMENT_OUT_OF_RANGE, text)
}

/// A reader with a higher owner level, or with the same one, has taken this reader's place.
pub fn displaced(new: &str, new_level: OwnerLevel, own: &str, own_level: Option<OwnerLevel>) -> AmqpError {
    let own_level = own_level.map_or_else(|| "no epoch".to_owned(), |level| format!("epoch '{level}'"));
    let text = format!(
        "New receiver '{new}' with higher epoch of '{new_level}' is created hence current receiver '{own}' with \
         {own_level} is getting disconnected. If you are recreating the receiver, make sure a higher epoch is used."
    );
    AmqpError::new(condition::LINK_STOLEN, text)
}

/// A reader with a higher owner level is there.
pub fn level_too_low(current: &str, current_level: OwnerLevel, own: &str, own_level: OwnerLevel) -> AmqpError {
    let text = format!(
        "Receiver '{current}' with a higher epoch '{current_level}' already exists. Receiver '{own}' with epoch \
         {own_level} cannot be created. Make sure you are creating receiver with increasing epoch value to ensure \
         connectivity, or ensure all old epoch receivers are closed or disconnected."
    );
    AmqpError::new(condition::LINK_STOLEN, text)
}

/// A reader without an owner level asks while one with a level is there.
pub fn owned(level: OwnerLevel) -> AmqpError {
    let text = format!(
        "At least one receiver for the endpoint is created with epoch of '{level}', and so non-epoch receiver is not \
         allowed. Either reconnect with a higher epoch, or make sure all epoch receivers are closed or disconnected."
    );
    AmqpError::new(condition::LINK_STOLEN, text)
}

/// As many readers without an owner level are there as may be.
pub fn too_many_readers(readers_max: usize) -> AmqpError {
    let text = format!(
        "Exceeded the maximum number of allowed receivers per partition in a consumer group which is {readers_max}."
    );
    AmqpError::new(condition::RESOURCE_LIMIT_EXCEEDED, text)
}
