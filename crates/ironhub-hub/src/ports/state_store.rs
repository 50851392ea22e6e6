//! State: documents under keys, mailboxes, the outbox, counters; changed by atomic commits.

use std::fmt;
use std::future::Future;

use bytes::Bytes;
use ironhub_model::{PartitionId, Timestamp};

/// The store's own version of a document, for compare-and-swap. Never leaves the hub: ETags are data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rev(pub u64);

/// What must hold of a document for a commit to go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// There is none.
    Absent,
    /// It is still the one that was loaded.
    At(Rev),
    /// Anything.
    Any,
}

/// Kinds of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Table {
    /// Device identities; hold keys.
    Devices,
    /// Module identities under `{device}/{module}`; hold keys.
    Modules,
    /// Twins of devices and modules.
    Twins,
    /// Topic filters of MQTT sessions.
    Sessions,
    /// Settings and the record that pins the directory; hold keys.
    Hub,
    /// When identities were connected and last heard of.
    Presence,
}

impl Table {
    /// Every table, in the order of its stored code.
    pub const ALL: [Self; 6] = [
        Self::Devices,
        Self::Modules,
        Self::Twins,
        Self::Sessions,
        Self::Hub,
        Self::Presence,
    ];

    /// Do its documents hold keys? Such documents are sealed at rest.
    pub const fn is_secret(self) -> bool {
        matches!(self, Self::Devices | Self::Modules | Self::Hub)
    }
}

/// The name of a document or mailbox: a device ID, `{device}/{module}`, or a fixed word. Compared by bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Box<str>);

impl Key {
    /// Any text; IDs are validated before they get here.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Writes or deletes one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentOp {
    /// Its kind.
    pub table: Table,
    /// Its name.
    pub key: Key,
    /// What must hold.
    pub expect: Expect,
    /// The new content; `None` deletes.
    pub put: Option<Bytes>,
}

/// A message's place in its mailbox; rises with every push to any mailbox and is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailId(pub u64);

/// A message in a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Its place.
    pub id: MailId,
    /// When it is due to be looked at again: its expiry.
    pub due_at: Timestamp,
    /// Its content.
    pub content: Bytes,
}

/// Changes one mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailOp {
    /// Appends a message unless the mailbox already holds `messages_max`.
    Push {
        /// The mailbox.
        mailbox: Key,
        /// When [`StateStore::due`] shall name it.
        due_at: Timestamp,
        /// Its content.
        content: Bytes,
        /// The bound of the mailbox.
        messages_max: u32,
    },
    /// Replaces the content of a message that must still be there.
    Update {
        /// The mailbox.
        mailbox: Key,
        /// Which message.
        id: MailId,
        /// Its new content.
        content: Bytes,
    },
    /// Removes a message that must still be there: of two removers exactly one succeeds.
    Remove {
        /// The mailbox.
        mailbox: Key,
        /// Which message.
        id: MailId,
    },
    /// Removes the whole mailbox, which may be empty.
    Clear {
        /// The mailbox.
        mailbox: Key,
    },
}

/// An outbox record's place; rises and is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutboxId(pub u64);

/// An event that a commit caused and that waits for its way to the event log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRecord {
    /// Its place.
    pub id: OutboxId,
    /// Where it goes.
    pub partition: PartitionId,
    /// Its stored form without a de-duplication id, which is the record's own.
    pub event: Bytes,
}

/// A set of changes that become durable together or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit {
    /// Documents.
    pub documents: Vec<DocumentOp>,
    /// Mailboxes.
    pub mail: Vec<MailOp>,
    /// Events to append to the outbox.
    pub outbox: Vec<(PartitionId, Bytes)>,
    /// Outbox records to drop: they have reached the log. Records beyond it stay.
    pub outbox_done: Option<OutboxId>,
    /// Named totals to add to.
    pub counters: Vec<(&'static str, i64)>,
}

impl Commit {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a document.
    #[must_use]
    pub fn put(mut self, table: Table, key: Key, expect: Expect, content: impl Into<Bytes>) -> Self {
        self.documents.push(DocumentOp {
            table,
            key,
            expect,
            put: Some(content.into()),
        });
        self
    }

