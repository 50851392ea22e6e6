//! The data directory: one process at a time, closed to others.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::MetaError;

/// Held as long as the process uses the directory.
const LOCK_NAME: &str = "lock";
/// Mode of the directory: its owner's only.
const DIRECTORY_MODE: u32 = 0o700;
/// Mode of its files.
const FILE_MODE: u32 = 0o600;

/// A data directory that this process holds. Clones share the hold; the last one gives it up.
#[derive(Debug, Clone)]
pub struct DataDir {
    path: Arc<Path>,
    _lock: Arc<File>,
}

impl DataDir {
    /// Creates the directory if it is missing, refuses one that others can get at, and locks it.
    pub fn open(path: &Path) -> Result<Self, MetaError> {
        create_directory(path).map_err(failed(path))?;
        check_modes(path)?;
        let lock_path = path.join(LOCK_NAME);
        let lock = private()
            .create(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(failed(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.into(),
                _lock: Arc::new(lock),
            }),
            Err(TryLockError::WouldBlock) => Err(MetaError::InUse { path: path.into() }),
            Err(TryLockError::Error(source)) => Err(failed(&lock_path)(source)),
        }
    }

    /// A file's content in a directory that another process may hold. Refuses a directory that others can get at.
    pub(crate) fn look(path: &Path, name: &str) -> Result<Option<Vec<u8>>, MetaError> {
        check_modes(path)?;
        read(&path.join(name))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file's content; `None` when there is no such file.
    pub(crate) fn read_file(&self, name: &str) -> Result<Option<Vec<u8>>, MetaError> {
        read(&self.path.join(name))
    }

    /// Makes the content durable under this name: after a crash there is the old file or the new one.
    pub(crate) fn write_file(&self, name: &str, content: &[u8]) -> Result<(), MetaError> {
        let path = self.path.join(name);
        let draft = self.path.join(format!("{name}.new"));
        let write = || {
            let mut file = private().create(true).truncate(true).open(&draft)?;
            file.write_all(content)?;
            file.sync_all()?;
            fs::rename(&draft, &path)?;
            sync_directory(&self.path)
        };
        write().map_err(failed(&path))
    }

    /// Makes sure that the file exists, empty at first.
    pub(crate) fn create_file(&self, name: &str) -> Result<(), MetaError> {
        let path = self.path.join(name);
        match create_private(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            result => result.map_err(failed(&path)),
        }
    }
}

/// Creates an empty file that nobody else can read, durably.
pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    private().create_new(true).open(path)?;
    match path.parent() {
        Some(parent) if parent != Path::new("") => sync_directory(parent),
        _ => sync_directory(Path::new(".")),
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, MetaError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path)(error)),
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> MetaError {
    let path = PathBuf::from(path);
    move |source| MetaError::Io {
        path: path.clone(),
        source,
    }
}

#[cfg(unix)]
fn create_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path)
}

#[cfg(not(unix))]
fn create_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(path)
}

#[cfg(unix)]
fn private() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.write(true).mode(FILE_MODE);
    options
}

#[cfg(not(unix))]
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    options
}

/// A name is durable when its directory is.
#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Elsewhere a directory cannot be opened as a file, and the file system journals names by itself.
#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

/// The directory, and whatever lies directly in it.
#[cfg(unix)]
fn check_modes(path: &Path) -> Result<(), MetaError> {
    check_mode(path)?;
    for entry in fs::read_dir(path).map_err(failed(path))? {
        check_mode(&entry.map_err(failed(path))?.path())?;
    }
    Ok(())
}

#[cfg(unix)]
fn check_mode(path: &Path) -> Result<(), MetaError> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(path).map_err(failed(path))?;
    let mode = metadata.mode() & 0o7777;
    let wanted = if metadata.is_dir() { DIRECTORY_MODE } else { FILE_MODE };
    // Only what groups and others may do matters: an owner may take rights from himself.
    if mode & 0o700 == mode {
        return Ok(());
    }
    Err(MetaError::TooWide {
        path: path.into(),
        mode,
        wanted,
    })
}

/// Elsewhere rights are inherited lists that modes cannot tell.
#[cfg(not(unix))]
fn check_modes(_: &Path) -> Result<(), MetaError> {
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_it_creates_is_private() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let directory = DataDir::open(&path).unwrap();
        directory.write_file("secret", b"1").unwrap();
        directory.write_file("secret", b"2").unwrap();
        assert_eq!(directory.read_file("secret").unwrap(), Some(b"2".to_vec()));
        assert_eq!(directory.read_file("nothing").unwrap(), None);
        assert_eq!((mode(&path), mode(&path.join("secret"))), (0o700, 0o600));
        assert_eq!(mode(&path.join(LOCK_NAME)), 0o600);
    }

    #[test]
    fn one_holder_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        let first = DataDir::open(&path).unwrap();
        let clone = first.clone();
        drop(first);
        let refused = DataDir::open(&path).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("{} is in use by another process", path.display())
        );
        drop(clone);
        DataDir::open(&path).unwrap();
    }

    #[test]
    fn wide_modes_are_refused_with_the_remedy() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        let file = path.join("master.key");
        drop(DataDir::open(&path).unwrap());
        fs::write(&file, "").unwrap();
        let check = |target: &Path, wide: u32, remedy: u32| {
            let before = mode(target);
            set_mode(target, wide);
            let shown = target.display();
            assert_eq!(
                DataDir::open(&path).unwrap_err().to_string(),
                format!("{shown} has mode {wide:04o} and others can get at it; run: chmod {remedy:o} {shown}")
            );
            set_mode(target, before & 0o700);
        };
        check(&file, 0o644, 0o600);
        check(&file, 0o660, 0o600);
        check(&path, 0o755, 0o700);
        check(&path, 0o710, 0o700);
        DataDir::open(&path).unwrap();
    }
}
