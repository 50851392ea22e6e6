//! Reads frames out of a journal segment, in order, and searches for them where the order is broken.

use std::io;

use bytes::Bytes;
use memchr::memmem;

use super::frame::{FRAME_HEADER_BYTES, FrameHeader};
use super::limits::FRAME_BODY_BYTES_MAX;
use crate::disk::{DiskFile, read_full_at};

/// The search for frames behind a bad one goes through the file in pieces of this size.
const SEARCH_PIECE_BYTES: usize = 1024 * 1024;

/// Reads frames one behind the other, some of the file at a time.
#[derive(Debug)]
pub(crate) struct FrameReader<'a> {
    file: &'a dyn DiskFile,
    salt: u64,
    at: u64,
    end: u64,
    window: Bytes,
    window_at: u64,
    window_bytes: usize,
}

/// A frame with the right checksums.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) offset: u64,
    pub(crate) end: u64,
    pub(crate) header: FrameHeader,
    pub(crate) body: Bytes,
}

/// What is found at a place.
#[derive(Debug, Clone)]
pub(crate) enum Scan {
    /// A frame.
    Frame(Frame),
    /// No frame.
    NoFrame(NoFrame),
}

/// Why there is no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoFrame {
    /// The end was reached.
    End,
    /// Zeros: never written.
    Blank,
    /// Something that is no frame's header, or a recycled file's old contents.
    Header,
    /// A frame's header, and a body that does not match it.
    Body,
}

impl<'a> FrameReader<'a> {
    /// Reads from `from` to `end`, about `window_bytes` at a time.
    pub(crate) fn new(file: &'a dyn DiskFile, salt: u64, from: u64, end: u64, window_bytes: usize) -> Self {
        Self {
            file,
            salt,
            at: from,
            end,
            window: Bytes::new(),
            window_at: from,
            window_bytes,
        }
    }

    /// Where the next frame is looked for.
    pub(crate) fn offset(&self) -> u64 {
        self.at
    }

    /// The next frame; the reader stays in place where there is none.
    pub(crate) fn next(&mut self) -> io::Result<Scan> {
        let header_bytes = self.bytes(self.at, FRAME_HEADER_BYTES)?;
        if header_bytes.is_empty() {
            return Ok(Scan::NoFrame(NoFrame::End));
        }
        let Some(header) = FrameHeader::decode(&header_bytes, self.salt) else {
            let blank = header_bytes.iter().all(|byte| *byte == 0);
            return Ok(Scan::NoFrame(if blank { NoFrame::Blank } else { NoFrame::Header }));
        };
        let body = self.bytes(self.at + FRAME_HEADER_BYTES as u64, header.body_bytes())?;
        if body.len() != header.body_bytes() || crc32fast::hash(&body) != header.body_crc {
            return Ok(Scan::NoFrame(NoFrame::Body));
        }
        let offset = self.at;
        self.at += (FRAME_HEADER_BYTES + body.len()) as u64;
        Ok(Scan::Frame(Frame {
            offset,
            end: self.at,
            header,
            body,
        }))
    }

    /// Up to `len` bytes at an offset; fewer where the file ends.
    fn bytes(&mut self, offset: u64, len: usize) -> io::Result<Bytes> {
        let len = usize::try_from(self.end.saturating_sub(offset)).map_or(len, |left| len.min(left));
        if let Some(bytes) = self.within_window(offset, len) {
            return Ok(bytes);
        }
        let wanted = len
            .max(self.window_bytes)
            .min(FRAME_BODY_BYTES_MAX + FRAME_HEADER_BYTES);
        let wanted = usize::try_from(self.end.saturating_sub(offset)).map_or(wanted, |left| wanted.min(left));
        let mut window = vec![0; wanted];
        let filled = read_full_at(self.file, &mut window, offset)?;
        window.truncate(filled);
        self.window = Bytes::from(window);
        self.window_at = offset;
        Ok(self.window.slice(..len.min(filled)))
    }

    fn within_window(&self, offset: u64, len: usize) -> Option<Bytes> {
        let start = usize::try_from(offset.checked_sub(self.window_at)?).ok()?;
        let end = start.checked_add(len)?;
        (end <= self.window.len()).then(|| self.window.slice(start..end))
    }
}

/// The first valid header of a frame of this segment at `from` or behind, and where it is.
pub(crate) fn find_header(file: &dyn DiskFile, salt: u64, from: u64) -> io::Result<Option<(u64, FrameHeader)>> {
    let finder = memmem::Finder::new(&FrameHeader::MAGIC);
    let mut piece = vec![0; SEARCH_PIECE_BYTES];
    let mut at = from;
    loop {
        let filled = read_full_at(file, &mut piece, at)?;
        let bytes = piece.get(..filled).unwrap_or_default();
        let found = finder.find_iter(bytes).find_map(|start| {
            let header = FrameHeader::decode(bytes.get(start..)?, salt)?;
            Some((at + start as u64, header))
        });
        if found.is_some() || filled < SEARCH_PIECE_BYTES {
            return Ok(found);
        }
        // A header may lie across the border.
        at += (SEARCH_PIECE_BYTES - FRAME_HEADER_BYTES) as u64;
    }
}
