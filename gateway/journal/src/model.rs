//! A test rig: a disk in memory that keeps what was written apart from what was synced, fails on demand, and can
//! be crashed at every step of its history. Other crates' tests may use it; production code must not.
//!
//! What a crash may do to writes that no successful sync covered: keep them, lose them, or keep any of their
//! 512-byte sectors or 4 KiB pages, in any order. A name that no directory sync covered may be lost with its file. A failed sync
//! covers nothing, and a later successful one does not make up for it. What it leaves out: damage to what was
//! synced (tests do that with [`ModelDisk::edit`]) and time.

mod medium;

use crate::storage::{Storage, StorageFile};
use medium::{Change, Image, Medium, Step, index};
use std::io::{self, ErrorKind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What becomes of unsynced writes in [`ModelDisk::crash`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// All are lost.
    Lost,
    /// All are kept.
    Kept,
    /// Whole writes, sectors of them and names are lost by chance; the same number gives the same disk.
    Torn(u64),
}

/// What can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A new file.
    Create,
    /// A write; half of it reaches the file.
    Write,
    /// A data sync.
    Sync,
    /// A directory sync.
    SyncDir,
    /// Another name for a file.
    Rename,
    /// Taking a file away.
    Remove,
}

/// How a disk may lie, to see that tests notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// Data syncs return and do nothing.
    Sync,
    /// Directory syncs return and do nothing.
    SyncDir,
}

/// The disk. Clones are the same disk.
#[derive(Clone, Default)]
pub struct ModelDisk {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    disk: Mutex<Disk>,
    changed: Condvar,
}

#[derive(Default)]
struct Disk {
    /// What every crash starts from.
    base: Image,
    /// Everything that happened since.
    log: Vec<Step>,
    /// What running programs see.
    seen: Image,
    /// Where [`ModelDisk::crash`] was last: the next one is most often a little further on.
    cursor: Option<Medium>,
    next_file: u64,
    locked: bool,
    syncs: u64,
    faults: Faults,
}

#[derive(Default)]
struct Faults {
    planned: Vec<(Operation, u32, ErrorKind)>,
    fail_syncs_in: Option<u32>,
    fail_everything: Option<ErrorKind>,
    lie: Option<Lie>,
    unreadable: Option<(String, u64)>,
    short_writes: bool,
    capacity: Option<u64>,
    hold_syncs: bool,
    held: u32,
}

