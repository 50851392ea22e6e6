use ironhub_amqp::performative::{AmqpError, condition};
use ironhub_amqp::types::{Described, Descriptor, Encoded, Value, encode};
use ironhub_model::{SequenceNumber, Timestamp};

use crate::amqp::condition::ARGUMENT_ERROR;

const SELECTOR_NAME: &str = "apache.org:selector-filter:string";
const SELECTOR_CODE: u64 = 0x0000_468C_0000_0004;

/// Where a reader wants to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartPosition {
    /// The oldest event there is.
    Earliest,
    /// The next event that comes.
    Latest,
    /// An event by its offset: that one, or the one after it.
    Offset {
        /// As the reader named it; offsets are sequence numbers.
        named: SequenceNumber,
        /// `>=`: the event itself is wanted too.
        is_inclusive: bool,
    },
    /// The same by its sequence number.
    Sequence {
        /// As the reader named it.
        named: SequenceNumber,
        /// `>=`: the event itself is wanted too.
        is_inclusive: bool,
    },
    /// The first event taken at this instant or later.
    Since(Timestamp),
}

/// Reads the filter map of a reader's source; without a selector everything is wanted. Filters of other kinds have no
/// effect.
///
/// The selector is a described string, its descriptor given by name (Python) or by number (JavaScript, .NET):
/// `amqp.annotation.{name} > '{value}'`, or `>=`, with the quotes or without.
pub fn start_position(filter: &Encoded) -> Result<StartPosition, AmqpError> {
    let Value::Map(filters) = filter.value() else {
        return Ok(StartPosition::Earliest);
    };
    for (name, filter) in filters.iter() {
        if let Some(described) = filter.as_described().filter(is_selector) {
            let value = described.value();
            let bytes = value.as_binary().and_then(|bytes| std::str::from_utf8(bytes).ok());
            let text = value.as_text().or(bytes).ok_or_else(no_selector)?;
            return selected(text).ok_or_else(|| invalid(text));
        }
        if name.as_text() == Some(SELECTOR_NAME) {
            return Err(no_selector());
        }
    }
    Ok(StartPosition::Earliest)
}

/// The filter map of a reader that wants what comes after this offset: the other direction of [`start_position`], its
/// descriptor by name as azure-eventhub for Python writes it.
pub fn filter_after_offset(offset: &str) -> Encoded {
    filter(&format!("amqp.annotation.x-opt-offset > '{offset}'"))
}

/// The same for what was taken at this instant or later.
pub fn filter_since(instant: Timestamp) -> Encoded {
    filter(&format!(
        "amqp.annotation.x-opt-enqueued-time >= '{}'",
        instant.as_millis()
    ))
}

fn filter(selector: &str) -> Encoded {
    Encoded::map(|map| {
        map.push_symbol(SELECTOR_NAME);
        map.nested(|out| {
            encode::descriptor(out, Descriptor::Name(SELECTOR_NAME));
            encode::value(out, selector);
        });
    })
}

impl StartPosition {
    /// Refuses a position beyond the end of the partition, whose next event will be `next`: it was taken from another
    /// partition or another hub.
    pub fn check(self, next: SequenceNumber) -> Result<(), AmqpError> {
        let (what, named) = match self {
            Self::Offset { named, .. } => ("offset", named),
            Self::Sequence { named, .. } => ("sequence number", named),
            Self::Earliest | Self::Latest | Self::Since(_) => return Ok(()),
        };
        if named < next {
            return Ok(());
        }
        let last = next
            .0
            .checked_sub(1)
            .map_or_else(|| "-1".to_owned(), |last| last.to_string());
        let text = format!("The supplied {what} '{named}' is invalid. The last {what} in the system is '{last}'");
        Err(AmqpError::new(ARGUMENT_ERROR, text))
    }
}

fn is_selector(described: &Described<'_>) -> bool {
    match described.descriptor() {
        Descriptor::Code(code) => code == SELECTOR_CODE,
        Descriptor::Name(name) => name == SELECTOR_NAME,
        Descriptor::Other => false,
    }
}

