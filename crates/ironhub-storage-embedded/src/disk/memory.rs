//! Files in memory, for a hub that keeps nothing. A sync costs nothing and promises nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use super::{Disk, DiskFile, DiskLock, OpenMode};

/// Memory is taken in pages of this size, and only where something was written.
const PAGE_BYTES: usize = 64 * 1024;

/// Files in memory. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk {
    names: Arc<Mutex<Names>>,
}

#[derive(Debug, Default)]
struct Names {
    files: BTreeMap<PathBuf, Arc<MemoryFile>>,
    locked: BTreeSet<PathBuf>,
}

#[derive(Debug, Default)]
struct MemoryFile(RwLock<Pages>);

#[derive(Debug, Default)]
struct Pages {
    len: u64,
    pages: BTreeMap<u64, Box<[u8]>>,
}

#[derive(Debug)]
struct MemoryLock {
    path: PathBuf,
    names: Arc<Mutex<Names>>,
}

impl Disk for MemoryDisk {
    fn create_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut names = self.names.lock();
        if mode == OpenMode::Create {
            let file = Arc::new(MemoryFile::default());
            names.files.insert(path.to_owned(), Arc::clone(&file));
            return Ok(file);
        }
        let file = names.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::clone(file) as Arc<dyn DiskFile>)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let names = self.names.lock();
        let inside = names.files.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside
            .filter_map(|path| path.file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect())
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        let names = self.names.lock();
        names.files.get(path).ok_or(io::ErrorKind::NotFound)?.size()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut names = self.names.lock();
        let file = names.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        names.files.insert(to.to_owned(), file);
        Ok(())
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        let removed = self.names.lock().files.remove(path);
        removed.map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        if !self.names.lock().locked.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(MemoryLock {
            path: path.to_owned(),
            names: Arc::clone(&self.names),
        }))
    }
}

impl DiskLock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.names.lock().locked.remove(&self.path);
    }
}

impl DiskFile for MemoryFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.read().len)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let pages = self.0.read();
        let left = usize::try_from(pages.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let (page, within) = place(offset);
        let take = left.min(buffer.len()).min(PAGE_BYTES - within);
        let Some(target) = buffer.get_mut(..take) else {
            return Ok(0);
        };
        match pages.pages.get(&page).and_then(|page| page.get(within..within + take)) {
            Some(source) => target.copy_from_slice(source),
            None => target.fill(0),
        }
        Ok(take)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut pages = self.0.write();
        let (page, within) = place(offset);
        let take = bytes.len().min(PAGE_BYTES - within);
        let page = pages
            .pages
            .entry(page)
            .or_insert_with(|| vec![0; PAGE_BYTES].into_boxed_slice());
        if let (Some(target), Some(source)) = (page.get_mut(within..within + take), bytes.get(..take)) {
            target.copy_from_slice(source);
        }
        pages.len = pages.len.max(offset + take as u64);
        Ok(take)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        let mut pages = self.0.write();
        let (last, within) = place(bytes);
        pages.pages.retain(|number, _| *number <= last);
        if let Some(cut) = pages.pages.get_mut(&last).and_then(|page| page.get_mut(within..)) {
            cut.fill(0);
        }
        pages.len = bytes;
        Ok(())
    }

    fn zero(&self, from: u64, to: u64) -> io::Result<()> {
        // Fresh pages read as zeros, and there are no blocks to allocate: only the length is needed.
        let len = self.size()?;
        if from < len {
            self.set_len(from)?;
        }
        self.set_len(len.max(to))
    }
}

/// The page of an offset and the place in it.
fn place(offset: u64) -> (u64, usize) {
    let page = PAGE_BYTES as u64;
    (offset / page, usize::try_from(offset % page).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::super::{read_full_at, write_all_at};
    use super::*;

    #[test]
    fn writes_over_page_borders_are_read_back() {
        let disk = MemoryDisk::default();
        let file = disk.open(Path::new("d/f"), OpenMode::Create).unwrap();
        let bytes: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
        write_all_at(&*file, &bytes, 60_000).unwrap();
        let mut read = vec![1; 260_000];
        assert_eq!(read_full_at(&*file, &mut read, 0).unwrap(), 260_000);
        assert!(read[..60_000].iter().all(|byte| *byte == 0));
        assert_eq!(read[60_000..], bytes);
        file.set_len(100_000).unwrap();
        file.set_len(260_000).unwrap();
        read_full_at(&*file, &mut read, 0).unwrap();
        assert_eq!(read[60_000..100_000], bytes[..40_000]);
        assert!(read[100_000..].iter().all(|byte| *byte == 0));
        assert_eq!(disk.list(Path::new("d")).unwrap(), ["f"]);
    }
}