impl ModelDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many changes and syncs it has seen; a moment for [`crash`](Self::crash).
    #[must_use]
    pub fn steps(&self) -> usize {
        self.disk().log.len()
    }

    /// Files ever made.
    #[must_use]
    pub fn files_created(&self) -> u64 {
        self.disk().next_file
    }

    /// Successful data syncs so far, of all files.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.disk().syncs
    }

    /// The disk after the power failed behind `step`. The original goes on as if nothing had happened.
    #[must_use]
    pub fn crash(&self, step: usize, how: Crash) -> Self {
        let mut disk = self.disk();
        let image = disk.after(step, how);
        let faults = Faults { lie: disk.faults.lie, ..Faults::default() };
        let next_file = disk.next_file;
        Self::from_disk(Disk { seen: image.clone(), base: image, next_file, faults, ..Disk::default() })
    }

    /// The disk after the process was killed behind `step`: what was written is seen by the next process, but is
    /// no more durable than before.
    #[must_use]
    pub fn kill(&self, step: usize) -> Self {
        let mut disk = self.disk();
        let seen = disk.after(step, Crash::Kept);
        let log = disk.log.iter().take(step).cloned().collect();
        let faults = Faults { lie: disk.faults.lie, ..Faults::default() };
        let (base, next_file) = (disk.base.clone(), disk.next_file);
        Self::from_disk(Disk { base, log, seen, next_file, faults, ..Disk::default() })
    }

    /// Changes a file behind everybody's back, durably: for damage. Ends the history that can be crashed into.
    pub fn edit(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut disk = self.disk();
        if let Some(file) = disk.seen.names.get(name).copied() {
            change(Arc::make_mut(disk.seen.content(file)));
        }
        disk.base = disk.seen.clone();
        disk.log.clear();
        disk.cursor = None;
    }

    /// A file's bytes as a program sees them.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        let disk = self.disk();
        disk.seen.files.get(disk.seen.names.get(name)?).map(|content| content.to_vec())
    }

    /// The names of all files, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.disk().seen.names.keys().cloned().collect()
    }

    /// The `nth` write from now fails after half of its bytes (1 is the next).
    pub fn fail_write(&self, nth: u32) {
        self.fail(Operation::Write, nth, ErrorKind::Other);
    }

    /// The `nth` data sync from now fails (1 is the next).
    pub fn fail_sync(&self, nth: u32) {
        self.fail(Operation::Sync, nth, ErrorKind::Other);
    }

    /// The `nth` data sync from now and all after it fail (1 is the next), though what was written before each reaches
    /// the disk; with 0 they work again.
    pub fn fail_syncs_from(&self, nth: u32) {
        self.disk().faults.fail_syncs_in = (nth > 0).then_some(nth);
    }

    /// The `nth` operation of this kind from now fails once, in this way (1 is the next).
    pub fn fail(&self, operation: Operation, nth: u32, how: ErrorKind) {
        self.disk().faults.planned.push((operation, nth, how));
    }

    /// Takes back what [`fail`](Self::fail) planned and what has not struck yet.
    pub fn calm(&self) {
        self.disk().faults.planned.clear();
    }

    /// From now on all changes and syncs fail, or work again.
    pub fn fail_everything(&self, fail: bool) {
        self.disk().faults.fail_everything = fail.then_some(ErrorKind::Other);
    }

    /// From now on all changes and syncs fail as on a file system that was remounted for reading, or work again.
    pub fn read_only(&self, fail: bool) {
        self.disk().faults.fail_everything = fail.then_some(ErrorKind::ReadOnlyFilesystem);
    }

    /// From now on this disk, and what crashes leave of it, lies: a control, which tests of crashes must notice.
    pub fn lie(&self, lie: Lie) {
        self.disk().faults.lie = Some(lie);
    }

    /// Reads that touch this byte of this file fail.
    pub fn unreadable(&self, name: &str, offset: u64) {
        self.disk().faults.unreadable = Some((name.into(), offset));
    }

    /// From now on each write takes at most 1,000 bytes.
    pub fn short_writes(&self) {
        self.disk().faults.short_writes = true;
    }

    /// From now on files may take so many bytes together.
    pub fn limit_capacity(&self, bytes: u64) {
        self.disk().faults.capacity = Some(bytes);
    }

    /// From now on data syncs do not return before [`release_syncs`](Self::release_syncs).
    pub fn hold_syncs(&self) {
        self.disk().faults.hold_syncs = true;
    }

    /// Waits until a sync is held.
    pub fn wait_until_held(&self) {
        let mut disk = self.disk();
        while disk.faults.held == 0 {
            disk = self.shared.changed.wait(disk).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether a sync is held.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.disk().faults.held > 0
    }

    /// Lets syncs go on.
    pub fn release_syncs(&self) {
        self.disk().faults.hold_syncs = false;
        self.shared.changed.notify_all();
    }

    fn from_disk(disk: Disk) -> Self {
        Self { shared: Arc::new(Shared { disk: Mutex::new(disk), changed: Condvar::new() }) }
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.shared.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, file: u64) -> Box<dyn StorageFile> {
        Box::new(ModelFile { disk: self.clone(), file })
    }
}

impl Disk {
    /// What is on the medium if the power fails behind `step`.
    fn after(&mut self, step: usize, how: Crash) -> Image {
        let cursor = self.cursor.take().filter(|cursor| cursor.at <= step);
        let mut medium = cursor.unwrap_or_else(|| Medium::new(&self.base));
        medium.advance(&self.log, step);
        let image = medium.after(&self.log, how);
        self.cursor = Some(medium);
        image
    }

    /// Whether this operation is to fail, and how.
    fn check(&mut self, operation: Operation) -> io::Result<()> {
        if let Some(kind) = self.faults.fail_everything {
            return Err(kind.into());
        }
        let mut struck = None;
        self.faults.planned.retain_mut(|(planned, left, kind)| {
            if *planned != operation {
                return true;
            }
            *left = left.saturating_sub(1);
            if *left == 0 {
                struck = Some(*kind);
            }
            *left > 0
        });
        struck.map_or(Ok(()), |kind| Err(kind.into()))
    }

    fn used(&self) -> u64 {
        let named = self.seen.names.values().filter_map(|file| self.seen.files.get(file));
        named.map(|content| content.len() as u64).sum()
    }

    fn change(&mut self, file: u64, change: Change) {
        change.apply(Arc::make_mut(self.seen.content(file)));
        self.log.push(Step::Change(file, change));
    }

    fn check_space(&self, more: u64) -> io::Result<()> {
        match self.faults.capacity {
            Some(capacity) if more > 0 && self.used().saturating_add(more) > capacity => {
                Err(ErrorKind::StorageFull.into())
            }
            _ => Ok(()),
        }
    }
}

