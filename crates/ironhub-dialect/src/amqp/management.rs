//! What `$management` tells of an event hub and its partitions; the names and types of the values are what the Event
//! Hubs SDKs read.

use ironhub_amqp::types::{Encoded, Value, encode};
use ironhub_model::{Offset, PartitionId, SequenceNumber, Timestamp};

/// The event hub as a whole.
#[derive(Debug, Clone, Copy)]
pub struct EventHubView<'a> {
    /// Its name.
    pub name: &'a str,
    /// When it was made.
    pub created_at: Timestamp,
    /// How many partitions it has.
    pub partitions: u32,
}

/// One partition.
#[derive(Debug, Clone, Copy)]
pub struct PartitionView<'a> {
    /// The event hub's name.
    pub event_hub: &'a str,
    /// Which.
    pub partition: PartitionId,
    /// The oldest event still there.
    pub first: SequenceNumber,
    /// What the next event will get.
    pub next: SequenceNumber,
    /// When the last event was taken.
    pub last_enqueued_at: Timestamp,
}

impl EventHubView<'_> {
    /// The body of the reply to `com.microsoft:eventhub`.
    pub fn to_body(&self) -> Encoded {
        let ids: Vec<String> = (0..self.partitions).map(|id| id.to_string()).collect();
        let count = i32::try_from(self.partitions).unwrap_or(i32::MAX);
        Encoded::map(|map| {
            map.push("name");
            map.push(self.name);
            map.push("type");
            map.push("com.microsoft:eventhub");
            map.push("created_at");
            map.push(Value::Timestamp(self.created_at.as_millis()));
            map.push("partition_count");
            map.push(count);
            map.push("partition_ids");
            map.nested(|out| encode::string_array(out, ids.iter().map(String::as_str)));
            map.push("georeplication_factor");
            map.push(1_i32);
        })
    }
}

impl PartitionView<'_> {
    /// The body of the reply to `com.microsoft:partition`. A partition that never had an event ends at −1.
    pub fn to_body(&self) -> Encoded {
        let last = self.next.0.checked_sub(1).map(SequenceNumber);
        let offset = last.map_or_else(|| "-1".to_owned(), |last| Offset(last).to_string());
        Encoded::map(|map| {
            map.push("name");
            map.push(self.event_hub);
            map.push("type");
            map.push("com.microsoft:partition");
            map.push("partition");
            map.push(&*self.partition.to_string());
            map.push("begin_sequence_number");
            map.push(long(self.first));
            map.push("last_enqueued_sequence_number");
            map.push(last.map_or(-1, long));
            map.push("last_enqueued_offset");
            map.push(&*offset);
            map.push("last_enqueued_time_utc");
            map.push(Value::Timestamp(self.last_enqueued_at.as_millis()));
            map.push("is_partition_empty");
            map.push(self.first == self.next);
        })
    }
}

/// Which partition a client means: a number without a sign or leading zeros.
pub fn partition_id(text: &str) -> Option<PartitionId> {
    let id = PartitionId(text.parse().ok()?);
    (id.to_string() == text).then_some(id)
}

fn long(sequence: SequenceNumber) -> i64 {
    i64::try_from(sequence.0).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_hub() {
        let view = EventHubView {
            name: "eh",
            created_at: Timestamp::from_millis(1_700_000_000_123),
            partitions: 3,
        };
        let body = view.to_body();
        assert_eq!(body.entry("partition_count"), Some(Value::Int(3)));
        assert_eq!(body.entry("created_at"), Some(Value::Timestamp(1_700_000_000_123)));
        let Some(Value::Array(ids)) = body.entry("partition_ids") else {
            panic!("{body:?}");
        };
        let ids: Vec<_> = ids.iter().collect();
        assert_eq!(ids, ["0", "1", "2"].map(Value::String));
    }

    #[track_caller]
    fn check(first: u64, next: u64, expected: (i64, i64, &str, bool)) {
        let view = PartitionView {
            event_hub: "eh",
            partition: PartitionId(1),
            first: SequenceNumber(first),
            next: SequenceNumber(next),
            last_enqueued_at: Timestamp::NEVER,
        };
        let (begin, last, offset, is_empty) = expected;
        let body = view.to_body();
        assert_eq!(body.entry("partition"), Some(Value::String("1")));
        assert_eq!(body.entry("begin_sequence_number"), Some(Value::Long(begin)));
        assert_eq!(body.entry("last_enqueued_sequence_number"), Some(Value::Long(last)));
        assert_eq!(body.entry("last_enqueued_offset"), Some(Value::String(offset)));
        assert_eq!(body.entry("is_partition_empty"), Some(Value::Boolean(is_empty)));
    }

    #[test]
    fn partitions() {
        check(0, 0, (0, -1, "-1", true));
        check(0, 1, (0, 0, "0", false));
        check(5, 9, (5, 8, "8", false));
        // All events have gone with time.
        check(9, 9, (9, 8, "8", true));
    }

    #[test]
    fn partitions_have_plain_numbers() {
        assert_eq!(partition_id("12"), Some(PartitionId(12)));
        for bad in ["", "01", "+1", "-1", "x", "4294967296"] {
            assert_eq!(partition_id(bad), None, "{bad}");
        }
    }
}
