//! Writes a sealed file under a temporary name, and gives it its name once it is durable.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ironhub_model::Timestamp;

use super::{SealedFile, partition_dir, sealed_path};
use crate::disk::{Disk, DiskFile, OpenMode, write_all_at};
use crate::log::block::BlockBuilder;
use crate::log::index::{self, Entry, Footer, SEALED_MAGIC};
use crate::log::limits::BACKGROUND_STEP_BYTES;

/// Blocks are written when so much has gathered.
const WRITE_BYTES: usize = 256 * 1024;

/// A sealed file that grows.
#[derive(Debug)]
pub(crate) struct SealedWriter {
    partition: u32,
    dir: PathBuf,
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    block: BlockBuilder,
    entries: Vec<Entry>,
    pending: Vec<u8>,
    written: u64,
    synced: u64,
    next: u64,
    last_enqueued_at: Timestamp,
}

/// Why a sealed file could not be written.
#[derive(Debug)]
pub(crate) enum SealError {
    /// The write or another operation failed.
    Io(PathBuf, io::Error),
    /// The sync failed: what is durable is not known.
    Sync(PathBuf, io::Error),
}

impl SealedWriter {
    /// Starts a file for a partition of the log in `dir`, with this first event.
    pub(crate) fn create(disk: &dyn Disk, dir: &Path, partition: u32, base: u64) -> Result<Self, SealError> {
        let dir = partition_dir(dir, partition);
        let path = dir.join(format!("{base:020}.tmp"));
        let file = disk
            .open(&path, OpenMode::Create)
            .map_err(|error| SealError::Io(path.clone(), error))?;
        Ok(Self {
            partition,
            dir,
            path,
            file,
            block: BlockBuilder::default(),
            entries: Vec::new(),
            pending: SEALED_MAGIC.to_vec(),
            written: 0,
            synced: 0,
            next: base,
            last_enqueued_at: Timestamp::UNIX_EPOCH,
        })
    }

    /// Adds the next event.
    pub(crate) fn push(&mut self, enqueued_at: Timestamp, event: &[u8]) -> Result<(), SealError> {
        if !self.block.has_room(event.len()) {
            self.close_block()?;
        }
        self.block.push(self.next, enqueued_at, event);
        self.next += 1;
        self.last_enqueued_at = enqueued_at;
        Ok(())
    }

    /// The event that it waits for.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Where the file is until it is finished.
    pub(crate) fn temporary_path(&self) -> &Path {
        &self.path
    }

    fn close_block(&mut self) -> Result<(), SealError> {
        let block = self.block.finish();
        self.entries.push(Entry {
            offset: self.written + self.pending.len() as u64,
            base: block.base,
            first_enqueued_at: block.first_enqueued_at,
        });
        self.pending.extend_from_slice(&block.bytes);
        if self.pending.len() >= WRITE_BYTES {
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), SealError> {
        write_all_at(&*self.file, &self.pending, self.written)
            .map_err(|error| SealError::Io(self.path.clone(), error))?;
        self.written += self.pending.len() as u64;
        self.pending.clear();
        if self.written - self.synced >= BACKGROUND_STEP_BYTES {
            self.sync()?;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), SealError> {
        self.synced = self.written;
        self.file
            .sync()
            .map_err(|error| SealError::Sync(self.path.clone(), error))
    }

    /// Writes the rest, makes the file durable and gives it its name. There must be at least one event.
    pub(crate) fn finish(mut self, disk: &dyn Disk) -> Result<SealedFile, SealError> {
        if !self.block.is_empty() {
            self.close_block()?;
        }
        let footer = self.footer();
        self.pending.extend_from_slice(&index::encode(&self.entries));
        self.pending.extend_from_slice(&footer.encode());
        self.write()?;
        self.sync()?;
        let path = sealed_path(&self.dir, footer.base, footer.next, footer.last_enqueued_at);
        disk.rename(&self.path, &path)
            .map_err(|error| SealError::Io(self.path.clone(), error))?;
        disk.sync_dir(&self.dir)
            .map_err(|error| SealError::Sync(self.dir.clone(), error))?;
        Ok(SealedFile {
            partition: self.partition,
            base: footer.base,
            next: footer.next,
            last_enqueued_at: footer.last_enqueued_at,
            bytes: self.written,
            path,
        })
    }

    fn footer(&self) -> Footer {
        Footer {
            index_crc: crc32fast::hash(&index::encode(&self.entries)),
            index_offset: self.written + self.pending.len() as u64,
            blocks: self.entries.len() as u64,
            partition: self.partition,
            base: self.entries.first().map_or(self.next, |entry| entry.base),
            next: self.next,
            last_enqueued_at: self.last_enqueued_at,
        }
    }
}
