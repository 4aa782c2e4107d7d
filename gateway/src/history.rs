//! What was sent before of the specimens at hand: read from the journal when a message asks, and forgotten with it.
//!
//! Promises that what is said to be sent was sent, by an outcome that is on flash and not older than the horizon
//! (`keep_keys`); that how it stands at a destination is said by the records of its ORU (`stood.rs`); and that a specimen gets a filler
//! number that no report before can have had, on this box or another. What is not known is new: never a repeat, never a correction.

mod stood;
#[cfg(test)]
mod tests;

use crate::convert::{Had, Past, Sent, Which};
use crate::records::{Fate, Outcome, Stood};
use crate::store::Store;
use orugate_protocol::time::Utc;
use std::cell::RefCell;

/// So many outcomes of one specimen are read, the newest. An id that comes more often is no specimen's.
const MOST: usize = 64;
/// 2025-01-01T00:00:00Z, seconds since 1970: filler numbers of unknown specimens count from here, in seconds.
const FIRST: i64 = 1_735_689_600;

/// The history, as one message asks for it.
pub struct History<'s> {
    store: &'s Store,
    now: Utc,
    /// Outcomes before this time are not looked at, microseconds since 1970.
    horizon: i64,
    read: RefCell<Vec<Specimen>>,
    /// How ORUs stand, as far as that was asked.
    stood: RefCell<Vec<(u64, Option<Stood>)>>,
    /// Hears when the journal begins to be read, and when that is over.
    looking: Option<&'s dyn Fn(bool)>,
}

/// What was read of one specimen.
#[derive(Default)]
struct Specimen {
    hash: u128,
    /// The newest first.
    outcomes: Vec<Outcome>,
    /// The newest first.
    sent: Vec<Known>,
    /// Places in `sent`, by run, by series and by test.
    by_run: Vec<(u128, usize)>,
    by_series: Vec<(u64, usize)>,
    by_test: Vec<(u64, usize)>,
    /// Places that results were sent to, with a run discriminator or without one: test, filler number, sub-id.
    filed: Vec<(u64, u32, u16)>,
    /// Runs of which results came, wherever they went.
    came: Vec<u128>,
    highest: Option<u32>,
}

/// A result that was sent.
struct Known {
    sent: Sent,
    test: u64,
    series: u64,
    /// Whose it is, in `outcomes`.
    outcome: usize,
}

impl<'s> History<'s> {
    /// What was sent until `now`, and not before `horizon`.
    #[must_use]
    pub const fn new(store: &'s Store, now: Utc, horizon: i64) -> Self {
        Self {
            store,
            now,
            horizon,
            read: RefCell::new(Vec::new()),
            stood: RefCell::new(Vec::new()),
            looking: None,
        }
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
        let outcomes = self.reading(|store| store.outcomes(specimen, MOST));
        for outcome in outcomes {
            if outcome.at >= self.horizon {
                fresh.learn(outcome);
            }
        }
        fresh.sort();
        let result = look(&fresh);
        read.push(fresh);
        result
    }

    /// Reads the journal, and says so to who watches.
    fn reading<T>(&self, read: impl FnOnce(&Store) -> T) -> T {
        if let Some(looking) = self.looking {
            looking(true);
        }
        let read = read(self.store);
        if let Some(looking) = self.looking {
            looking(false);
        }
        read
    }

    /// How a destination stands to an ORU; `None` when it has not got it and never will.
    fn stood(&self, oru: u64, destination: &str) -> Option<Stood> {
        if let Some((_, stood)) = self.stood.borrow().iter().find(|(known, _)| *known == oru) {
            return *stood;
        }
        let stood = self.reading(|store| stood::of(store, oru, destination));
        self.stood.borrow_mut().push((oru, stood));
        stood
    }

    /// The newest of these that went to a destination and that `counts`.
    fn newest(
        &self,
        known: &Specimen,
        which: Which,
        destination: &str,
        counts: impl Fn(Stood) -> bool,
    ) -> Option<Had> {
        known.all(which).find_map(|result| {
            let (sent, outcome) = (result.sent, known.outcomes.get(result.outcome)?);
            // Before version 3 nobody wrote down what each destination got.
            let had = if outcome.towards.is_empty() {
                Had { sent, stood: Stood::Delivered, status: None }
            } else {
                let written = outcome.written(sent.observation, destination)?;
                let stood = self.stood(written.oru, destination)?;
                Had { sent, stood, status: Some(char::from(written.status)) }
            };
            counts(had.stood).then_some(had)
        })
    }
}

