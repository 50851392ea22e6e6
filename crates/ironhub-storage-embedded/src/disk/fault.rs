//! A disk for tests: it forgets what was not synced, fills up, fails, writes short, and dies at a chosen operation.
//!
//! The model is strict. Contents are durable only after [`DiskFile::sync`]; names only after [`Disk::sync_dir`], even
//! for a synced file. On [`FaultDisk::lose_power`] each un-synced 512-byte sector is kept or dropped by itself, and of
//! each directory either all changes of names or none. Handles opened before a crash fail for ever after.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::{Disk, DiskFile, DiskLock, OpenMode};

mod world;

use world::{FileId, World};

/// What a disk writes as one: all of a sector or nothing of it.
pub const SECTOR_BYTES: usize = 512;

/// What can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// [`Disk::open`] of a new file.
    Create,
    /// [`DiskFile::read_at`].
    Read,
    /// [`DiskFile::write_at`], and changes of the length.
    Write,
    /// [`DiskFile::sync`].
    Sync,
    /// [`Disk::sync_dir`].
    SyncDir,
    /// [`Disk::rename`].
    Rename,
    /// [`Disk::unlink`].
    Unlink,
}

/// What was dropped and what was kept by [`FaultDisk::lose_power`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerLoss {
    /// Nothing un-synced survives.
    DropAll,
    /// Everything survives: the process died, the machine did not.
    KeepAll,
    /// Each sector by the flip of a coin; the same seed flips the same coins.
    Random {
        /// Where the coins start.
        seed: u64,
    },
}

/// A disk for tests. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct FaultDisk {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    world: Mutex<World>,
    released: Condvar,
}

#[derive(Debug)]
struct FaultFile {
    shared: Arc<Shared>,
    path: PathBuf,
    id: FileId,
    life: u64,
}

#[derive(Debug)]
struct FaultLock {
    shared: Arc<Shared>,
    path: PathBuf,
    life: u64,
}

impl FaultDisk {
    /// The next `times` operations of this kind on paths that contain `part` fail with this operating system error.
    pub fn fail(&self, operation: Operation, part: &str, errno: i32, times: usize) {
        self.shared.world.lock().fail(operation, part, errno, times);
    }

    /// Nothing fails any more, except what a crash has cut off.
    pub fn heal(&self) {
        self.shared.world.lock().heal();
    }

    /// Writes that would make all files together larger than this fail with `ENOSPC`.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.shared.world.lock().capacity = bytes;
    }

    /// Every write of more than one byte writes only half.
    pub fn set_short_writes(&self, short: bool) {
        self.shared.world.lock().short_writes = short;
    }

    /// From now on syncs of files whose path contains `part` wait for [`FaultDisk::release_syncs`].
    pub fn hold_syncs(&self, part: &str) {
        self.shared.world.lock().held = Some(part.to_owned());
    }

    /// Lets held syncs pass.
    pub fn release_syncs(&self) {
        self.shared.world.lock().held = None;
        self.shared.released.notify_all();
    }

    /// After this many more operations that change something, every operation fails, as when the plug is pulled.
    pub fn die_after(&self, operations: Option<u64>) {
        self.shared.world.lock().left = operations;
    }

    /// How many changing operations there were so far.
    pub fn operations(&self) -> u64 {
        self.shared.world.lock().operations
    }

    /// How many file syncs succeeded so far.
    pub fn syncs(&self) -> u64 {
        self.shared.world.lock().syncs
    }

    /// How many bytes were read so far.
    pub fn bytes_read(&self) -> u64 {
        self.shared.world.lock().bytes_read
    }

    /// The most bytes that a file whose path contains `part` ever held un-synced, in whole sectors.
    pub fn unsynced_bytes_max(&self, part: &str) -> usize {
        self.shared.world.lock().unsynced_bytes_max(part)
    }

    /// Ends the life of every handle and lock, and decides what of the un-synced is there afterwards. Faults are
    /// healed: the disk is then as a restarted process finds it.
    pub fn lose_power(&self, loss: PowerLoss) {
        self.shared.world.lock().lose_power(loss);
        self.shared.released.notify_all();
    }

    /// The present contents of a file; empty when there is none.
    pub fn contents(&self, path: &Path) -> Vec<u8> {
        self.shared.world.lock().contents(path)
    }

    /// Changes a file behind everyone's back, durably.
    pub fn tamper(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        self.shared.world.lock().tamper(path, change);
    }

    /// All paths, sorted.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.shared.world.lock().names.keys().cloned().collect()
    }

    /// An independent disk with the same files, all durable, and without faults.
    pub fn copy(&self) -> Self {
        let copy = Self::default();
        *copy.shared.world.lock() = self.shared.world.lock().copy();
        copy
    }
}

