//! What the storage asks of a file system, as a trait: the seam where tests inject full disks, failed syncs and power
//! loss.
//!
//! Nothing is durable before [`DiskFile::sync`] returned (contents) and [`Disk::sync_dir`] returned (names). Every
//! adapter here keeps to that and promises no more.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

pub mod fault;
mod memory;
mod real;

pub use memory::MemoryDisk;
pub use real::RealDisk;

/// Zeros are written in pieces of this size.
const ZERO_PIECE_BYTES: usize = 1024 * 1024;

/// How to open a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// An existing file, to read.
    Read,
    /// An existing file, to read and write.
    Write,
    /// A new, empty file with mode 0600, to read and write; what had the name before is emptied.
    Create,
}

/// Directories and names.
pub trait Disk: fmt::Debug + Send + Sync + 'static {
    /// Makes a directory, and those above it, with mode 0700; fine when it is there already.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Opens a file.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>>;

    /// The names of the files of a directory, sorted; directories are left out.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// The length of a file in bytes.
    fn size(&self, path: &Path) -> io::Result<u64>;

    /// Gives a file another name, replacing what had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a name; who has the file open keeps it.
    fn unlink(&self, path: &Path) -> io::Result<()>;

    /// Makes the names of a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes the lock of this path for this process until the guard is dropped; [`io::ErrorKind::WouldBlock`] when
    /// another holds it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>>;
}

/// Held while a directory is in use.
pub trait DiskLock: fmt::Debug + Send + Sync + 'static {}

/// An open file.
pub trait DiskFile: fmt::Debug + Send + Sync + 'static {
    /// Its length in bytes.
    fn size(&self) -> io::Result<u64>;

    /// Reads at an offset; may return fewer bytes than asked for, 0 at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes at an offset; may write fewer bytes than given.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Makes the contents durable, and the length if it has changed (`fdatasync`).
    fn sync(&self) -> io::Result<()>;

    /// Cuts or extends the file; an extension reads as zeros.
    fn set_len(&self, bytes: u64) -> io::Result<()>;

    /// Writes zeros, so that blocks are allocated and later writes there need no change of the file system's own
    /// records. (`fallocate` does not do: its unwritten extents cost a journal commit at the first sync.)
    fn zero(&self, from: u64, to: u64) -> io::Result<()> {
        let zeros = vec![0; ZERO_PIECE_BYTES];
        let mut at = from;
        while at < to {
            let piece = usize::try_from(to - at).map_or(ZERO_PIECE_BYTES, |left| left.min(ZERO_PIECE_BYTES));
            write_all_at(self, zeros.get(..piece).unwrap_or(&zeros), at)?;
            at += piece as u64;
        }
        Ok(())
    }
}

/// Writes all of `bytes`, however short the single writes are.
pub(crate) fn write_all_at<F: DiskFile + ?Sized>(file: &F, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = bytes.get(written..).unwrap_or_default();
                offset += written as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads until the buffer is full or the file ends; returns how much there was.
pub(crate) fn read_full_at<F: DiskFile + ?Sized>(file: &F, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Is there no room left, so that the same write may succeed later?
pub(crate) fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
