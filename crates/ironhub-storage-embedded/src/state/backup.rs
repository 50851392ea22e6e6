//! A copy of the live database.

use std::fs::{self, File};
use std::path::Path;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use crate::meta::create_private;

/// Why there is no backup. What was written of it is removed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file exists already, or cannot be written.
    #[error("cannot write the backup: {0}")]
    Io(#[from] std::io::Error),
    /// The database cannot be read, or the copy not be written.
    #[error("cannot copy the state: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// Another program holds the copy.
    #[error("the backup is in use by another program")]
    Busy,
    /// The store has stopped.
    #[error("the state store has stopped")]
    Stopped,
}

/// Copies the database as of now into a new file.
pub(crate) fn backup(source: &Connection, path: &Path) -> Result<(), BackupError> {
    create_private(path)?;
    let copied = copy(source, path);
    if copied.is_err() {
        // The reason of the failure matters more than its remains.
        let _ = fs::remove_file(path);
    }
    copied
}

fn copy(source: &Connection, path: &Path) -> Result<(), BackupError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut target = Connection::open_with_flags(path, flags)?;
    // All pages in one step are one snapshot; commits go on beside it.
    if Backup::new(source, &mut target)?.step(-1)? != StepResult::Done {
        return Err(BackupError::Busy);
    }
    // A copy of a database with a write-ahead log claims to have one too; a backup is one file.
    target.pragma_update(None, "journal_mode", "delete")?;
    target.close().map_err(|(_, error)| error)?;
    File::open(path)?.sync_all()?;
    Ok(())
}
