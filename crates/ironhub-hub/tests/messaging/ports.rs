//! Ports in memory that can be made to fail at any step.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use ironhub_hub::ports::{
    Bounds, Commit, CommitError, Completion, EventLog, Expect, Key, LogError, LogRecord, Mail, MailId, MailOp,
    OutboxId, OutboxRecord, Retention, Rev, Start, StateStore, StoreError, SubmitError, Table, Watermark,
};
use ironhub_model::{PartitionId, SequenceNumber, Timestamp};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Lets the process die at a chosen step: that step and all later ones fail.
#[derive(Clone, Default)]
pub(crate) struct Fuse(Arc<Mutex<Option<u32>>>);

impl Fuse {
    /// The `steps`-th step from now fails; 0 is the next.
    pub(crate) fn burn_after(&self, steps: u32) {
        *self.0.lock() = Some(steps);
    }

    pub(crate) fn mend(&self) {
        *self.0.lock() = None;
    }

    fn step(&self) -> Result<(), ()> {
        match &mut *self.0.lock() {
            None => Ok(()),
            Some(0) => Err(()),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}

/// Documents that one look-up finds at most.
pub(crate) const GET_MANY_MAX: usize = 16;

/// What a port says is wrong with it.
pub(crate) type Trouble = Arc<Mutex<Option<String>>>;

#[derive(Clone, Default)]
pub(crate) struct MemState {
    store: Arc<Mutex<Store>>,
    pub(crate) fuse: Fuse,
    pub(crate) trouble: Trouble,
    /// Look-ups so far.
    pub(crate) reads: Arc<AtomicUsize>,
}

#[derive(Clone, Default)]
struct Store {
    documents: BTreeMap<(usize, Key), (Bytes, Rev)>,
    mail: BTreeMap<(Key, MailId), Mail>,
    outbox: BTreeMap<OutboxId, (PartitionId, Bytes)>,
    counters: HashMap<&'static str, i64>,
    last: u64,
}

fn index(table: Table) -> usize {
    Table::ALL.iter().position(|known| *known == table).unwrap()
}

impl Store {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn apply(&mut self, commit: Commit) -> Result<Vec<Option<Rev>>, CommitError> {
        let mut revs = Vec::new();
        for (at, op) in commit.documents.into_iter().enumerate() {
            let key = (index(op.table), op.key);
            let found = self.documents.get(&key).map(|(_, rev)| *rev);
            let holds = match op.expect {
                Expect::Any => true,
                Expect::Absent => found.is_none(),
                Expect::At(rev) => found == Some(rev),
            };
            if !holds {
                return Err(CommitError::Conflict(at));
            }
            self.documents.remove(&key);
            revs.push(op.put.map(|content| {
                let rev = Rev(self.next());
                self.documents.insert(key, (content, rev));
                rev
            }));
        }
        for (at, op) in commit.mail.into_iter().enumerate() {
            self.apply_mail(at, op)?;
        }
        for (partition, event) in commit.outbox {
            let id = OutboxId(self.next());
            self.outbox.insert(id, (partition, event));
        }
        if let Some(done) = commit.outbox_done {
            self.outbox.retain(|id, _| *id > done);
        }
        for (name, delta) in commit.counters {
            *self.counters.entry(name).or_default() += delta;
        }
        Ok(revs)
    }

    fn apply_mail(&mut self, at: usize, op: MailOp) -> Result<(), CommitError> {
        match op {
            MailOp::Push {
                mailbox,
                due_at,
                content,
                messages_max,
            } => {
                let len = self.mail.keys().filter(|(key, _)| *key == mailbox).count();
                if len >= messages_max as usize {
                    return Err(CommitError::MailboxFull(at));
                }
                let id = MailId(self.next());
                self.mail.insert((mailbox, id), Mail { id, due_at, content });
            }
            MailOp::Update { mailbox, id, content } => {
                let mail = self.mail.get_mut(&(mailbox, id)).ok_or(CommitError::NoMail(at))?;
                mail.content = content;
            }
            MailOp::Remove { mailbox, id } => {
                self.mail.remove(&(mailbox, id)).ok_or(CommitError::NoMail(at))?;
            }
            MailOp::Clear { mailbox } => self.mail.retain(|(key, _), _| *key != mailbox),
        }
        Ok(())
    }
}

impl MemState {
    pub(crate) fn outbox_len(&self) -> usize {
        self.store.lock().outbox.len()
    }

    fn step(&self) -> Result<(), StoreError> {
        self.fuse.step().map_err(|()| StoreError::Stopped)
    }
}

impl StateStore for MemState {
    async fn get(&self, table: Table, key: &Key) -> Result<Option<(Bytes, Rev)>, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        Ok(self.store.lock().documents.get(&(index(table), key.clone())).cloned())
    }

    async fn get_many(&self, table: Table, keys: Vec<Key>, _: usize) -> Result<Vec<Option<(Bytes, Rev)>>, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let store = self.store.lock();
        let found = keys
            .into_iter()
            .map(|key| store.documents.get(&(index(table), key)).cloned());
        // An answer may always end early: callers have to go on.
        Ok(found.take(GET_MANY_MAX).collect())
    }

