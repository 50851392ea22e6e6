//! Makes segments: out of a spare file when one is ready, else out of a new one.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::background::Background;
use super::inner::{Halt, Inner};
use super::journal::{Base, JournalHeader, Segment, journal_path};
use super::limits::BACKGROUND_STEP_BYTES;
use crate::disk::{OpenMode, write_all_at};

impl Inner {
    /// Makes the next segment of a shard and adds it to the layout. It is durable, and has its name, before this
    /// returns: a file with a journal's name always has its header.
    pub(crate) fn add_segment(&self, shard: u32, first_batch: u64, bases: Vec<Base>) -> Result<Arc<Segment>, Halt> {
        let number = self.next_segment.fetch_add(1, Ordering::AcqRel);
        let header = JournalHeader {
            partitions: self.settings.partitions,
            shard,
            shards: self.settings.shards,
            number,
            salt: salt()?,
            first_batch,
            bases,
        };
        let path = journal_path(&self.dir, number);
        let spare = self.spares.lock().pop();
        let (temporary, mode) = match spare {
            Some(spare) => (spare, OpenMode::Write),
            None => (path.with_extension("tmp"), OpenMode::Create),
        };
        let bytes = header.encode();
        let file = self.until_space("create", &temporary, || {
            let file = self.disk.open(&temporary, mode)?;
            write_all_at(&*file, &bytes, 0)?;
            Ok(file)
        })?;
        file.sync().map_err(|error| Halt::fatal("sync", &temporary, &error))?;
        self.counters.syncs.fetch_add(1, Ordering::Relaxed);
        self.until_space("rename", &temporary, || self.disk.rename(&temporary, &path))?;
        self.disk
            .sync_dir(&self.dir)
            .map_err(|error| Halt::fatal("sync", &self.dir, &error))?;
        let segment = Arc::new(Segment::new(header, path, file));
        self.layout.write().segments.push(Arc::clone(&segment));
        Ok(segment)
    }

    /// Prepares a spare file unless there are enough. Lack of space is no failure here.
    pub(crate) fn add_spare(&self) -> Result<(), Halt> {
        if !self.settings.zero_ahead || self.spares_suffice() {
            return Ok(());
        }
        let number = self.next_segment.fetch_add(1, Ordering::AcqRel);
        let path = spare_path(self, number);
        let temporary = path.with_extension("tmp");
        let made = self.make_spare(&temporary, &path);
        match made {
            Ok(true) => self.spares.lock().push(path),
            Ok(false) => drop(self.disk.unlink(&temporary)),
            Err(error) if crate::disk::is_no_space(&error) => drop(self.disk.unlink(&temporary)),
            Err(error) => return Err(Halt::fatal("prepare", &temporary, &error)),
        }
        Ok(())
    }

    /// `false` when the log is closed before it is done.
    fn make_spare(&self, temporary: &std::path::Path, path: &std::path::Path) -> std::io::Result<bool> {
        let file = self.disk.open(temporary, OpenMode::Create)?;
        let (mut at, mut background) = (0, Background::begin(self));
        while at < self.settings.segment_bytes {
            if self.seal.state.lock().closing {
                return Ok(false);
            }
            let to = (at + BACKGROUND_STEP_BYTES).min(self.settings.segment_bytes);
            file.zero(at, to)?;
            file.sync()?;
            at = to;
            background.rest();
        }
        self.disk.rename(temporary, path)?;
        self.disk.sync_dir(&self.dir)?;
        Ok(true)
    }

    /// A sealed segment's file becomes a spare, or goes.
    pub(crate) fn recycle(&self, segment: Arc<Segment>) -> Result<(), Halt> {
        let (number, path) = (segment.header.number, segment.path.clone());
        // Someone who still reads it must not see it overwritten.
        let is_free = Arc::into_inner(segment).is_some();
        let spare = spare_path(self, number);
        let outcome = if is_free && self.settings.zero_ahead && !self.spares_suffice() {
            self.disk.rename(&path, &spare).map(|()| Some(spare))
        } else {
            self.disk.unlink(&path).map(|()| None)
        };
        let spare = outcome.map_err(|error| Halt::fatal("recycle", &path, &error))?;
        // Before its header is written anew, the old name must be gone for good.
        self.disk
            .sync_dir(&self.dir)
            .map_err(|error| Halt::fatal("sync", &self.dir, &error))?;
        self.spares.lock().extend(spare);
        Ok(())
    }

    fn spares_suffice(&self) -> bool {
        u32::try_from(self.spares.lock().len()).is_ok_and(|spares| spares >= self.settings.shards)
    }
}

fn spare_path(inner: &Inner, number: u64) -> PathBuf {
    inner.dir.join(format!("spare-{number:016}.log"))
}

/// Is this the name of a spare file?
pub(crate) fn is_spare(name: &str) -> bool {
    let digits = name.strip_prefix("spare-").and_then(|rest| rest.strip_suffix(".log"));
    digits.is_some_and(|digits| digits.parse::<u64>().is_ok())
}

fn salt() -> Result<u64, Halt> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)
        .map_err(|error| Halt::fatal("read random bytes from", std::path::Path::new("the system"), &error))?;
    Ok(u64::from_le_bytes(bytes))
}
