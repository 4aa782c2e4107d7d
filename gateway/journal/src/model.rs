//! A test rig: a disk in memory that keeps what was written apart from what was synced, fails on demand, and can
//! be crashed at every step of its history. Other crates' tests may use it; production code must not.
//!
//! What a crash may do to writes that no successful sync covered: keep them, lose them, or keep any of their
//! 512-byte sectors, in any order. A name that no directory sync covered may be lost with its file. A failed sync
//! covers nothing, and a later successful one does not make up for it. What it leaves out: damage to what was
//! synced (tests do that with [`ModelDisk::edit`]) and time.

use crate::storage::{Storage, StorageFile};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

const SECTOR: usize = 512;

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

/// Contents by inode, and names.
#[derive(Clone, Default)]
struct Image {
    files: BTreeMap<u64, Vec<u8>>,
    names: BTreeMap<String, u64>,
}

#[derive(Default)]
struct Disk {
    /// What every crash starts from.
    base: Image,
    /// Everything that happened since.
    log: Vec<Step>,
    /// What running programs see.
    seen: Image,
    next_file: u64,
    locked: bool,
    syncs: u64,
    faults: Faults,
}

#[derive(Default)]
struct Faults {
    fail_write_in: Option<u32>,
    fail_sync_in: Option<u32>,
    fail_syncs_in: Option<u32>,
    fail_everything: bool,
    unreadable: Option<(String, u64)>,
    short_writes: bool,
    capacity: Option<u64>,
    hold_syncs: bool,
    held: u32,
}

#[derive(Clone)]
enum Step {
    Create(String, u64),
    Remove(String),
    Rename(String, String),
    SyncDir,
    Change(u64, Change),
    Sync(u64),
    FailedSync(u64),
}

#[derive(Clone)]
enum Change {
    Write(u64, Vec<u8>),
    Zeros(u64),
    Trim(u64),
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
        let disk = self.disk();
        let image = disk.after(step, how);
        Self::from_disk(Disk {
            seen: image.clone(),
            base: image,
            next_file: disk.next_file,
            ..Disk::default()
        })
    }

    /// The disk after the process was killed behind `step`: what was written is seen by the next process, but is
    /// no more durable than before.
    #[must_use]
    pub fn kill(&self, step: usize) -> Self {
        let disk = self.disk();
        let seen = disk.after(step, Crash::Kept);
        let log = disk.log.iter().take(step).cloned().collect();
        Self::from_disk(Disk {
            base: disk.base.clone(),
            log,
            seen,
            next_file: disk.next_file,
            ..Disk::default()
        })
    }

    /// Changes a file behind everybody's back, durably: for damage. Ends the history that can be crashed into.
    pub fn edit(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut disk = self.disk();
        if let Some(file) = disk.seen.names.get(name).copied() {
            change(disk.seen.files.entry(file).or_default());
        }
        disk.base = disk.seen.clone();
        disk.log.clear();
    }

    /// A file's bytes as a program sees them.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        let disk = self.disk();
        disk.seen.files.get(disk.seen.names.get(name)?).cloned()
    }

    /// The names of all files, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.disk().seen.names.keys().cloned().collect()
    }

    /// The `nth` write from now fails after half of its bytes (1 is the next).
    pub fn fail_write(&self, nth: u32) {
        self.disk().faults.fail_write_in = Some(nth);
    }

    /// The `nth` data sync from now fails (1 is the next).
    pub fn fail_sync(&self, nth: u32) {
        self.disk().faults.fail_sync_in = Some(nth);
    }

    /// The `nth` data sync from now and all after it fail (1 is the next), though what was written before each reaches
    /// the disk; with 0 they work again.
    pub fn fail_syncs_from(&self, nth: u32) {
        self.disk().faults.fail_syncs_in = (nth > 0).then_some(nth);
    }

    /// From now on all writes and syncs fail, or work again.
    pub fn fail_everything(&self, fail: bool) {
        self.disk().faults.fail_everything = fail;
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
    fn after(&self, step: usize, how: Crash) -> Image {
        let mut chance = Chance(match how {
            Crash::Torn(seed) => seed,
            Crash::Lost | Crash::Kept => 0,
        });
        let mut image = self.base.clone();
        let mut changes: BTreeMap<u64, Vec<&Change>> = BTreeMap::new();
        let mut names: Vec<&Step> = Vec::new();
        for step in self.log.iter().take(step) {
            match step {
                Step::Create(..) | Step::Remove(_) | Step::Rename(..) => names.push(step),
                Step::SyncDir => names.drain(..).for_each(|step| image.rename(step)),
                Step::Change(file, change) => changes.entry(*file).or_default().push(change),
                Step::Sync(file) => {
                    let content = image.files.entry(*file).or_default();
                    changes.remove(file).into_iter().flatten().for_each(|change| change.apply(content));
                }
                Step::FailedSync(file) => {
                    let content = image.files.entry(*file).or_default();
                    maybe(changes.remove(file).unwrap_or_default(), content, how, &mut chance);
                }
            }
        }
        for (file, changes) in changes {
            maybe(changes, image.files.entry(file).or_default(), how, &mut chance);
        }
        // Names are metadata and go to the medium in order: any front part of them may be there.
        let kept = match how {
            Crash::Lost => 0,
            Crash::Kept => names.len(),
            Crash::Torn(_) => chance.below(names.len().saturating_add(1)),
        };
        names.into_iter().take(kept).for_each(|step| image.rename(step));
        image.files.retain(|file, _| image.names.values().any(|named| named == file));
        image
    }

    fn used(&self) -> u64 {
        let named = self.seen.names.values().filter_map(|file| self.seen.files.get(file));
        named.map(|content| content.len() as u64).sum()
    }

    fn change(&mut self, file: u64, change: Change) {
        change.apply(self.seen.files.entry(file).or_default());
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

impl Image {
    fn rename(&mut self, step: &Step) {
        match step {
            Step::Create(name, file) => {
                self.names.insert(name.clone(), *file);
                self.files.entry(*file).or_default();
            }
            Step::Remove(name) => {
                self.names.remove(name);
            }
            Step::Rename(from, to) => {
                if let Some(file) = self.names.remove(from) {
                    self.names.insert(to.clone(), file);
                }
            }
            Step::SyncDir | Step::Change(..) | Step::Sync(_) | Step::FailedSync(_) => {}
        }
    }
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write(offset, bytes) => write(content, *offset, bytes),
            Self::Zeros(len) => content.resize(index(*len), 0),
            Self::Trim(len) => content.truncate(index(*len)),
        }
    }
}

