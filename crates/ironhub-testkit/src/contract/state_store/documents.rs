//! Documents: expectations, revisions, pages.

use std::sync::Arc;

use bytes::Bytes;
use ironhub_hub::ports::{Commit, CommitError, Expect, Key, Rev, StateStore, Table};

use super::{load, put};

const TASKS: u64 = 64;
const INCREMENTS: u64 = 100;

pub(super) async fn reads_what_was_written(store: &impl StateStore) {
    assert_eq!(load(store, Table::Twins, "d1").await, None, "a fresh store is empty");
    let first = put(store, Table::Twins, "d1", "one").await;
    assert_eq!(load(store, Table::Twins, "d1").await, Some(("one".into(), first)));
    let second = put(store, Table::Twins, "d1", "two").await;
    assert_eq!(load(store, Table::Twins, "d1").await, Some(("two".into(), second)));
}

pub(super) async fn expectations(store: &impl StateStore) {
    let write = async |expect, content: &str| {
        let commit = Commit::new().put(Table::Twins, Key::new("d1"), expect, content.to_owned());
        store.commit(commit).await
    };
    let conflict = Err(CommitError::Conflict(0));
    assert_eq!(
        write(Expect::At(Rev(1)), "x").await,
        conflict,
        "nothing there to be at a revision"
    );
    let created = write(Expect::Absent, "created").await.unwrap().remove(0).unwrap();
    assert_eq!(write(Expect::Absent, "x").await, conflict, "it is there");
    let updated = write(Expect::At(created), "updated").await.unwrap().remove(0).unwrap();
    assert_eq!(
        write(Expect::At(created), "x").await,
        conflict,
        "the revision has passed"
    );
    assert_eq!(
        write(Expect::At(Rev(u64::MAX)), "x").await,
        conflict,
        "a revision that never was"
    );
    assert_eq!(load(store, Table::Twins, "d1").await, Some(("updated".into(), updated)));
}

pub(super) async fn many_at_once(store: &impl StateStore) {
    let keys = |names: &[&str]| names.iter().map(|name| Key::new(*name)).collect::<Vec<_>>();
    assert_eq!(store.get_many(Table::Devices, Vec::new(), 100).await, Ok(Vec::new()));
    let a = put(store, Table::Devices, "a", "first").await;
    let b = put(store, Table::Devices, "b", "second").await;
    put(store, Table::Twins, "c", "of another table").await;
    let found = store.get_many(Table::Devices, keys(&["b", "c", "a", "b"]), 1000).await;
    let (first, second) = (Some(("first".into(), a)), Some(("second".into(), b)));
    assert_eq!(found, Ok(vec![second.clone(), None, first, second.clone()]));
    let found = store.get_many(Table::Devices, keys(&["x", "b", "a"]), 1).await;
    assert_eq!(found, Ok(vec![None, second]), "ends with the one that fills it");
}

pub(super) async fn revisions_rise(store: &impl StateStore) {
    let mut last = put(store, Table::Twins, "d1", "same").await;
    for _ in 0..20 {
        let next = put(store, Table::Twins, "d1", "same").await;
        assert!(next > last, "a write of the same content is a new revision");
        last = next;
    }
    // A document that was created anew must not be taken for the one that was loaded before.
    store
        .commit(Commit::new().delete(Table::Twins, Key::new("d1"), Expect::Any))
        .await
        .unwrap();
    assert!(
        put(store, Table::Twins, "d1", "same").await > last,
        "a revision is never used again"
    );
}

pub(super) async fn deletes(store: &impl StateStore) {
    let delete = async |expect| {
        store
            .commit(Commit::new().delete(Table::Twins, Key::new("d1"), expect))
            .await
    };
    assert_eq!(
        delete(Expect::Any).await,
        Ok(vec![None]),
        "nothing to delete is as good as deleted"
    );
    assert_eq!(
        delete(Expect::Absent).await,
        Ok(vec![None]),
        "absence can be demanded by itself"
    );
    let rev = put(store, Table::Twins, "d1", "x").await;
    assert_eq!(delete(Expect::Absent).await, Err(CommitError::Conflict(0)));
    assert_eq!(delete(Expect::At(Rev(rev.0 + 1))).await, Err(CommitError::Conflict(0)));
    assert_eq!(delete(Expect::At(rev)).await, Ok(vec![None]));
    assert_eq!(load(store, Table::Twins, "d1").await, None);
    assert_eq!(
        delete(Expect::At(rev)).await,
        Err(CommitError::Conflict(0)),
        "of two deletions one wins"
    );
}

