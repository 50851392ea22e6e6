//! From a byte stream to packets.
//!
//! [`FixedHeader::parse`] judges a packet by its first bytes, so that nothing is buffered for one that will be refused.
//! [`Frame::parse`] and [`Frame::decode`] borrow from the input: the server's path, which copies nothing and counts no
//! references. [`decode`] takes packets out of a [`BytesMut`] as owned values.

use bytes::BytesMut;

use crate::error::DecodeError;
use crate::limits::DecodeLimits;
use crate::packet::{self, Packet, PacketKind, PacketRef};

/// Takes the next whole packet out of `input`; its topic and payload are slices of the input's memory.
///
/// `None` means that more bytes are needed; `input` is then untouched. After an error the stream is unusable.
pub fn decode(input: &mut BytesMut, limits: &DecodeLimits) -> Result<Option<Packet>, DecodeError> {
    let Some(header) = FixedHeader::parse(input, limits)? else {
        return Ok(None);
    };
    if input.len() < header.packet_bytes() {
        return Ok(None);
    }
    let bytes = input.split_to(header.packet_bytes()).freeze();
    let body = bytes.get(header.header_bytes..).unwrap_or_default();
    let packet = Frame { header, body }.decode(limits)?;
    Ok(Some(packet.map_publish(|publish| publish.to_owned_in(&bytes))))
}

/// The start of a packet: its type, flags and sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedHeader {
    kind: PacketKind,
    flags: u8,
    header_bytes: usize,
    body_bytes: usize,
}

impl FixedHeader {
    /// Reads the fixed header at the start of `input` and checks it, the packet's size included.
    ///
    /// `None` means that more bytes are needed, at most [`FIXED_HEADER_BYTES_MAX`](crate::limits::FIXED_HEADER_BYTES_MAX).
    #[inline]
    pub fn parse(input: &[u8], limits: &DecodeLimits) -> Result<Option<Self>, DecodeError> {
        let Some((&first, rest)) = input.split_first() else {
            return Ok(None);
        };
        let kind = PacketKind::from_first_byte(first)?;
        let flags = first & 0x0f;
        kind.check_flags(flags)?;
        let Some((length_bytes, body_bytes)) = remaining_length(rest)? else {
            return Ok(None);
        };
        let header = Self {
            kind,
            flags,
            header_bytes: 1 + length_bytes,
            body_bytes,
        };
        header.check_size(limits)?;
        Ok(Some(header))
    }

    /// The packet's type.
    pub fn kind(&self) -> PacketKind {
        self.kind
    }

    /// Size of the whole packet, this header included: how much to have in the buffer before it can be decoded.
    pub fn packet_bytes(&self) -> usize {
        self.header_bytes + self.body_bytes
    }

    fn check_size(&self, limits: &DecodeLimits) -> Result<(), DecodeError> {
        let (bytes, bytes_max) = (self.packet_bytes(), limits.packet_bytes_max);
        if bytes > bytes_max {
            return Err(DecodeError::PacketTooLarge {
                kind: self.kind,
                bytes,
                bytes_max,
            });
        }
        Ok(())
    }
}

/// A whole packet in the input, its body not looked at yet.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    header: FixedHeader,
    body: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Finds the packet at the start of `input`; `None` means that more bytes are needed.
    #[inline]
    pub fn parse(input: &'a [u8], limits: &DecodeLimits) -> Result<Option<Self>, DecodeError> {
        let Some(header) = FixedHeader::parse(input, limits)? else {
            return Ok(None);
        };
        let body = input.get(header.header_bytes..header.packet_bytes());
        Ok(body.map(|body| Self { header, body }))
    }

    /// The packet's type.
    pub fn kind(&self) -> PacketKind {
        self.header.kind
    }

    /// Size of the whole packet: how far to advance the input once it is dealt with.
    pub fn packet_bytes(&self) -> usize {
        self.header.packet_bytes()
    }

    /// Reads the body. A PUBLISH borrows from the input; other packets own the little that they hold.
    #[inline]
    pub fn decode(&self, limits: &DecodeLimits) -> Result<PacketRef<'a>, DecodeError> {
        packet::decode_body(self.header.kind, self.header.flags, self.body, limits)
    }
}

/// Reads a remaining length: its size in bytes and its value (MQTT 3.1.1, 2.2.3).
#[inline]
fn remaining_length(input: &[u8]) -> Result<Option<(usize, usize)>, DecodeError> {
    let mut value = 0;
    for (index, &byte) in input.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let is_padded = byte == 0 && index > 0;
            return if is_padded {
                Err(DecodeError::RemainingLengthPadded)
            } else {
                Ok(Some((index + 1, value)))
            };
        }
    }
    if input.len() >= 4 {
        Err(DecodeError::RemainingLengthTooLong)
    } else {
        Ok(None)
    }
}
