//! Sealed files: the events of one partition out of one journal segment, in blocks, never changed again.
//!
//! ```text
//! magic "IHSEAL1\n" · blocks · index · footer
//! ```
//!
//! The name says which events are inside and when the last was committed, so that opening a log reads none of them.

use std::path::{Path, PathBuf};

use ironhub_model::Timestamp;

mod reader;
mod writer;

pub(crate) use reader::{SealedError, SealedReader};
pub(crate) use writer::{SealError, SealedWriter};

/// A sealed file, as its name tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SealedFile {
    pub(crate) partition: u32,
    /// Its first event.
    pub(crate) base: u64,
    /// The event behind its last.
    pub(crate) next: u64,
    pub(crate) last_enqueued_at: Timestamp,
    pub(crate) bytes: u64,
    pub(crate) path: PathBuf,
}

/// The directory of a partition's sealed files.
pub(crate) fn partition_dir(dir: &Path, partition: u32) -> PathBuf {
    dir.join(format!("p{partition:03}"))
}

/// The path of a sealed file.
fn sealed_path(dir: &Path, base: u64, next: u64, last_enqueued_at: Timestamp) -> PathBuf {
    let micros = last_enqueued_at.as_micros().max(0);
    dir.join(format!("{base:020}-{next:020}-{micros:018}.sealed"))
}

impl SealedFile {
    /// Understands a file's name; `None` for files that are something else.
    pub(crate) fn from_name(dir: &Path, partition: u32, name: &str, bytes: u64) -> Option<Self> {
        let mut parts = name.strip_suffix(".sealed")?.splitn(3, '-');
        let base = parts.next()?.parse().ok()?;
        let next = parts.next()?.parse().ok()?;
        let last_enqueued_at = Timestamp::from_micros(parts.next()?.parse().ok()?);
        (base < next).then(|| Self {
            partition,
            base,
            next,
            last_enqueued_at,
            bytes,
            path: dir.join(name),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        let dir = Path::new("p001");
        let path = sealed_path(dir, 5, 900, Timestamp::from_micros(1_700_000_000_123_456));
        let name = path.file_name().unwrap().to_str().unwrap();
        assert_eq!(
            name,
            "00000000000000000005-00000000000000000900-001700000000123456.sealed"
        );
        let file = SealedFile::from_name(dir, 1, name, 77).unwrap();
        assert_eq!(
            (file.base, file.next, file.bytes, file.path),
            (5, 900, 77, path.clone())
        );
        for other in ["x.sealed", "5-4-0.sealed", "5-9.sealed", "5-9-1.sealed.tmp"] {
            assert_eq!(SealedFile::from_name(dir, 1, other, 0), None, "{other}");
        }
    }
}
