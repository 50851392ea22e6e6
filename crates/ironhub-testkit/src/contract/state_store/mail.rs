//! Mailboxes: order, bound, one remover, what is due.

use std::sync::Arc;

use ironhub_hub::ports::{Commit, CommitError, Key, Mail, MailId, MailOp, StateStore};
use ironhub_model::Timestamp;

const BOUND: u32 = 50;

pub(super) async fn keeps_order_and_bound(store: &impl StateStore) {
    for n in 0..BOUND {
        assert_eq!(store.mailbox_len(&Key::new("box")).await, Ok(n));
        push(store, "box", i64::from(n), &n.to_string(), BOUND).await.unwrap();
    }
    let full = push(store, "box", 0, "x", BOUND).await;
    assert_eq!(full, Err(CommitError::MailboxFull(0)));
    push(store, "other", 0, "its own bound", BOUND).await.unwrap();
    let all = contents(store, "box", None, 100).await;
    assert_eq!(
        all,
        (0..BOUND).map(|n| n.to_string()).collect::<Vec<_>>(),
        "oldest first"
    );
    let third = read(store, "box").await[2].id;
    assert_eq!(
        contents(store, "box", Some(third), 2).await,
        ["3", "4"],
        "after is not included"
    );
    remove(store, "box", third).await.unwrap();
    push(store, "box", 0, "last", BOUND)
        .await
        .expect("a removal makes room");
    assert_eq!(contents(store, "box", None, 4).await, ["0", "1", "3", "4"]);
    assert_eq!(
        contents(store, "box", None, 100).await.last().map(String::as_str),
        Some("last")
    );
    assert_eq!(contents(store, "box", None, 0).await, [""; 0]);
    let none = push(store, "closed", 0, "x", 0).await;
    assert_eq!(none, Err(CommitError::MailboxFull(0)), "a bound of nothing");
}

pub(super) async fn bound_holds_among_many<S: StateStore>(store: S) {
    let store = Arc::new(store);
    let tasks: Vec<_> = (0..2 * BOUND)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { push(&*store, "box", 0, "x", BOUND).await })
        })
        .collect();
    let mut pushed = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(()) => pushed += 1,
            Err(error) => assert_eq!(error, CommitError::MailboxFull(0)),
        }
    }
    assert_eq!(pushed, BOUND);
    assert_eq!(store.mailbox_len(&Key::new("box")).await, Ok(BOUND));
}

pub(super) async fn counts_of_many(store: &impl StateStore) {
    for mailbox in ["a", "b", "a"] {
        push(store, mailbox, 0, "x", BOUND).await.unwrap();
    }
    let keys = ["b", "none", "a"].map(Key::new).to_vec();
    assert_eq!(store.mailbox_lens(keys).await, Ok(vec![1, 0, 2]));
    assert_eq!(store.mailbox_lens(Vec::new()).await, Ok(Vec::new()));
}

pub(super) async fn update_and_remove_need_the_message(store: &impl StateStore) {
    push(store, "box", 7, "one", BOUND).await.unwrap();
    let id = read(store, "box").await[0].id;
    let gone = Err(CommitError::NoMail(0));
    assert_eq!(
        update(store, "other", id, "x").await,
        gone,
        "an id counts in its own mailbox only"
    );
    assert_eq!(remove(store, "other", id).await, gone);
    update(store, "box", id, "two").await.unwrap();
    let due_at = Timestamp::from_secs(7);
    let updated = Mail {
        id,
        due_at,
        content: "two".into(),
    };
    assert_eq!(
        read(store, "box").await,
        [updated],
        "an update changes the content alone"
    );
    remove(store, "box", id).await.unwrap();
    assert_eq!(remove(store, "box", id).await, gone);
    assert_eq!(update(store, "box", id, "x").await, gone);
}

pub(super) async fn one_remover_wins<S: StateStore>(store: S) {
    let store = Arc::new(store);
    for _ in 0..10 {
        push(&*store, "box", 0, "x", BOUND).await.unwrap();
        let id = read(&*store, "box").await[0].id;
        let tasks: Vec<_> = (0..16)
            .map(|_| {
                let store = Arc::clone(&store);
                tokio::spawn(async move { remove(&*store, "box", id).await })
            })
            .collect();
        let mut removed = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(()) => removed += 1,
                Err(error) => assert_eq!(error, CommitError::NoMail(0)),
            }
        }
        assert_eq!(removed, 1);
    }
}

