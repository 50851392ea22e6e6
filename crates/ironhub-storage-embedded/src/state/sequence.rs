//! The store's rising number: revisions, mail and outbox records all take theirs from it.

use rusqlite::Connection;

/// Numbers that one write of the reservation covers. A restart skips what is left of them.
const BLOCK: u64 = 1 << 16;

/// Gives each number once, over restarts too: a number may be used only when the transaction that uses it also holds
/// a reservation beyond it.
#[derive(Debug)]
pub(crate) struct Sequence {
    next: u64,
    /// Durable: a restart begins here.
    reserved: u64,
}

/// A reservation that becomes durable with the transaction that it was written in.
#[derive(Debug)]
#[must_use]
pub(crate) struct Reservation(u64);

impl Sequence {
    /// Begins where no number was used yet.
    pub(crate) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let reserved: i64 =
            connection.query_row("SELECT value FROM meta WHERE name = 'sequence'", [], |row| row.get(0))?;
        let reserved = reserved.cast_unsigned();
        Ok(Self {
            next: reserved,
            reserved,
        })
    }

    /// The next number. Not given again, even when the transaction fails.
    pub(crate) fn next(&mut self) -> u64 {
        let number = self.next;
        self.next = self.next.saturating_add(1);
        number
    }

    /// Writes a reservation when the numbers in use have passed the durable one.
    pub(crate) fn reserve(&self, connection: &Connection) -> rusqlite::Result<Reservation> {
        if self.next <= self.reserved {
            return Ok(Reservation(self.reserved));
        }
        let reserved = self.next.saturating_add(BLOCK);
        let mut update = connection.prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'sequence'")?;
        update.execute([reserved.cast_signed()])?;
        Ok(Reservation(reserved))
    }

    /// Takes note that the reservation is durable.
    pub(crate) fn committed(&mut self, Reservation(reserved): Reservation) {
        self.reserved = reserved;
    }
}
