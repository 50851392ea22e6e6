//! What one commit does inside a transaction.

use ironhub_hub::ports::{Commit, CommitError, DocumentOp, Expect, MailOp, Rev, Table};
use rusqlite::{Connection, OptionalExtension, params};

use super::sequence::Sequence;

/// What a caller is told: the new revisions, or which operation was refused.
pub(crate) type Outcome = Result<Vec<Option<Rev>>, CommitError>;

/// A refusal is an outcome; a failure of SQLite concerns the whole transaction.
enum Stop {
    Refused(CommitError),
    Failed(rusqlite::Error),
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error)
    }
}

/// A table's number in the file. Numbers are never used again.
pub(crate) const fn code(table: Table) -> i64 {
    match table {
        Table::Devices => 1,
        Table::Modules => 2,
        Table::Twins => 3,
        Table::Sessions => 4,
        Table::Hub => 5,
        Table::Presence => 6,
    }
}

/// Does everything that the commit says, or nothing. The transaction stays open either way.
pub(crate) fn apply(connection: &Connection, sequence: &mut Sequence, commit: &Commit) -> rusqlite::Result<Outcome> {
    if !can_be_refused_midway(commit) {
        return run(connection, sequence, commit);
    }
    execute(connection, "SAVEPOINT one_commit")?;
    let outcome = run(connection, sequence, commit)?;
    if outcome.is_err() {
        execute(connection, "ROLLBACK TO one_commit")?;
    }
    execute(connection, "RELEASE one_commit")?;
    Ok(outcome)
}

/// A refusal of the very first operation leaves nothing to undo; this spares most commits their savepoint.
fn can_be_refused_midway(commit: &Commit) -> bool {
    let documents = commit.documents.iter().map(|op| op.expect != Expect::Any);
    let mail = commit.mail.iter().map(|op| !matches!(op, MailOp::Clear { .. }));
    documents.chain(mail).skip(1).any(|refusable| refusable)
}

fn run(connection: &Connection, sequence: &mut Sequence, commit: &Commit) -> rusqlite::Result<Outcome> {
    match run_all(connection, sequence, commit) {
        Ok(revs) => Ok(Ok(revs)),
        Err(Stop::Refused(refusal)) => Ok(Err(refusal)),
        Err(Stop::Failed(error)) => Err(error),
    }
}

fn run_all(connection: &Connection, sequence: &mut Sequence, commit: &Commit) -> Result<Vec<Option<Rev>>, Stop> {
    let mut revs = Vec::with_capacity(commit.documents.len());
    for (index, op) in commit.documents.iter().enumerate() {
        let rev = op.put.as_ref().map(|_| Rev(sequence.next()));
        if !write_document(connection, op, rev)? {
            return Err(Stop::Refused(CommitError::Conflict(index)));
        }
        revs.push(rev);
    }
    for (index, op) in commit.mail.iter().enumerate() {
        write_mail(connection, sequence, op, index)?;
    }
    if let Some(done) = commit.outbox_done {
        let mut trim = connection.prepare_cached("DELETE FROM outbox WHERE id <= ?1")?;
        trim.execute([done.0.cast_signed()])?;
    }
    for (partition, event) in &commit.outbox {
        let mut append = connection.prepare_cached("INSERT INTO outbox VALUES (?1, ?2, ?3)")?;
        append.execute(params![sequence.next().cast_signed(), partition.0, &event[..]])?;
    }
    for (name, delta) in &commit.counters {
        let mut add = connection.prepare_cached(
            "INSERT INTO counters VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
        )?;
        add.execute(params![name, delta])?;
    }
    Ok(revs)
}

/// Writes or deletes; `false` when the document was not as expected.
fn write_document(connection: &Connection, op: &DocumentOp, rev: Option<Rev>) -> rusqlite::Result<bool> {
    let code = code(op.table);
    let key = op.key.as_str().as_bytes();
    let Some((content, rev)) = op.put.as_ref().zip(rev) else {
        return delete_document(connection, op);
    };
    let (content, rev) = (&content[..], rev.0.cast_signed());
    let written = match op.expect {
        Expect::Absent => connection
            .prepare_cached("INSERT INTO documents VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")?
            .execute(params![code, key, rev, content])?,
        Expect::At(loaded) => connection
            .prepare_cached("UPDATE documents SET rev = ?3, content = ?4 WHERE code = ?1 AND key = ?2 AND rev = ?5")?
            .execute(params![code, key, rev, content, loaded.0.cast_signed()])?,
        Expect::Any => connection
            .prepare_cached(
                "INSERT INTO documents VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (code, key) DO UPDATE SET rev = excluded.rev, content = excluded.content",
            )?
            .execute(params![code, key, rev, content])?,
    };
    Ok(written > 0)
}