    async fn commit(&self, commit: Commit) -> Result<Vec<Option<Rev>>, CommitError> {
        tokio::task::yield_now().await;
        self.step()?;
        let revs = {
            let mut store = self.store.lock();
            let mut after = store.clone();
            let revs = after.apply(commit)?;
            *store = after;
            revs
        };
        // To die after the commit, before anybody learns of it.
        self.step()?;
        Ok(revs)
    }

    async fn page(
        &self,
        table: Table,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Bytes, Rev)>, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let store = self.store.lock();
        let documents = store.documents.iter();
        Ok(documents
            .filter(|((of, key), _)| *of == index(table) && key.as_str().starts_with(prefix))
            .filter(|((_, key), _)| after.is_none_or(|after| key > after))
            .take(limit)
            .map(|((_, key), (content, rev))| (key.clone(), content.clone(), *rev))
            .collect())
    }

    async fn mailbox(&self, mailbox: &Key, after: Option<MailId>, limit: usize) -> Result<Vec<Mail>, StoreError> {
        tokio::task::yield_now().await;
        let store = self.store.lock();
        let mails = store.mail.iter().filter(|((key, _), _)| key == mailbox);
        let beyond = mails.filter(|((_, id), _)| after.is_none_or(|after| *id > after));
        Ok(beyond.take(limit).map(|(_, mail)| mail.clone()).collect())
    }

    async fn mailbox_len(&self, mailbox: &Key) -> Result<u32, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let len = self.store.lock().mail.keys().filter(|(key, _)| key == mailbox).count();
        Ok(u32::try_from(len).unwrap())
    }

    async fn mailbox_lens(&self, mailboxes: Vec<Key>) -> Result<Vec<u32>, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let store = self.store.lock();
        let len = |mailbox: &Key| store.mail.keys().filter(|(key, _)| key == mailbox).count();
        let lens = mailboxes.iter().map(|mailbox| u32::try_from(len(mailbox)).unwrap());
        Ok(lens.collect())
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<(Key, Mail)>, StoreError> {
        let store = self.store.lock();
        let due = store.mail.iter().filter(|(_, mail)| mail.due_at <= now);
        let mut due: Vec<_> = due.map(|((key, _), mail)| (key.clone(), mail.clone())).collect();
        due.sort_by_key(|(_, mail)| mail.due_at);
        due.truncate(limit);
        Ok(due)
    }

    async fn outbox(&self, after: Option<OutboxId>, limit: usize) -> Result<Vec<OutboxRecord>, StoreError> {
        self.step()?;
        let store = self.store.lock();
        let beyond = store
            .outbox
            .iter()
            .filter(|(id, _)| after.is_none_or(|after| **id > after));
        Ok(beyond
            .take(limit)
            .map(|(id, (partition, event))| OutboxRecord {
                id: *id,
                partition: *partition,
                event: event.clone(),
            })
            .collect())
    }

    async fn counter(&self, name: &'static str) -> Result<i64, StoreError> {
        Ok(self.store.lock().counters.get(name).copied().unwrap_or(0))
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.lock().clone()
    }
}

