//! Opens the database and starts the threads.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;
use rusqlite::Connection;

use super::health::Health;
use super::queue::JobQueue;
use super::reader::Readers;
use super::sequence::Sequence;
use super::writer::Writer;
use super::{QUEUE_BYTES_MAX, SqliteState};
use super::{connection, failure};
use crate::meta::{DataDir, MetaError};
use crate::seal::Seal;

/// The database's name in its directory.
pub(super) const FILE_NAME: &str = "state.sqlite";
/// Reading threads, and their bounds.
const READERS_MIN: usize = 2;
const READERS_MAX: usize = 8;

/// How to run a store.
#[derive(Clone)]
pub struct StateOptions {
    /// The database may take this much on disk, beside its write-ahead log; no limit unless given. What does not
    /// fit waits, as on a full disk.
    pub bytes_max: Option<u64>,
    /// Called once, from the writer's thread, when the disk fails under a write or fsync: what it holds is unknown
    /// then, so the process has to end and read it again. Nobody who waits is answered before this returns.
    pub on_fatal: Arc<dyn Fn(&str) + Send + Sync>,
}

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub enum StateOpenError {
    /// The directory refuses.
    #[error(transparent)]
    Directory(#[from] MetaError),
    /// The database cannot be read, or is none.
    #[error("cannot open the state in {path}: {source}", path = .path.display())]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// There is no room on the disk for what an open database needs.
    #[error("there is no space to open the state in {path} ({source}): make room, then start again", path = .path.display())]
    NoSpace {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// Another version of the program wrote it.
    #[error("{path} has state format {found}; this program reads format {known}", path = .path.display(), known = connection::FORMAT)]
    Format {
        /// The database.
        path: PathBuf,
        /// What it has.
        found: i64,
    },
    /// The database is there, the key to it is not.
    #[error("{path} is missing, and the state cannot be read without it: restore it from the backup", path = .path.display())]
    KeyMissing {
        /// Where the key belongs.
        path: PathBuf,
    },
    /// The key is not the one that the database was sealed with.
    #[error("{path} is not the key that the state was sealed with: restore it from the backup", path = .path.display())]
    KeyWrong {
        /// The key.
        path: PathBuf,
    },
    /// A document does not open.
    #[error("{path}: {reason}", path = .path.display())]
    Document {
        /// The database.
        path: PathBuf,
        /// Which document, and why.
        reason: String,
    },
    /// No hub has ever run there.
    #[error("there is no hub in {path}", path = .path.display())]
    Absent {
        /// The directory.
        path: PathBuf,
    },
    /// The system refuses threads or random numbers.
    #[error("cannot start the state store: {0}")]
    System(String),
}

impl StateOpenError {
    fn at(path: &Path, directory: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        if failure::is_for_want_of_space(&source, Some(directory)) {
            Self::NoSpace { path, source }
        } else {
            Self::Sqlite { path, source }
        }
    }
}

impl Default for StateOptions {
    /// No limit, and nobody to tell of a failure but the log.
    fn default() -> Self {
        Self {
            bytes_max: None,
            on_fatal: Arc::new(|_| ()),
        }
    }
}

pub(super) fn in_directory(directory: &DataDir, options: &StateOptions) -> Result<SqliteState, StateOpenError> {
    let path = directory.path().join(FILE_NAME);
    let seal = Seal::load(directory, path.exists())?;
    directory.create_file(FILE_NAME)?;
    let failed = |source| StateOpenError::at(&path, directory.path(), source);
    let mut writer = connection::open_writer(&path).map_err(failed)?;
    match connection::format(&writer).map_err(failed)? {
        None => connection::create_tables(&writer, &seal.proof()?).map_err(failed)?,
        Some(found) if !connection::is_known(found) => return Err(StateOpenError::Format { path, found }),
        Some(found) => {
            check_key(&writer, &seal, &path)?;
            connection::upgrade(&writer, found).map_err(failed)?;
        }
    }
    let wal_pages = connection::count_wal_pages(&mut writer).map_err(failed)?;
    let readers = (0..readers_count()).map(|_| connection::open_reader(&path).map(Mutex::new).map(Arc::new));
    let readers = readers.collect::<rusqlite::Result<Vec<_>>>().map_err(failed)?;
    connection::never_wait(&writer).map_err(failed)?;
    let start = Start {
        writer,
        readers,
        seal,
        wal_pages: Some(wal_pages),
        directory: Some(directory.clone()),
    };
    start.run(options).map_err(|problem| problem.at(&path))
}

pub(super) fn in_memory(options: &StateOptions) -> Result<SqliteState, StateOpenError> {
    let path = PathBuf::from(":memory:");
    let failed = |source| StateOpenError::Sqlite {
        path: path.clone(),
        source,
    };
    let seal = Seal::ephemeral()?;
    let writer = connection::open_in_memory().map_err(failed)?;
    connection::create_tables(&writer, &seal.proof()?).map_err(failed)?;
    let start = Start {
        writer,
        readers: Vec::new(),
        seal,
        wal_pages: None,
        directory: None,
    };
    start.run(options).map_err(|problem| problem.at(&path))
}

/// `path` is the database's.
pub(super) fn check_key(connection: &Connection, seal: &Seal, path: &Path) -> Result<(), StateOpenError> {
    let proof = connection::seal_proof(connection).map_err(|source| StateOpenError::Sqlite {
        path: path.to_owned(),
        source,
    })?;
    if proof.is_some_and(|proof| seal.is_proven_by(proof)) {
        return Ok(());
    }
    Err(StateOpenError::KeyWrong {
        path: path.with_file_name(crate::seal::FILE_NAME),
    })
}

fn readers_count() -> usize {
    thread::available_parallelism()
        .map_or(READERS_MIN, NonZero::get)
        .clamp(READERS_MIN, READERS_MAX)
}

/// What is open and not yet running.
struct Start {
    writer: Connection,
    /// None in memory: the one connection serves all then.
    readers: Vec<Arc<Mutex<Connection>>>,
    seal: Seal,
    wal_pages: Option<Arc<std::sync::atomic::AtomicU32>>,
    directory: Option<DataDir>,
}

enum StartProblem {
    Sqlite(rusqlite::Error),
    Thread(std::io::Error),
}

impl StartProblem {
    fn at(self, path: &Path) -> StateOpenError {
        match self {
            Self::Sqlite(source) => StateOpenError::Sqlite {
                path: path.to_owned(),
                source,
            },
            Self::Thread(error) => StateOpenError::System(error.to_string()),
        }
    }
}

impl Start {
    fn run(self, options: &StateOptions) -> Result<SqliteState, StartProblem> {
        if let Some(bytes_max) = options.bytes_max {
            connection::limit_size(&self.writer, bytes_max).map_err(StartProblem::Sqlite)?;
        }
        let sequence = Sequence::load(&self.writer).map_err(StartProblem::Sqlite)?;
        let connection = Arc::new(Mutex::new(self.writer));
        let mut readers = self.readers;
        if readers.is_empty() {
            readers.push(Arc::clone(&connection));
        }
        let health = Arc::new(Health::default());
        let queue = JobQueue::new(QUEUE_BYTES_MAX);
        let writer = Writer {
            connection,
            queue: Arc::clone(&queue),
            sequence,
            health: Arc::clone(&health),
            directory: self.directory.as_ref().map(|directory| directory.path().to_owned()),
            wal_pages: self.wal_pages,
            is_log_stuck: false,
            on_fatal: Arc::clone(&options.on_fatal),
        };
        let (readers, mut threads) = Readers::start(readers).map_err(StartProblem::Thread)?;
        let thread = thread::Builder::new().name("state-writer".into());
        threads.push(thread.spawn(move || writer.run()).map_err(StartProblem::Thread)?);
        Ok(SqliteState {
            writes: queue,
            readers,
            seal: self.seal,
            health,
            threads,
            _directory: self.directory,
        })
    }
}
