//! What a [`FaultDisk`](super::FaultDisk) holds: files as they look, files as they would be after a power loss, and the
//! faults to come.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::{NameSet, Operation, PowerLoss, SECTOR_BYTES, SectorSet};

/// Linux: input/output error.
const EIO: i32 = 5;
/// Linux: no space left on device.
const ENOSPC: i32 = 28;

pub(super) type FileId = u64;

#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) names: NameSet,
    durable_names: NameSet,
    nodes: BTreeMap<FileId, Node>,
    next_id: FileId,
    pub(super) dirs: BTreeSet<PathBuf>,
    pub(super) locked: BTreeSet<PathBuf>,
    /// Rises at each crash; handles of an earlier life are dead.
    pub(super) life: u64,
    faults: Vec<Fault>,
    pub(super) capacity: Option<u64>,
    pub(super) short_writes: bool,
    pub(super) held: Option<String>,
    pub(super) left: Option<u64>,
    pub(super) operations: u64,
    pub(super) syncs: u64,
    pub(super) bytes_read: u64,
}

#[derive(Debug, Default, Clone)]
struct Node {
    live: Vec<u8>,
    durable: Vec<u8>,
    dirty: SectorSet,
    /// The most sectors that were ever dirty at a time.
    dirty_max: usize,
}

#[derive(Debug)]
struct Fault {
    operation: Operation,
    part: String,
    errno: i32,
    times: usize,
}

impl World {
    pub(super) fn fail(&mut self, operation: Operation, part: &str, errno: i32, times: usize) {
        self.faults.push(Fault {
            operation,
            part: part.to_owned(),
            errno,
            times,
        });
    }

    pub(super) fn heal(&mut self) {
        self.faults.clear();
        self.capacity = None;
        self.short_writes = false;
        self.held = None;
        self.left = None;
    }

    pub(super) fn check_life(&self, life: u64) -> io::Result<()> {
        if self.life == life {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(EIO))
        }
    }

    pub(super) fn holds(&self, path: &Path) -> bool {
        self.held
            .as_ref()
            .is_some_and(|part| path.to_string_lossy().contains(part))
    }

    /// Counts the operation and says whether it fails.
    fn enter(&mut self, operation: Operation, path: &Path) -> io::Result<()> {
        if operation != Operation::Read {
            self.operations += 1;
        }
        match &mut self.left {
            Some(0) => return Err(io::Error::from_raw_os_error(EIO)),
            Some(left) if operation != Operation::Read => *left -= 1,
            _ => {}
        }
        let text = path.to_string_lossy();
        let hit = self
            .faults
            .iter_mut()
            .find(|fault| fault.times > 0 && fault.operation == operation && text.contains(&fault.part));
        match hit {
            Some(fault) => {
                fault.times -= 1;
                Err(io::Error::from_raw_os_error(fault.errno))
            }
            None => Ok(()),
        }
    }

    pub(super) fn create(&mut self, path: &Path) -> io::Result<FileId> {
        self.enter(Operation::Create, path)?;
        self.next_id += 1;
        self.names.insert(path.to_owned(), self.next_id);
        self.nodes.insert(self.next_id, Node::default());
        Ok(self.next_id)
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<FileId> {
        if self.left == Some(0) {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        self.names
            .get(path)
            .copied()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.enter(Operation::Rename, from)?;
        let id = self.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        self.names.insert(to.to_owned(), id);
        Ok(())
    }

    pub(super) fn unlink(&mut self, path: &Path) -> io::Result<()> {
        self.enter(Operation::Unlink, path)?;
        let removed = self.names.remove(path);
        removed.map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        self.enter(Operation::SyncDir, dir)?;
        let (names, durable) = (&self.names, &mut self.durable_names);
        take_over(names, durable, dir);
        Ok(())
    }

    pub(super) fn len(&self, id: FileId) -> u64 {
        self.nodes.get(&id).map_or(0, |node| node.live.len() as u64)
    }

    pub(super) fn read(&mut self, path: &Path, id: FileId, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.enter(Operation::Read, path)?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let source = self
            .nodes
            .get(&id)
            .and_then(|node| node.live.get(start..))
            .unwrap_or_default();
        let take = source.len().min(buffer.len());
        if let (Some(target), Some(source)) = (buffer.get_mut(..take), source.get(..take)) {
            target.copy_from_slice(source);
        }
        self.bytes_read += take as u64;
        Ok(take)
    }

    pub(super) fn write(&mut self, path: &Path, id: FileId, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.enter(Operation::Write, path)?;
        let mut take = bytes.len();
        if self.short_writes && take > 1 {
            take /= 2;
        }
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let grown = (start.saturating_add(take) as u64).saturating_sub(self.len(id));
        let over = grown.saturating_sub(self.room());
        take = take.saturating_sub(usize::try_from(over).unwrap_or(usize::MAX));
        if take == 0 && !bytes.is_empty() {
            return Err(io::Error::from_raw_os_error(ENOSPC));
        }
        let node = self.nodes.entry(id).or_default();
        if node.live.len() < start + take {
            node.live.resize(start + take, 0);
        }
        if let (Some(target), Some(source)) = (node.live.get_mut(start..start + take), bytes.get(..take)) {
            target.copy_from_slice(source);
        }
        node.dirty
            .extend(start / SECTOR_BYTES..(start + take).div_ceil(SECTOR_BYTES));
        node.dirty_max = node.dirty_max.max(node.dirty.len());
        Ok(take)
    }

    pub(super) fn unsynced_bytes_max(&self, part: &str) -> usize {
        let named = self
            .names
            .iter()
            .filter(|(path, _)| path.to_string_lossy().contains(part));
        let nodes = named.filter_map(|(_, id)| self.nodes.get(id));
        nodes
            .map(|node| node.dirty_max * SECTOR_BYTES)
            .max()
            .unwrap_or_default()
    }

    fn room(&self) -> u64 {
        let used: u64 = self.names.values().map(|id| self.len(*id)).sum();
        self.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(used))
    }

    pub(super) fn set_len(&mut self, path: &Path, id: FileId, bytes: u64) -> io::Result<()> {
        self.enter(Operation::Write, path)?;
        let node = self.nodes.entry(id).or_default();
        let (old, new) = (node.live.len(), usize::try_from(bytes).unwrap_or(usize::MAX));
        node.live.resize(new, 0);
        node.dirty
            .extend(old.min(new) / SECTOR_BYTES..old.max(new).div_ceil(SECTOR_BYTES));
        Ok(())
    }

    pub(super) fn sync(&mut self, path: &Path, id: FileId) -> io::Result<()> {
        self.enter(Operation::Sync, path)?;
        self.syncs += 1;
        if let Some(node) = self.nodes.get_mut(&id) {
            node.settle(|_| true);
        }
        Ok(())
    }

    pub(super) fn lose_power(&mut self, loss: PowerLoss) {
        let mut coin = Coin::new(loss);
        for node in self.nodes.values_mut() {
            node.settle(|_| coin.keeps());
            node.live.clone_from(&node.durable);
        }
        let dirs: BTreeSet<PathBuf> = self
            .names
            .keys()
            .chain(self.durable_names.keys())
            .filter_map(|path| path.parent().map(Path::to_owned))
            .collect();
        for dir in dirs {
            if coin.keeps() {
                take_over(&self.names, &mut self.durable_names, &dir);
            }
        }
        self.names.clone_from(&self.durable_names);
        self.locked.clear();
        self.life += 1;
        self.heal();
    }

    pub(super) fn contents(&self, path: &Path) -> Vec<u8> {
        let node = self.names.get(path).and_then(|id| self.nodes.get(id));
        node.map(|node| node.live.clone()).unwrap_or_default()
    }

    pub(super) fn tamper(&mut self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        if let Some(node) = self.names.get(path).and_then(|id| self.nodes.get_mut(id)) {
            change(&mut node.live);
            node.durable.clone_from(&node.live);
        }
    }

    pub(super) fn copy(&self) -> Self {
        let mut copy = Self {
            names: self.names.clone(),
            durable_names: self.names.clone(),
            nodes: self.nodes.clone(),
            next_id: self.next_id,
            dirs: self.dirs.clone(),
            ..Self::default()
        };
        for node in copy.nodes.values_mut() {
            node.settle(|_| true);
        }
        copy
    }
}