struct Locked(ModelDisk);

impl Drop for Locked {
    fn drop(&mut self) {
        self.0.disk().locked = false;
    }
}

impl Storage for ModelDisk {
    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        let mut disk = self.disk();
        if std::mem::replace(&mut disk.locked, true) {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(Locked(self.clone())))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        let mut disk = self.disk();
        disk.check(Operation::Create)?;
        if disk.seen.names.contains_key(name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let file = disk.next_file;
        disk.next_file = file.saturating_add(1);
        let step = Step::Create(name.into(), file);
        disk.seen.rename(&step);
        disk.log.push(step);
        Ok(self.file(file))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        self.disk()
            .seen
            .names
            .get(name)
            .map(|&file| self.file(file))
            .ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.check(Operation::Remove)?;
        if !disk.seen.names.contains_key(name) {
            return Err(ErrorKind::NotFound.into());
        }
        let step = Step::Remove(name.into());
        disk.seen.rename(&step);
        disk.log.push(step);
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.check(Operation::Rename)?;
        if !disk.seen.names.contains_key(from) {
            return Err(ErrorKind::NotFound.into());
        }
        if disk.seen.names.contains_key(to) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let step = Step::Rename(from.into(), to.into());
        disk.seen.rename(&step);
        disk.log.push(step);
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.names())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut disk = self.disk();
        disk.check(Operation::SyncDir)?;
        if disk.faults.lie == Some(Lie::SyncDir) {
            return Ok(());
        }
        disk.log.push(Step::SyncDir);
        Ok(())
    }
}

struct ModelFile {
    disk: ModelDisk,
    file: u64,
}

impl StorageFile for ModelFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let disk = self.disk.disk();
        if let Some((name, bad)) = &disk.faults.unreadable
            && disk.seen.names.get(name) == Some(&self.file)
            && (offset..offset.saturating_add(buffer.len() as u64)).contains(bad)
        {
            return Err(ErrorKind::Other.into());
        }
        let content = disk.seen.files.get(&self.file).map_or(&[][..], |content| content.as_slice());
        let rest = content.get(index(offset)..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut disk = self.disk.disk();
        let end = offset.saturating_add(bytes.len() as u64);
        let len = disk.seen.files.get(&self.file).map_or(0, |content| content.len() as u64);
        disk.check_space(end.saturating_sub(len))?;
        let broken = disk.faults.fail_everything.is_some();
        let failed = disk.check(Operation::Write);
        if broken {
            return failed.map(|()| 0);
        }
        let taken = match (&failed, disk.faults.short_writes) {
            (Err(_), _) => bytes.len() / 2,
            (Ok(()), true) => bytes.len().min(1000),
            (Ok(()), false) => bytes.len(),
        };
        let front = bytes.get(..taken).unwrap_or_default().into();
        disk.change(self.file, Change::Write(offset, front));
        failed.map(|()| taken)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut disk = self.disk.disk();
        if disk.faults.hold_syncs {
            disk.faults.held = disk.faults.held.saturating_add(1);
            self.disk.shared.changed.notify_all();
            while disk.faults.hold_syncs {
                disk = self.disk.shared.changed.wait(disk).unwrap_or_else(PoisonError::into_inner);
            }
            disk.faults.held = disk.faults.held.saturating_sub(1);
        }
        let all = match &mut disk.faults.fail_syncs_in {
            Some(1) => true,
            Some(left) => {
                *left = left.saturating_sub(1);
                false
            }
            None => false,
        };
        let failed = disk.check(Operation::Sync);
        if failed.is_err() || all {
            disk.log.push(Step::FailedSync(self.file));
            return failed.and(Err(ErrorKind::Other.into()));
        }
        if disk.faults.lie == Some(Lie::Sync) {
            return Ok(());
        }
        disk.log.push(Step::Sync(self.file));
        disk.syncs = disk.syncs.saturating_add(1);
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.disk().seen.files.get(&self.file).map_or(0, |content| content.len() as u64))
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let mut disk = self.disk.disk();
        if let Some(kind) = disk.faults.fail_everything {
            return Err(kind.into());
        }
        disk.check_space(len)?;
        disk.change(self.file, Change::Zeros(len));
        Ok(())
    }

    fn trim(&self, len: u64) -> io::Result<()> {
        let mut disk = self.disk.disk();
        if let Some(kind) = disk.faults.fail_everything {
            return Err(kind.into());
        }
        disk.change(self.file, Change::Trim(len));
        Ok(())
    }
}
