//! A journal that is being put together from a copy, and that nothing takes for a journal before it is whole.
//!
//! Promises that its identity has another name until [`finish`] gives it the right one, in one step and after all else is
//! durable: whatever is interrupted before leaves a directory that does not open. Leaves out the copying (`copy.rs`).

use crate::catalog::ASIDE;
use crate::copy::CopyError;
use crate::error::DiskError;
use crate::format::parse_segment_name;
use crate::identity::{IDENTITY_FILE, PART};
use crate::index::parse_sidecar_name;
use crate::storage::{Storage, StorageFile};
use std::io;

/// The directory of an unfinished journal, as if it were finished: for whoever prepares it. The lock is with the one who
/// puts it together.
#[derive(Debug, Clone)]
pub struct Unfinished<S>(pub S);

fn there(name: &str) -> &str {
    if name == IDENTITY_FILE { PART } else { name }
}

impl<S: Storage> Storage for Unfinished<S> {
    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        Ok(Box::new(()))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        self.0.create(there(name))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        self.0.open(there(name))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(there(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(there(from), there(to))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let names = self.0.list()?;
        Ok(names.into_iter().map(|name| if name == PART { IDENTITY_FILE.into() } else { name }).collect())
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.0.sync_dir()
    }
}

/// Whether something began to put a journal together here and did not finish.
///
/// # Errors
/// The disk.
pub fn is_unfinished(storage: &dyn Storage) -> io::Result<bool> {
    Ok(storage.list()?.iter().any(|name| name == PART))
}

/// Makes the directory ready for a copy: empty, or what an interrupted copy left is taken away. Hold its lock.
///
/// # Errors
/// There is a journal or a part of one that no copy left; the disk.
pub fn clear(storage: &dyn Storage) -> Result<(), CopyError> {
    let failed = |error| CopyError::Target(DiskError::new("looking at the new folder", error));
    let names = storage.list().map_err(failed)?;
    let of_log = |name: &&String| parse_segment_name(name.strip_suffix(ASIDE).unwrap_or(name)).is_some();
    // The identity is there before any segment, and only a copy calls it so.
    let interrupted = names.iter().any(|name| name == PART);
    let whole = names.iter().find(|name| *name == IDENTITY_FILE);
    if let Some(name) = whole.or_else(|| names.iter().find(of_log).filter(|_| !interrupted)) {
        return Err(CopyError::Occupied(name.clone()));
    }
    let removing = |error| CopyError::Target(DiskError::new("taking an interrupted copy away", error));
    let sidecar = |name: &&String| interrupted && parse_sidecar_name(name).is_some();
    for name in names.iter().filter(|name| of_log(name) || sidecar(name)) {
        storage.remove(name).map_err(removing)?;
    }
    if interrupted {
        // First the segments for good: without their identity nobody could tell what they are.
        storage.sync_dir().map_err(removing)?;
        storage.remove(PART).map_err(removing)?;
        storage.sync_dir().map_err(removing)?;
    }
    Ok(())
}

/// All is there and durable: from now on it is a journal.
///
/// # Errors
/// The disk. Then it is one, or is unfinished still.
pub fn finish(storage: &dyn Storage) -> Result<(), CopyError> {
    let failed = |error| CopyError::Target(DiskError::new("giving journal.id its name", error));
    storage.sync_dir().map_err(failed)?;
    storage.rename(PART, IDENTITY_FILE).map_err(failed)?;
    storage.sync_dir().map_err(failed)
}
