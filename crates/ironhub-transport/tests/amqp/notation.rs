//! AMQP frames as readable text, in both directions, by a codec that is none of the hub's: `serde_amqp`.
//!
//! `conformance/transcripts/amqp/README.md` explains the notation. The tables of fields here are those of the
//! specification, parts 2.7, 3.2, 3.4 and 5.3.3.

mod fields;
mod text;

use serde::Deserialize;
use serde_amqp::Value;
use serde_amqp::described::Described;
use serde_amqp::descriptor::Descriptor;
use serde_amqp::read::SliceReader;

pub(crate) use self::text::{Names, Wanted, written};

use self::fields::{COMPOSITES, Composite};

/// One frame, or a protocol header.
#[derive(Debug)]
pub(crate) enum Frame {
    /// The protocol's number: 0 for AMQP, 3 for SASL.
    Header(u8),
    /// Type (0 AMQP, 1 SASL), channel, and what is in it.
    Body(u8, u16, Vec<Value>),
}

impl Frame {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let (kind, channel, values) = match self {
            Self::Header(protocol) => return vec![b'A', b'M', b'Q', b'P', *protocol, 1, 0, 0],
            Self::Body(kind, channel, values) => (*kind, *channel, values),
        };
        let body: Vec<u8> = values
            .iter()
            .flat_map(|value| serde_amqp::to_vec(value).unwrap())
            .collect();
        let size = u32::try_from(body.len() + 8).unwrap().to_be_bytes();
        let channel = channel.to_be_bytes();
        [&size[..], &[2, kind], &channel, &body].concat()
    }

    /// Takes the first frame off these bytes; `None` when it is not whole yet. Frames without a body are passed over.
    pub(crate) fn take(bytes: &mut Vec<u8>) -> Option<Self> {
        loop {
            let head: [u8; 8] = bytes.get(..8)?.try_into().unwrap();
            if head.starts_with(b"AMQP") {
                assert_eq!(head[5..], [1, 0, 0]);
                bytes.drain(..8);
                return Some(Self::Header(head[4]));
            }
            let size = u32::from_be_bytes(head[..4].try_into().unwrap()).try_into().unwrap();
            let frame = bytes.get(..size)?.to_vec();
            bytes.drain(..size);
            let body = &frame[usize::from(frame[4]) * 4..];
            if !body.is_empty() {
                let channel = u16::from_be_bytes([frame[6], frame[7]]);
                return Some(Self::Body(frame[5], channel, values(body)));
            }
        }
    }
}

/// All values that these bytes hold.
pub(crate) fn values(bytes: &[u8]) -> Vec<Value> {
    let mut values = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let value = Value::deserialize(&mut serde_amqp::de::Deserializer::new(SliceReader::new(rest))).unwrap();
        // The codec does not say how far it read; a value that is written again may take another form.
        rest = &rest[encoded_len(rest)..];
        values.push(value);
    }
    values
}

/// How many bytes the first value takes (part 1.2).
fn encoded_len(bytes: &[u8]) -> usize {
    let u8_at = |at: usize| usize::from(bytes[at]);
    let u32_at = |at: usize| usize::try_from(u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())).unwrap();
    match bytes[0] {
        0 => {
            let descriptor = 1 + encoded_len(&bytes[1..]);
            descriptor + encoded_len(&bytes[descriptor..])
        }
        code => match code >> 4 {
            4 => 1,
            5 => 2,
            6 => 3,
            7 => 5,
            8 => 9,
            9 => 17,
            0xa | 0xc | 0xe => 2 + u8_at(1),
            _ => 5 + u32_at(1),
        },
    }
}

/// The composite with this descriptor.
fn composite_of(descriptor: &Descriptor) -> Option<&'static Composite> {
    match descriptor {
        Descriptor::Code(code) => COMPOSITES.iter().find(|composite| composite.code == *code),
        Descriptor::Name(_) => None,
    }
}

fn described(code: u64, value: Value) -> Value {
    let descriptor = Descriptor::Code(code);
    Value::Described(Box::new(Described { descriptor, value }))
}