fn delete_document(connection: &Connection, op: &DocumentOp) -> rusqlite::Result<bool> {
    let code = code(op.table);
    let key = op.key.as_str().as_bytes();
    match op.expect {
        Expect::Absent => {
            let mut find = connection.prepare_cached("SELECT 1 FROM documents WHERE code = ?1 AND key = ?2")?;
            Ok(!find.exists(params![code, key])?)
        }
        Expect::At(loaded) => {
            let mut delete =
                connection.prepare_cached("DELETE FROM documents WHERE code = ?1 AND key = ?2 AND rev = ?3")?;
            Ok(delete.execute(params![code, key, loaded.0.cast_signed()])? > 0)
        }
        Expect::Any => {
            let mut delete = connection.prepare_cached("DELETE FROM documents WHERE code = ?1 AND key = ?2")?;
            delete.execute(params![code, key])?;
            Ok(true)
        }
    }
}

fn write_mail(connection: &Connection, sequence: &mut Sequence, op: &MailOp, index: usize) -> Result<(), Stop> {
    let (written, refusal) = match op {
        MailOp::Push {
            mailbox,
            due_at,
            content,
            messages_max,
        } => {
            let mut push = connection.prepare_cached(
                "INSERT INTO mail SELECT ?1, ?2, ?3, ?4
                 WHERE COALESCE((SELECT messages FROM mailboxes WHERE mailbox = ?1), 0) < ?5",
            )?;
            let id = sequence.next().cast_signed();
            let mailbox = mailbox.as_str().as_bytes();
            let pushed = push.execute(params![mailbox, id, due_at.as_micros(), &content[..], messages_max])?;
            (pushed, CommitError::MailboxFull(index))
        }
        MailOp::Update { mailbox, id, content } => {
            let mut update =
                connection.prepare_cached("UPDATE mail SET content = ?3 WHERE mailbox = ?1 AND id = ?2")?;
            let mailbox = mailbox.as_str().as_bytes();
            let updated = update.execute(params![mailbox, id.0.cast_signed(), &content[..]])?;
            (updated, CommitError::NoMail(index))
        }
        MailOp::Remove { mailbox, id } => {
            let mut remove = connection.prepare_cached("DELETE FROM mail WHERE mailbox = ?1 AND id = ?2")?;
            let removed = remove.execute(params![mailbox.as_str().as_bytes(), id.0.cast_signed()])?;
            (removed, CommitError::NoMail(index))
        }
        MailOp::Clear { mailbox } => {
            let mut clear = connection.prepare_cached("DELETE FROM mail WHERE mailbox = ?1")?;
            clear.execute([mailbox.as_str().as_bytes()])?;
            return Ok(());
        }
    };
    if written == 0 {
        return Err(Stop::Refused(refusal));
    }
    Ok(())
}

/// Runs a statement without parameters or rows.
pub(crate) fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached(sql)?
        .query_row([], |_| Ok(()))
        .optional()
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use ironhub_hub::ports::Key;
    use ironhub_model::Timestamp;

    use super::*;
    use crate::state::{connection, reader};

    /// How many instructions of the database engine this takes.
    fn work(connection: &mut Connection, run: impl FnOnce(&Connection)) -> u32 {
        let count = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&count);
        let handler = move || counter.fetch_add(1, Ordering::Relaxed) == u32::MAX;
        connection.progress_handler(1, Some(handler)).unwrap();
        run(connection);
        connection.progress_handler(1, None::<fn() -> bool>).unwrap();
        count.load(Ordering::Relaxed)
    }

    #[test]
    fn a_full_mailbox_costs_no_more_than_an_empty_one() {
        let mut connection = connection::open_in_memory().unwrap();
        connection::create_tables(&connection, b"proof").unwrap();
        let mut sequence = Sequence::load(&connection).unwrap();
        let mailbox = Key::new("box");
        let mut push = |connection: &Connection| {
            let op = MailOp::Push {
                mailbox: mailbox.clone(),
                due_at: Timestamp::UNIX_EPOCH,
                content: "x".into(),
                messages_max: u32::MAX,
            };
            let commit = Commit::new().mail(op);
            assert_eq!(apply(connection, &mut sequence, &commit).unwrap(), Ok(Vec::new()));
        };
        push(&connection);
        let first = work(&mut connection, &mut push);
        assert!(first > 10, "{first}: the handler counts");
        for _ in 0..3000 {
            push(&connection);
        }
        assert_eq!(work(&mut connection, &mut push), first);
        let len = |connection: &Connection| reader::mailbox_len(connection, &mailbox).unwrap();
        assert_eq!(len(&connection), 3003);
        let look = |connection: &Connection| assert!(len(connection) > 0);
        assert!(work(&mut connection, look) < first);
    }
}
