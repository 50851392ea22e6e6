//! State in SQLite: one writer with group commit, readers beside it.
//!
//! A commit is answered after the fsync of the transaction that it was in; there is no lingering for more commits,
//! since those that arrive during one fsync make up the next transaction. Readers see everything that was answered.

mod apply;
mod backup;
mod connection;
mod failure;
mod health;
mod look;
mod open;
mod queue;
mod reader;
mod sequence;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::Bytes;
use ironhub_hub::ports::{
    Commit, CommitError, Key, Mail, MailId, OutboxId, OutboxRecord, Rev, StateStore, StoreError, Table,
};
use ironhub_model::Timestamp;
use tokio::sync::oneshot;

pub use self::backup::BackupError;
pub use self::health::StateHealth;
pub use self::look::StateLook;
pub use self::open::{StateOpenError, StateOptions};

use self::apply::Outcome;
use self::health::Health;
use self::queue::JobQueue;
use self::reader::{KeyRange, Readers};
use self::writer::WriteJob;
use crate::meta::DataDir;
use crate::seal::Seal;

/// Bytes of commits that wait or are being written. A commit counts as its contents, and as a page at least.
const QUEUE_BYTES_MAX: u32 = 32 * 1024 * 1024;
/// What a commit counts at least.
const COMMIT_BYTES_MIN: usize = 1024;

/// A hub's state in one SQLite database, in a directory or in memory.
///
/// Dropping it writes what is queued and waits for that. A commit whose caller stops waiting still takes place.
pub struct SqliteState {
    writes: Arc<JobQueue<WriteJob>>,
    readers: Readers,
    seal: Seal,
    health: Arc<Health>,
    threads: Vec<JoinHandle<()>>,
    /// Keeps other processes out.
    _directory: Option<DataDir>,
}

impl SqliteState {
    /// Opens the store of a data directory, and creates it at the first time.
    pub fn open(directory: &DataDir, options: &StateOptions) -> Result<Self, StateOpenError> {
        open::in_directory(directory, options)
    }

    /// A store that is empty and leaves nothing behind. Documents are sealed nevertheless: one path for both.
    pub fn open_in_memory() -> Result<Self, StateOpenError> {
        open::in_memory(&StateOptions::default())
    }

    /// Can it write?
    pub fn health(&self) -> StateHealth {
        self.health.now()
    }

    /// Writes a copy as of now to a new file of mode 0600, while commits go on. Its secret documents stay sealed:
    /// it is of use only together with `master.key`.
    pub async fn backup_to(&self, path: &Path) -> Result<(), BackupError> {
        let path = path.to_owned();
        let copied = self
            .readers
            .read(move |connection| Ok(backup::backup(connection, &path)))
            .await;
        copied.map_err(|_| BackupError::Stopped)?
    }

    /// Hands the commit to the writer; `Err` when there is none any more.
    async fn submit(&self, commit: Commit) -> Result<Outcome, StoreError> {
        let (answer, answered) = oneshot::channel();
        let room = u32::try_from(bytes(&commit).max(COMMIT_BYTES_MIN)).unwrap_or(u32::MAX);
        let queued = self.writes.push(WriteJob { commit, answer }, room).await;
        queued.map_err(|_| StoreError::Stopped)?;
        answered.await.map_err(|_| StoreError::Stopped)
    }
}

impl StateStore for SqliteState {
    async fn get(&self, table: Table, key: &Key) -> Result<Option<(Bytes, Rev)>, StoreError> {
        let wanted = key.clone();
        let found = self
            .readers
            .read(move |connection| reader::get(connection, table, &wanted))
            .await?;
        match found {
            None => Ok(None),
            Some((stored, rev)) => Ok(Some((self.seal.open(table, key, stored)?, rev))),
        }
    }

    async fn get_many(
        &self,
        table: Table,
        keys: Vec<Key>,
        bytes_max: usize,
    ) -> Result<Vec<Option<(Bytes, Rev)>>, StoreError> {
        let (keys, found) = self
            .readers
            .read(move |connection| {
                let found = reader::get_many(connection, table, &keys, bytes_max)?;
                Ok((keys, found))
            })
            .await?;
        let opened = keys.iter().zip(found).map(|(key, found)| match found {
            None => Ok(None),
            Some((stored, rev)) => Ok(Some((self.seal.open(table, key, stored)?, rev))),
        });
        opened.collect()
    }

    async fn commit(&self, mut commit: Commit) -> Result<Vec<Option<Rev>>, CommitError> {
        for op in &mut commit.documents {
            if let Some(content) = &mut op.put {
                *content = self.seal.close(op.table, &op.key, content)?;
            }
        }
        self.submit(commit).await?
    }

    async fn page(
        &self,
        table: Table,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Bytes, Rev)>, StoreError> {
        let range = KeyRange::new(prefix, after);
        let found = self
            .readers
            .read(move |connection| reader::page(connection, table, &range, limit))
            .await?;
        let opened = found.into_iter().map(|(key, (stored, rev))| {
            let content = self.seal.open(table, &key, stored)?;
            Ok((key, content, rev))
        });
        opened.collect()
    }

    async fn mailbox(&self, mailbox: &Key, after: Option<MailId>, limit: usize) -> Result<Vec<Mail>, StoreError> {
        let mailbox = mailbox.clone();
        self.readers
            .read(move |connection| reader::mailbox(connection, &mailbox, after, limit))
            .await
    }

    async fn mailbox_len(&self, mailbox: &Key) -> Result<u32, StoreError> {
        let mailbox = mailbox.clone();
        self.readers
            .read(move |connection| reader::mailbox_len(connection, &mailbox))
            .await
    }

    async fn mailbox_lens(&self, mailboxes: Vec<Key>) -> Result<Vec<u32>, StoreError> {
        self.readers
            .read(move |connection| {
                let lens = mailboxes.iter().map(|mailbox| reader::mailbox_len(connection, mailbox));
                lens.collect()
            })
            .await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<(Key, Mail)>, StoreError> {
        self.readers
            .read(move |connection| reader::due(connection, now, limit))
            .await
    }

    async fn outbox(&self, after: Option<OutboxId>, limit: usize) -> Result<Vec<OutboxRecord>, StoreError> {
        self.readers
            .read(move |connection| reader::outbox(connection, after, limit))
            .await
    }

    fn trouble(&self) -> Option<String> {
        match self.health() {
            StateHealth::Ok => None,
            StateHealth::NoSpace(reason) => Some(format!("the state cannot be written: {reason}")),
            StateHealth::Stopped => Some("the state store has stopped".to_owned()),
        }
    }

    async fn counter(&self, name: &'static str) -> Result<i64, StoreError> {
        self.readers
            .read(move |connection| reader::counter(connection, name))
            .await
    }
}

impl Drop for SqliteState {
    fn drop(&mut self) {
        self.writes.close();
        self.readers.close();
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so itself.
            let _ = thread.join();
        }
    }
}

/// The contents of a commit.
fn bytes(commit: &Commit) -> usize {
    use ironhub_hub::ports::MailOp;
    let documents = commit.documents.iter().map(|op| op.put.as_ref().map_or(0, Bytes::len));
    let mail = commit.mail.iter().map(|op| match op {
        MailOp::Push { content, .. } | MailOp::Update { content, .. } => content.len(),
        MailOp::Remove { .. } | MailOp::Clear { .. } => 0,
    });
    let outbox = commit.outbox.iter().map(|(_, event)| event.len());
    documents.chain(mail).chain(outbox).sum()
}
