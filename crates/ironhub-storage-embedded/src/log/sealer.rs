//! Rewrites full journal segments to sealed files, prepares spare segments, and lets old files go. One thread.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::background::Background;
use super::frame;
use super::inner::{Halt, Inner, SealState};
use super::journal::{JOURNAL_HEADER_BYTES, Segment};
use super::limits::BACKGROUND_STEP_BYTES;
use super::retention;
use super::run::Records;
use super::scan::{Frame, FrameReader, Scan};
use super::sealed::{SealError, SealedFile, SealedWriter};
use crate::disk::is_no_space;

/// Journals are read in pieces of this size.
const PIECE_BYTES: usize = 1024 * 1024;

enum Work {
    Seal(u64),
    Spare,
    Retention,
    End,
}

/// Works until the log is closed.
pub(crate) fn run(inner: &Inner) {
    // A failure has been told by then, and a stop is no failure.
    drop(inner.guard(|| work(inner)));
    inner.seal.state.lock().ended = true;
    inner.seal.progress.notify_all();
}

fn work(inner: &Inner) -> Result<(), Halt> {
    loop {
        match next_work(inner) {
            Work::Seal(number) => {
                seal(inner, number)?;
                drop(inner.seal.state.lock());
                inner.seal.progress.notify_all();
                inner.enforce_retention()?;
            }
            Work::Spare => inner.add_spare()?,
            Work::Retention => {
                inner.roll_old_journals();
                inner.enforce_retention()?;
            }
            Work::End => return Ok(()),
        }
    }
}

fn next_work(inner: &Inner) -> Work {
    let interval = retention::look_interval(inner.retention.lock().age);
    let mut state = inner.seal.state.lock();
    loop {
        if let Some(work) = state.take() {
            return work;
        }
        if inner.seal.work.wait_for(&mut state, interval).timed_out() {
            return Work::Retention;
        }
    }
}

impl SealState {
    fn take(&mut self) -> Option<Work> {
        if self.closing {
            return Some(Work::End);
        }
        if let Some(number) = self.full.pop_front() {
            return Some(Work::Seal(number));
        }
        if std::mem::take(&mut self.wants_retention) {
            return Some(Work::Retention);
        }
        std::mem::take(&mut self.wants_spare).then_some(Work::Spare)
    }
}

/// Seals a segment, swaps it for its sealed files in one step, and recycles it. A crash anywhere leaves the segment, some
/// finished sealed files, and temporary ones: recovery skips what is sealed and seals the rest again.
fn seal(inner: &Inner, number: u64) -> Result<(), Halt> {
    let Some(segment) = find(inner, number) else {
        return Ok(());
    };
    // Finished files stay when space runs out before the rest is done.
    let mut finished: BTreeMap<u32, SealedFile> = BTreeMap::new();
    let path = segment.path.clone();
    inner
        .until_space("seal", &path, || rewrite(inner, &segment, &mut finished))?
        .map_or(Ok(()), Err)?;
    let replaced = inner.layout.write().replace(number, finished.into_values().collect());
    drop(segment);
    match replaced {
        Some(segment) => inner.recycle(segment),
        None => Ok(()),
    }
}

fn find(inner: &Inner, number: u64) -> Option<Arc<Segment>> {
    let layout = inner.layout.read();
    layout
        .segments
        .iter()
        .find(|segment| segment.header.number == number)
        .cloned()
}

/// One attempt. Lack of space is the error, to be tried again; every other failure is the value.
fn rewrite(
    inner: &Inner,
    segment: &Segment,
    finished: &mut BTreeMap<u32, SealedFile>,
) -> std::io::Result<Option<Halt>> {
    let mut attempt = Attempt {
        inner,
        segment,
        writers: BTreeMap::new(),
    };
    let outcome = attempt.fill(finished).and_then(|()| attempt.finish(finished));
    match outcome {
        Ok(()) => Ok(None),
        Err(Failure::Halt(halt)) => Ok(Some(halt)),
        Err(Failure::Seal(SealError::Io(_, error))) if is_no_space(&error) => {
            attempt.abandon();
            Err(error)
        }
        Err(Failure::Seal(SealError::Io(path, error))) => Ok(Some(Halt::fatal("write", &path, &error))),
        Err(Failure::Seal(SealError::Sync(path, error))) => Ok(Some(Halt::fatal("sync", &path, &error))),
    }
}