#[derive(Clone)]
pub(crate) struct MemLog {
    partitions: Arc<Vec<Mutex<Vec<LogRecord>>>>,
    watermark: Arc<Watermark>,
    grown: Arc<Notify>,
    /// Submissions that are refused as if the inbox were full.
    pub(crate) refusals: Arc<Mutex<u32>>,
    pub(crate) trouble: Trouble,
    pub(crate) fuse: Fuse,
}

impl MemLog {
    pub(crate) fn new(partitions: usize) -> Self {
        Self {
            partitions: Arc::new((0..partitions).map(|_| Mutex::default()).collect()),
            watermark: Watermark::new(),
            grown: Arc::default(),
            refusals: Arc::default(),
            trouble: Trouble::default(),
            fuse: Fuse::default(),
        }
    }

    /// Every event, partition by partition.
    pub(crate) fn events(&self) -> Vec<Bytes> {
        let all = self.partitions.iter().flat_map(|partition| partition.lock().clone());
        all.map(|record| record.event).collect()
    }

    fn partition(&self, partition: PartitionId) -> Result<&Mutex<Vec<LogRecord>>, LogError> {
        let index = partition.0 as usize;
        self.partitions.get(index).ok_or(LogError::NoPartition(partition))
    }
}

impl EventLog for MemLog {
    fn partitions(&self) -> u32 {
        u32::try_from(self.partitions.len()).unwrap()
    }

    fn submit(&self, partition: PartitionId, event: &[u8]) -> Result<Completion, SubmitError> {
        let mut refusals = self.refusals.lock();
        if *refusals > 0 {
            *refusals -= 1;
            return Err(SubmitError::Full);
        }
        self.fuse.step().map_err(|()| SubmitError::Stopped)?;
        let mut records = self
            .partition(partition)
            .map_err(|_| SubmitError::NoPartition(partition))?
            .lock();
        let sequence = SequenceNumber(records.len() as u64);
        records.push(LogRecord {
            sequence,
            enqueued_at: Timestamp::UNIX_EPOCH,
            event: Bytes::copy_from_slice(event),
        });
        let ticket = self.watermark.durable() + 1;
        self.watermark.advance(ticket);
        self.grown.notify_waiters();
        Ok(self.watermark.completion(ticket))
    }

    async fn ready(&self) -> Result<(), SubmitError> {
        tokio::task::yield_now().await;
        Ok(())
    }

    async fn read(&self, partition: PartitionId, from: Start, _: usize) -> Result<Vec<LogRecord>, LogError> {
        let records = self.partition(partition)?.lock();
        let from = match from {
            Start::Earliest | Start::Since(_) => 0,
            Start::Latest => records.len(),
            Start::At(sequence) => usize::try_from(sequence.0).unwrap(),
        };
        // Small pages, so that readers have to go on.
        Ok(records.iter().skip(from).take(2).cloned().collect())
    }

    async fn wait(&self, partition: PartitionId, sequence: SequenceNumber) -> Result<(), LogError> {
        loop {
            let grown = self.grown.notified();
            if self.bounds(partition)?.next > sequence {
                return Ok(());
            }
            grown.await;
        }
    }

    fn bounds(&self, partition: PartitionId) -> Result<Bounds, LogError> {
        let next = self.partition(partition)?.lock().len() as u64;
        Ok(Bounds {
            first: SequenceNumber(0),
            next: SequenceNumber(next),
            last_enqueued_at: Timestamp::UNIX_EPOCH,
        })
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.lock().clone()
    }

    fn set_retention(&self, _: Retention) {}
}
