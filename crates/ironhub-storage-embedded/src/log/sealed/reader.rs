//! Reads a sealed file: checks each part when it is first needed, and says which events a damaged one holds.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use super::SealedFile;
use crate::disk::{Disk, DiskFile, OpenMode, read_full_at};
use crate::log::answer::{Answer, Span};
use crate::log::block;
use crate::log::index::{self, ENTRY_BYTES, Entry, FOOTER_BYTES, Footer, SEALED_MAGIC};
use crate::log::limits::{BLOCK_RAW_BYTES_MAX, READ_BYTES_MAX};

/// Largest index that is believed: a block each 64 KB of a journal segment of many gigabytes.
const INDEX_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// An open sealed file with its index.
#[derive(Debug)]
pub(crate) struct SealedReader {
    meta: Arc<SealedFile>,
    file: Arc<dyn DiskFile>,
    entries: Vec<Entry>,
    index_offset: u64,
    /// The block read last: the next read often starts inside it.
    last: Mutex<Option<(usize, Vec<Span>)>>,
}

/// Why a sealed file could not be read.
#[derive(Debug)]
pub(crate) enum SealedError {
    /// Retention has taken the file in the meantime.
    Gone,
    /// The events of this description cannot be read.
    Damaged(String),
}

impl SealedReader {
    /// Opens a file and checks its index.
    pub(crate) fn open(disk: &dyn Disk, meta: Arc<SealedFile>) -> Result<Self, SealedError> {
        let file = match disk.open(&meta.path, OpenMode::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(SealedError::Gone),
            Err(error) => return Err(damaged(&meta, &error.to_string(), meta.base..meta.next)),
        };
        match Self::load(&*file, &meta) {
            Ok((entries, index_offset)) => Ok(Self {
                meta,
                file,
                entries,
                index_offset,
                last: Mutex::new(None),
            }),
            Err(reason) => Err(damaged(&meta, &reason, meta.base..meta.next)),
        }
    }

    fn load(file: &dyn DiskFile, meta: &SealedFile) -> Result<(Vec<Entry>, u64), String> {
        let wrong = |what: &str| format!("its {what} does not match its checksum");
        let read = |offset, len| read_exactly(file, offset, len).map_err(|error| error.to_string());
        let magic = read(0, SEALED_MAGIC.len())?;
        let size = file.size().map_err(|error| error.to_string())?;
        let footer_at = size
            .checked_sub(FOOTER_BYTES as u64)
            .ok_or_else(|| "it is too short".to_owned())?;
        let footer = Footer::decode(&read(footer_at, FOOTER_BYTES)?).ok_or_else(|| wrong("footer"))?;
        let index_bytes = footer_at
            .checked_sub(footer.index_offset)
            .filter(|bytes| *bytes == footer.blocks.saturating_mul(ENTRY_BYTES as u64) && *bytes <= INDEX_BYTES_MAX);
        let index_bytes = index_bytes
            .and_then(|bytes| usize::try_from(bytes).ok())
            .ok_or_else(|| wrong("footer"))?;
        let entries = index::decode(&read(footer.index_offset, index_bytes)?, &footer).ok_or_else(|| wrong("index"))?;
        let is_named_so = (footer.partition, footer.base, footer.next) == (meta.partition, meta.base, meta.next);
        if magic != SEALED_MAGIC || !is_named_so {
            return Err("its name and its contents differ".to_owned());
        }
        Ok((entries, footer.index_offset))
    }

    /// Adds what the answer wants. Damage is an error only while the answer is empty: a reader gets what lies before.
    pub(crate) fn read(&self, answer: &mut Answer) -> Result<(), SealedError> {
        let start = index::seek(&self.entries, answer.target());
        for at in start..self.entries.len() {
            let spans = match self.block(at) {
                Ok(spans) => spans,
                Err(_) if !answer.is_empty() => return Ok(()),
                Err(error) => return Err(error),
            };
            for span in spans {
                if !answer.push(span) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn block(&self, at: usize) -> Result<Vec<Span>, SealedError> {
        if let Some((number, spans)) = &*self.last.lock()
            && *number == at
        {
            return Ok(spans.clone());
        }
        let spans = self.load_block(at).map_err(|reason| {
            let base = self.entries.get(at).map_or(self.meta.base, |entry| entry.base);
            let next = self.entries.get(at + 1).map_or(self.meta.next, |entry| entry.base);
            damaged(&self.meta, &reason, base..next)
        })?;
        *self.last.lock() = Some((at, spans.clone()));
        Ok(spans)
    }

    fn load_block(&self, at: usize) -> Result<Vec<Span>, String> {
        let entry = self.entries.get(at).ok_or("there is no such block")?;
        let end = self.entries.get(at + 1).map_or(self.index_offset, |next| next.offset);
        let len = usize::try_from(end.saturating_sub(entry.offset)).unwrap_or(usize::MAX);
        if len > BLOCK_RAW_BYTES_MAX.max(READ_BYTES_MAX) {
            return Err(format!("its block at byte {} is too long", entry.offset));
        }
        let bytes = read_exactly(&*self.file, entry.offset, len).map_err(|error| error.to_string())?;
        block::decode(&bytes, entry.base)
            .ok_or_else(|| format!("its block at byte {} does not match its checksum", entry.offset))
    }
}

fn read_exactly(file: &dyn DiskFile, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    if read_full_at(file, &mut bytes, offset)? != len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

fn damaged(meta: &SealedFile, reason: &str, events: std::ops::Range<u64>) -> SealedError {
    SealedError::Damaged(format!(
        "events {} to {} of partition {} cannot be read: {}: {reason}",
        events.start,
        events.end.saturating_sub(1),
        meta.partition,
        meta.path.display()
    ))
}
