//! The state store fulfils the contract, and what is special about it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::sync::Arc;

use ironhub_hub::ports::{Commit, CommitError, Expect, Key, MailOp, StateStore, StoreError, Table};
use ironhub_model::{PartitionId, Timestamp};
use ironhub_storage_embedded::{DataDir, SqliteState, StateHealth, StateLook, StateOptions};
use ironhub_testkit::contract;

fn open(path: &Path) -> SqliteState {
    SqliteState::open(&DataDir::open(path).unwrap(), &StateOptions::default()).unwrap()
}

fn put(table: Table, key: &str, content: impl Into<bytes::Bytes>) -> Commit {
    Commit::new().put(table, Key::new(key), Expect::Any, content)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn contract_in_memory() {
    contract::state_store(async || SqliteState::open_in_memory().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn contract_on_disk() {
    let parent = tempfile::tempdir().unwrap();
    let count = std::cell::Cell::new(0);
    contract::state_store(async || {
        count.set(count.get() + 1);
        open(&parent.path().join(count.get().to_string()))
    })
    .await;
}

#[tokio::test]
async fn a_restart_finds_everything() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let push = MailOp::Push {
        mailbox: Key::new("box"),
        due_at: Timestamp::from_secs(1),
        content: "mail".into(),
        messages_max: 5,
    };
    let commit = put(Table::Devices, "d1", "identity")
        .put(Table::Twins, Key::new("d1"), Expect::Absent, "twin")
        .mail(push.clone())
        .event(PartitionId(2), "event")
        .count("devices", 1);
    let store = open(&path);
    let revs = store.commit(commit).await.unwrap();
    let mail = store.mailbox(&Key::new("box"), None, 9).await.unwrap();
    let outbox = store.outbox(None, 9).await.unwrap();
    drop(store);

    let store = open(&path);
    let device = store.get(Table::Devices, &Key::new("d1")).await.unwrap();
    assert_eq!(device, revs[0].map(|rev| ("identity".into(), rev)));
    let twin = store.get(Table::Twins, &Key::new("d1")).await.unwrap();
    assert_eq!(twin, revs[1].map(|rev| ("twin".into(), rev)));
    assert_eq!(store.mailbox(&Key::new("box"), None, 9).await.unwrap(), mail);
    assert_eq!(store.outbox(None, 9).await.unwrap(), outbox);
    assert_eq!(store.counter("devices").await, Ok(1));

    // Numbers go on where they were, even when nothing is left that shows them.
    let trim = Commit {
        outbox_done: Some(outbox[0].id),
        ..Commit::new()
    };
    store
        .commit(trim.mail(MailOp::Clear {
            mailbox: Key::new("box"),
        }))
        .await
        .unwrap();
    drop(store);
    let store = open(&path);
    let revs_after = store
        .commit(put(Table::Twins, "d1", "x").mail(push).event(PartitionId(0), "x"))
        .await
        .unwrap();
    assert!(revs_after[0] > revs[1]);
    assert!(store.mailbox(&Key::new("box"), None, 9).await.unwrap()[0].id > mail[0].id);
    assert!(store.outbox(None, 9).await.unwrap()[0].id > outbox[0].id);
}

#[tokio::test]
async fn one_conflict_does_not_fail_its_neighbours() {
    let store = Arc::new(SqliteState::open_in_memory().unwrap());
    store.commit(put(Table::Twins, "shared", "x")).await.unwrap();
    let commits: Vec<_> = (0..200)
        .map(|n| {
            let expect = if n % 3 == 0 { Expect::Absent } else { Expect::Any };
            // The document that conflicts comes after one that was written already.
            let commit = put(Table::Twins, &format!("d{n}"), "x").put(Table::Twins, Key::new("shared"), expect, "x");
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.commit(commit).await })
        })
        .collect();
    for (n, commit) in commits.into_iter().enumerate() {
        let outcome = commit.await.unwrap();
        let found = store.get(Table::Twins, &Key::new(format!("d{n}"))).await.unwrap();
        if n % 3 == 0 {
            assert_eq!((outcome, found), (Err(CommitError::Conflict(1)), None), "d{n}");
        } else {
            assert_eq!(outcome.unwrap()[0], found.map(|(_, rev)| rev), "d{n}");
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_private_and_keys_are_sealed() {
    use std::os::unix::fs::MetadataExt;
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let store = open(&path);
    for table in Table::ALL {
        store
            .commit(put(table, "d1", format!("plain-{table:?}-plain")))
            .await
            .unwrap();
    }
    let mut names = Vec::new();
    let mut stored = Vec::new();
    for entry in std::fs::read_dir(&path).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().mode() & 0o777, 0o600, "{entry:?}");
        names.push(entry.file_name().into_string().unwrap());
        stored.extend(std::fs::read(entry.path()).unwrap());
    }
    names.sort();
    assert_eq!(
        names,
        [
            "lock",
            "master.key",
            "state.sqlite",
            "state.sqlite-shm",
            "state.sqlite-wal"
        ]
    );
    for table in Table::ALL {
        let text = format!("plain-{table:?}-plain");
        let is_readable = stored.windows(text.len()).any(|bytes| bytes == text.as_bytes());
        assert_eq!(is_readable, !table.is_secret(), "{table:?}");
    }
}

#[tokio::test]
async fn a_foreign_or_missing_key_is_refused_at_start() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let key = path.join("master.key");
    drop(open(&path));
    let refusal = || {
        let opened = SqliteState::open(&DataDir::open(&path).unwrap(), &StateOptions::default());
        opened.err().unwrap().to_string()
    };
    std::fs::write(&key, [7; 32]).unwrap();
    let wrong = format!(
        "{} is not the key that the state was sealed with: restore it from the backup",
        key.display()
    );
    assert_eq!(refusal(), wrong);
    std::fs::write(&key, "short").unwrap();
    assert_eq!(refusal(), wrong);
    std::fs::remove_file(&key).unwrap();
    let missing = format!(
        "{} is missing, and the state cannot be read without it: restore it from the backup",
        key.display()
    );
    assert_eq!(refusal(), missing);
}

