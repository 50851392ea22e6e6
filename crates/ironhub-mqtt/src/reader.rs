//! Takes fields off a packet's body; each step names the field it failed at.

use std::str;

use crate::error::DecodeError;
use crate::packet::{PacketId, PacketKind};

pub(crate) struct Reader<'a> {
    kind: PacketKind,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(kind: PacketKind, body: &'a [u8]) -> Self {
        Self { kind, rest: body }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        let (&byte, rest) = self.rest.split_first().ok_or(DecodeError::Truncated { field })?;
        self.rest = rest;
        Ok(byte)
    }

    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(DecodeError::Truncated { field })?;
        self.rest = rest;
        Ok(u16::from_be_bytes(*bytes))
    }

    /// A field of two bytes of length and that many bytes (MQTT 3.1.1, 1.5.3).
    pub(crate) fn bytes(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let length = usize::from(self.u16(field)?);
        let (bytes, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(DecodeError::Truncated { field })?;
        self.rest = rest;
        Ok(bytes)
    }

    /// A UTF-8 string without U+0000 ([MQTT-1.5.3-1], [MQTT-1.5.3-2]).
    pub(crate) fn text(&mut self, field: &'static str) -> Result<&'a str, DecodeError> {
        let bytes = self.bytes(field)?;
        if memchr::memchr(0, bytes).is_some() {
            return Err(DecodeError::Nul { field });
        }
        str::from_utf8(bytes).map_err(|_| DecodeError::Utf8 { field })
    }

    /// A topic or filter: text of at least one character ([MQTT-4.7.3-1]).
    pub(crate) fn topic(&mut self, field: &'static str) -> Result<&'a str, DecodeError> {
        match self.text(field)? {
            "" => Err(DecodeError::EmptyTopic { field }),
            topic => Ok(topic),
        }
    }

    pub(crate) fn packet_id(&mut self) -> Result<PacketId, DecodeError> {
        PacketId::new(self.u16("packet identifier")?).ok_or(DecodeError::PacketIdZero(self.kind))
    }

    /// The body of a packet that is a packet identifier and nothing else.
    pub(crate) fn sole_packet_id(mut self) -> Result<PacketId, DecodeError> {
        let packet_id = self.packet_id()?;
        self.finish()?;
        Ok(packet_id)
    }

    /// What is left, to the end of the packet.
    pub(crate) fn remainder(self) -> &'a [u8] {
        self.rest
    }

    /// Checks that nothing is left over.
    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(DecodeError::TrailingBytes { kind: self.kind, count }),
        }
    }
}
