use std::io::Write;

use ironhub_amqp::message::annotations::{write_delivery_annotations, write_message_annotations};
use ironhub_amqp::types::Value;
use ironhub_model::{Offset, SequenceNumber, Timestamp};

/// Decimal digits of the largest sequence number.
const SEQUENCE_DIGITS_MAX: usize = 20;

/// A stored event's parts, and where it lies.
#[derive(Debug, Clone, Copy)]
pub struct StoredParts<'a> {
    /// Its place in its partition.
    pub sequence: SequenceNumber,
    /// When it was taken.
    pub enqueued_at: Timestamp,
    /// How many annotations it has.
    pub annotation_pairs: usize,
    /// Their encoded keys and values, without a map header.
    pub annotations: &'a [u8],
    /// Properties, application properties and body sections, encoded.
    pub bare_message: &'a [u8],
}

/// How far a reader is behind: comes with each event to a reader that asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuntimeMetrics {
    /// The newest event of the partition.
    pub last_sequence: SequenceNumber,
    /// When that was taken.
    pub last_enqueued_at: Timestamp,
    /// When this was looked up.
    pub retrieved_at: Timestamp,
}

/// Appends an event as its readers get it: the place that it has in the log goes before the annotations that were stored
/// with it, and the bare message is as it was stored. Allocates nothing but what `out` grows.
pub fn write_event(out: &mut Vec<u8>, event: &StoredParts<'_>, metrics: Option<&RuntimeMetrics>) {
    if let Some(metrics) = metrics {
        write_metrics(out, metrics);
    }
    let enqueued_at = Value::Timestamp(event.enqueued_at.as_millis());
    write_message_annotations(out, |annotations| {
        annotations.push("x-opt-sequence-number", long(event.sequence));
        annotations.push("x-opt-offset", OffsetText::of(event.sequence).as_str());
        annotations.push("x-opt-enqueued-time", enqueued_at);
        annotations.push("iothub-enqueuedtime", enqueued_at);
        annotations.push_encoded(event.annotation_pairs, event.annotations);
    });
    out.extend_from_slice(event.bare_message);
}

fn write_metrics(out: &mut Vec<u8>, metrics: &RuntimeMetrics) {
    write_delivery_annotations(out, |annotations| {
        let last = metrics.last_sequence;
        annotations.push("last_enqueued_sequence_number", long(last));
        annotations.push("last_enqueued_offset", OffsetText::of(last).as_str());
        let time = |at: Timestamp| Value::Timestamp(at.as_millis());
        annotations.push("last_enqueued_time_utc", time(metrics.last_enqueued_at));
        annotations.push("runtime_info_retrieval_time_utc", time(metrics.retrieved_at));
    });
}

fn long(sequence: SequenceNumber) -> i64 {
    i64::try_from(sequence.0).unwrap_or(i64::MAX)
}

/// The text of an offset, on the stack.
struct OffsetText {
    bytes: [u8; SEQUENCE_DIGITS_MAX],
    len: usize,
}

impl OffsetText {
    fn of(sequence: SequenceNumber) -> Self {
        let mut bytes = [0; SEQUENCE_DIGITS_MAX];
        let mut rest = bytes.as_mut_slice();
        // There is room for every sequence number.
        let _ = write!(rest, "{}", Offset(sequence));
        let len = SEQUENCE_DIGITS_MAX - rest.len();
        Self { bytes, len }
    }

    fn as_str(&self) -> &str {
        let digits = self.bytes.get(..self.len).unwrap_or_default();
        std::str::from_utf8(digits).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use ironhub_amqp::message::annotations::push_entry;
    use ironhub_amqp::message::{self, Body, Message};

    use super::*;

    #[test]
    fn own_annotations_go_before_the_stored_ones_and_the_rest_is_copied() {
        let mut annotations = Vec::new();
        push_entry(&mut annotations, "iothub-connection-device-id", "d");
        push_entry(&mut annotations, "iothub-message-source", "Telemetry");
        let mut bare = Vec::new();
        message::write_application_properties(&mut bare, [("alert", Value::Boolean(true))]);
        message::write_data(&mut bare, b"21.5");
        let event = StoredParts {
            sequence: SequenceNumber(u64::MAX >> 1),
            enqueued_at: Timestamp::from_micros(1_700_000_000_123_999),
            annotation_pairs: 2,
            annotations: &annotations,
            bare_message: &bare,
        };
        let mut out = Vec::new();
        write_event(&mut out, &event, None);
        assert!(out.ends_with(&bare));
        let read = Message::parse(&out).unwrap();
        assert!(read.delivery_annotations.is_empty());
        let own: Vec<_> = read.message_annotations.iter_text().collect();
        let expected = [
            ("x-opt-sequence-number", Value::Long(i64::MAX)),
            ("x-opt-offset", Value::String("9223372036854775807")),
            ("x-opt-enqueued-time", Value::Timestamp(1_700_000_000_123)),
            ("iothub-enqueuedtime", Value::Timestamp(1_700_000_000_123)),
            ("iothub-connection-device-id", Value::String("d")),
            ("iothub-message-source", Value::String("Telemetry")),
        ];
        assert_eq!(own, expected);
        assert!(matches!(read.bare.body, Body::Data(data) if data.clone().eq([b"21.5"])));
    }

    #[test]
    fn metrics_come_as_delivery_annotations() {
        let event = StoredParts {
            sequence: SequenceNumber(0),
            enqueued_at: Timestamp::UNIX_EPOCH,
            annotation_pairs: 0,
            annotations: &[],
            bare_message: &[],
        };
        let metrics = RuntimeMetrics {
            last_sequence: SequenceNumber(41),
            last_enqueued_at: Timestamp::from_millis(5),
            retrieved_at: Timestamp::from_millis(6),
        };
        let mut out = Vec::new();
        write_event(&mut out, &event, Some(&metrics));
        let read = Message::parse(&out).unwrap();
        let found: Vec<_> = read.delivery_annotations.iter().collect();
        let expected = [
            ("last_enqueued_sequence_number", Value::Long(41)),
            ("last_enqueued_offset", Value::String("41")),
            ("last_enqueued_time_utc", Value::Timestamp(5)),
            ("runtime_info_retrieval_time_utc", Value::Timestamp(6)),
        ];
        assert_eq!(found, expected.map(|(key, value)| (Value::Symbol(key), value)));
        assert_eq!(read.message_annotations.value("x-opt-offset"), Some(Value::String("0")));
    }

    #[test]
    fn offsets_of_every_length() {
        for sequence in [0, 9, 10, u64::MAX] {
            assert_eq!(OffsetText::of(SequenceNumber(sequence)).as_str(), sequence.to_string());
        }
    }
}
