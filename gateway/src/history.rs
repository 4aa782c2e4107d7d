//! What was sent before of the specimens at hand: read from the journal when a message asks, and forgotten with it.
//!
//! Promises that what is said to be sent was sent, by an outcome that is on flash and not older than the horizon
//! (`keep_keys`); and that a specimen gets a filler number that no report before can have had, on this box or another. What is not known is new: never a repeat, never a correction. Leaves out whether it was delivered.

#[cfg(test)]
mod tests;

use crate::convert::Past;
use crate::records::{Fate, Outcome};
use crate::store::Store;
use orugate_protocol::time::Utc;
use std::cell::RefCell;

/// So many outcomes of one specimen are read, the newest. An id that comes more often is no specimen's.
const MOST: usize = 64;
/// 2025-01-01T00:00:00Z, seconds since 1970: filler numbers of unknown specimens count from here, in seconds.
const FIRST: i64 = 1_735_689_600;

/// What is known of a result that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Keyed hash of its content.
    pub content: u128,
    /// It was sent as final, so another content corrects it.
    pub is_final: bool,
    /// The filler number of its group.
    pub filler: u32,
    /// The message that it came in.
    pub message: u64,
}

/// The history, as one message asks for it.
pub struct History<'s> {
    store: &'s Store,
    now: Utc,
    /// Outcomes before this time are not looked at, microseconds since 1970.
    horizon: i64,
    read: RefCell<Vec<Specimen>>,
    /// Hears when the journal begins to be read, and when that is over.
    looking: Option<&'s dyn Fn(bool)>,
}

/// What was read of one specimen.
#[derive(Default)]
struct Specimen {
    hash: u128,
    /// By identity, the newest first.
    sent: Vec<(u128, Sent)>,
    highest: Option<u32>,
}

impl<'s> History<'s> {
    /// What was sent until `now`, and not before `horizon`.
    #[must_use]
    pub const fn new(store: &'s Store, now: Utc, horizon: i64) -> Self {
        Self { store, now, horizon, read: RefCell::new(Vec::new()), looking: None }
    }

    /// The same, and this hears when the journal begins to be read (true) and when that is over.
    #[must_use]
    pub fn watched(self, looking: &'s dyn Fn(bool)) -> Self {
        Self { looking: Some(looking), ..self }
    }

    fn of<T>(&self, specimen: u128, look: impl FnOnce(&Specimen) -> T) -> T {
        let mut read = self.read.borrow_mut();
        if let Some(known) = read.iter().find(|known| known.hash == specimen) {
            return look(known);
        }
        let mut fresh = Specimen { hash: specimen, ..Specimen::default() };
        if let Some(looking) = self.looking {
            looking(true);
        }
        let outcomes = self.store.outcomes(specimen, MOST);
        if let Some(looking) = self.looking {
            looking(false);
        }
        for outcome in outcomes {
            if outcome.at >= self.horizon {
                fresh.learn(&outcome);
            }
        }
        let result = look(&fresh);
        read.push(fresh);
        result
    }
}

impl Specimen {
    /// Takes in an outcome that is older than those before.
    fn learn(&mut self, outcome: &Outcome) {
        // A release may stand behind what came after its message, so it is not by the message's number.
        for disposition in outcome.dispositions.iter().rev().filter(|d| d.fate == Fate::Sent) {
            let Some(identity) = disposition.identity else { continue };
            let sent = Sent {
                content: disposition.content,
                is_final: disposition.is_final,
                filler: disposition.filler,
                message: outcome.message,
            };
            self.sent.push((identity, sent));
        }
        let given = outcome.fillers.iter().filter(|(specimen, _)| *specimen == self.hash);
        self.highest = given.map(|(_, number)| *number).chain(self.highest).max();
    }
}

impl Past for History<'_> {
    fn sent(&self, specimen: u128, identity: u128) -> Option<Sent> {
        let newest =
            |known: &Specimen| known.sent.iter().find(|(of, _)| *of == identity).map(|(_, sent)| *sent);
        self.of(specimen, newest)
    }

    fn next_filler(&self, specimen: u128) -> u32 {
        let known = self.of(specimen, |known| known.highest);
        // A box that boots in 1970 is no earlier than its journal.
        let now = self.now.0.max(self.store.state().newest());
        let seconds = now.div_euclid(1_000_000).saturating_sub(FIRST);
        // Of a known specimen too: after a restore nobody knows what the box before gave it since the copy.
        u32::try_from(seconds).unwrap_or(0).max(known.unwrap_or(0)).saturating_add(1)
    }
}
