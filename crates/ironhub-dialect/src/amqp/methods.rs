//! Direct methods: a call goes out on one link, its answer comes in on the other.
//!
//! Names and types are those that `Azure/azure-iot-sdk-c`, `iothubtransportamqp_methods.c`, checks and the other SDKs
//! read: the correlation id is a uuid, the status an int, the letters of `IoThub-` are written as here.

use std::borrow::Cow;

use ironhub_amqp::message::{
    self, Body, Message, MessageId, Properties, write_application_properties, write_data, write_properties,
};
use ironhub_amqp::performative::{AmqpError, condition};
use ironhub_model::LockToken;
use ironhub_model::method::MethodName;

const METHOD_NAME: &str = "IoThub-methodname";
const STATUS: &str = "IoThub-status";

/// The uuids by which one connection of a device knows its calls: a random half that is the same for all of them, so
/// that an answer to a call of an earlier connection finds nothing, and the number of the call.
#[derive(Debug, Clone, Copy)]
pub struct CallIds(u64);

impl CallIds {
    /// The top four bits of the second half say that it is a UUID of the standard's variant.
    const VARIANT: u64 = 0b1000 << 60;

    /// From random bits; those that say it is a UUID of version 8, which is anyone's to fill (RFC 9562, section 5.8),
    /// are overwritten.
    pub const fn from_random(bits: u64) -> Self {
        Self(bits & !0xF000 | 0x8000)
    }

    /// The uuid of a call.
    pub fn uuid(self, request_id: u64) -> [u8; 16] {
        let low = Self::VARIANT | (request_id & !(0xF << 60));
        (u128::from(self.0) << 64 | u128::from(low)).to_be_bytes()
    }

    /// The call of a uuid; `None` when it is none of this connection.
    pub fn request_id(self, uuid: [u8; 16]) -> Option<u64> {
        let [high, low] = *uuid.as_chunks().0 else { return None };
        let (high, low) = (u64::from_be_bytes(high), u64::from_be_bytes(low));
        (high == self.0 && low >> 60 == Self::VARIANT >> 60).then_some(low & !(0xF << 60))
    }
}

/// Appends a call. `payload` is JSON text; a caller that gave none reaches the device as zero bytes.
pub fn write_call(out: &mut Vec<u8>, uuid: [u8; 16], name: &MethodName, payload: Option<&str>) {
    let properties = Properties {
        correlation_id: Some(MessageId::Uuid(uuid)),
        ..Properties::default()
    };
    write_properties(out, &properties);
    write_application_properties(out, [(METHOD_NAME, name.as_str())]);
    write_data(out, payload.unwrap_or_default().as_bytes());
}

/// The answer to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The uuid of the call.
    pub uuid: [u8; 16],
    /// What the device makes of it.
    pub status: i32,
    /// JSON text, if the device keeps to the rules.
    pub payload: Cow<'a, [u8]>,
}

/// Reads the answer to a call.
pub fn parse_answer(encoded: &[u8]) -> Result<Answer<'_>, AmqpError> {
    let refused = |error: String| AmqpError::new(condition::DECODE_ERROR, error);
    let bare = Message::parse(encoded)
        .map_err(|error| refused(error.to_string()))?
        .bare;
    let uuid = bare.properties.correlation_id.and_then(uuid_of);
    let status = bare.application_properties.value(STATUS);
    let status = status.and_then(|status| i32::try_from(status.as_i64()?).ok());
    Ok(Answer {
        uuid: uuid.ok_or_else(|| refused("The answer to a method has no correlation-id of type uuid.".into()))?,
        status: status.ok_or_else(|| refused(format!("The answer to a method has no {STATUS} of type int.")))?,
        payload: payload(&bare.body).ok_or_else(|| refused("The answer to a method has no data.".into()))?,
    })
}

/// A uuid, or one that is written out.
fn uuid_of(id: MessageId<'_>) -> Option<[u8; 16]> {
    match id {
        MessageId::Uuid(bytes) => Some(bytes),
        MessageId::String(text) => LockToken::parse(text).ok().map(LockToken::bytes),
        MessageId::Ulong(_) | MessageId::Binary(_) => None,
    }
}