pub(super) async fn pages(store: &impl StateStore) {
    // In the order of bytes, which is neither the order of letters nor of insertion.
    let sorted = ["A", "a", "a!", "a/", "a/b", "a/é", "a/\u{10FFFF}", "a0", "b/x", "é"];
    for key in sorted.iter().rev() {
        put(store, Table::Modules, key, key).await;
    }
    let keys = async |prefix: &str, after: Option<&str>, limit| {
        let after = after.map(Key::new);
        let page = store.page(Table::Modules, prefix, after.as_ref(), limit).await.unwrap();
        for (key, content, _) in &page {
            assert_eq!(key.as_str().as_bytes(), content, "each with its own content");
        }
        page.into_iter()
            .map(|(key, ..)| key.as_str().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(keys("", None, 100).await, sorted);
    assert_eq!(keys("", None, 2).await, ["A", "a"]);
    assert_eq!(keys("", Some("a"), 2).await, ["a!", "a/"], "after is not included");
    assert_eq!(keys("", Some("a."), 1).await, ["a/"], "after need not exist");
    assert_eq!(keys("a/", None, 100).await, ["a/", "a/b", "a/é", "a/\u{10FFFF}"]);
    assert_eq!(keys("a/", Some("a/b"), 100).await, ["a/é", "a/\u{10FFFF}"]);
    assert_eq!(
        keys("a/", Some("A"), 1).await,
        ["a/"],
        "after may lie before the prefix"
    );
    assert_eq!(
        keys("a/", Some("b"), 100).await,
        [""; 0],
        "after may lie beyond the prefix"
    );
    assert_eq!(keys("c", None, 100).await, [""; 0]);
    assert_eq!(keys("", None, 0).await, [""; 0]);
}

pub(super) async fn tables_are_apart(store: &impl StateStore) {
    for table in Table::ALL {
        put(store, table, "same", &format!("{table:?}")).await;
    }
    for table in Table::ALL {
        let (content, _) = load(store, table, "same").await.unwrap();
        assert_eq!(content, format!("{table:?}"));
        assert_eq!(store.page(table, "", None, 9).await.unwrap().len(), 1);
    }
}

pub(super) async fn bytes_are_kept(store: &impl StateStore) {
    // Around the sizes at which stores change their layout; half a megabyte is beyond any document of the hub.
    for length in [0, 1, 1003, 2030, 4096, 8192, 70_000, 512 * 1024] {
        let content: Bytes = (0..=u8::MAX).cycle().take(length).collect();
        for table in Table::ALL {
            let commit = Commit::new().put(table, Key::new("d1"), Expect::Any, content.clone());
            store.commit(commit).await.unwrap();
            let found = store.get(table, &Key::new("d1")).await.unwrap();
            assert!(
                found.is_some_and(|(found, _)| found == content),
                "{length} bytes in {table:?}"
            );
        }
    }
}

/// Many tasks swap one document, each from what it loaded: no increment is lost.
pub(super) async fn lost_swaps<S: StateStore>(store: S) {
    let store = Arc::new(store);
    put(&*store, Table::Twins, "counter", "0").await;
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for _ in 0..INCREMENTS {
                    increment(&*store).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let (count, _) = load(&*store, Table::Twins, "counter").await.unwrap();
    assert_eq!(count, (TASKS * INCREMENTS).to_string());
}

async fn increment(store: &impl StateStore) {
    loop {
        let (count, rev) = load(store, Table::Twins, "counter").await.unwrap();
        let next = (count.parse::<u64>().unwrap() + 1).to_string();
        let commit = Commit::new().put(Table::Twins, Key::new("counter"), Expect::At(rev), next);
        match store.commit(commit).await {
            Ok(_) => return,
            Err(CommitError::Conflict(0)) => {}
            Err(error) => panic!("a swap fails by conflict only: {error}"),
        }
    }
}
