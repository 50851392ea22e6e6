//! Reads, on threads of their own: a page that is not in memory keeps no connection's task waiting.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use ironhub_hub::ports::{Key, Mail, MailId, OutboxId, OutboxRecord, Rev, StoreError, Table};
use ironhub_model::{PartitionId, Timestamp};
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, Row, params};
use tokio::sync::oneshot;

use super::apply::code;
use super::failure;
use super::queue::JobQueue;

/// Reads that wait or run at once; more wait outside.
const READS_MAX: u32 = 1024;

/// A document as it is stored: sealed when its table is secret.
pub(crate) type Stored = (Vec<u8>, Rev);

type ReadJob = Box<dyn FnOnce(&Connection) + Send>;

/// The threads and their queue.
pub(crate) struct Readers {
    queue: Arc<JobQueue<ReadJob>>,
}

impl Readers {
    /// Starts one thread for each connection.
    pub(crate) fn start(connections: Vec<Arc<Mutex<Connection>>>) -> std::io::Result<(Self, Vec<JoinHandle<()>>)> {
        let queue = JobQueue::new(READS_MAX);
        let mut threads = Vec::with_capacity(connections.len());
        for connection in connections {
            let queue = Arc::clone(&queue);
            let thread = thread::Builder::new().name("state-reader".into());
            threads.push(thread.spawn(move || work(&queue, &connection))?);
        }
        Ok((Self { queue }, threads))
    }

    /// Runs a query on one of the threads.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: ReadJob = Box::new(move |connection| {
            // A caller that has gone away does not mind.
            let _ = answer.send(query(connection));
        });
        self.queue.push(job, 1).await.map_err(|_| StoreError::Stopped)?;
        let result = answered.await.map_err(|_| StoreError::Stopped)?;
        result.map_err(|error| failure::of_read(&error))
    }

    /// Lets the threads end.
    pub(crate) fn close(&self) {
        self.queue.close();
    }
}

fn work(queue: &JobQueue<ReadJob>, connection: &Mutex<Connection>) {
    while let Some(job) = queue.take_one() {
        (job.work)(&connection.lock());
    }
}

pub(crate) fn get(connection: &Connection, table: Table, key: &Key) -> rusqlite::Result<Option<Stored>> {
    connection
        .prepare_cached("SELECT content, rev FROM documents WHERE code = ?1 AND key = ?2")?
        .query_row(params![code(table), key.as_str().as_bytes()], |row| {
            Ok((row.get(0)?, Rev(number(row, 1)?)))
        })
        .optional()
}

/// As many as fit, and one at least.
pub(crate) fn get_many(
    connection: &Connection,
    table: Table,
    keys: &[Key],
    bytes_max: usize,
) -> rusqlite::Result<Vec<Option<Stored>>> {
    let mut found = Vec::with_capacity(keys.len());
    let mut bytes = 0;
    for key in keys {
        let document = get(connection, table, key)?;
        bytes += document.as_ref().map_or(0, |(content, _)| content.len());
        found.push(document);
        if bytes >= bytes_max {
            break;
        }
    }
    Ok(found)
}

/// Which documents to read: keys from `first` up to, not including, `end`.
pub(crate) struct KeyRange {
    first: Vec<u8>,
    end: Vec<u8>,
}

impl KeyRange {
    /// Keys that start with `prefix` and are greater than `after`. A key is UTF-8, which has no byte 0xFF.
    pub(crate) fn new(prefix: &str, after: Option<&Key>) -> Self {
        let beyond = after.map(|key| [key.as_str().as_bytes(), &[0]].concat());
        Self {
            first: beyond.unwrap_or_default().max(prefix.as_bytes().to_vec()),
            end: [prefix.as_bytes(), &[0xFF]].concat(),
        }
    }
}

pub(crate) fn page(
    connection: &Connection,
    table: Table,
    range: &KeyRange,
    limit: usize,
) -> rusqlite::Result<Vec<(Key, Stored)>> {
    let mut select = connection.prepare_cached(
        "SELECT key, content, rev FROM documents WHERE code = ?1 AND key >= ?2 AND key < ?3 ORDER BY key LIMIT ?4",
    )?;
    let rows = select.query_map(params![code(table), range.first, range.end, rows(limit)], |row| {
        Ok((key(row, 0)?, (row.get(1)?, Rev(number(row, 2)?))))
    })?;
    rows.collect()
}

