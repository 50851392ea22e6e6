//! The outbox: order, trimming, ids.

use std::sync::Arc;

use bytes::Bytes;
use ironhub_hub::ports::{Commit, Expect, Key, OutboxId, StateStore, Table};
use ironhub_model::PartitionId;

use super::load;

pub(super) async fn order_and_trimming(store: &impl StateStore) {
    store
        .commit(Commit::new().event(PartitionId(3), "a").event(PartitionId(0), "b"))
        .await
        .unwrap();
    store.commit(Commit::new().event(PartitionId(3), "c")).await.unwrap();
    let records = store.outbox(None, 9).await.unwrap();
    let seen: Vec<_> = records
        .iter()
        .map(|record| (record.partition.0, record.event.clone()))
        .collect();
    let expected = [(3, Bytes::from("a")), (0, "b".into()), (3, "c".into())];
    assert_eq!(seen, expected, "as committed");
    assert!(records.is_sorted_by(|a, b| a.id < b.id));
    assert_eq!(store.outbox(None, 2).await.unwrap(), records[..2]);
    assert_eq!(store.outbox(Some(records[0].id), 9).await.unwrap(), records[1..]);
    trim(store, records[1].id).await;
    assert_eq!(
        store.outbox(None, 9).await.unwrap(),
        records[2..],
        "what lies beyond stays"
    );
    trim(store, records[1].id).await;
    assert_eq!(
        store.outbox(None, 9).await.unwrap(),
        records[2..],
        "trimming again changes nothing"
    );
}

/// The record's id is what de-duplicates its event: a second use would lose an event.
pub(super) async fn ids_are_never_used_again(store: &impl StateStore) {
    let mut last = OutboxId(0);
    for _ in 0..5 {
        store.commit(Commit::new().event(PartitionId(0), "x")).await.unwrap();
        let id = store.outbox(None, 1).await.unwrap()[0].id;
        assert!(id > last);
        trim(store, id).await;
        last = id;
    }
}

/// Of commits that touch the same document, the outbox has the order in which they took effect.
pub(super) async fn order_follows_commits<S: StateStore>(store: S) {
    let store = Arc::new(store);
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for _ in 0..10 {
                    next_version(&*store).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let records = store.outbox(None, 1000).await.unwrap();
    let versions: Vec<_> = records
        .iter()
        .map(|record| String::from_utf8_lossy(&record.event).into_owned())
        .collect();
    assert_eq!(
        versions,
        (1..=160).map(|version| version.to_string()).collect::<Vec<_>>()
    );
}

async fn next_version(store: &impl StateStore) {
    loop {
        let (version, expect) = match load(store, Table::Twins, "d1").await {
            None => (1, Expect::Absent),
            Some((version, rev)) => (version.parse::<u32>().unwrap() + 1, Expect::At(rev)),
        };
        let text = version.to_string();
        let commit = Commit::new()
            .put(Table::Twins, Key::new("d1"), expect, text.clone())
            .event(PartitionId(0), text);
        if store.commit(commit).await.is_ok() {
            return;
        }
    }
}

async fn trim(store: &impl StateStore, done: OutboxId) {
    let commit = Commit {
        outbox_done: Some(done),
        ..Commit::new()
    };
    store.commit(commit).await.unwrap();
}
