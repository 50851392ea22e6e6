//! How far a quarantined journal went, so that its sequence numbers are not given to other events.

use std::io;
use std::path::Path;

use super::super::frame;
use super::super::journal::{JOURNAL_HEADER_BYTES, JournalHeader};
use super::super::limits::BATCH_RECORDS_MAX;
use super::super::scan::{FrameReader, Scan, find_header};
use super::PIECE_BYTES;
use crate::disk::{Disk, OpenMode, read_full_at};

/// Per partition named in the file, a sequence number that it did not reach. A damaged frame may have held a whole batch
/// of any partition. A file whose header cannot be read says nothing.
pub(super) fn floors(disk: &dyn Disk, path: &Path) -> io::Result<Vec<(u32, u64)>> {
    let file = disk.open(path, OpenMode::Read)?;
    let mut bytes = vec![0; JOURNAL_HEADER_BYTES];
    let filled = read_full_at(&*file, &mut bytes, 0)?;
    let Ok(header) = JournalHeader::decode(bytes.get(..filled).unwrap_or_default()) else {
        return Ok(Vec::new());
    };
    let mut floors: Vec<(u32, u64)> = header
        .bases
        .iter()
        .enumerate()
        .map(|(slot, base)| (header.partition(slot), base.next))
        .collect();
    let mut at = JOURNAL_HEADER_BYTES as u64;
    let mut damaged_frames = 0_u64;
    loop {
        let mut frames = FrameReader::new(&*file, header.salt, at, u64::MAX, PIECE_BYTES);
        while let Scan::Frame(found) = frames.next()? {
            for group in frame::groups(found.body, found.header.groups).unwrap_or_default() {
                if let Some((_, floor)) = floors.iter_mut().find(|(partition, _)| *partition == group.partition) {
                    *floor = (*floor).max(group.base + u64::from(group.count));
                }
            }
        }
        damaged_frames += 1;
        match find_header(&*file, header.salt, frames.offset() + 1)? {
            Some((next, _)) => at = next,
            None => break,
        }
    }
    for (_, floor) in &mut floors {
        *floor += damaged_frames * u64::from(BATCH_RECORDS_MAX);
    }
    Ok(floors)
}