/// The bytes of a body of data sections, of one binary or text, or of nothing.
pub(super) fn payload<'a>(body: &message::Body<'a>) -> Option<Cow<'a, [u8]>> {
    match body {
        Body::Empty => Some(Cow::Borrowed(&[])),
        Body::Data(sections) => {
            let mut sections = sections.clone();
            let first = sections.next().unwrap_or_default();
            let mut payload = Cow::Borrowed(first);
            for more in sections {
                payload.to_mut().extend_from_slice(more);
            }
            Some(payload)
        }
        Body::Value(value) if value.is_null() => Some(Cow::Borrowed(&[])),
        Body::Value(value) => {
            let bytes = value.as_binary().or_else(|| value.as_text().map(str::as_bytes))?;
            Some(Cow::Borrowed(bytes))
        }
        Body::Sequence(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use ironhub_amqp::types::Value;

    use super::*;

    const IDS: CallIds = CallIds::from_random(0x0123_4567_89ab_cdef);

    #[test]
    fn uuids_name_the_calls_of_one_connection() {
        let uuid = IDS.uuid(7);
        assert_eq!(uuid, u128::to_be_bytes(0x0123_4567_89ab_8def_8000_0000_0000_0007));
        assert_eq!(IDS.request_id(uuid), Some(7));
        assert_eq!(CallIds::from_random(1).request_id(uuid), None);
        assert_eq!(IDS.request_id([0; 16]), None);
    }

    /// Byte by byte from the standard's encodings (AMQP 1.0 part 1, §1.6).
    #[test]
    fn a_call_is_the_bytes_that_sdks_read() {
        let mut out = Vec::new();
        write_call(
            &mut out,
            *b"0123456789abcdef",
            &MethodName::parse("reboot").unwrap(),
            Some("{}"),
        );
        let expected = [
            b"\x00\x53\x73\xc0\x1e\x0d\x40\x40\x40\x40\x40\x98".as_slice(),
            b"0123456789abcdef",
            b"\x40\x40\x40\x40\x40\x40\x40",
            b"\x00\x53\x74\xc1\x1c\x02\xa1\x11IoThub-methodname\xa1\x06reboot",
            b"\x00\x53\x75\xa0\x02{}",
        ];
        assert_eq!(out, expected.concat());
    }

    fn answer(id: MessageId<'_>, status: Value<'_>, body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        let properties = Properties {
            correlation_id: Some(id),
            ..Properties::default()
        };
        write_properties(&mut out, &properties);
        write_application_properties(&mut out, [(STATUS, status)]);
        body(&mut out);
        out
    }

    #[test]
    fn answers_of_all_sdks_are_read() {
        let uuid = IDS.uuid(3);
        let text = LockToken::from_bytes(uuid).to_string();
        let expected = |payload: &'static [u8]| Answer {
            uuid,
            status: 200,
            payload: payload.into(),
        };
        let data = |out: &mut Vec<u8>| write_data(out, b"{}");
        let sent = answer(MessageId::Uuid(uuid), Value::Int(200), data);
        assert_eq!(parse_answer(&sent), Ok(expected(b"{}")));
        let sent = answer(MessageId::String(&text), Value::Long(200), |_| ());
        assert_eq!(parse_answer(&sent), Ok(expected(b"")));
        let sent = answer(MessageId::Uuid(uuid), Value::Int(200), |out| {
            write_data(out, b"[1,");
            write_data(out, b"2]");
        });
        assert_eq!(parse_answer(&sent), Ok(expected(b"[1,2]")));
    }

    #[test]
    fn what_answers_nothing_is_refused() {
        let uuid = MessageId::Uuid(IDS.uuid(3));
        for sent in [
            answer(MessageId::Ulong(3), Value::Int(200), |_| ()),
            answer(MessageId::String("x"), Value::Int(200), |_| ()),
            answer(uuid, Value::String("200"), |_| ()),
            answer(uuid, Value::Long(1 << 40), |_| ()),
            answer(uuid, Value::Int(200), |out| message::write_value(out, true)),
            b"\x00".to_vec(),
        ] {
            assert_eq!(parse_answer(&sent).unwrap_err().condition, "amqp:decode-error");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(payload: Vec<u8>) {
            let _ = parse_answer(&payload);
        }
    }
}