fn selected(text: &str) -> Option<StartPosition> {
    let (name, comparison) = text.trim().strip_prefix("amqp.annotation.")?.split_once('>')?;
    let (is_inclusive, value) = match comparison.strip_prefix('=') {
        Some(value) => (true, value.trim()),
        None => (false, comparison.trim()),
    };
    let value = value
        .strip_prefix('\'')
        .map_or(Some(value), |value| value.strip_suffix('\''))?;
    match name.trim_end() {
        "x-opt-offset" if value.eq_ignore_ascii_case("@latest") => Some(StartPosition::Latest),
        "x-opt-offset" => {
            let offset = |named| StartPosition::Offset { named, is_inclusive };
            place(value, offset)
        }
        "x-opt-sequence-number" => {
            let sequence = |named| StartPosition::Sequence { named, is_inclusive };
            place(value, sequence)
        }
        "x-opt-enqueued-time" | "x-opt-enqueuedtimeutc" => {
            let ms: i64 = value.parse().ok()?;
            // Readers see whole milliseconds: later than this one means from the next one on.
            let first = if is_inclusive { ms } else { ms.saturating_add(1) };
            Some(StartPosition::Since(Timestamp::from_millis(first)))
        }
        _ => None,
    }
}

/// Anything below zero is before the first event.
fn place(value: &str, position: impl FnOnce(SequenceNumber) -> StartPosition) -> Option<StartPosition> {
    let number: i64 = value.parse().ok()?;
    Some(match u64::try_from(number) {
        Ok(number) => position(SequenceNumber(number)),
        Err(_) => StartPosition::Earliest,
    })
}

fn no_selector() -> AmqpError {
    let text = format!("The filter '{SELECTOR_NAME}' must be a described string.");
    AmqpError::new(condition::NOT_ALLOWED, text)
}

