//! The state store under kill −9: what was acknowledged is there, and no version goes back.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use ironhub_hub::ports::{Commit, CommitError, Expect, Key, MailOp, StateStore, Table};
use ironhub_model::{PartitionId, Timestamp};
use ironhub_storage_embedded::{DataDir, SqliteState, StateOptions};

/// Where the child process works; absent in the test process.
const CHILD_DIRECTORY: &str = "IRONHUB_TEST_STATE_DIRECTORY";
/// More rounds than usual.
const ROUNDS: &str = "IRONHUB_TEST_CRASH_ROUNDS";
const ROUNDS_DEFAULT: u64 = 10;
/// Devices, each with one task that writes its twin.
const DEVICES: usize = 32;

/// The greatest acknowledged version of each twin.
type Ledger = BTreeMap<String, u64>;

#[tokio::test]
async fn acknowledged_survives_kill_9() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let mut ledger = Ledger::new();
    for round in 0..rounds() {
        let acknowledged = kill_under_load(&path, acknowledgements_before_kill(round), &mut ledger);
        assert!(acknowledged > 0, "round {round} killed a store at work");
        check(&path, &ledger).await;
    }
}

/// A spread of instants, from the first transaction to after several checkpoints, that is the same in every run.
fn acknowledgements_before_kill(round: u64) -> u64 {
    1 + round.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 4000
}

/// Starts a child, reads its acknowledgements, kills it at a moment of its own, and keeps the rest of what it said.
fn kill_under_load(path: &Path, acknowledgements: u64, ledger: &mut Ledger) -> u64 {
    let mut child = start_child(path);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut count = 0;
    while let Some(Ok(line)) = lines.next() {
        // The test runner's own lines are not ours.
        let Some((device, version)) = line.strip_prefix("ack ").and_then(|ack| ack.split_once(' ')) else {
            continue;
        };
        let version = version.parse().unwrap();
        let before = ledger.insert(device.into(), version);
        assert!(
            before.is_none_or(|before| before < version),
            "{device} went back from {before:?} to {version}"
        );
        count += 1;
        if count == acknowledgements {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    count
}

/// Opens what the child left, and compares.
async fn check(path: &Path, ledger: &Ledger) {
    let store = SqliteState::open(&DataDir::open(path).unwrap(), &StateOptions::default()).unwrap();
    let mut events = BTreeMap::<String, Vec<u64>>::new();
    for record in store.outbox(None, usize::MAX).await.unwrap() {
        let text = String::from_utf8(record.event.to_vec()).unwrap();
        let (device, version) = text.split_once(' ').unwrap();
        events.entry(device.into()).or_default().push(version.parse().unwrap());
    }
    let mut total = 0;
    for (device, acknowledged) in ledger {
        let stored = version(&store, device).await.unwrap();
        assert!(
            stored >= *acknowledged,
            "{device} has {stored}, {acknowledged} was acknowledged"
        );
        let told: Vec<u64> = (1..=stored).collect();
        assert_eq!(
            events.get(device),
            Some(&told),
            "one event for each version of {device}, in order"
        );
        let mail = store
            .mailbox(&Key::new(device.as_str()), None, usize::MAX)
            .await
            .unwrap();
        let last = mail.last().map(|mail| mail.content.clone());
        assert_eq!(
            (mail.len(), last),
            (1, Some(stored.to_string().into())),
            "mail of {device}"
        );
        total += i64::try_from(stored).unwrap();
    }
    // A twin that was written but never acknowledged counts as well.
    let unacknowledged = events.iter().filter(|(device, _)| !ledger.contains_key(*device));
    let unacknowledged: usize = unacknowledged.map(|(_, versions)| versions.len()).sum();
    assert_eq!(
        store.counter("writes").await.unwrap(),
        total + i64::try_from(unacknowledged).unwrap()
    );
}

async fn version(store: &SqliteState, device: &str) -> Option<u64> {
    let (content, _) = store.get(Table::Twins, &Key::new(device)).await.unwrap()?;
    let text = std::str::from_utf8(&content).unwrap();
    text.split_once(' ').unwrap().0.parse().ok()
}

/// Does nothing unless started by the test above; then it writes until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_commits() {
    let Some(path) = child_directory() else {
        return;
    };
    let store = SqliteState::open(&DataDir::open(&path).unwrap(), &StateOptions::default()).unwrap();
    let store = Arc::new(store);
    for n in 0..DEVICES {
        let store = Arc::clone(&store);
        tokio::spawn(async move { write_twin(&store, &format!("d{n:02}")).await });
    }
    // Should the parent be gone, the child ends too.
    tokio::time::sleep(Duration::from_mins(5)).await;
}

/// Raises the version of a twin by one, again and again, with all that such a write causes.
async fn write_twin(store: &SqliteState, device: &str) {
    loop {
        let key = Key::new(device);
        let loaded = store.get(Table::Twins, &key).await.unwrap();
        let expect = loaded.map_or(Expect::Absent, |(_, rev)| Expect::At(rev));
        let version = version(store, device).await.unwrap_or(0) + 1;
        let commit = Commit::new()
            .put(
                Table::Twins,
                key.clone(),
                expect,
                format!("{version} {}", "x".repeat(1500)),
            )
            .mail(MailOp::Clear { mailbox: key.clone() })
            .mail(MailOp::Push {
                mailbox: key,
                due_at: Timestamp::UNIX_EPOCH,
                content: version.to_string().into(),
                messages_max: 1,
            })
            .event(PartitionId(0), format!("{device} {version}"))
            .count("writes", 1);
        match store.commit(commit).await {
            Ok(_) => acknowledge(device, version),
            Err(CommitError::Conflict(_)) => panic!("{device} has one writer"),
            Err(error) => panic!("{error}"),
        }
    }
}

/// One write, so that lines of several tasks do not mix, and none is half there.
fn acknowledge(device: &str, version: u64) {
    let line = format!("ack {device} {version}\n");
    std::io::stdout().write_all(line.as_bytes()).unwrap();
}

fn start_child(path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_child_that_commits", "--nocapture"])
        .env(CHILD_DIRECTORY, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is how the test tells its child where to work"
)]
fn child_directory() -> Option<PathBuf> {
    std::env::var(CHILD_DIRECTORY).ok().map(PathBuf::from)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the long form of the test is the same test by a setting"
)]
fn rounds() -> u64 {
    std::env::var(ROUNDS)
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(ROUNDS_DEFAULT)
}
