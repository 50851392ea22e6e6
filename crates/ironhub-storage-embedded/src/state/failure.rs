//! What a failure of SQLite means to the store.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use ironhub_hub::ports::StoreError;
use rusqlite::ErrorCode;
use rusqlite::ffi::{SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_WRITE};

use crate::meta::create_private;

/// What the index of the write-ahead log grows by at once.
const PROBE_BYTES: usize = 32 * 1024;

/// Why a transaction failed as a whole. Nothing of it was done, or nobody can know.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No space is left, or another program holds the database: it will work later.
    Passing(String),
    /// Stored data cannot be read, or is not what this program stored.
    Damaged(String),
    /// The disk failed: what it holds is not known any more.
    Disk(String),
}

impl Failure {
    /// Judges an error of a writing statement. `directory` is probed when SQLite does not tell a full disk or an
    /// exhausted quota from a broken one; there is none in memory.
    pub(crate) fn of_write(error: &rusqlite::Error, directory: Option<&Path>) -> Self {
        let reason = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Passing(reason),
            _ if is_for_want_of_space(error, directory) => Self::Passing(reason),
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly) => Self::Disk(reason),
            _ => Self::Damaged(reason),
        }
    }
}

/// Did it fail because there is no space left? `directory` as for [`Failure::of_write`].
pub(crate) fn is_for_want_of_space(error: &rusqlite::Error, directory: Option<&Path>) -> bool {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => true,
        Some(ErrorCode::SystemIoFailure) => is_room(error) && directory.is_some_and(has_no_room),
        _ => false,
    }
}

/// Judges an error of a reading statement.
pub(crate) fn of_read(error: &rusqlite::Error) -> StoreError {
    StoreError::Damaged(error.to_string())
}

/// SQLite reports ENOSPC as a full disk when it writes the database or its log, but as an I/O error when it enlarges
/// the index of the log, and EDQUOT as an I/O error everywhere.
fn is_room(error: &rusqlite::Error) -> bool {
    error
        .sqlite_error()
        .is_some_and(|error| [SQLITE_IOERR_WRITE, SQLITE_IOERR_SHMSIZE].contains(&error.extended_code))
}

/// Tries to write something.
fn has_no_room(directory: &Path) -> bool {
    let path = directory.join("space-probe");
    let write = || {
        remove(&path)?;
        create_private(&path)?;
        let mut file = OpenOptions::new().write(true).open(&path)?;
        file.write_all(&vec![0; PROBE_BYTES])?;
        file.sync_data()
    };
    let written: std::io::Result<()> = write();
    if let Err(error) = remove(&path) {
        tracing::debug!(%error, "the space probe stays behind");
    }
    written.is_err_and(|error| matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
}

fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi::{
        SQLITE_BUSY, SQLITE_CORRUPT, SQLITE_FULL, SQLITE_IOERR_FSYNC, SQLITE_IOERR_WRITE, SQLITE_NOTADB,
    };

    use super::*;

    #[track_caller]
    fn check(code: i32, directory: Option<&Path>, expected: fn(String) -> Failure) {
        let error = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        assert_eq!(Failure::of_write(&error, directory), expected(error.to_string()));
    }

    #[test]
    fn what_passes_what_is_damage_and_what_is_the_end() {
        let roomy = tempfile::tempdir().unwrap();
        check(SQLITE_FULL, None, Failure::Passing);
        check(SQLITE_BUSY, None, Failure::Passing);
        check(SQLITE_CORRUPT, None, Failure::Damaged);
        check(SQLITE_NOTADB, None, Failure::Damaged);
        check(SQLITE_IOERR_FSYNC, None, Failure::Disk);
        check(SQLITE_IOERR_WRITE, None, Failure::Disk);
        check(SQLITE_IOERR_WRITE, Some(roomy.path()), Failure::Disk);
        assert_eq!(
            fs::read_dir(roomy.path()).unwrap().count(),
            0,
            "the probe leaves nothing behind"
        );
    }

    /// A device that is always full.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_told_from_a_broken_one() {
        let directory = tempfile::tempdir().unwrap();
        let full = std::fs::write("/dev/full", [0; 10]).unwrap_err();
        assert_eq!(full.kind(), ErrorKind::StorageFull, "this is what the probe looks for");
        assert!(!has_no_room(directory.path()));
        assert!(
            !has_no_room(&directory.path().join("missing")),
            "no directory is another problem"
        );
    }
}
