//! Which files hold what. Changed under one lock, so that a reader never looks between two states: while a journal is
//! replaced by its sealed files, an event is in one of them and not in neither.

use std::sync::Arc;

use super::answer::Target;
use super::journal::Segment;
use super::sealed::SealedFile;

#[derive(Debug, Default)]
pub(crate) struct Layout {
    /// Per partition, oldest first.
    pub(crate) sealed: Vec<Vec<Arc<SealedFile>>>,
    /// Oldest first; the last one of each shard is the active one.
    pub(crate) segments: Vec<Arc<Segment>>,
}

/// Where a read goes.
#[derive(Debug)]
pub(crate) enum Container {
    Sealed(Arc<SealedFile>),
    Journal(Arc<Segment>),
}

impl Layout {
    /// The oldest file that holds something at or behind the target.
    pub(crate) fn locate(&self, partition: u32, target: Target) -> Option<Container> {
        let files = self.sealed_of(partition);
        let at = files.partition_point(|file| !target.lies_before_end(file.next, file.last_enqueued_at));
        if let Some(file) = files.get(at) {
            return Some(Container::Sealed(Arc::clone(file)));
        }
        let segment = self
            .segments
            .iter()
            .find(|segment| segment.reach(partition, target).is_some())?;
        Some(Container::Journal(Arc::clone(segment)))
    }

    /// A partition's sealed files, oldest first.
    pub(crate) fn sealed_of(&self, partition: u32) -> &[Arc<SealedFile>] {
        usize::try_from(partition)
            .ok()
            .and_then(|partition| self.sealed.get(partition))
            .map_or(&[], Vec::as_slice)
    }

    /// The first event of a partition that is not sealed.
    pub(crate) fn sealed_next(&self, partition: u32) -> u64 {
        self.sealed_of(partition).last().map_or(0, |file| file.next)
    }

    /// Puts sealed files in the place of a journal segment.
    pub(crate) fn replace(&mut self, segment: u64, files: Vec<SealedFile>) -> Option<Arc<Segment>> {
        for file in files {
            let partition = usize::try_from(file.partition).ok();
            if let Some(sealed) = partition.and_then(|partition| self.sealed.get_mut(partition)) {
                sealed.push(Arc::new(file));
            }
        }
        let at = self.segments.iter().position(|held| held.header.number == segment)?;
        Some(self.segments.remove(at))
    }

    /// The segment that a shard appends to.
    pub(crate) fn active(&self, shard: u32) -> Option<&Arc<Segment>> {
        self.segments.iter().rfind(|segment| segment.header.shard == shard)
    }

    /// How many segments of a shard are not sealed.
    pub(crate) fn unsealed(&self, shard: u32) -> usize {
        self.segments
            .iter()
            .filter(|segment| segment.header.shard == shard)
            .count()
    }

    /// Number and bytes of the sealed files.
    pub(crate) fn sealed_totals(&self) -> (u64, u64) {
        let files = self.sealed.iter().flatten();
        files.fold((0, 0), |(count, bytes), file| (count + 1, bytes + file.bytes))
    }
}
