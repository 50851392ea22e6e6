//! Frames without I/O (RFC 6455, section 5): what a client sends becomes a byte stream, in place.

use bytes::{BufMut, BytesMut};
use ironhub_model::limits::{WEBSOCKET_CONTROL_BYTES_MAX, WEBSOCKET_FRAME_BYTES_MAX};

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;
const HEADER_BYTES_MAX: usize = 14;

/// What a frame is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum OpCode {
    Continuation = 0,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

/// Why a client's frames cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameError {
    #[error("reserved bits, an unknown frame type or a wrong order of frames")]
    Protocol,
    #[error("a text frame, where MQTT demands binary ones [MQTT-6.0.0-1]")]
    Text,
    #[error("a frame without a mask")]
    Unmasked,
    #[error("a frame longer than the limit, or its length in more bytes than it needs")]
    Length,
}

impl FrameError {
    /// The status that the close frame carries (RFC 6455, section 7.4.1).
    pub(super) fn status(self) -> u16 {
        match self {
            Self::Protocol | Self::Unmasked => 1002,
            Self::Text => 1003,
            Self::Length => 1009,
        }
    }
}

/// Where in a client's frames the stream stands.
#[derive(Debug)]
pub(super) struct FrameReader {
    part: Part,
    /// A message began and its last frame has not come.
    in_message: bool,
    /// The payload of a control frame so far; holds memory only within one.
    control: Vec<u8>,
    is_closed: bool,
}

#[derive(Debug, Clone, Copy)]
enum Part {
    Header {
        bytes: [u8; HEADER_BYTES_MAX],
        count: usize,
    },
    Payload(Frame),
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    op_code: OpCode,
    is_last: bool,
    left: usize,
    /// Rotated so that its first byte is the next to use.
    mask: [u8; 4],
}

impl FrameReader {
    pub(super) fn new() -> Self {
        Self {
            part: Part::EMPTY,
            in_message: false,
            control: Vec::new(),
            is_closed: false,
        }
    }

    /// Has the client's close frame come? Nothing counts behind it.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Takes all of `bytes`. The payloads in them, unmasked and without headers, end up at their start; returns how
    /// many bytes that is. Answers that control frames demand are appended to `out`.
    pub(super) fn read(&mut self, bytes: &mut [u8], out: &mut BytesMut) -> Result<usize, FrameError> {
        let (mut taken, mut payload) = (0, 0);
        while taken < bytes.len() && !self.is_closed {
            match &mut self.part {
                Part::Header { bytes: header, count } => {
                    if let (Some(slot), Some(byte)) = (header.get_mut(*count), bytes.get(taken)) {
                        *slot = *byte;
                    }
                    *count += 1;
                    taken += 1;
                    if let Some(frame) = parse_header(header.get(..*count).unwrap_or_default())? {
                        self.begin(frame, out)?;
                    }
                }
                Part::Payload(frame) => {
                    let count = frame.left.min(bytes.len() - taken);
                    let part = bytes.get_mut(taken..taken + count).unwrap_or_default();
                    frame.unmask(part);
                    if frame.op_code.is_control() {
                        self.control.extend_from_slice(part);
                    } else {
                        bytes.copy_within(taken..taken + count, payload);
                        payload += count;
                    }
                    taken += count;
                    self.end_if_complete(out);
                }
            }
        }
        Ok(payload)
    }

    fn begin(&mut self, frame: Frame, out: &mut BytesMut) -> Result<(), FrameError> {
        let is_in_order = match frame.op_code {
            OpCode::Continuation => self.in_message,
            OpCode::Binary => !self.in_message,
            OpCode::Close | OpCode::Ping | OpCode::Pong => true,
        };
        if !is_in_order {
            return Err(FrameError::Protocol);
        }
        if !frame.op_code.is_control() {
            self.in_message = !frame.is_last;
        }
        self.part = Part::Payload(frame);
        self.end_if_complete(out);
        Ok(())
    }