    /// Deletes a document.
    #[must_use]
    pub fn delete(mut self, table: Table, key: Key, expect: Expect) -> Self {
        self.documents.push(DocumentOp {
            table,
            key,
            expect,
            put: None,
        });
        self
    }

    /// Changes a mailbox.
    #[must_use]
    pub fn mail(mut self, op: MailOp) -> Self {
        self.mail.push(op);
        self
    }

    /// Appends an event to the outbox.
    #[must_use]
    pub fn event(mut self, partition: PartitionId, event: impl Into<Bytes>) -> Self {
        self.outbox.push((partition, event.into()));
        self
    }

    /// Adds to a named total.
    #[must_use]
    pub fn count(mut self, name: &'static str, delta: i64) -> Self {
        self.counters.push((name, delta));
        self
    }
}

/// Why a commit did not go through. Nothing of it was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The document at this index of the commit was not as expected: load again and decide anew.
    #[error("document {0} of the commit has changed meanwhile")]
    Conflict(usize),
    /// The mail operation at this index found no such message.
    #[error("mail operation {0} of the commit found its message gone")]
    NoMail(usize),
    /// The mail operation at this index found the mailbox full.
    #[error("mail operation {0} of the commit found its mailbox full")]
    MailboxFull(usize),
    /// The store cannot write now.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why the store cannot answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// No space is left; it is tried again each second.
    #[error("no space is left for state: {0}")]
    NoSpace(String),
    /// Stored data cannot be read.
    #[error("the state is damaged: {0}")]
    Damaged(String),
    /// The store has stopped.
    #[error("the state store has stopped")]
    Stopped,
}

/// State of one hub. An `Ok` of [`StateStore::commit`] means that the change survives a power loss, and every read
/// that starts afterwards sees it.
pub trait StateStore: Send + Sync + 'static {
    /// Loads a document.
    fn get(&self, table: Table, key: &Key) -> impl Future<Output = Result<Option<(Bytes, Rev)>, StoreError>> + Send;

    /// Loads documents of one kind, in the order of their keys here, which may be any: one look-up for many. Ends early
    /// behind the document with which the contents reach `bytes_max`; what is left out is to be asked for again.
    fn get_many(
        &self,
        table: Table,
        keys: Vec<Key>,
        bytes_max: usize,
    ) -> impl Future<Output = Result<Vec<Option<(Bytes, Rev)>>, StoreError>> + Send;

    /// Makes all changes durable, or none. Returns the new revisions of the documents written, in their order;
    /// a deleted one has `None`.
    fn commit(&self, commit: Commit) -> impl Future<Output = Result<Vec<Option<Rev>>, CommitError>> + Send;

    /// Documents whose key starts with `prefix` and is greater than `after`, in key order, at most `limit`.
    fn page(
        &self,
        table: Table,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<(Key, Bytes, Rev)>, StoreError>> + Send;

    /// Messages of a mailbox beyond `after`, oldest first, at most `limit`.
    fn mailbox(
        &self,
        mailbox: &Key,
        after: Option<MailId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Mail>, StoreError>> + Send;

    /// How many messages the mailbox holds.
    fn mailbox_len(&self, mailbox: &Key) -> impl Future<Output = Result<u32, StoreError>> + Send;

    /// How many messages each of the mailboxes holds, in their order.
    fn mailbox_lens(&self, mailboxes: Vec<Key>) -> impl Future<Output = Result<Vec<u32>, StoreError>> + Send;

    /// Messages of any mailbox due at or before `now`, earliest first, at most `limit`. Expiry is the hub's to act on.
    fn due(&self, now: Timestamp, limit: usize) -> impl Future<Output = Result<Vec<(Key, Mail)>, StoreError>> + Send;

    /// Outbox records beyond `after`, oldest first, at most `limit`.
    fn outbox(
        &self,
        after: Option<OutboxId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<OutboxRecord>, StoreError>> + Send;

    /// The value of a named total; zero before its first change.
    fn counter(&self, name: &'static str) -> impl Future<Output = Result<i64, StoreError>> + Send;

    /// Why nothing can be made durable now, for people; `None` when all is well.
    fn trouble(&self) -> Option<String>;
}