pub(crate) fn mailbox(
    connection: &Connection,
    mailbox: &Key,
    after: Option<MailId>,
    limit: usize,
) -> rusqlite::Result<Vec<Mail>> {
    let mut select = connection
        .prepare_cached("SELECT id, due_at, content FROM mail WHERE mailbox = ?1 AND id > ?2 ORDER BY id LIMIT ?3")?;
    let after = after.map_or(0, |id| id.0.cast_signed());
    let rows = select.query_map(params![mailbox.as_str().as_bytes(), after, rows(limit)], |row| {
        mail(row, 0)
    })?;
    rows.collect()
}

pub(crate) fn mailbox_len(connection: &Connection, mailbox: &Key) -> rusqlite::Result<u32> {
    let messages = connection
        .prepare_cached("SELECT messages FROM mailboxes WHERE mailbox = ?1")?
        .query_row([mailbox.as_str().as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(messages.unwrap_or(0))
}

pub(crate) fn due(connection: &Connection, now: Timestamp, limit: usize) -> rusqlite::Result<Vec<(Key, Mail)>> {
    let mut select = connection.prepare_cached(
        "SELECT mailbox, id, due_at, content FROM mail WHERE due_at <= ?1 ORDER BY due_at, id LIMIT ?2",
    )?;
    let rows = select.query_map(params![now.as_micros(), rows(limit)], |row| {
        Ok((key(row, 0)?, mail(row, 1)?))
    })?;
    rows.collect()
}

pub(crate) fn outbox(
    connection: &Connection,
    after: Option<OutboxId>,
    limit: usize,
) -> rusqlite::Result<Vec<OutboxRecord>> {
    let mut select =
        connection.prepare_cached("SELECT id, partition, event FROM outbox WHERE id > ?1 ORDER BY id LIMIT ?2")?;
    let after = after.map_or(0, |id| id.0.cast_signed());
    let rows = select.query_map(params![after, rows(limit)], |row| {
        Ok(OutboxRecord {
            id: OutboxId(number(row, 0)?),
            partition: PartitionId(row.get(1)?),
            event: row.get::<_, Vec<u8>>(2)?.into(),
        })
    })?;
    rows.collect()
}

pub(crate) fn counter(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    let value = connection
        .prepare_cached("SELECT value FROM counters WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    Ok(value.unwrap_or(0))
}

fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get(column).map(i64::cast_unsigned)
}

fn key(row: &Row<'_>, column: usize) -> rusqlite::Result<Key> {
    let bytes: Vec<u8> = row.get(column)?;
    let text = String::from_utf8(bytes).map_err(|error| rusqlite::Error::Utf8Error(column, error.utf8_error()))?;
    Ok(Key::new(text))
}

/// A message from three columns: number, due time, content.
fn mail(row: &Row<'_>, first: usize) -> rusqlite::Result<Mail> {
    Ok(Mail {
        id: MailId(number(row, first)?),
        due_at: Timestamp::from_micros(row.get(first + 1)?),
        content: row.get::<_, Vec<u8>>(first + 2)?.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(prefix: &str, after: Option<&str>, inside: &[&str], outside: &[&str]) {
        let range = KeyRange::new(prefix, after.map(Key::new).as_ref());
        let holds = |key: &str| range.first.as_slice() <= key.as_bytes() && key.as_bytes() < range.end.as_slice();
        for key in inside {
            assert!(holds(key), "{key} is in");
        }
        for key in outside {
            assert!(!holds(key), "{key} is out");
        }
    }

    #[test]
    fn key_ranges() {
        check("", None, &["", "a", "\u{10FFFF}"], &[]);
        check("", Some("a"), &["a\0", "a!", "b"], &["", "a"]);
        check("d/", None, &["d/", "d/m", "d/\u{10FFFF}"], &["d", "d.", "d0"]);
        check("d/", Some("d/m"), &["d/m0", "d/n"], &["d/m", "d/a", "d0"]);
        check("d/", Some("a"), &["d/", "d/a"], &["b", "c", "d0"]);
        check("d/", Some("e"), &[], &["d/a", "e", "e/", "f"]);
    }
}
