//! Reads what is not in memory any more: sealed files and journals. Blocks; called on threads that may.

use std::collections::VecDeque;
use std::sync::Arc;

use ironhub_hub::ports::{LogError, LogRecord, Start};
use ironhub_model::{PartitionId, SequenceNumber};
use parking_lot::Mutex;

use super::answer::{Answer, Span, Target};
use super::frame;
use super::inner::Inner;
use super::journal::Segment;
use super::layout::Container;
use super::limits::OPEN_SEALED_FILES_MAX;
use super::partition::FromMemory;
use super::scan::{FrameReader, Scan};
use super::sealed::{SealedError, SealedFile, SealedReader};

/// Journals are read in pieces of this size.
const JOURNAL_PIECE_BYTES: usize = 256 * 1024;
/// A file may go while it is looked for. It does not do so often.
const ATTEMPTS_MAX: usize = 100;

/// The sealed files of a partition that were read last, oldest use first.
#[derive(Debug, Default)]
pub(crate) struct OpenFiles(Mutex<VecDeque<(u64, Arc<SealedReader>)>>);

impl OpenFiles {
    fn reader(&self, inner: &Inner, file: &Arc<SealedFile>) -> Result<Arc<SealedReader>, SealedError> {
        let mut open = self.0.lock();
        let at = open.iter().position(|(base, _)| *base == file.base);
        let (base, reader) = if let Some(known) = at.and_then(|at| open.remove(at)) {
            known
        } else {
            let reader = SealedReader::open(&*inner.disk, Arc::clone(file))?;
            (file.base, Arc::new(reader))
        };
        open.push_back((base, Arc::clone(&reader)));
        if open.len() > OPEN_SEALED_FILES_MAX {
            open.pop_front();
        }
        Ok(reader)
    }

    /// Lets go of files that retention has taken.
    pub(crate) fn forget_before(&self, first: u64) {
        self.0.lock().retain(|(base, _)| *base >= first);
    }
}

impl Inner {
    /// Finds the answer on disk, or in memory after all when events have moved meanwhile.
    pub(crate) fn read_disk(
        &self,
        partition: PartitionId,
        mut target: Target,
        bytes_max: usize,
    ) -> Result<Vec<LogRecord>, LogError> {
        let at = usize::try_from(partition.0).unwrap_or(usize::MAX);
        let (Some(state), Some(open_files)) = (self.partitions.get(at), self.open_files.get(at)) else {
            return Err(LogError::NoPartition(partition));
        };
        for _ in 0..ATTEMPTS_MAX {
            let mut answer = Answer::new(target, bytes_max);
            let container = self.layout.read().locate(partition.0, target);
            match container {
                Some(Container::Sealed(file)) => match open_files.reader(self, &file) {
                    Ok(reader) => sealed(reader.read(&mut answer))?,
                    Err(error) => sealed(Err(error))?,
                },
                Some(Container::Journal(segment)) => journal(&segment, partition.0, &mut answer)?,
                None => {}
            }
            if !answer.is_empty() {
                return Ok(answer.into_records());
            }
            match state.read(target.into(), bytes_max) {
                FromMemory::Found(records) => return Ok(records),
                FromMemory::OnDisk(moved) => target = moved,
            }
        }
        Err(LogError::Damaged(format!(
            "partition {partition}: no file holds {target:?}"
        )))
    }
}

impl From<Target> for Start {
    fn from(target: Target) -> Self {
        match target {
            Target::At(sequence) => Self::At(SequenceNumber(sequence)),
            Target::Since(time) => Self::Since(time),
        }
    }
}

/// A file that has gone is looked for again.
fn sealed(outcome: Result<(), SealedError>) -> Result<(), LogError> {
    match outcome {
        Ok(()) | Err(SealedError::Gone) => Ok(()),
        Err(SealedError::Damaged(reason)) => Err(LogError::Damaged(reason)),
    }
}

/// Adds what the answer wants out of a journal segment.
fn journal(segment: &Segment, partition: u32, answer: &mut Answer) -> Result<(), LogError> {
    let Some(reach) = segment.reach(partition, answer.target()) else {
        return Ok(());
    };
    let piece_bytes = JOURNAL_PIECE_BYTES.max(answer.bytes_left().min(4 * JOURNAL_PIECE_BYTES));
    let mut frames = FrameReader::new(
        &*segment.file,
        segment.header.salt,
        reach.offset,
        reach.end,
        piece_bytes,
    );
    while frames.offset() < reach.end {
        let damaged = |offset: u64, reason: &dyn std::fmt::Display| {
            LogError::Damaged(format!("{} at byte {offset}: {reason}", segment.path.display()))
        };
        let offset = frames.offset();
        let found = match frames.next().map_err(|error| damaged(offset, &error))? {
            Scan::Frame(frame) => {
                frame::groups(frame.body.clone(), frame.header.groups).map(|groups| (frame.header, groups))
            }
            Scan::NoFrame(_) => None,
        };
        let Some((header, groups)) = found else {
            // A reader gets what lies before the damage first.
            return if answer.is_empty() {
                Err(damaged(offset, &"the frame does not match its checksum"))
            } else {
                Ok(())
            };
        };
        for group in groups.into_iter().filter(|group| group.partition == partition) {
            if !answer.push(Span::new(group.base, header.enqueued_at, group.run)) {
                return Ok(());
            }
        }
    }
    Ok(())
}