/// Unsynced changes at the moment of a crash.
fn maybe(mut changes: Vec<&Change>, content: &mut Vec<u8>, how: Crash, chance: &mut Chance) {
    match how {
        Crash::Lost => {}
        Crash::Kept => changes.into_iter().for_each(|change| change.apply(content)),
        Crash::Torn(_) => {
            let reorder = chance.below(2) == 0;
            while !changes.is_empty() {
                let change = changes.remove(if reorder { chance.below(changes.len()) } else { 0 });
                match (chance.below(3), change) {
                    (0, _) => {}
                    (1, Change::Write(offset, bytes)) => {
                        for (number, sector) in bytes.chunks(SECTOR).enumerate() {
                            if chance.below(2) == 0 {
                                let at = offset.saturating_add(number.saturating_mul(SECTOR) as u64);
                                write(content, at, sector);
                            }
                        }
                    }
                    (_, change) => change.apply(content),
                }
            }
        }
    }
}

fn write(content: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let start = index(offset);
    let end = start.saturating_add(bytes.len());
    if content.len() < end {
        content.resize(end, 0);
    }
    if let Some(place) = content.get_mut(start..end) {
        place.copy_from_slice(bytes);
    }
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

/// A small deterministic generator (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        index((mixed ^ (mixed >> 31)).checked_rem(limit as u64).unwrap_or(0))
    }
}

/// Counts down to a fault.
fn strikes(countdown: &mut Option<u32>) -> bool {
    match countdown.as_mut() {
        Some(1) => {
            *countdown = None;
            true
        }
        Some(left) => {
            *left = left.saturating_sub(1);
            false
        }
        None => false,
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
        if disk.faults.fail_everything {
            return Err(ErrorKind::Other.into());
        }
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
        if disk.faults.fail_everything {
            return Err(ErrorKind::Other.into());
        }
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
        if disk.faults.fail_everything {
            return Err(ErrorKind::Other.into());
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
        let content = disk.seen.files.get(&self.file).map_or(&[][..], Vec::as_slice);
        let rest = content.get(index(offset)..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut disk = self.disk.disk();
        if disk.faults.fail_everything {
            return Err(ErrorKind::Other.into());
        }
        let end = offset.saturating_add(bytes.len() as u64);
        let len = disk.seen.files.get(&self.file).map_or(0, |content| content.len() as u64);
        disk.check_space(end.saturating_sub(len))?;
        let fails = strikes(&mut disk.faults.fail_write_in);
        let taken = match (fails, disk.faults.short_writes) {
            (true, _) => bytes.len() / 2,
            (false, true) => bytes.len().min(1000),
            (false, false) => bytes.len(),
        };
        let front = bytes.get(..taken).unwrap_or_default().to_vec();
        disk.change(self.file, Change::Write(offset, front));
        if fails { Err(ErrorKind::Other.into()) } else { Ok(taken) }
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
        if strikes(&mut disk.faults.fail_sync_in) || all || disk.faults.fail_everything {
            disk.log.push(Step::FailedSync(self.file));
            return Err(ErrorKind::Other.into());
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
        if disk.faults.fail_everything {
            return Err(ErrorKind::Other.into());
        }
        disk.check_space(len)?;
        disk.change(self.file, Change::Zeros(len));
        Ok(())
    }

    fn trim(&self, len: u64) -> io::Result<()> {
        let mut disk = self.disk.disk();
        if disk.faults.fail_everything {
            return Err(ErrorKind::Other.into());
        }
        disk.change(self.file, Change::Trim(len));
        Ok(())
    }
}