    fn end_if_complete(&mut self, out: &mut BytesMut) {
        let Part::Payload(Frame { left: 0, op_code, .. }) = self.part else {
            return;
        };
        self.part = Part::EMPTY;
        let control = std::mem::take(&mut self.control);
        match op_code {
            OpCode::Ping => write_frame(out, OpCode::Pong, &control),
            OpCode::Close => {
                self.is_closed = true;
                write_frame(out, OpCode::Close, control.get(..2).unwrap_or_default());
            }
            OpCode::Continuation | OpCode::Binary | OpCode::Pong => {}
        }
    }
}

impl Part {
    const EMPTY: Self = Self::Header {
        bytes: [0; HEADER_BYTES_MAX],
        count: 0,
    };
}

impl Frame {
    fn unmask(&mut self, bytes: &mut [u8]) {
        for (byte, mask) in bytes.iter_mut().zip(self.mask.iter().cycle()) {
            *byte ^= mask;
        }
        self.mask.rotate_left(bytes.len() % 4);
        self.left -= bytes.len();
    }
}

impl OpCode {
    fn from_bits(bits: u8) -> Result<Self, FrameError> {
        match bits {
            0 => Ok(Self::Continuation),
            1 => Err(FrameError::Text),
            2 => Ok(Self::Binary),
            8 => Ok(Self::Close),
            9 => Ok(Self::Ping),
            10 => Ok(Self::Pong),
            _ => Err(FrameError::Protocol),
        }
    }

    fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// `None` while bytes are missing.
fn parse_header(bytes: &[u8]) -> Result<Option<Frame>, FrameError> {
    let [first, second, rest @ ..] = bytes else {
        return Ok(None);
    };
    if first & RESERVED != 0 {
        return Err(FrameError::Protocol);
    }
    let op_code = OpCode::from_bits(first & 0x0f)?;
    let is_last = first & FIN != 0;
    if second & MASKED == 0 {
        return Err(FrameError::Unmasked);
    }
    let short = second & !MASKED;
    if op_code.is_control() && (!is_last || usize::from(short) > WEBSOCKET_CONTROL_BYTES_MAX) {
        return Err(FrameError::Protocol);
    }
    let (length, least, mask) = match short {
        126 => match rest.split_first_chunk() {
            Some((length, mask)) => (u64::from(u16::from_be_bytes(*length)), 126, mask),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk() {
            Some((length, mask)) => (u64::from_be_bytes(*length), 1 << 16, mask),
            None => return Ok(None),
        },
        short => (u64::from(short), 0, rest),
    };
    let left = usize::try_from(length).map_err(|_| FrameError::Length)?;
    if length < least || left > WEBSOCKET_FRAME_BYTES_MAX {
        return Err(FrameError::Length);
    }
    Ok(<[u8; 4]>::try_from(mask).ok().map(|mask| Frame {
        op_code,
        is_last,
        left,
        mask,
    }))
}

/// Appends a whole frame; a server does not mask.
#[expect(
    clippy::cast_possible_truncation,
    reason = "each length is matched against what its field holds"
)]
pub(super) fn write_frame(out: &mut BytesMut, op_code: OpCode, payload: &[u8]) {
    out.put_u8(FIN | op_code as u8);
    match payload.len() {
        length @ 0..=125 => out.put_u8(length as u8),
        length @ 126..=0xffff => {
            out.put_u8(126);
            out.put_u16(length as u16);
        }
        length => {
            out.put_u8(127);
            out.put_u64(length as u64);
        }
    }
    out.put_slice(payload);
}