#[tokio::test]
async fn a_later_format_and_a_foreign_file_are_refused() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let file = path.join("state.sqlite");
    drop(open(&path));
    let refusal = || {
        let opened = SqliteState::open(&DataDir::open(&path).unwrap(), &StateOptions::default());
        opened.err().unwrap().to_string()
    };
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection.pragma_update(None, "user_version", 3).unwrap();
    drop(connection);
    assert_eq!(
        refusal(),
        format!("{} has state format 3; this program reads format 2", file.display())
    );
    std::fs::write(&file, "not a database, and long enough to be looked at".repeat(100)).unwrap();
    assert!(refusal().ends_with("file is not a database"));
}

#[tokio::test]
async fn a_store_of_the_first_format_is_brought_up_to_date() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let push = |mailbox: &str, messages_max| {
        Commit::new().mail(MailOp::Push {
            mailbox: Key::new(mailbox),
            due_at: Timestamp::from_secs(1),
            content: "mail".into(),
            messages_max,
        })
    };
    let store = open(&path);
    for mailbox in ["a", "b", "a"] {
        store.commit(push(mailbox, 9)).await.unwrap();
    }
    drop(store);
    // What the second format has added.
    let connection = rusqlite::Connection::open(path.join("state.sqlite")).unwrap();
    let take_back =
        "DROP TRIGGER mail_pushed; DROP TRIGGER mail_removed; DROP TABLE mailboxes; PRAGMA user_version = 1";
    connection.execute_batch(take_back).unwrap();
    drop(connection);

    for _ in 0..2 {
        let store = open(&path);
        for (mailbox, messages) in [("a", 2), ("b", 1), ("c", 0)] {
            assert_eq!(store.mailbox_len(&Key::new(mailbox)).await, Ok(messages), "{mailbox}");
        }
        assert_eq!(store.commit(push("a", 2)).await, Err(CommitError::MailboxFull(0)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_store_gives_disk_space_back() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let store = open(&path);
    let file_bytes = || std::fs::metadata(path.join("state.sqlite")).unwrap().len();
    let keys: Vec<Key> = (0..60).map(|n| Key::new(format!("d{n:02}"))).collect();
    for key in &keys {
        let large = Commit::new().put(Table::Twins, key.clone(), Expect::Any, vec![b'x'; 1 << 20]);
        store.commit(large).await.unwrap();
    }
    store.commit(put(Table::Twins, "stays", "x")).await.unwrap();
    let full_bytes = file_bytes();
    assert!(
        full_bytes > 40 << 20,
        "{full_bytes}: most was copied out of the write-ahead log"
    );
    let delete = |commit: Commit, key: &Key| commit.delete(Table::Twins, key.clone(), Expect::Any);
    store.commit(keys.iter().fold(Commit::new(), delete)).await.unwrap();
    while file_bytes() > 16 << 20 {
        tokio::task::yield_now().await;
    }
    assert!(store.get(Table::Twins, &Key::new("stays")).await.unwrap().is_some());
    store.commit(put(Table::Twins, "more", "x")).await.unwrap();
}

#[tokio::test]
async fn a_row_that_was_moved_or_broken_is_damage() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let store = open(&path);
    store
        .commit(put(Table::Devices, "d1", "one").put(Table::Devices, Key::new("d2"), Expect::Any, "two"))
        .await
        .unwrap();
    let connection = rusqlite::Connection::open(path.join("state.sqlite")).unwrap();
    let swap = "UPDATE documents SET content = (SELECT content FROM documents WHERE key = CAST('d2' AS BLOB)) WHERE key = CAST('d1' AS BLOB)";
    assert_eq!(connection.execute(swap, []).unwrap(), 1);
    let damaged = store.get(Table::Devices, &Key::new("d1")).await;
    assert_eq!(
        damaged,
        Err(StoreError::Damaged(
            "d1 in Devices does not open under the master key".into()
        ))
    );
    assert!(store.get(Table::Devices, &Key::new("d2")).await.is_ok());
    assert!(matches!(
        store.page(Table::Devices, "", None, 9).await,
        Err(StoreError::Damaged(_))
    ));
    // The device can be registered anew.
    store.commit(put(Table::Devices, "d1", "new")).await.unwrap();
    assert!(store.get(Table::Devices, &Key::new("d1")).await.is_ok());
}

#[tokio::test]
async fn a_backup_is_a_snapshot_that_opens() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let restored = parent.path().join("restored");
    let store = open(&path);
    for n in 0..50 {
        store
            .commit(put(Table::Devices, &format!("d{n:02}"), "x".repeat(1500)))
            .await
            .unwrap();
    }
    drop(DataDir::open(&restored).unwrap());
    let copy = restored.join("state.sqlite");
    store.backup_to(&copy).await.unwrap();
    store.commit(put(Table::Devices, "later", "x")).await.unwrap();
    assert!(store.backup_to(&copy).await.is_err(), "a backup overwrites nothing");
    std::fs::copy(path.join("master.key"), restored.join("master.key")).unwrap();

    let copied = open(&restored);
    let page = copied.page(Table::Devices, "", None, 100).await.unwrap();
    assert_eq!(page.len(), 50);
    assert!(page.iter().all(|(_, content, _)| content.len() == 1500));
    copied.commit(put(Table::Devices, "more", "x")).await.unwrap();
}

