//! What the state store does when the disk is full or fails. Real limits: of the database's size, and of the size of
//! any file that a child process may write.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ironhub_hub::ports::{Commit, CommitError, Expect, Key, StateStore, StoreError, Table};
use ironhub_storage_embedded::{DataDir, SqliteState, StateHealth, StateOptions};

/// Where the child process works; absent in the test process.
const CHILD_DIRECTORY: &str = "IRONHUB_TEST_STATE_DIRECTORY";
/// What the child's `on_fatal` exits with, as the server does.
const EXIT_FATAL: i32 = 74;

fn open(path: &Path, options: &StateOptions) -> SqliteState {
    SqliteState::open(&DataDir::open(path).unwrap(), options).unwrap()
}

fn put(key: &str, bytes: usize) -> Commit {
    Commit::new().put(Table::Twins, Key::new(key), Expect::Any, vec![b'x'; bytes])
}

async fn holds(store: &SqliteState, key: &str) -> bool {
    store.get(Table::Twins, &Key::new(key)).await.unwrap().is_some()
}

/// Waits, however long, until the store says so.
async fn until_ok(store: &SqliteState) {
    while store.health() != StateHealth::Ok {
        tokio::task::yield_now().await;
    }
}

/// Waits, however long, until the store cannot write; returns why.
async fn until_no_space(store: &SqliteState) -> String {
    loop {
        if let StateHealth::NoSpace(reason) = store.health() {
            return reason;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_space_nobody_is_answered_and_nothing_is_lost() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let options = StateOptions {
        bytes_max: Some(1024 * 1024),
        on_fatal: Arc::new(|reason| panic!("a full disk is not a broken one: {reason}")),
    };
    let store = Arc::new(open(&path, &options));
    store.commit(put("small", 10)).await.unwrap();
    // Together far more than fits; each alone fits.
    let commits: Vec<_> = (0..40)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.commit(put(&format!("large{n}"), 50_000)).await })
        })
        .collect();
    let reason = until_no_space(&store).await;
    assert!(reason.contains("full"), "{reason}");
    let (answered, waiting): (Vec<_>, Vec<_>) = commits.into_iter().partition(tokio::task::JoinHandle::is_finished);
    assert!(!waiting.is_empty(), "what does not fit waits");
    assert!(holds(&store, "small").await, "reads go on");
    for commit in answered {
        commit.await.unwrap().unwrap();
    }
    // What frees space gets through, and what waited is then done and answered.
    while waiting.iter().any(|commit| !commit.is_finished()) {
        let delete = |commit: Commit, n| commit.delete(Table::Twins, Key::new(format!("large{n}")), Expect::Any);
        store.commit((0..40).fold(Commit::new(), delete)).await.unwrap();
    }
    for commit in waiting {
        assert!(commit.await.unwrap().is_ok());
    }
    store.commit(put("small", 11)).await.unwrap();
    until_ok(&store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_program_at_the_database_is_waited_for() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let store = Arc::new(open(&path, &StateOptions::default()));
    let other = rusqlite::Connection::open(path.join("state.sqlite")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let committer = Arc::clone(&store);
    let commit = tokio::spawn(async move { committer.commit(put("d1", 10)).await });
    let reason = until_no_space(&store).await;
    assert!(reason.contains("locked"), "{reason}");
    assert!(!commit.is_finished());
    other.execute_batch("COMMIT").unwrap();
    commit.await.unwrap().unwrap();
    assert!(holds(&store, "d1").await);
}

#[tokio::test]
async fn a_full_store_closes_and_opens_again() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let options = StateOptions {
        bytes_max: Some(256 * 1024),
        ..StateOptions::default()
    };
    let store = open(&path, &options);
    store.commit(put("acknowledged", 1000)).await.unwrap();
    tokio::select! {
        biased;
        outcome = store.commit(put("too large", 1_000_000)) => panic!("there is no space for this: {outcome:?}"),
        _ = until_no_space(&store) => (),
    }
    drop(store);
    let store = open(&path, &StateOptions::default());
    assert!(holds(&store, "acknowledged").await);
    assert!(!holds(&store, "too large").await);
}

#[tokio::test]
async fn after_a_failed_write_nothing_is_acknowledged() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    // 1 MiB for each file, in blocks of 512 bytes: the write-ahead log cannot grow beyond, and says so as EFBIG.
    let status = run_child("a_child_whose_disk_fails", &path, "trap '' XFSZ; ulimit -f 2048;");
    assert_eq!(status.code(), Some(EXIT_FATAL), "the fatal hook ends the process");
    let acknowledged = std::fs::read_to_string(path.join("acknowledged")).unwrap();
    let store = open(&path, &StateOptions::default());
    assert!(acknowledged.lines().count() > 10, "it went well for a while");
    for key in acknowledged.lines() {
        assert!(holds(&store, key).await, "{key} was acknowledged");
    }
    store.commit(put("after", 10)).await.unwrap();
}

/// Does nothing unless started by the test above.
#[tokio::test]
async fn a_child_whose_disk_fails() {
    let Some(path) = child_directory() else {
        return;
    };
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let options = StateOptions {
        on_fatal: Arc::new(move |reason| {
            assert!(reason.contains("disk I/O error"), "{reason}");
            counted.fetch_add(1, Ordering::SeqCst);
        }),
        ..StateOptions::default()
    };
    let store = open(&path, &options);
    let mut acknowledged = String::new();
    let error = loop {
        let key = format!("d{}", acknowledged.len());
        match store.commit(put(&key, 20_000)).await {
            Ok(_) => acknowledged += &(key + "\n"),
            Err(error) => break error,
        }
    };
    assert_eq!(error, CommitError::Store(StoreError::Stopped));
    assert_eq!(
        calls.load(Ordering::SeqCst),
        1,
        "told once, and before anybody who waited"
    );
    assert_eq!(store.health(), StateHealth::Stopped);
    assert_eq!(
        store.commit(put("later", 1)).await,
        Err(CommitError::Store(StoreError::Stopped))
    );
    std::fs::write(path.join("acknowledged"), acknowledged).unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(path.join("acknowledged"), private).unwrap();
    std::process::exit(EXIT_FATAL);
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is how the test tells its child where to work"
)]
fn child_directory() -> Option<PathBuf> {
    std::env::var(CHILD_DIRECTORY).ok().map(PathBuf::from)
}

/// Runs one test of this very program in a process of its own, after the shell's preparation.
fn run_child(test: &str, path: &Path, preparation: &str) -> ExitStatus {
    let program = std::env::current_exe().unwrap();
    let script = format!("{preparation} exec '{}' --exact {test} --nocapture", program.display());
    Command::new("sh")
        .args(["-c", &script])
        .env(CHILD_DIRECTORY, path)
        .status()
        .unwrap()
}
