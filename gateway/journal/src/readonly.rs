//! A directory that is only looked at: a journal that another process writes, a copy, a medium that cannot be written
//! to. Promises that nothing in it is changed, not even the lock file.

use crate::storage::{FileStorage, Storage, StorageFile};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A real directory, for an [`Inspector`](crate::Inspector).
#[derive(Debug, Clone)]
pub struct ReadOnly {
    folder: FileStorage,
}

impl ReadOnly {
    /// A journal's folder.
    ///
    /// # Errors
    /// `NotFound` or `NotADirectory`, or the disk.
    pub fn new(directory: impl Into<PathBuf>) -> io::Result<Self> {
        Ok(Self { folder: FileStorage::new(directory)? })
    }

    /// Where it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.folder.directory()
    }
}

fn refused<T>() -> io::Result<T> {
    Err(io::ErrorKind::ReadOnlyFilesystem.into())
}

impl Storage for ReadOnly {
    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        refused()
    }

    fn create(&self, _: &str) -> io::Result<Box<dyn StorageFile>> {
        refused()
    }

    /// For reading.
    fn open(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        Ok(Box::new(OnlyRead(File::open(self.directory().join(name))?)))
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        refused()
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        refused()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.folder.list()
    }

    fn sync_dir(&self) -> io::Result<()> {
        refused()
    }
}

struct OnlyRead(File);

impl StorageFile for OnlyRead {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(&self.0, buffer, offset)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        refused()
    }

    fn sync_data(&self) -> io::Result<()> {
        refused()
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn allocate(&self, _: u64) -> io::Result<()> {
        refused()
    }

    fn trim(&self, _: u64) -> io::Result<()> {
        refused()
    }
}