#[tokio::test]
async fn a_backup_of_memory_is_a_file() {
    let parent = tempfile::tempdir().unwrap();
    let copy = parent.path().join("copy.sqlite");
    let store = SqliteState::open_in_memory().unwrap();
    store.commit(put(Table::Twins, "d1", "x")).await.unwrap();
    store.backup_to(&copy).await.unwrap();
    let connection = rusqlite::Connection::open(&copy).unwrap();
    let count: i64 = connection
        .query_row("SELECT COUNT(*) FROM documents", [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, 1);
    assert_eq!(store.health(), StateHealth::Ok);
}

#[tokio::test]
async fn a_look_sees_what_the_hub_has_stored_while_it_runs_and_after() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let absent = format!("there is no hub in {}", path.display());
    assert_eq!(StateLook::open(&path).err().unwrap().to_string(), absent);
    let seen = |key: &str| {
        let look = StateLook::open(&path).unwrap();
        look.get(Table::Hub, &Key::new(key)).unwrap()
    };

    let store = open(&path);
    assert_eq!(seen("settings"), None);
    store.commit(put(Table::Hub, "settings", "first")).await.unwrap();
    assert_eq!(seen("settings"), Some("first".into()));
    store.commit(put(Table::Hub, "settings", "second")).await.unwrap();
    assert_eq!(seen("settings"), Some("second".into()));
    drop(store);
    assert_eq!(seen("settings"), Some("second".into()));

    // The look has left nothing that keeps the next hub from starting.
    let store = open(&path);
    store.commit(put(Table::Hub, "settings", "third")).await.unwrap();
    assert_eq!(seen("settings"), Some("third".into()));
}

#[cfg(unix)]
#[test]
fn a_look_is_as_strict_as_a_start() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    drop(open(&path));
    let key = path.join("master.key");
    let refused = || StateLook::open(&path).err().unwrap().to_string();

    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(refused().contains("has mode 0755"), "{}", refused());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    let right = std::fs::read(&key).unwrap();
    std::fs::write(&key, [0; 32]).unwrap();
    assert!(
        refused().contains("is not the key that the state was sealed with"),
        "{}",
        refused()
    );
    std::fs::remove_file(&key).unwrap();
    assert!(refused().contains("is missing"), "{}", refused());
    std::fs::write(&key, right).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(StateLook::open(&path).is_ok());
}