impl Specimen {
    /// Takes in an outcome that is older than those before.
    fn learn(&mut self, outcome: Outcome) {
        // A release may stand behind what came after its message, so it is not by the message's number.
        for disposition in outcome.dispositions.iter().rev() {
            if disposition.fate == Fate::Sent {
                self.filed.push((disposition.test, disposition.filler, disposition.sub_id));
            }
            let Some(identity) = disposition.identity else { continue };
            self.came.push(identity);
            if disposition.fate != Fate::Sent {
                continue;
            }
            let sent = Sent {
                identity,
                content: disposition.content,
                is_final: disposition.is_final,
                filler: disposition.filler,
                sub_id: disposition.sub_id,
                message: outcome.message,
                observation: disposition.observation,
                ran: disposition.ran,
                at: outcome.at,
            };
            let (test, series) = (disposition.test, disposition.series);
            self.sent.push(Known { sent, test, series, outcome: self.outcomes.len() });
        }
        let given = outcome.fillers.iter().filter(|(specimen, _)| *specimen == self.hash);
        self.highest = given.map(|(_, number)| *number).chain(self.highest).max();
        self.outcomes.push(outcome);
    }

    fn sort(&mut self) {
        for (place, known) in self.sent.iter().enumerate() {
            self.by_run.push((known.sent.identity, place));
            self.by_series.push((known.series, place));
            self.by_test.push((known.test, place));
        }
        self.by_run.sort_unstable();
        self.by_series.sort_unstable();
        self.by_test.sort_unstable();
        self.came.sort_unstable();
        self.filed.sort_unstable();
    }

    /// The newest first.
    fn all(&self, which: Which) -> impl Iterator<Item = &Known> {
        let (run, series, since) = match which {
            Which::Run(identity) => (Some(identity), None, i64::MIN),
            Which::Series(series, since) => (None, Some(series).filter(|series| *series != 0), since),
        };
        let runs = run.into_iter().flat_map(|run| places(&self.by_run, run));
        let series = series.into_iter().flat_map(|series| places(&self.by_series, series));
        runs.chain(series).filter_map(|place| self.sent.get(place)).filter(move |k| k.sent.at >= since)
    }

    fn of_test(&self, test: u64) -> impl Iterator<Item = &Known> {
        places(&self.by_test, test).filter_map(|place| self.sent.get(place))
    }
}

/// Those of a key, in their order.
fn places<K: Ord + Copy>(sorted: &[(K, usize)], key: K) -> impl Iterator<Item = usize> {
    let from = sorted.partition_point(|(other, _)| *other < key);
    sorted.iter().skip(from).take_while(move |(other, _)| *other == key).map(|(_, place)| *place)
}

impl Past for History<'_> {
    fn sent(&self, specimen: u128, which: Which) -> Option<Sent> {
        self.of(specimen, |known| known.all(which).next().map(|known| known.sent))
    }

    fn at(&self, specimen: u128, which: Which, destination: &str) -> Option<Had> {
        self.of(specimen, |known| self.newest(known, which, destination, |stood| stood != Stood::Parked))
    }

    fn parked(&self, specimen: u128, which: Which, destination: &str) -> Option<Had> {
        let newest = self.of(specimen, |known| self.newest(known, which, destination, |_| true));
        newest.filter(|had| had.stood == Stood::Parked)
    }

    fn came(&self, specimen: u128, identity: u128) -> bool {
        self.of(specimen, |known| known.came.binary_search(&identity).is_ok())
    }

    fn runs(&self, specimen: u128, test: u64, since: i64) -> Option<u16> {
        self.of(specimen, |known| {
            let recent = known.of_test(test).filter(|known| known.sent.at >= since);
            recent.map(|known| known.sent.sub_id.max(1)).max()
        })
    }

    fn taken(&self, specimen: u128, test: u64, filler: u32, sub_id: u16) -> bool {
        self.of(specimen, |known| known.filed.binary_search(&(test, filler, sub_id)).is_ok())
    }

    fn next_filler(&self, specimen: u128) -> u32 {
        let known = self.of(specimen, |known| known.highest);
        // A box that boots in 1970 is no earlier than its journal.
        let now = self.now.0.max(self.store.state().newest());
        let seconds = now.div_euclid(1_000_000).saturating_sub(FIRST);
        // Of a known specimen too: after a restore nobody knows what the box before gave it since the copy.
        u32::try_from(seconds).unwrap_or(0).max(known.unwrap_or(0)).saturating_add(1)
    }

    fn value(&self, specimen: u128, sent: &Sent, destination: &str, into: &mut String) {
        let written = self.of(specimen, |known| {
            let run = known.all(Which::Run(sent.identity)).find(|known| known.sent == *sent)?;
            known.outcomes.get(run.outcome)?.written(sent.observation, destination)
        });
        if let Some(written) = written {
            self.reading(|store| stood::value(store, written.oru, written.obx, into));
        }
    }
}
