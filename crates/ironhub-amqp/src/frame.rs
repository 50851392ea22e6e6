//! Frames: a size, a data offset, a kind, a channel, a body (AMQP 1.0 part 2, §2.3).

use crate::types::encode::patch;

/// Bytes of a frame header without extension.
pub const HEADER_BYTES: usize = 8;

/// What a frame's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// A performative, or nothing: a heartbeat.
    Amqp,
    /// A step of authentication.
    Sasl,
}

/// One received frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What the body is.
    pub kind: FrameKind,
    /// The session, by the sender's number.
    pub channel: u16,
    /// Without header and extended header.
    pub body: &'a [u8],
}

/// Why received bytes are not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The size is smaller than a frame header.
    #[error("frame of {0} bytes is smaller than its header")]
    TooSmall(usize),
    /// The size is larger than we take.
    #[error("frame of {0} bytes is larger than {1}")]
    TooLarge(usize, usize),
    /// The data offset points into the fixed header or beyond the frame.
    #[error("data offset {0} is outside of the frame")]
    DataOffset(u8),
    /// Neither AMQP nor SASL.
    #[error("unknown frame kind {0}")]
    Kind(u8),
}

/// The first frame of `bytes` and its whole length; `None` when more bytes are needed. A size that cannot be is an
/// error as soon as it is seen, before anything of it is buffered.
pub fn first(bytes: &[u8], size_max: usize) -> Result<Option<(Frame<'_>, usize)>, FrameError> {
    let Some(size) = bytes.first_chunk::<4>() else {
        return Ok(None);
    };
    let size = usize::try_from(u32::from_be_bytes(*size)).unwrap_or(usize::MAX);
    if size < HEADER_BYTES {
        return Err(FrameError::TooSmall(size));
    }
    if size > size_max {
        return Err(FrameError::TooLarge(size, size_max));
    }
    let Some(frame) = bytes.get(..size) else {
        return Ok(None);
    };
    let Some([_, _, _, _, offset, kind, channel @ ..]) = frame.first_chunk::<HEADER_BYTES>() else {
        return Ok(None);
    };
    let kind = match kind {
        0 => FrameKind::Amqp,
        1 => FrameKind::Sasl,
        other => return Err(FrameError::Kind(*other)),
    };
    let body = frame
        .get(usize::from(*offset) * 4..)
        .filter(|_| *offset >= 2)
        .ok_or(FrameError::DataOffset(*offset))?;
    Ok(Some((
        Frame {
            kind,
            channel: u16::from_be_bytes(*channel),
            body,
        },
        size,
    )))
}

/// Appends a frame whose body `write` appends.
pub fn write(out: &mut Vec<u8>, kind: FrameKind, channel: u16, write: impl FnOnce(&mut Vec<u8>)) {
    let start = begin(out, kind, channel);
    write(out);
    finish(out, start);
}

/// Appends a frame header whose size is not known yet; returns where the frame starts.
pub(crate) fn begin(out: &mut Vec<u8>, kind: FrameKind, channel: u16) -> usize {
    const OFFSET: u8 = 2; // In words of four bytes: no extended header.
    let start = out.len();
    let [high, low] = channel.to_be_bytes();
    out.extend_from_slice(&[0, 0, 0, 0, OFFSET, u8::from(kind == FrameKind::Sasl), high, low]);
    start
}

/// Fills in the size of the frame that starts at `start` and ends where `out` ends.
pub(crate) fn finish(out: &mut [u8], start: usize) {
    let size = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    patch(out, start, &size.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: Result<Option<(Frame<'_>, usize)>, FrameError>) {
        assert_eq!(first(bytes, 16), expected);
    }

    #[test]
    fn frames() {
        let heartbeat = Frame {
            kind: FrameKind::Amqp,
            channel: 0,
            body: b"",
        };
        check(b"\0\0\0\x08\x02\0\0\0rest", Ok(Some((heartbeat, 8))));
        check(b"\0\0\0\x0a\x02\x01\x01\x02ab", {
            Ok(Some((
                Frame {
                    kind: FrameKind::Sasl,
                    channel: 0x102,
                    body: b"ab",
                },
                10,
            )))
        });
        // An extended header is passed over.
        check(
            b"\0\0\0\x0d\x03\0\0\0extra",
            Ok(Some((
                Frame {
                    body: b"a",
                    ..heartbeat
                },
                13,
            ))),
        );
        check(b"", Ok(None));
        check(b"\0\0\0", Ok(None));
        check(b"\0\0\0\x09\x02\0\0\0", Ok(None));
        check(b"\0\0\0\x07", Err(FrameError::TooSmall(7)));
        check(b"\0\0\0\x11", Err(FrameError::TooLarge(17, 16)));
        check(b"\xff\xff\xff\xff", Err(FrameError::TooLarge(0xffff_ffff, 16)));
        check(b"\0\0\0\x08\x01\0\0\0", Err(FrameError::DataOffset(1)));
        check(b"\0\0\0\x08\x03\0\0\0", Err(FrameError::DataOffset(3)));
        check(b"\0\0\0\x08\x02\x02\0\0", Err(FrameError::Kind(2)));
    }
}
