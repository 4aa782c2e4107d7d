//! Finding records of *results* without reading the log: which segment has a record with a term, and where.
//!
//! What is promised:
//! - What the keeper has been shown is found, and what a start would pass over (void commits, torn and damaged ones) is not.
//!   The writer adds a batch after its sync; nothing else ever comes into a segment that this process writes to.
//! - The index is derived. It is filled in the background, and says so while it is not whole; nothing waits for it that does
//!   not ask.
//!
//! **When a segment is complete.** Whether a commit counts is said by the next one of its lane, and which segment has it by
//! its second attempt. So a segment's entries are final once a commit of the lane in a newer segment was acknowledged: then
//! nobody appends to it, its last commit is known to count or not, and no start can think otherwise. Segments of former
//! processes are so from the start on, for a start writes the lane's last commit again before anything else.
//!
//! Complete segments get a sidecar ([`file`]), so that the next start need not read them. It is written once, by the index's
//! thread, and goes with its segment; whatever becomes of it, no answer depends on it.
//!
//! It leaves out the lane *snapshots*, and what terms mean.

mod build;
mod entries;
mod file;
mod find;
mod term;
#[cfg(test)]
mod tests;
mod work;

pub(crate) use build::{Built, build};
pub(crate) use entries::Entries;
pub(crate) use file::{load, parse_sidecar_name};
pub use find::Found;
pub use term::{Term, Terms, TermsOf};
pub(crate) use work::start;

use crate::keeper::Keeper;
use crate::record::{Lane, RecordRef};
use entries::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How far the index is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Indexed {
    /// Segments of *results* that there are.
    pub segments: u64,
    /// Of these, those that were read without a fault.
    pub indexed: u64,
    /// Of these, those of which not all could be read, though it was tried twice.
    pub unreadable: u64,
}

/// The index of a running journal.
pub(crate) struct Index {
    keeper: Arc<dyn Keeper>,
    version: u32,
    /// Bytes in sidecars, those included that are about to be written or removed.
    bytes: Arc<AtomicU64>,
    state: Mutex<State>,
    /// Something was done, or is to be done.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    segments: BTreeMap<u64, Part>,
    /// The segment of the last acknowledged commit.
    newest: u64,
    /// Segments that are complete and still as the writer left them.
    complete: VecDeque<u64>,
    /// Sidecars that there are, usable or not, and their bytes.
    files: BTreeMap<u64, u64>,
    /// Files of segments that are gone, and unfinished ones.
    orphans: VecDeque<(String, u64)>,
    /// Of these, those that could not be removed.
    stuck: Vec<(String, u64)>,
    stopping: bool,
}

/// What is known of a segment.
pub(crate) enum Part {
    /// Nothing yet; it was tried so often.
    Waiting { tries: u8 },
    /// This process writes to it, or did: all entries, in the order of writing.
    Written { entries: Arc<Entries>, whole: bool },
    /// What is kept of it at hand, sorted.
    Known { at_hand: Box<[Entry]>, whole: bool },
}

/// How often a segment is tried that cannot be read.
const TRIES: u8 = 2;