impl Node {
    /// Makes the chosen dirty sectors durable and forgets about the others.
    fn settle(&mut self, mut keeps: impl FnMut(usize) -> bool) {
        for sector in std::mem::take(&mut self.dirty) {
            if !keeps(sector) {
                continue;
            }
            let start = sector * SECTOR_BYTES;
            let end = (start + SECTOR_BYTES).min(self.live.len());
            if start >= end {
                self.durable.truncate(self.live.len());
                continue;
            }
            if self.durable.len() < end {
                self.durable.resize(end, 0);
            }
            if let (Some(target), Some(source)) = (self.durable.get_mut(start..end), self.live.get(start..end)) {
                target.copy_from_slice(source);
            }
        }
    }
}

/// Makes the names of one directory the durable ones.
fn take_over(names: &NameSet, durable: &mut NameSet, dir: &Path) {
    durable.retain(|path, _| path.parent() != Some(dir));
    let inside = names.iter().filter(|(path, _)| path.parent() == Some(dir));
    durable.extend(inside.map(|(path, id)| (path.clone(), *id)));
}

/// Decides what survives a power loss.
struct Coin {
    loss: PowerLoss,
    state: u64,
}

impl Coin {
    fn new(loss: PowerLoss) -> Self {
        let state = match loss {
            PowerLoss::Random { seed } => seed.wrapping_mul(2).wrapping_add(1),
            PowerLoss::DropAll | PowerLoss::KeepAll => 1,
        };
        Self { loss, state }
    }

    fn keeps(&mut self) -> bool {
        match self.loss {
            PowerLoss::DropAll => false,
            PowerLoss::KeepAll => true,
            PowerLoss::Random { .. } => {
                // SplitMix64 (Steele, Lea, Flood 2014): enough for coins, and needs no crate.
                self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut mixed = self.state;
                mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                (mixed ^ (mixed >> 31)) & 1 == 1
            }
        }
    }
}