/// Appends a close frame.
pub(super) fn write_close(out: &mut BytesMut, status: u16) {
    write_frame(out, OpCode::Close, &status.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A client's frame.
    fn frame(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
        let mut plain = BytesMut::new();
        write_frame(&mut plain, OpCode::Binary, payload);
        plain[0] = first;
        plain[1] |= MASKED;
        let header_bytes = plain.len() - payload.len();
        let mut bytes = plain[..header_bytes].to_vec();
        bytes.extend(mask);
        bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    /// Feeds the bytes in pieces of the given sizes, in turn.
    fn feed(bytes: &[u8], pieces: &[usize]) -> Result<(Vec<u8>, Vec<u8>, bool), FrameError> {
        let (mut reader, mut out, mut payload) = (FrameReader::new(), BytesMut::new(), Vec::new());
        let (mut rest, mut sizes) = (bytes, pieces.iter().cycle());
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
            let mut piece = piece.to_vec();
            let count = reader.read(&mut piece, &mut out)?;
            payload.extend_from_slice(&piece[..count]);
            rest = behind;
        }
        Ok((payload, out.to_vec(), reader.is_closed()))
    }

    #[track_caller]
    fn check(bytes: &[u8], payload: &[u8], answer: &[u8], is_closed: bool) {
        let expected = (payload.to_vec(), answer.to_vec(), is_closed);
        assert_eq!(feed(bytes, &[1]).unwrap(), expected);
        assert_eq!(feed(bytes, &[bytes.len()]).unwrap(), expected);
    }

    #[test]
    fn frames() {
        // RFC 6455, section 5.7: a single-frame masked message, as binary.
        check(b"\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", b"Hello", b"", false);
        let mask = [1, 2, 3, 4];
        let ping_between = [
            frame(0x02, b"ab", mask),
            frame(0x89, b"now", mask),
            frame(0x80, b"cd", mask),
            frame(0x82, b"", mask),
            frame(0x8a, b"late", mask),
        ];
        check(&ping_between.concat(), b"abcd", b"\x8a\x03now", false);
        let close = [frame(0x88, b"\x03\xe8bye", mask), frame(0x82, b"lost", mask)];
        check(&close.concat(), b"", b"\x88\x02\x03\xe8", true);
        check(&frame(0x88, b"", mask), b"", b"\x88\x00", true);
    }

    #[track_caller]
    fn check_error(bytes: &[u8], expected: FrameError) {
        assert_eq!(feed(bytes, &[1]).unwrap_err(), expected, "{bytes:02x?}");
    }

    #[test]
    fn errors() {
        let mask = [9, 9, 9, 9];
        check_error(b"\x82\x05Hello", FrameError::Unmasked);
        check_error(&frame(0x81, b"text", mask), FrameError::Text);
        check_error(&frame(0xc2, b"", mask), FrameError::Protocol);
        check_error(&frame(0x83, b"", mask), FrameError::Protocol);
        check_error(&frame(0x80, b"", mask), FrameError::Protocol);
        check_error(&frame(0x09, b"", mask), FrameError::Protocol);
        check_error(&frame(0x89, &[0; 126], mask), FrameError::Protocol);
        check_error(
            &[frame(0x02, b"", mask), frame(0x82, b"", mask)].concat(),
            FrameError::Protocol,
        );
        check_error(b"\x82\xfe\x00\x7d", FrameError::Length);
        check_error(b"\x82\xff\0\0\0\0\0\0\xff\xff", FrameError::Length);
        check_error(b"\x82\xff\0\0\0\0\0\x10\x00\x01", FrameError::Length);
        check_error(b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff", FrameError::Length);
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_stream(
            payloads in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..300), any::<[u8; 4]>()), 1..8),
            pieces in prop::collection::vec(1..70usize, 1..8),
        ) {
            let bytes: Vec<u8> = payloads.iter().flat_map(|(payload, mask)| frame(0x82, payload, *mask)).collect();
            let expected: Vec<u8> = payloads.into_iter().flat_map(|(payload, _)| payload).collect();
            prop_assert_eq!(feed(&bytes, &pieces).unwrap().0, expected);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 1..200)) {
            if let Ok((payload, _, _)) = feed(&bytes, &[3]) {
                prop_assert!(payload.len() < bytes.len());
            }
        }

        #[test]
        fn long_frames(length in 65_000..66_200usize) {
            let payload: Vec<u8> = (0..length).map(|index| index.to_le_bytes()[0]).collect();
            prop_assert_eq!(feed(&frame(0x82, &payload, [7, 0, 255, 3]), &[4096]).unwrap().0, payload);
        }
    }
}
