//! A look into the state of a hub, beside the process that runs it or after it has stopped.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use ironhub_hub::ports::{Key, Table};
use rusqlite::Connection;

use super::open::{FILE_NAME, check_key};
use super::{StateOpenError, connection, reader};
use crate::meta::{DataDir, MetaError};
use crate::seal::{self, Seal};

/// Documents of a data directory as they are now. Takes no lock, starts no thread and changes no document; whoever
/// can read the directory's files can look.
pub struct StateLook {
    connection: Connection,
    seal: Seal,
    path: PathBuf,
}

impl StateLook {
    /// Opens the state of a data directory. A directory that others can get at is refused, as when a hub starts.
    pub fn open(directory: &Path) -> Result<Self, StateOpenError> {
        let path = directory.join(FILE_NAME);
        let is_there = path.try_exists().map_err(|source| MetaError::Io {
            path: path.clone(),
            source,
        })?;
        if !is_there {
            return Err(StateOpenError::Absent { path: directory.into() });
        }
        let key = DataDir::look(directory, seal::FILE_NAME)?.ok_or_else(|| StateOpenError::KeyMissing {
            path: directory.join(seal::FILE_NAME),
        })?;
        let look = Self {
            connection: connection::open_reader(&path).map_err(failed(&path))?,
            seal: Seal::of(key, directory)?,
            path,
        };
        look.check()?;
        Ok(look)
    }

    /// A document, opened when it is sealed.
    pub fn get(&self, table: Table, key: &Key) -> Result<Option<Bytes>, StateOpenError> {
        let found = reader::get(&self.connection, table, key).map_err(failed(&self.path))?;
        let opened = found.map(|(stored, _)| self.seal.open(table, key, stored)).transpose();
        opened.map_err(|error| StateOpenError::Document {
            path: self.path.clone(),
            reason: error.to_string(),
        })
    }

    fn check(&self) -> Result<(), StateOpenError> {
        match connection::format(&self.connection).map_err(failed(&self.path))? {
            // A hub that was killed in the middle of its very first start leaves an empty file.
            None => Err(StateOpenError::Absent {
                path: self.path.with_file_name(""),
            }),
            Some(found) if connection::is_known(found) => check_key(&self.connection, &self.seal, &self.path),
            Some(found) => Err(StateOpenError::Format {
                path: self.path.clone(),
                found,
            }),
        }
    }
}

fn failed(path: &Path) -> impl Fn(rusqlite::Error) -> StateOpenError {
    move |source| StateOpenError::Sqlite {
        path: path.to_owned(),
        source,
    }
}
