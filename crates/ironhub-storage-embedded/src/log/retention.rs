//! Lets sealed files go when they are old or too many.
//!
//! Journals stay, so one whose first event has become old is sealed before it is full: without that, the events of a
//! hub that hears little would outlive their age by as long as it takes to fill a journal.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ironhub_hub::ports::Retention;
use ironhub_model::Timestamp;

use super::inner::{Halt, Inner};
use super::layout::Layout;
use super::sealed::{SealedFile, partition_dir};

/// A journal spans at most this share of the age that events may reach, so that sealed files do not either.
const JOURNAL_AGE_SHARE: u32 = 8;
/// How often to look whether something has become old: a smaller share of that age, within bounds.
const LOOK_SHARE: u32 = 16;
const LOOK_INTERVAL_MIN: Duration = Duration::from_secs(1);
const LOOK_INTERVAL_MAX: Duration = Duration::from_mins(1);

/// How often to look whether something has become old.
pub(crate) fn look_interval(age: Duration) -> Duration {
    (age / LOOK_SHARE).clamp(LOOK_INTERVAL_MIN, LOOK_INTERVAL_MAX)
}

impl Inner {
    /// Has the shards seal journals that hold something old. They do so in their own time.
    pub(crate) fn roll_old_journals(&self) {
        let age = self.retention.lock().age;
        let now = self.now();
        let layout = self.layout.read();
        for (shard, inbox) in (0..).zip(&self.inboxes) {
            let first = layout.active(shard).and_then(|segment| segment.first_enqueued_at());
            if first.is_some_and(|first| is_old(first, now, age)) {
                inbox.ask_to_roll();
            }
        }
    }

    /// Removes what need not stay.
    pub(crate) fn enforce_retention(&self) -> Result<(), Halt> {
        let retention = *self.retention.lock();
        let now = self.now();
        loop {
            let doomed = take_doomed(&mut self.layout.write(), retention, now);
            let Some(file) = doomed else { return Ok(()) };
            self.remove(&file)?;
        }
    }

    fn remove(&self, file: &SealedFile) -> Result<(), Halt> {
        let at = usize::try_from(file.partition).unwrap_or(usize::MAX);
        if let (Some(partition), Some(open)) = (self.partitions.get(at), self.open_files.get(at)) {
            partition.trim(file.next);
            open.forget_before(file.next);
        }
        match self.disk.unlink(&file.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Halt::fatal("unlink", &file.path, &error));
            }
            _ => {}
        }
        // One by one: after a power loss a later file must not be missing while an earlier one is back.
        let dir = partition_dir(&self.dir, file.partition);
        self.disk
            .sync_dir(&dir)
            .map_err(|error| Halt::fatal("sync", &dir, &error))
    }
}

/// Has a journal that began at `first` held it for its share of the age? A clock that stepped back says no.
fn is_old(first: Timestamp, now: Timestamp, age: Duration) -> bool {
    now.since(first) > age / JOURNAL_AGE_SHARE
}

/// Takes the next file that may go out of the layout.
fn take_doomed(layout: &mut Layout, retention: Retention, now: Timestamp) -> Option<Arc<SealedFile>> {
    let (_, bytes) = layout.sealed_totals();
    let age_us = i64::try_from(retention.age.as_micros()).unwrap_or(i64::MAX);
    let horizon = now.as_micros().saturating_sub(age_us);
    let fronts: BTreeSet<(i64, u32)> = layout
        .sealed
        .iter()
        .filter_map(|files| files.first())
        .map(|file| (file.last_enqueued_at.as_micros(), file.partition))
        .collect();
    let (last_us, partition) = fronts.first()?;
    if *last_us >= horizon && bytes <= retention.bytes {
        return None;
    }
    let files = layout.sealed.get_mut(usize::try_from(*partition).ok()?)?;
    Some(files.remove(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_old_after_an_eighth_of_the_age() {
        let day = Duration::from_hours(24);
        for (first_s, now_s, expected) in [
            (1000, 1000, false),
            (1000, 1000 + 3 * 3600, false),
            (1000, 1001 + 3 * 3600, true),
            (1_000_000, 0, false),
        ] {
            let (first, now) = (Timestamp::from_secs(first_s), Timestamp::from_secs(now_s));
            assert_eq!(is_old(first, now, day), expected, "{first_s} at {now_s}");
        }
    }

    #[test]
    fn looks_are_a_share_of_the_age_apart() {
        for (age_s, expected_s) in [(0, 1), (60, 3), (480, 30), (86_400, 60)] {
            let interval = look_interval(Duration::from_secs(age_s));
            assert_eq!(interval.as_secs(), expected_s, "{age_s}");
        }
    }
}