impl Index {
    /// For a keeper that has terms, over the segments of *results* that there are. Those that this process writes to come
    /// through [`made`](Self::made). `sidecars` are all files of that kind, `bytes` what they take.
    pub(crate) fn new(
        keeper: Arc<dyn Keeper>,
        segments: impl Iterator<Item = u64>,
        sidecars: Vec<(String, u64)>,
        bytes: Arc<AtomicU64>,
    ) -> Option<Self> {
        let version = keeper.terms_version();
        let segments = segments.map(|segment| (segment, Part::Waiting { tries: 0 })).collect();
        let mut state = State { segments, ..State::default() };
        for (name, size) in sidecars {
            match parse_sidecar_name(&name) {
                Some((segment, true)) if state.segments.contains_key(&segment) => {
                    state.files.insert(segment, size);
                }
                _ => state.orphans.push_back((name, size)),
            }
        }
        let state = Mutex::new(state);
        (version > 0).then(|| Self { keeper, version, bytes, state, changed: Condvar::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the keeper's terms.
    pub(crate) fn with_terms<T>(&self, work: impl FnOnce(&Terms<'_>) -> T) -> T {
        let of = |record: &RecordRef<'_>, found_by: &mut dyn FnMut(Term)| self.keeper.terms(record, found_by);
        work(&Terms { version: self.version, of: &of })
    }

    /// This process has made a segment, and this is what it holds already.
    pub(crate) fn made(&self, segment: u64, whole: bool, entries: Entries) {
        let part = Part::Written { entries: Arc::new(entries), whole };
        self.state().segments.insert(segment, part);
    }

    /// A commit in this segment is on flash. Those before it are complete.
    pub(crate) fn acknowledged(&self, segment: u64) {
        let mut state = self.state();
        if state.newest >= segment {
            return;
        }
        let written = |(number, part): (&u64, &Part)| matches!(part, Part::Written { .. }).then_some(*number);
        let complete: Vec<u64> = state.segments.range(state.newest..segment).filter_map(written).collect();
        state.newest = segment;
        state.complete.extend(complete);
        drop(state);
        self.changed.notify_all();
    }

    /// These records are on flash, one batch of them.
    pub(crate) fn seen(&self, records: &[RecordRef<'_>]) {
        let results = || records.iter().filter(|record| record.location.lane == Lane::Results);
        let Some(segment) = results().next().map(|record| record.location.segment) else { return };
        let mut added = Entries::default();
        let told = self.with_terms(|terms| added.add(results(), terms));
        if let Some(Part::Written { entries, whole }) = self.state().segments.get_mut(&segment) {
            let entries = Arc::make_mut(entries);
            entries.at_hand.append(&mut added.at_hand);
            entries.on_file.append(&mut added.on_file);
            *whole &= told;
        }
    }

    /// The segment is about to be given back.
    pub(crate) fn take(&self, segment: u64) -> Option<Part> {
        self.state().segments.remove(&segment)
    }

    /// It was not: it is where it was.
    pub(crate) fn put_back(&self, segment: u64, part: Part) {
        let mut state = self.state();
        // The thread may have come by for it meanwhile.
        if matches!(part, Part::Written { .. }) && segment < state.newest {
            state.complete.push_back(segment);
        }
        state.segments.insert(segment, part);
        drop(state);
        self.changed.notify_all();
    }

    /// It was, and its sidecar goes with it.
    pub(crate) fn gone(&self, segment: u64) {
        let mut state = self.state();
        if let Some(size) = state.files.remove(&segment) {
            state.orphans.push_back((file::sidecar_name(segment), size));
        }
        let stuck = std::mem::take(&mut state.stuck);
        state.orphans.extend(stuck);
        drop(state);
        self.changed.notify_all();
    }

    pub(crate) fn indexed(&self) -> Indexed {
        let state = self.state();
        let mut indexed = Indexed { segments: state.segments.len() as u64, ..Indexed::default() };
        for part in state.segments.values() {
            match part {
                Part::Waiting { .. } => {}
                Part::Written { whole: true, .. } | Part::Known { whole: true, .. } => indexed.indexed += 1,
                Part::Written { .. } | Part::Known { .. } => indexed.unreadable += 1,
            }
        }
        indexed
    }

    /// Waits until no segment waits. `false`: that took longer.
    pub(crate) fn wait(&self, at_most: Duration) -> bool {
        let waits = |state: &mut State| {
            state.segments.values().any(|part| matches!(part, Part::Waiting { .. })) && !state.stopping
        };
        let waited = self.changed.wait_timeout_while(self.state(), at_most, waits);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !waits(&mut state)
    }

    /// The thread is to end.
    pub(crate) fn stop(&self) {
        self.state().stopping = true;
        self.changed.notify_all();
    }
}
