//! Commits: together or not at all, and seen by whoever reads afterwards.

use std::sync::Arc;

use ironhub_hub::ports::{Commit, CommitError, Expect, Key, MailId, MailOp, Rev, StateStore, Table};
use ironhub_model::{PartitionId, Timestamp};

use super::{load, put};

pub(super) async fn all_or_nothing(store: &impl StateStore) {
    let before = put(store, Table::Twins, "there", "before").await;
    let everything = || {
        Commit::new()
            .put(Table::Twins, Key::new("there"), Expect::At(before), "after")
            .put(Table::Devices, Key::new("new"), Expect::Absent, "new")
            .mail(push("box", 2))
            .event(PartitionId(1), "event")
            .count("total", 5)
    };
    let absent = MailOp::Remove {
        mailbox: Key::new("box"),
        id: MailId(u64::MAX),
    };
    let refused = [
        (
            everything().put(Table::Twins, Key::new("missing"), Expect::At(Rev(1)), "x"),
            CommitError::Conflict(2),
        ),
        (
            everything().delete(Table::Twins, Key::new("there"), Expect::Absent),
            CommitError::Conflict(2),
        ),
        (everything().mail(absent), CommitError::NoMail(1)),
        (everything().mail(push("box", 1)), CommitError::MailboxFull(1)),
    ];
    for (commit, reason) in refused {
        assert_eq!(store.commit(commit).await, Err(reason.clone()));
        assert_eq!(
            load(store, Table::Twins, "there").await,
            Some(("before".into(), before)),
            "{reason}"
        );
        assert_eq!(load(store, Table::Devices, "new").await, None, "{reason}");
        assert_eq!(store.mailbox(&Key::new("box"), None, 9).await, Ok(vec![]), "{reason}");
        assert_eq!(store.outbox(None, 9).await, Ok(vec![]), "{reason}");
        assert_eq!(store.counter("total").await, Ok(0), "{reason}");
    }
    let revs = store.commit(everything()).await.unwrap();
    assert_eq!(revs.len(), 2, "one revision for each document");
    assert_eq!(
        load(store, Table::Twins, "there").await,
        revs[0].map(|rev| ("after".into(), rev))
    );
    assert_eq!(
        load(store, Table::Devices, "new").await,
        revs[1].map(|rev| ("new".into(), rev))
    );
    assert_eq!(store.mailbox_len(&Key::new("box")).await, Ok(1));
    assert_eq!(store.outbox(None, 9).await.unwrap().len(), 1);
    assert_eq!(store.counter("total").await, Ok(5));
}

pub(super) async fn later_operations_see_earlier_ones(store: &impl StateStore) {
    let key = || Key::new("d1");
    let twice = Commit::new().put(Table::Twins, key(), Expect::Absent, "first").put(
        Table::Twins,
        key(),
        Expect::Absent,
        "second",
    );
    assert_eq!(store.commit(twice).await, Err(CommitError::Conflict(1)));
    let anew = Commit::new()
        .put(Table::Twins, key(), Expect::Absent, "first")
        .delete(Table::Twins, key(), Expect::Any)
        .put(Table::Twins, key(), Expect::Absent, "second");
    let revs = store.commit(anew).await.unwrap();
    assert_eq!((revs.len(), revs[1]), (3, None));
    assert_eq!(
        load(store, Table::Twins, "d1").await,
        revs[2].map(|rev| ("second".into(), rev))
    );
    let nothing = store.commit(Commit::new()).await;
    assert_eq!(nothing, Ok(vec![]), "an empty commit is one");
}

pub(super) async fn counters_add_up<S: StateStore>(store: S) {
    let store = Arc::new(store);
    assert_eq!(store.counter("devices").await, Ok(0));
    let tasks: Vec<_> = (0..32)
        .map(|n| {
            let store = Arc::clone(&store);
            let delta = if n % 4 == 0 { -1 } else { 2 };
            tokio::spawn(async move { store.commit(Commit::new().count("devices", delta)).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(store.counter("devices").await, Ok(24 * 2 - 8));
    assert_eq!(store.counter("modules").await, Ok(0), "each name has its own total");
}

/// What was acknowledged to one is seen by all who read afterwards, however they read.
pub(super) async fn acknowledged_is_seen_by_all<S: StateStore>(store: S) {
    let store = Arc::new(store);
    let tasks: Vec<_> = (0..16)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { write_and_look(&store, &format!("d{n:02}")).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

async fn write_and_look<S: StateStore>(store: &Arc<S>, key: &str) {
    for round in 0..25_u32 {
        let content = round.to_string();
        let rev = put(&**store, Table::Twins, key, &content).await;
        let (reader, wanted) = (Arc::clone(store), Key::new(key));
        let seen = tokio::spawn(async move { reader.get(Table::Twins, &wanted).await })
            .await
            .unwrap();
        assert_eq!(seen, Ok(Some((content.clone().into(), rev))));
        let page = store.page(Table::Twins, key, None, 9).await.unwrap();
        assert_eq!(page, [(Key::new(key), content.into(), rev)]);
    }
}

fn push(mailbox: &str, messages_max: u32) -> MailOp {
    MailOp::Push {
        mailbox: Key::new(mailbox),
        due_at: Timestamp::UNIX_EPOCH,
        content: "mail".into(),
        messages_max,
    }
}