fn invalid(text: &str) -> AmqpError {
    let text = format!("The filter expression \"{text}\" is invalid.");
    AmqpError::new(ARGUMENT_ERROR, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_readers_write_is_read() {
        for (filter, expected) in [
            (filter_after_offset("-1"), StartPosition::Earliest),
            (
                filter_after_offset("42"),
                StartPosition::Offset {
                    named: SequenceNumber(42),
                    is_inclusive: false,
                },
            ),
            (
                filter_since(Timestamp::from_millis(5)),
                StartPosition::Since(Timestamp::from_millis(5)),
            ),
        ] {
            assert_eq!(start_position(&filter), Ok(expected));
        }
    }

    /// A filter map with one described value.
    fn described_filter(name: &str, descriptor: Descriptor<'_>, value: Value<'_>) -> Encoded {
        Encoded::map(|map| {
            map.push(Value::Symbol(name));
            map.nested(|out| {
                encode::descriptor(out, descriptor);
                encode::value(out, value);
            });
        })
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        for descriptor in [Descriptor::Name(SELECTOR_NAME), Descriptor::Code(SELECTOR_CODE)] {
            for value in [Value::String(text), Value::Binary(text.as_bytes())] {
                let found = start_position(&described_filter(SELECTOR_NAME, descriptor, value));
                let found = found.map_or_else(|error| error.condition.into_owned(), |found| format!("{found:?}"));
                assert_eq!(found, expected, "{text}");
            }
        }
    }

    #[test]
    fn selectors_of_the_sdks() {
        let annotation = "amqp.annotation.x-opt";
        check(&format!("{annotation}-offset > '-1'"), "Earliest");
        check(&format!("{annotation}-offset > '@latest'"), "Latest");
        check(&format!("{annotation}-offset >= '@latest'"), "Latest");
        check(
            &format!("{annotation}-offset > '42'"),
            "Offset { named: SequenceNumber(42), is_inclusive: false }",
        );
        check(
            &format!("{annotation}-offset >= '42'"),
            "Offset { named: SequenceNumber(42), is_inclusive: true }",
        );
        check(
            &format!("{annotation}-sequence-number > '0'"),
            "Sequence { named: SequenceNumber(0), is_inclusive: false }",
        );
        check(
            &format!("{annotation}-sequence-number >= 7"),
            "Sequence { named: SequenceNumber(7), is_inclusive: true }",
        );
        check(&format!("{annotation}-sequence-number >= '-1'"), "Earliest");
        check(
            &format!("{annotation}-enqueued-time > '1700000000000'"),
            "Since(2023-11-14T22:13:20.001Z)",
        );
        check(
            &format!("{annotation}-enqueued-time >= '1700000000000'"),
            "Since(2023-11-14T22:13:20Z)",
        );
        check(
            &format!("{annotation}-enqueuedtimeutc > 1700000000000"),
            "Since(2023-11-14T22:13:20.001Z)",
        );
        check(
            &format!(" {annotation}-enqueued-time>-9223372036854775808 "),
            "Since(0001-01-01T00:00:00Z)",
        );
    }

    #[test]
    fn selectors_that_make_no_sense() {
        for text in [
            "",
            "amqp.annotation.",
            "amqp.annotation.x-opt-offset",
            "amqp.annotation.x-opt-offset = '1'",
            "amqp.annotation.x-opt-offset < '1'",
            "amqp.annotation.x-opt-offset > ''",
            "amqp.annotation.x-opt-offset > '1",
            "amqp.annotation.x-opt-offset > 1'",
            "amqp.annotation.x-opt-offset > 'one'",
            "amqp.annotation.x-opt-offset > '1' OR 1 > 0",
            "amqp.annotation.x-opt-sequence-number > '@latest'",
            "amqp.annotation.x-opt-sequence-number > '18446744073709551616'",
            "amqp.annotation.x-opt-enqueued-time > '2023-11-14'",
            "amqp.annotation.x-opt-partition-key > '1'",
            "x-opt-offset > '1'",
        ] {
            check(text, ARGUMENT_ERROR);
        }
    }

    #[test]
    fn filters_of_other_kinds() {
        assert_eq!(start_position(&Encoded::null()), Ok(StartPosition::Earliest));
        let other = described_filter("apache.org:no-local-filter:list", Descriptor::Code(1), Value::Null);
        assert_eq!(start_position(&other), Ok(StartPosition::Earliest));
        for wrong in [
            described_filter(SELECTOR_NAME, Descriptor::Name(SELECTOR_NAME), Value::Long(1)),
            described_filter(SELECTOR_NAME, Descriptor::Name("other"), Value::String("x")),
            Encoded::map(|map| {
                map.push(Value::Symbol(SELECTOR_NAME));
                map.push("amqp.annotation.x-opt-offset > '-1'");
            }),
        ] {
            let error = start_position(&wrong).unwrap_err();
            assert_eq!(error.condition, condition::NOT_ALLOWED);
        }
    }

    #[test]
    fn positions_beyond_the_end() {
        let at = |named| StartPosition::Offset {
            named: SequenceNumber(named),
            is_inclusive: true,
        };
        assert_eq!(at(4).check(SequenceNumber(5)), Ok(()));
        let error = at(5).check(SequenceNumber(5)).unwrap_err();
        assert_eq!(error.condition, ARGUMENT_ERROR);
        let text = "The supplied offset '5' is invalid. The last offset in the system is '4'";
        assert_eq!(error.description.as_deref(), Some(text));
        let error = StartPosition::Sequence {
            named: SequenceNumber(0),
            is_inclusive: false,
        }
        .check(SequenceNumber(0))
        .unwrap_err();
        let text = "The supplied sequence number '0' is invalid. The last sequence number in the system is '-1'";
        assert_eq!(error.description.as_deref(), Some(text));
        assert_eq!(StartPosition::Latest.check(SequenceNumber(0)), Ok(()));
    }
}