pub(super) async fn due_in_order(store: &impl StateStore) {
    for (mailbox, due, content) in [
        ("a", 30, "a30"),
        ("b", 10, "b10"),
        ("a", 20, "a20"),
        ("c", 20, "c20"),
        ("c", -5, "c-5"),
    ] {
        push(store, mailbox, due, content, BOUND).await.unwrap();
    }
    let due = async |now, limit| {
        let due = store.due(Timestamp::from_secs(now), limit).await.unwrap();
        due.into_iter()
            .map(|(mailbox, mail)| format!("{mailbox:?}:{}", String::from_utf8_lossy(&mail.content)))
            .collect::<Vec<_>>()
    };
    assert_eq!(due(-6, 9).await, [""; 0]);
    assert_eq!(due(9, 9).await, ["c:c-5"]);
    assert_eq!(due(10, 9).await, ["c:c-5", "b:b10"], "due at this very instant");
    assert_eq!(
        due(99, 9).await,
        ["c:c-5", "b:b10", "a:a20", "c:c20", "a:a30"],
        "same time: older first"
    );
    assert_eq!(due(99, 2).await, ["c:c-5", "b:b10"]);
    let (mailbox, first) = store.due(Timestamp::from_secs(99), 1).await.unwrap().remove(0);
    remove(store, mailbox.as_str(), first.id).await.unwrap();
    assert_eq!(due(10, 9).await, ["b:b10"], "what is removed is not due");
}

pub(super) async fn clear_and_ids(store: &impl StateStore) {
    let clear = async || {
        store
            .commit(Commit::new().mail(MailOp::Clear {
                mailbox: Key::new("box"),
            }))
            .await
    };
    clear().await.expect("an empty mailbox can be cleared");
    push(store, "box", 0, "1", BOUND).await.unwrap();
    push(store, "box", 0, "2", BOUND).await.unwrap();
    push(store, "boxes", 0, "other", BOUND).await.unwrap();
    let last = read(store, "box").await[1].id;
    clear().await.unwrap();
    assert_eq!(store.mailbox_len(&Key::new("box")).await, Ok(0));
    assert_eq!(contents(store, "boxes", None, 9).await, ["other"]);
    assert_eq!(
        store.due(Timestamp::MAX, 9).await.unwrap().len(),
        1,
        "cleared mail is not due"
    );
    push(store, "box", 0, "3", BOUND).await.unwrap();
    assert!(read(store, "box").await[0].id > last, "an id is never used again");
}

async fn push(
    store: &impl StateStore,
    mailbox: &str,
    due_secs: i64,
    content: &str,
    messages_max: u32,
) -> Result<(), CommitError> {
    let op = MailOp::Push {
        mailbox: Key::new(mailbox),
        due_at: Timestamp::from_secs(due_secs),
        content: content.to_owned().into(),
        messages_max,
    };
    store.commit(Commit::new().mail(op)).await.map(|_| ())
}

async fn update(store: &impl StateStore, mailbox: &str, id: MailId, content: &str) -> Result<(), CommitError> {
    let op = MailOp::Update {
        mailbox: Key::new(mailbox),
        id,
        content: content.to_owned().into(),
    };
    store.commit(Commit::new().mail(op)).await.map(|_| ())
}

async fn remove(store: &impl StateStore, mailbox: &str, id: MailId) -> Result<(), CommitError> {
    let mailbox = Key::new(mailbox);
    store
        .commit(Commit::new().mail(MailOp::Remove { mailbox, id }))
        .await
        .map(|_| ())
}

async fn read(store: &impl StateStore, mailbox: &str) -> Vec<Mail> {
    store.mailbox(&Key::new(mailbox), None, 100).await.unwrap()
}

async fn contents(store: &impl StateStore, mailbox: &str, after: Option<MailId>, limit: usize) -> Vec<String> {
    let mail = store.mailbox(&Key::new(mailbox), after, limit).await.unwrap();
    mail.into_iter()
        .map(|mail| String::from_utf8(mail.content.to_vec()).unwrap())
        .collect()
}
