//! The state store against a model of it: any sequence of commits has the outcome, and leaves the state, that maps and
//! lists would have.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};

use ironhub_hub::ports::{Commit, CommitError, DocumentOp, Expect, Key, MailId, MailOp, Rev, StateStore, Table};
use ironhub_model::{PartitionId, Timestamp};
use ironhub_storage_embedded::SqliteState;
use proptest::prelude::*;

/// Few names, so that operations meet.
const NAMES: [&str; 3] = ["a", "a/m", "b"];
const MAIL_MAX: u32 = 2;

/// An operation before it is known which revisions and ids there are.
#[derive(Debug, Clone)]
enum Step {
    Put(usize, Wish, u8),
    Delete(usize, Wish),
    Push(usize, u8),
    Update(usize, usize, u8),
    Remove(usize, usize),
    Clear(usize),
    Event(u8),
    Trim(usize),
    Count(i8),
}

#[derive(Debug, Clone, Copy)]
enum Wish {
    Absent,
    Current,
    Outdated,
    Any,
}

/// What a store holds; the order of vectors is the order of ids.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    documents: BTreeMap<usize, Vec<u8>>,
    mail: BTreeMap<usize, Vec<(MailId, Vec<u8>)>>,
    events: Vec<Vec<u8>>,
    count: i64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let name = 0..NAMES.len();
    let wish = prop_oneof![
        Just(Wish::Absent),
        Just(Wish::Current),
        Just(Wish::Outdated),
        Just(Wish::Any)
    ];
    let step = prop_oneof![
        (name.clone(), wish.clone(), any::<u8>()).prop_map(|(name, wish, byte)| Step::Put(name, wish, byte)),
        (name.clone(), wish).prop_map(|(name, wish)| Step::Delete(name, wish)),
        (name.clone(), any::<u8>()).prop_map(|(name, byte)| Step::Push(name, byte)),
        (name.clone(), 0..3_usize, any::<u8>()).prop_map(|(name, at, byte)| Step::Update(name, at, byte)),
        (name.clone(), 0..3_usize).prop_map(|(name, at)| Step::Remove(name, at)),
        name.prop_map(Step::Clear),
        any::<u8>().prop_map(Step::Event),
        (0..3_usize).prop_map(Step::Trim),
        any::<i8>().prop_map(Step::Count),
    ];
    prop::collection::vec(step, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn behaves_as_its_model(commits in prop::collection::vec(steps(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store = SqliteState::open_in_memory().unwrap();
            let mut model = Model::default();
            for steps in commits {
                let commit = resolve(&store, &steps).await;
                let expected = model.clone().apply(&commit, &store).await;
                let outcome = store.commit(commit).await.map(|revs| revs.len());
                match expected {
                    Ok(next) => {
                        prop_assert!(outcome.is_ok(), "{outcome:?}");
                        model = next;
                    }
                    Err(refusal) => prop_assert_eq!(outcome, Err(refusal)),
                }
                let held = read(&store).await;
                prop_assert_eq!(&held, &model.with_ids_of(&held));
            }
            Ok(())
        })?;
    }
}

/// Makes the commit, with the revisions and ids as they are before it.
async fn resolve(store: &SqliteState, steps: &[Step]) -> Commit {
    let mut commit = Commit::new();
    for step in steps {
        match *step {
            Step::Put(name, wish, byte) => {
                commit = commit.put(Table::Devices, key(name), expect(store, name, wish).await, vec![byte]);
            }
            Step::Delete(name, wish) => {
                commit = commit.delete(Table::Devices, key(name), expect(store, name, wish).await);
            }
            Step::Push(name, byte) => commit.mail.push(MailOp::Push {
                mailbox: key(name),
                due_at: Timestamp::from_secs(byte.into()),
                content: vec![byte].into(),
                messages_max: MAIL_MAX,
            }),
            Step::Update(name, at, byte) => commit.mail.push(MailOp::Update {
                mailbox: key(name),
                id: mail_id(store, name, at).await,
                content: vec![byte].into(),
            }),
            Step::Remove(name, at) => commit.mail.push(MailOp::Remove {
                mailbox: key(name),
                id: mail_id(store, name, at).await,
            }),
            Step::Clear(name) => commit.mail.push(MailOp::Clear { mailbox: key(name) }),
            Step::Event(byte) => commit = commit.event(PartitionId(byte.into()), vec![byte]),
            Step::Trim(at) => {
                let records = store.outbox(None, 9).await.unwrap();
                commit.outbox_done = records.get(at).map(|record| record.id);
            }
            Step::Count(delta) => commit = commit.count("total", delta.into()),
        }
    }
    commit
}

