//! What the index does in the background, one step at a time, and the thread that does it. The steps know no thread, so that
//! tests can take them by hand.
//!
//! A disk that does not obey costs a sidecar and nothing else: what was found out stays in RAM, and the next start tries again.

use super::build::build;
use super::entries::Entries;
use super::{Index, Part, State, TRIES, file};
use crate::journal::Shared;
use crate::room::FOR_SETTLING;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread::{Builder, JoinHandle};

/// What is to be done next.
enum Job {
    /// A sidecar's segment is gone, or it was never finished.
    Remove(String, u64),
    /// A segment of this process is complete.
    Close(u64),
    /// A segment of a former process waits.
    Read(u64),
}

/// The thread; without an index there is nothing for it to do.
pub(crate) fn start(shared: Arc<Shared>) -> io::Result<Option<JoinHandle<()>>> {
    if shared.index.is_none() {
        return Ok(None);
    }
    Builder::new().name("index".into()).spawn(move || run(&shared)).map(Some)
}

fn run(shared: &Shared) {
    let Some(index) = &shared.index else { return };
    while index.wait_for_work() {
        index.step(shared);
    }
}

impl State {
    fn next_job(&self) -> Option<Job> {
        let waits = |wanted: u8| {
            let mut newest_first = self.segments.iter().rev();
            newest_first.find(|(_, part)| matches!(part, Part::Waiting { tries } if *tries == wanted))
        };
        let orphan = self.orphans.front().map(|(name, size)| Job::Remove(name.clone(), *size));
        let complete = || self.complete.front().map(|segment| Job::Close(*segment));
        orphan
            .or_else(complete)
            .or_else(|| (0..TRIES).find_map(waits).map(|(segment, _)| Job::Read(*segment)))
    }
}

impl Index {
    /// `false`: it is time to end.
    fn wait_for_work(&self) -> bool {
        let idle = |state: &mut State| !state.stopping && state.next_job().is_none();
        let state = self.changed.wait_while(self.state(), idle);
        !state.unwrap_or_else(PoisonError::into_inner).stopping
    }

    /// Does what is next. `false`: there was nothing to do.
    pub(crate) fn step(&self, shared: &Shared) -> bool {
        let job = self.state().next_job();
        match job {
            Some(Job::Remove(name, size)) => self.remove(name, size, shared),
            Some(Job::Close(segment)) => self.close(segment, shared),
            Some(Job::Read(segment)) => self.read(segment, shared),
            None => return false,
        }
        self.changed.notify_all();
        true
    }

    fn remove(&self, name: String, size: u64, shared: &Shared) {
        let removed = shared.storage.remove(&name);
        let mut state = self.state();
        state.orphans.pop_front();
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => state.stuck.push((name, size)),
            _ => drop(self.bytes.fetch_sub(size, Ordering::AcqRel)),
        }
    }

    fn close(&self, segment: u64, shared: &Shared) {
        let mut state = self.state();
        state.complete.pop_front();
        let Some(Part::Written { entries, whole }) = state.segments.get(&segment) else { return };
        let (whole, mut entries) = (*whole, entries.as_ref().clone());
        drop(state);
        entries.sort();
        if whole {
            // Without it, all is in RAM all the same.
            let _ = self.store(segment, &entries, shared);
        }
        self.know(segment, Part::Known { at_hand: entries.at_hand.into(), whole });
    }

    fn read(&self, segment: u64, shared: &Shared) {
        let state = self.state();
        let behind: VecDeque<u64> = state.segments.range(segment..).map(|(number, _)| *number).collect();
        let has_sidecar = state.files.contains_key(&segment);
        let complete = segment < state.newest;
        drop(state);
        let place = shared.place();
        if has_sidecar && let Some(entries) = file::load(place, segment, self.version) {
            self.know(segment, Part::Known { at_hand: entries.at_hand.into(), whole: true });
            return;
        }
        let part = match self.with_terms(|terms| build(place, behind, terms)) {
            Ok(Some(built)) => {
                let whole = built.damaged.is_empty() && built.told;
                if whole && complete {
                    let _ = self.store(segment, &built.entries, shared);
                }
                Part::Known { at_hand: built.entries.at_hand.into(), whole }
            }
            // Its file cannot be read, or is not there although nobody gave it back.
            Ok(None) | Err(_) => match self.state().segments.get(&segment) {
                Some(Part::Waiting { tries }) if tries.saturating_add(1) < TRIES => {
                    Part::Waiting { tries: tries.saturating_add(1) }
                }
                _ => Part::Known { at_hand: Box::default(), whole: false },
            },
        };
        self.know(segment, part);
    }

    /// Writes a sidecar, in the place of the one that there may be, if there is room for it.
    pub(super) fn store(&self, segment: u64, entries: &Entries, shared: &Shared) -> io::Result<()> {
        let storage = &*shared.storage;
        let bytes = file::make(shared.place(), segment, self.version, entries)?;
        let old = self.state().files.remove(&segment);
        if let Some(size) = old {
            if let Err(error) = storage.remove(&file::sidecar_name(segment))
                && error.kind() != io::ErrorKind::NotFound
            {
                self.state().files.insert(segment, size);
                return Err(error);
            }
            self.bytes.fetch_sub(size, Ordering::AcqRel);
        }
        let size = bytes.len() as u64;
        self.bytes.fetch_add(size, Ordering::AcqRel);
        if !has_room(shared) {
            self.bytes.fetch_sub(size, Ordering::AcqRel);
            return Err(io::ErrorKind::StorageFull.into());
        }
        if let Err(error) = file::write(storage, segment, &bytes) {
            self.bytes.fetch_sub(size, Ordering::AcqRel);
            return Err(error);
        }
        let mut state = self.state();
        if state.segments.contains_key(&segment) {
            state.files.insert(segment, size);
        } else {
            state.orphans.push_back((file::sidecar_name(segment), size));
        }
        Ok(())
    }

    /// Takes in what was found out, unless the segment went meanwhile.
    fn know(&self, segment: u64, part: Part) {
        if let Some(known) = self.state().segments.get_mut(&segment) {
            *known = part;
        }
    }
}

/// Whether all files are within the limit, what is about to be written included, and what is kept for whoever settles
/// something is left alone.
fn has_room(shared: &Shared) -> bool {
    let (all, waiting) = (shared.totals.all(), shared.totals.waiting.load(Ordering::Acquire));
    let kept = u64::from(shared.options.segment_size).saturating_mul(FOR_SETTLING);
    let limit = shared.limit.load(Ordering::Acquire);
    all <= limit && all.saturating_sub(waiting).saturating_add(kept) <= limit
}
