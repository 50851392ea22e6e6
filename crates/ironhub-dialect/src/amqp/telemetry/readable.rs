//! What every reader of events can decode. An event that one cannot decode stops it: the SDK fails, connects anew and
//! fails at the same event, so that one device would keep a reader from all others of its partition.

use ironhub_amqp::message::{BareMessage, Body};
use ironhub_amqp::performative::{AmqpError, condition};
use ironhub_amqp::types::Value;

/// Refuses a message with a value that is not for application properties by the standard (AMQP 1.0 part 3, §3.2.5), or
/// that an SDK of Microsoft's has no decoder for: azure-eventhub for Python none for `char`, `decimal32`, `decimal64` and
/// empty arrays (`_pyamqp/_decode.py`), azure-uamqp-c none for any decimal (`amqpvalue.c`), rhea none for described
/// bodies (`message.js`).
pub(super) fn check(message: &BareMessage<'_>) -> Result<(), AmqpError> {
    for (name, value) in message.application_properties.iter() {
        if name.as_text().is_none() {
            return Err(refused("The name of an application property is not a string."));
        }
        if !is_simple(value) {
            return Err(refused(
                "An application property has a type that readers of events cannot decode.",
            ));
        }
    }
    let is_readable = match &message.body {
        Body::Empty | Body::Data(_) => true,
        Body::Value(value) => is_readable(*value),
        Body::Sequence(lists) => lists.clone().all(|list| list.iter().all(is_readable)),
    };
    if is_readable {
        Ok(())
    } else {
        Err(refused(
            "The body has a value of a type that readers of events cannot decode.",
        ))
    }
}

/// Values nest as deep as the decoder lets them ([`ironhub_amqp::limits::VALUE_DEPTH_MAX`]).
fn is_readable(value: Value<'_>) -> bool {
    if let Value::List(list) = value {
        list.iter().all(is_readable)
    } else if let Value::Map(map) = value {
        map.iter().all(|(key, value)| is_simple(key) && is_readable(value))
    } else if let Value::Array(array) = value {
        !array.is_empty() && array.iter().all(is_readable)
    } else {
        is_simple(value)
    }
}

fn is_simple(value: Value<'_>) -> bool {
    match value {
        Value::Null
        | Value::Boolean(_)
        | Value::Ubyte(_)
        | Value::Ushort(_)
        | Value::Uint(_)
        | Value::Ulong(_)
        | Value::Byte(_)
        | Value::Short(_)
        | Value::Int(_)
        | Value::Long(_)
        | Value::Float(_)
        | Value::Double(_)
        | Value::Timestamp(_)
        | Value::Uuid(_)
        | Value::Binary(_)
        | Value::String(_)
        | Value::Symbol(_) => true,
        Value::Char(_)
        | Value::Decimal32(_)
        | Value::Decimal64(_)
        | Value::Decimal128(_)
        | Value::Described(_)
        | Value::List(_)
        | Value::Map(_)
        | Value::Array(_) => false,
    }
}

fn refused(text: &'static str) -> AmqpError {
    AmqpError::new(condition::NOT_IMPLEMENTED, text)
}

#[cfg(test)]
mod tests {
    use ironhub_amqp::message::Message;

    use super::*;

    /// Whether a value is taken as an application property, and as the body, by its encoding (AMQP 1.0 part 1, §1.6).
    #[track_caller]
    fn check_value(encoding: &[u8], expected: (bool, bool)) {
        let property = [b"\xa1\x01p", encoding].concat();
        let map_len = u8::try_from(property.len() + 1).unwrap();
        let with_property = [b"\x00\x53\x74\xc1", &[map_len, 2][..], &property].concat();
        let as_body = [b"\x00\x53\x77", encoding].concat();
        let is_taken = |message: &[u8]| match check(&Message::parse(message).unwrap().bare) {
            Ok(()) => true,
            Err(error) => {
                assert_eq!(error.condition, condition::NOT_IMPLEMENTED);
                false
            }
        };
        assert_eq!(
            (is_taken(&with_property), is_taken(&as_body)),
            expected,
            "{encoding:x?}"
        );
    }

    #[test]
    fn what_readers_can_decode() {
        for simple in [
            &b"\x40"[..],
            b"\x41",
            b"\x50\x01",
            b"\x60\x00\x01",
            b"\x70\x00\x00\x00\x01",
            b"\x80\x00\x00\x00\x00\x00\x00\x00\x01",
            b"\x51\xff",
            b"\x61\xff\xff",
            b"\x71\xff\xff\xff\xff",
            b"\x55\xff",
            b"\x72\x3f\x80\x00\x00",
            b"\x82\x3f\xf0\x00\x00\x00\x00\x00\x00",
            b"\x83\x00\x00\x00\x00\x00\x00\x00\x01",
            b"\x98\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f",
            b"\xa0\x01\xff",
            b"\xa1\x01t",
            b"\xa3\x01s",
        ] {
            check_value(simple, (true, true));
        }
        // A list, a map and an array of what they can.
        check_value(b"\xc0\x03\x01\x50\x01", (false, true));
        check_value(b"\xc1\x05\x02\xa1\x01k\x41", (false, true));
        check_value(b"\xe0\x04\x02\x50\x01\x02", (false, true));
    }

    #[test]
    fn what_readers_cannot_decode() {
        for unreadable in [
            &b"\x73\x00\x00\x00a"[..],
            b"\x74\x00\x00\x00\x01",
            b"\x84\x00\x00\x00\x00\x00\x00\x00\x01",
            b"\x94\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01",
            // Described.
            b"\x00\x53\x01\x41",
            // In a list, as key and as value of a map, in an array; an array of nothing.
            b"\xc0\x06\x01\x73\x00\x00\x00a",
            b"\xc1\x07\x02\x73\x00\x00\x00a\x41",
            b"\xc1\x09\x02\xa1\x01k\x73\x00\x00\x00a",
            b"\xe0\x06\x01\x73\x00\x00\x00a",
            b"\xe0\x02\x00\x40",
            // Python has no dictionary with a list as key.
            b"\xc1\x03\x02\x45\x41",
        ] {
            check_value(unreadable, (false, false));
        }
    }

    #[test]
    fn names_are_texts() {
        let named_by_a_number = b"\x00\x53\x74\xc1\x04\x02\x50\x01\x41";
        let error = check(&Message::parse(named_by_a_number).unwrap().bare).unwrap_err();
        assert_eq!(error.condition, condition::NOT_IMPLEMENTED);
    }

    #[test]
    fn sequences_are_looked_into() {
        for (element, expected) in [(&b"\x41"[..], true), (b"\x73\x00\x00\x00a", false)] {
            let len = u8::try_from(element.len() + 1).unwrap();
            let sequence = [b"\x00\x53\x76\xc0", &[len, 1][..], element].concat();
            // Behind one that is good.
            let message = [b"\x00\x53\x76\x45", &sequence[..]].concat();
            let found = check(&Message::parse(&message).unwrap().bare).is_ok();
            assert_eq!(found, expected, "{element:x?}");
        }
    }
}