struct Attempt<'a> {
    inner: &'a Inner,
    segment: &'a Segment,
    writers: BTreeMap<u32, SealedWriter>,
}

enum Failure {
    Halt(Halt),
    Seal(SealError),
}

impl From<SealError> for Failure {
    fn from(error: SealError) -> Self {
        Self::Seal(error)
    }
}

impl Attempt<'_> {
    /// Reads the segment and writes what is not sealed yet.
    fn fill(&mut self, finished: &BTreeMap<u32, SealedFile>) -> Result<(), Failure> {
        let (segment, end) = (self.segment, self.segment.end());
        let start = JOURNAL_HEADER_BYTES as u64;
        let mut frames = FrameReader::new(&*segment.file, segment.header.salt, start, end, PIECE_BYTES);
        let (mut background, mut step_end) = (Background::begin(self.inner), start + BACKGROUND_STEP_BYTES);
        while frames.offset() < end {
            if self.inner.seal.state.lock().closing {
                self.abandon();
                return Err(Failure::Halt(Halt::Stopping));
            }
            let damaged = |reason: String| Failure::Halt(Halt::fatal("read", &segment.path, &reason));
            let at = frames.offset();
            if at >= step_end {
                background.rest();
                step_end = at + BACKGROUND_STEP_BYTES;
            }
            match frames.next() {
                Ok(Scan::Frame(frame)) => self.push(&frame, finished)?,
                Ok(Scan::NoFrame(why)) => return Err(damaged(format!("no frame at byte {at}: {why:?}"))),
                Err(error) => return Err(damaged(format!("at byte {at}: {error}"))),
            }
        }
        Ok(())
    }

    fn push(&mut self, frame: &Frame, finished: &BTreeMap<u32, SealedFile>) -> Result<(), Failure> {
        let Some(groups) = frame::groups(frame.body.clone(), frame.header.groups) else {
            let reason = format!("malformed frame at byte {}", frame.offset);
            return Err(Failure::Halt(Halt::fatal("read", &self.segment.path, &reason)));
        };
        for group in groups {
            if finished.contains_key(&group.partition) {
                continue;
            }
            let sealed_next = self.inner.layout.read().sealed_next(group.partition);
            let events = (group.base..).zip(Records::new(group.run));
            for (sequence, event) in events.filter(|(sequence, _)| *sequence >= sealed_next) {
                self.writer(group.partition, sequence)?
                    .push(frame.header.enqueued_at, &event)?;
            }
        }
        Ok(())
    }

    /// The writer that waits for this event. There are no gaps within a segment.
    fn writer(&mut self, partition: u32, sequence: u64) -> Result<&mut SealedWriter, Failure> {
        use std::collections::btree_map::Entry;
        match self.writers.entry(partition) {
            Entry::Occupied(known) if known.get().next() == sequence => Ok(known.into_mut()),
            Entry::Occupied(_) => {
                let reason = format!("partition {partition} does not go on with event {sequence}");
                Err(Failure::Halt(Halt::fatal("read", &self.segment.path, &reason)))
            }
            Entry::Vacant(new) => {
                let (disk, dir) = (&*self.inner.disk, &self.inner.dir);
                Ok(new.insert(SealedWriter::create(disk, dir, partition, sequence)?))
            }
        }
    }

    fn finish(&mut self, finished: &mut BTreeMap<u32, SealedFile>) -> Result<(), Failure> {
        while let Some((partition, writer)) = self.writers.pop_first() {
            let path = writer.temporary_path().to_owned();
            let file = writer.finish(&*self.inner.disk).inspect_err(|_| self.unlink(&path))?;
            finished.insert(partition, file);
        }
        Ok(())
    }

    fn abandon(&mut self) {
        for (_, writer) in std::mem::take(&mut self.writers) {
            self.unlink(writer.temporary_path());
        }
    }

    /// Best effort: recovery clears what stays.
    fn unlink(&self, path: &Path) {
        drop(self.inner.disk.unlink(path));
    }
}
