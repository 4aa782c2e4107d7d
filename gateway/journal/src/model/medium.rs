//! What is on the medium: what certainly is, and what a power cut may keep, lose or tear.

use super::Crash;
use std::collections::BTreeMap;
use std::sync::Arc;

const SECTOR: usize = 512;
const PAGE: usize = 4096;

/// Contents by inode, and names. A clone shares the contents until one side changes them.
#[derive(Clone, Default)]
pub(super) struct Image {
    pub(super) files: BTreeMap<u64, Arc<Vec<u8>>>,
    pub(super) names: BTreeMap<String, u64>,
}

#[derive(Clone)]
pub(super) enum Step {
    Create(String, u64),
    Remove(String),
    Rename(String, String),
    SyncDir,
    Change(u64, Change),
    Sync(u64),
    FailedSync(u64),
}

#[derive(Clone)]
pub(super) enum Change {
    Write(u64, Arc<[u8]>),
    Zeros(u64),
    Trim(u64),
}

/// What is known of a change that is not in the image yet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// No sync came since.
    Pending,
    /// A sync failed: nobody will ever know.
    Doubtful,
    /// It was synced, but it came after something doubtful.
    Certain,
}

/// The medium behind some step of a history; it can be moved on from there.
#[derive(Clone, Default)]
pub(super) struct Medium {
    image: Image,
    /// By file, steps that changed it.
    tails: BTreeMap<u64, Vec<(usize, Fate)>>,
    /// Steps that changed names.
    names: Vec<usize>,
    pub(super) at: usize,
}

impl Medium {
    pub(super) fn new(base: &Image) -> Self {
        Self { image: base.clone(), ..Self::default() }
    }

    pub(super) fn advance(&mut self, log: &[Step], to: usize) {
        for (index, step) in log.iter().enumerate().take(to).skip(self.at) {
            match step {
                Step::Create(..) | Step::Remove(_) | Step::Rename(..) => self.names.push(index),
                Step::SyncDir => {
                    for name in std::mem::take(&mut self.names) {
                        log.get(name).into_iter().for_each(|step| self.image.rename(step));
                    }
                }
                Step::Change(file, _) => {
                    self.tails.entry(*file).or_default().push((index, Fate::Pending));
                }
                Step::Sync(file) => self.sync(log, *file),
                Step::FailedSync(file) => {
                    let pending = self.tails.get_mut(file).into_iter().flatten();
                    pending
                        .filter(|(_, fate)| *fate == Fate::Pending)
                        .for_each(|(_, fate)| *fate = Fate::Doubtful);
                }
            }
        }
        self.at = self.at.max(to.min(log.len()));
    }

    fn sync(&mut self, log: &[Step], file: u64) {
        let content = self.image.content(file);
        let Some(tail) = self.tails.get_mut(&file) else { return };
        if tail.iter().any(|(_, fate)| *fate == Fate::Doubtful) {
            let pending = tail.iter_mut().filter(|(_, fate)| *fate == Fate::Pending);
            pending.for_each(|(_, fate)| *fate = Fate::Certain);
            return;
        }
        for (index, _) in tail.drain(..) {
            if let Some(Step::Change(_, change)) = log.get(index) {
                change.apply(Arc::make_mut(content));
            }
        }
    }

    /// What is found after the power failed here.
    pub(super) fn after(&self, log: &[Step], how: Crash) -> Image {
        let mut chance = Chance(match how {
            Crash::Torn(seed) => seed,
            Crash::Lost | Crash::Kept => 0,
        });
        let mut image = self.image.clone();
        for (file, tail) in &self.tails {
            for run in tail.chunk_by(|(_, left), (_, right)| left == right) {
                let changes = run.iter().filter_map(|(index, _)| match log.get(*index) {
                    Some(Step::Change(_, change)) => Some(change),
                    _ => None,
                });
                let certain = run.first().is_some_and(|(_, fate)| *fate == Fate::Certain);
                let how = if certain { Crash::Kept } else { how };
                maybe(changes.collect(), image.content(*file), how, &mut chance);
            }
        }
        // Names are metadata and go to the medium in order: any front part of them may be there.
        let kept = match how {
            Crash::Lost => 0,
            Crash::Kept => self.names.len(),
            Crash::Torn(_) => chance.below(self.names.len().saturating_add(1)),
        };
        let names = self.names.iter().take(kept).filter_map(|index| log.get(*index));
        names.for_each(|step| image.rename(step));
        image.files.retain(|file, _| image.names.values().any(|named| named == file));
        image
    }
}

impl Image {
    pub(super) fn content(&mut self, file: u64) -> &mut Arc<Vec<u8>> {
        self.files.entry(file).or_default()
    }

    pub(super) fn rename(&mut self, step: &Step) {
        match step {
            Step::Create(name, file) => {
                self.names.insert(name.clone(), *file);
                self.content(*file);
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
    pub(super) fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write(offset, bytes) => write(content, *offset, bytes),
            Self::Zeros(len) => content.resize(index(*len), 0),
            Self::Trim(len) => content.truncate(index(*len)),
        }
    }
}

/// Unsynced changes at the moment of a crash.
fn maybe(mut changes: Vec<&Change>, content: &mut Arc<Vec<u8>>, how: Crash, chance: &mut Chance) {
    match how {
        Crash::Lost => {}
        Crash::Kept => {
            changes.into_iter().for_each(|change| change.apply(Arc::make_mut(content)));
        }
        Crash::Torn(_) => {
            let reorder = chance.below(2) == 0;
            while !changes.is_empty() {
                let change = changes.remove(if reorder { chance.below(changes.len()) } else { 0 });
                match (chance.below(4), change) {
                    (0, _) => {}
                    (kind @ (1 | 2), Change::Write(offset, bytes)) => {
                        let unit = if kind == 1 { SECTOR } else { PAGE };
                        for (number, part) in bytes.chunks(unit).enumerate() {
                            if chance.below(2) == 0 {
                                let at = offset.saturating_add(number.saturating_mul(unit) as u64);
                                write(Arc::make_mut(content), at, part);
                            }
                        }
                    }
                    (_, change) => change.apply(Arc::make_mut(content)),
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

pub(super) fn index(offset: u64) -> usize {
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