async fn expect(store: &SqliteState, name: usize, wish: Wish) -> Expect {
    let found = store.get(Table::Devices, &key(name)).await.unwrap();
    let rev = found.map_or(Rev(0), |(_, rev)| rev);
    match wish {
        Wish::Absent => Expect::Absent,
        Wish::Current => Expect::At(rev),
        Wish::Outdated => Expect::At(Rev(rev.0.wrapping_sub(1))),
        Wish::Any => Expect::Any,
    }
}

/// The id of a message that is there, or of none.
async fn mail_id(store: &SqliteState, name: usize, at: usize) -> MailId {
    let mail = store.mailbox(&key(name), None, 9).await.unwrap();
    mail.get(at).map_or(MailId(u64::MAX), |mail| mail.id)
}

impl Model {
    async fn apply(mut self, commit: &Commit, store: &SqliteState) -> Result<Self, CommitError> {
        let mut written = BTreeSet::new();
        for (index, op) in commit.documents.iter().enumerate() {
            let before = store.get(Table::Devices, &op.key).await.unwrap().map(|(_, rev)| rev);
            self.document(op, before, &mut written)
                .ok_or(CommitError::Conflict(index))?;
        }
        for (index, op) in commit.mail.iter().enumerate() {
            self.mail(op, index)?;
        }
        if let Some(done) = commit.outbox_done {
            let records = store.outbox(None, usize::MAX).await.unwrap();
            let gone = records.iter().filter(|record| record.id <= done).count();
            self.events.drain(..gone);
        }
        self.events
            .extend(commit.outbox.iter().map(|(_, event)| event.to_vec()));
        self.count += commit.counters.iter().map(|(_, delta)| delta).sum::<i64>();
        Ok(self)
    }

    /// A document that this commit has written has a revision that nobody could have loaded.
    fn document(&mut self, op: &DocumentOp, before: Option<Rev>, written: &mut BTreeSet<usize>) -> Option<()> {
        let name = NAMES.iter().position(|name| *name == op.key.as_str())?;
        let is_there = self.documents.contains_key(&name);
        let holds = match op.expect {
            Expect::Any => true,
            Expect::Absent => !is_there,
            Expect::At(rev) => is_there && !written.contains(&name) && before == Some(rev),
        };
        if !holds {
            return None;
        }
        match &op.put {
            Some(content) => {
                written.insert(name);
                self.documents.insert(name, content.to_vec())
            }
            None => self.documents.remove(&name),
        };
        Some(())
    }

    fn mail(&mut self, op: &MailOp, index: usize) -> Result<(), CommitError> {
        let (MailOp::Push { mailbox, .. }
        | MailOp::Update { mailbox, .. }
        | MailOp::Remove { mailbox, .. }
        | MailOp::Clear { mailbox }) = op;
        let name = NAMES.iter().position(|name| *name == mailbox.as_str()).unwrap();
        let held = self.mail.entry(name).or_default();
        match op {
            MailOp::Push { .. } if held.len() >= MAIL_MAX as usize => return Err(CommitError::MailboxFull(index)),
            // The id that the store will give is not known yet.
            MailOp::Push { content, .. } => held.push((MailId(0), content.to_vec())),
            MailOp::Update { id, content, .. } => {
                let mail = held
                    .iter_mut()
                    .find(|(held, _)| held == id)
                    .ok_or(CommitError::NoMail(index))?;
                mail.1 = content.to_vec();
            }
            MailOp::Remove { id, .. } => {
                let at = held
                    .iter()
                    .position(|(held, _)| held == id)
                    .ok_or(CommitError::NoMail(index))?;
                held.remove(at);
            }
            MailOp::Clear { .. } => held.clear(),
        }
        Ok(())
    }

    /// Learns the ids of what was pushed: those in the same places.
    fn with_ids_of(&mut self, held: &Self) -> Self {
        self.mail.retain(|_, mail| !mail.is_empty());
        for (name, mail) in &mut self.mail {
            let ids = held.mail.get(name).into_iter().flatten();
            for (mine, (id, _)) in mail.iter_mut().zip(ids) {
                if mine.0 == MailId(0) {
                    mine.0 = *id;
                }
            }
        }
        self.clone()
    }
}

/// Everything that the store holds.
async fn read(store: &SqliteState) -> Model {
    let mut held = Model {
        count: store.counter("total").await.unwrap(),
        ..Model::default()
    };
    for name in 0..NAMES.len() {
        if let Some((content, _)) = store.get(Table::Devices, &key(name)).await.unwrap() {
            held.documents.insert(name, content.to_vec());
        }
        let mail = store.mailbox(&key(name), None, 9).await.unwrap();
        if !mail.is_empty() {
            held.mail.insert(
                name,
                mail.into_iter().map(|mail| (mail.id, mail.content.to_vec())).collect(),
            );
        }
    }
    let outbox = store.outbox(None, usize::MAX).await.unwrap();
    held.events = outbox.into_iter().map(|record| record.event.to_vec()).collect();
    held
}

fn key(name: usize) -> Key {
    Key::new(*NAMES.get(name).unwrap())
}