impl Disk for FaultDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.shared.world.lock().dirs.insert(path.to_owned());
        Ok(())
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut world = self.shared.world.lock();
        let id = match mode {
            OpenMode::Create => world.create(path)?,
            OpenMode::Read | OpenMode::Write => world.find(path)?,
        };
        Ok(Arc::new(FaultFile {
            shared: Arc::clone(&self.shared),
            path: path.to_owned(),
            id,
            life: world.life,
        }))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let world = self.shared.world.lock();
        let inside = world.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside
            .filter_map(|path| path.file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect())
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        let world = self.shared.world.lock();
        let id = world.find(path)?;
        Ok(world.len(id))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.shared.world.lock().rename(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.shared.world.lock().unlink(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.shared.world.lock().sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        let mut world = self.shared.world.lock();
        if !world.locked.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(FaultLock {
            shared: Arc::clone(&self.shared),
            path: path.to_owned(),
            life: world.life,
        }))
    }
}

impl DiskLock for FaultLock {}

impl Drop for FaultLock {
    fn drop(&mut self) {
        let mut world = self.shared.world.lock();
        if world.life == self.life {
            world.locked.remove(&self.path);
        }
    }
}

impl FaultFile {
    /// The world, if this handle still belongs to it.
    fn world(&self) -> io::Result<MutexGuard<'_, World>> {
        let world = self.shared.world.lock();
        world.check_life(self.life)?;
        Ok(world)
    }
}

impl DiskFile for FaultFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.world()?.len(self.id))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.world()?.read(&self.path, self.id, buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.world()?.write(&self.path, self.id, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        let mut world = self.world()?;
        while world.life == self.life && world.holds(&self.path) {
            self.shared.released.wait(&mut world);
        }
        world.check_life(self.life)?;
        world.sync(&self.path, self.id)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.world()?.set_len(&self.path, self.id, bytes)
    }
}

/// Names that a directory holds.
type NameSet = BTreeMap<PathBuf, FileId>;
/// Sectors by number.
type SectorSet = BTreeSet<usize>;

#[cfg(test)]
mod tests {
    use super::super::write_all_at;
    use super::*;

    fn written(disk: &FaultDisk) -> Arc<dyn DiskFile> {
        let file = disk.open(Path::new("d/f"), OpenMode::Create).unwrap();
        write_all_at(&*file, &[1; 1024], 0).unwrap();
        file.sync().unwrap();
        disk.sync_dir(Path::new("d")).unwrap();
        file
    }

    #[test]
    fn power_loss_drops_what_was_not_synced() {
        let disk = FaultDisk::default();
        let file = written(&disk);
        write_all_at(&*file, &[2; 1024], 512).unwrap();
        disk.lose_power(PowerLoss::DropAll);
        assert_eq!(disk.contents(Path::new("d/f")), [1; 1024]);
        assert!(file.sync().is_err(), "a handle of before");
    }

    #[test]
    fn a_killed_process_loses_nothing() {
        let disk = FaultDisk::default();
        let file = written(&disk);
        write_all_at(&*file, &[2; 512], 1024).unwrap();
        disk.lose_power(PowerLoss::KeepAll);
        assert_eq!(disk.contents(Path::new("d/f")).len(), 1536);
    }

    #[test]
    fn a_name_needs_a_sync_of_its_directory() {
        let disk = FaultDisk::default();
        written(&disk);
        disk.rename(Path::new("d/f"), Path::new("d/g")).unwrap();
        disk.lose_power(PowerLoss::DropAll);
        assert_eq!(disk.paths(), [Path::new("d/f")]);
    }

    #[test]
    fn a_full_disk_takes_what_still_fits() {
        let disk = FaultDisk::default();
        let file = written(&disk);
        disk.set_capacity(Some(1100));
        assert_eq!(file.write_at(&[3; 1024], 1024).unwrap(), 76);
        let error = file.write_at(&[3; 1024], 1100).unwrap_err();
        assert!(super::super::is_no_space(&error), "{error}");
        disk.set_capacity(None);
        assert!(file.write_at(&[3; 1024], 1100).is_ok());
    }

    #[test]
    fn faults_hit_the_named_operation_and_wear_off() {
        let disk = FaultDisk::default();
        let file = written(&disk);
        disk.fail(Operation::Sync, "f", 5, 1);
        assert_eq!(file.sync().unwrap_err().raw_os_error(), Some(5));
        assert!(file.sync().is_ok());
        disk.die_after(Some(1));
        assert!(file.write_at(&[1], 0).is_ok());
        assert!(file.write_at(&[1], 0).is_err());
    }
}
