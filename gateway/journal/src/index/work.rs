//! What the index does in the background, one step at a time, and the thread that does it. The steps know no thread, so that
//! tests can take them by hand.

use super::build::{Place, build};
use super::{Index, Part, State, TRIES};
use crate::journal::Shared;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, PoisonError};
use std::thread::{Builder, JoinHandle};

/// What is to be done next.
enum Job {
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
        let complete = self.complete.front().map(|segment| Job::Close(*segment));
        complete.or_else(|| (0..TRIES).find_map(waits).map(|(segment, _)| Job::Read(*segment)))
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
            Some(Job::Close(segment)) => self.close(segment),
            Some(Job::Read(segment)) => self.read(segment, shared),
            None => return false,
        }
        self.changed.notify_all();
        true
    }

    fn close(&self, segment: u64) {
        let mut state = self.state();
        state.complete.pop_front();
        let Some(Part::Written { entries, whole }) = state.segments.get(&segment) else { return };
        let (whole, mut entries) = (*whole, entries.as_ref().clone());
        drop(state);
        entries.sort();
        self.know(segment, Part::Known { at_hand: entries.at_hand.into(), whole });
    }

    fn read(&self, segment: u64, shared: &Shared) {
        let behind: VecDeque<u64> =
            self.state().segments.range(segment..).map(|(number, _)| *number).collect();
        let place = Place {
            storage: &*shared.storage,
            journal: shared.identity.journal,
            keys: shared.options.keys.as_ref(),
        };
        let part = match self.with_terms(|terms| build(place, behind, terms)) {
            Ok(Some(built)) => Part::Known {
                whole: built.damaged.is_empty() && built.told,
                at_hand: built.entries.at_hand.into(),
            },
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

    /// Takes in what was found out, unless the segment went meanwhile.
    fn know(&self, segment: u64, part: Part) {
        if let Some(known) = self.state().segments.get_mut(&segment) {
            *known = part;
        }
    }
}
