//! Connections to the database: their settings, and the tables.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

/// The layout of the tables; another one is refused by its number.
pub(crate) const FORMAT: i64 = 2;
/// The layout before mailboxes had counts; brought up to date when it is opened.
const FORMAT_WITHOUT_COUNTS: i64 = 1;
/// Tells the file from other SQLite databases; the letters `IrHb`.
const APPLICATION_ID: i64 = 0x4972_4862;
/// Holds five twins of usual size.
pub(crate) const PAGE_BYTES: u64 = 8192;
/// Page cache of the writer. Allocated as it fills.
const WRITER_CACHE_KIB: i64 = 64 * 1024;
/// Page cache of each reader.
const READER_CACHE_KIB: i64 = 16 * 1024;
/// A write-ahead log that a burst has made longer than this is cut back when it starts anew.
const WAL_BYTES_KEPT_MAX: i64 = 64 * 1024 * 1024;
/// Prepared statements kept by each connection: all that there are.
const STATEMENTS_MAX: usize = 48;
/// Only other programs (a backup tool, the SQLite shell) can hold a lock that makes a reader wait.
const BUSY_WAIT_MAX: Duration = Duration::from_secs(1);

// `documents` and `mail` are clustered by their keys: pages and queues are read in key order.
const SCHEMA: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE documents (
    code INTEGER NOT NULL, key BLOB NOT NULL, rev INTEGER NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (code, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE mail (
    mailbox BLOB NOT NULL, id INTEGER NOT NULL, due_at INTEGER NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (mailbox, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX mail_due ON mail (due_at, id);
CREATE TABLE outbox (id INTEGER PRIMARY KEY, partition INTEGER NOT NULL, event BLOB NOT NULL) STRICT;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('sequence', 1);
";

/// How many messages each mailbox holds, kept by the database itself: a mailbox of a hundred thousand reports must not
/// be counted for each one more.
const MAILBOX_COUNTS: &str = "
CREATE TABLE mailboxes (mailbox BLOB PRIMARY KEY, messages INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TRIGGER mail_pushed AFTER INSERT ON mail BEGIN
    INSERT INTO mailboxes VALUES (new.mailbox, 1) ON CONFLICT DO UPDATE SET messages = messages + 1;
END;
CREATE TRIGGER mail_removed AFTER DELETE ON mail BEGIN
    UPDATE mailboxes SET messages = messages - 1 WHERE mailbox = old.mailbox;
    DELETE FROM mailboxes WHERE mailbox = old.mailbox AND messages = 0;
END;
";

/// Opens the writer's connection to the file, which must exist and may be empty.
pub(crate) fn open_writer(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_WRITE))?;
    set_up_writer(&connection)?;
    // SQLite answers with the mode in force, which stays another one where shared memory is missing.
    connection.pragma_update_and_check(None, "journal_mode", "wal", |row| match row.get_ref(0)?.as_str()? {
        "wal" => Ok(()),
        _ => Err(rusqlite::Error::InvalidQuery),
    })?;
    Ok(connection)
}

/// Opens a connection that cannot write.
pub(crate) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_ONLY))?;
    set_up(&connection, READER_CACHE_KIB)?;
    Ok(connection)
}

/// Opens a database that lives as long as its connection.
pub(crate) fn open_in_memory() -> rusqlite::Result<Connection> {
    let connection = Connection::open_in_memory_with_flags(flags(OpenFlags::SQLITE_OPEN_READ_WRITE))?;
    set_up_writer(&connection)?;
    Ok(connection)
}

/// Every connection has one thread at a time, so SQLite need not lock.
fn flags(access: OpenFlags) -> OpenFlags {
    access | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn set_up_writer(connection: &Connection) -> rusqlite::Result<()> {
    // These two must come before the first table.
    connection.pragma_update(None, "page_size", PAGE_BYTES.cast_signed())?;
    connection.pragma_update(None, "auto_vacuum", "incremental")?;
    connection.pragma_update(None, "synchronous", "full")?;
    // On macOS only this reaches the medium.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT_MAX)?;
    set_up(connection, WRITER_CACHE_KIB)
}

fn set_up(connection: &Connection, cache_kib: i64) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_WAIT_MAX)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)
}

/// The format of the database's tables; `None` when it has none.
pub(crate) fn format(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    let tables: i64 = connection.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        return Ok(None);
    }
    connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map(Some)
}

/// Creates the tables, together with the record that proves the master key.
pub(crate) fn create_tables(connection: &Connection, seal_proof: &[u8]) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(SCHEMA)?;
    transaction.execute_batch(MAILBOX_COUNTS)?;
    transaction.execute("INSERT INTO meta VALUES ('seal_proof', ?1)", [seal_proof])?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

/// Can this program read tables of this format?
pub(crate) fn is_known(format: i64) -> bool {
    [FORMAT_WITHOUT_COUNTS, FORMAT].contains(&format)
}

/// Brings tables of an earlier format up to date.
pub(crate) fn upgrade(connection: &Connection, found: i64) -> rusqlite::Result<()> {
    if found != FORMAT_WITHOUT_COUNTS {
        return Ok(());
    }
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(MAILBOX_COUNTS)?;
    transaction.execute_batch("INSERT INTO mailboxes SELECT mailbox, COUNT(*) FROM mail GROUP BY mailbox")?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

/// The record that proves the master key.
pub(crate) fn seal_proof(connection: &Connection) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .query_row("SELECT value FROM meta WHERE name = 'seal_proof'", [], |row| row.get(0))
        .optional()
}

/// Lets the database take no more than `bytes_max` on disk.
pub(crate) fn limit_size(connection: &Connection, bytes_max: u64) -> rusqlite::Result<()> {
    let pages = i64::try_from(bytes_max / PAGE_BYTES).unwrap_or(i64::MAX);
    connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
}

/// Lets the writer learn of other programs' locks at once: it has a way to wait of its own.
pub(crate) fn never_wait(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::ZERO)
}

/// Takes checkpoints over from SQLite, which would ignore their failures. The counter tells how many pages the
/// write-ahead log held after the last transaction.
pub(crate) fn count_wal_pages(connection: &mut Connection) -> rusqlite::Result<Arc<AtomicU32>> {
    let pages = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&pages);
    connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, count: std::ffi::c_int| {
        counter.store(count.try_into().unwrap_or(0), Ordering::Relaxed);
        Ok(())
    }))?;
    Ok(pages)
}

/// Copies the write-ahead log into the database as far as readers allow, and makes that durable.
pub(crate) fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}

/// How many of the database's pages hold nothing.
pub(crate) fn free_pages(connection: &Connection) -> rusqlite::Result<u32> {
    connection.query_row("PRAGMA freelist_count", [], |row| row.get(0))
}

/// Gives at most so many free pages back. The file gets shorter with the next checkpoint.
pub(crate) fn give_back(connection: &Connection, pages: u32) -> rusqlite::Result<()> {
    // One step of the statement frees one page; `execute_batch` takes all of them.
    connection.execute_batch(&format!("PRAGMA incremental_vacuum({pages})"))
}
