//! Lets sealed files go when they are old or too many. Journals stay, whatever their age.

use std::collections::BTreeSet;
use std::sync::Arc;

use ironhub_hub::ports::Retention;
use ironhub_model::Timestamp;

use super::inner::{Halt, Inner};
use super::layout::Layout;
use super::sealed::{SealedFile, partition_dir};

impl Inner {
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
