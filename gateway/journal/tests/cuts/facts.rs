//! What a caller of the journal knows, with the step of the disk by which it knew, and what must hence be found after the
//! power was cut behind any step.

use crate::common::ledger::Open;
use orugate_journal::{Journal, Lane, Recovery, Seq};
use std::collections::{BTreeMap, BTreeSet};

/// An item's payload says who it is; the rest follows from that.
pub(crate) fn payload(item: u32, len: usize) -> Vec<u8> {
    let mut bytes = item.to_le_bytes().to_vec();
    bytes.extend((0..len as u32).map(|at| (item.wrapping_mul(31).wrapping_add(at.wrapping_mul(at))) as u8));
    bytes
}

fn whose(bytes: &[u8]) -> Result<u32, String> {
    let item =
        bytes.first_chunk().map(|id| u32::from_le_bytes(*id)).ok_or("an item of less than four bytes")?;
    if bytes != payload(item, bytes.len() - 4) {
        return Err(format!("item {item} has other bytes than it was written with"));
    }
    Ok(item)
}

/// A batch that was handed to the journal.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) lane: Lane,
    pub(crate) items: Vec<u32>,
    pub(crate) closes: Vec<u32>,
    pub(crate) time: u64,
    /// Nothing of it was written by this step; without one, the disk's history began with it.
    pub(crate) begun: Option<usize>,
    /// By this step it counts for ever: there was a receipt, or a start has shown it.
    pub(crate) sure: Option<usize>,
    /// By this step it can never count.
    pub(crate) void: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Absent,
    Maybe,
    Sure,
}

impl Entry {
    fn fate(&self, step: usize) -> Fate {
        let by = |moment: Option<usize>| moment.is_some_and(|moment| moment <= step);
        if by(self.sure) {
            Fate::Sure
        } else if self.begun.is_some_and(|begun| begun >= step) || by(self.void) {
            Fate::Absent
        } else {
            Fate::Maybe
        }
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    pub(crate) entries: Vec<Entry>,
    /// The next item.
    pub(crate) items: u32,
    pub(crate) numbers: BTreeMap<u32, Seq>,
    /// Numbers that somebody may have seen, by step.
    pub(crate) given: Vec<(usize, Seq)>,
    /// Items that went with their segment, by step.
    pub(crate) thinned: BTreeMap<Seq, usize>,
}

/// Open items by who they are.
pub(crate) fn identify(journal: &Journal, open: &Open) -> Result<BTreeMap<u32, Seq>, String> {
    let mut found = BTreeMap::new();
    for (number, at) in &open.items {
        let record = journal.read(*at).map_err(|error| format!("open item {number}: {error}"))?;
        if record.sequence() != *number {
            return Err(format!("at {at:?} is {} instead of {number}", record.sequence()));
        }
        let item = whose(record.payload())?;
        if let Some(other) = found.insert(item, *number) {
            return Err(format!("item {item} is open twice, as {other} and {number}"));
        }
    }
    Ok(found)
}

impl Facts {
    /// What was known by this step; nothing else has happened. With `again` the history of the disk begins anew.
    pub(crate) fn until(&self, step: usize, again: bool) -> Self {
        let known = |moment: Option<usize>| {
            moment.filter(|moment| *moment <= step).map(|at| if again { 0 } else { at })
        };
        let entries = self.entries.iter().filter(|entry| entry.fate(step) != Fate::Absent);
        let entries = entries.map(|entry| Entry {
            begun: entry.begun.filter(|_| !again),
            sure: known(entry.sure),
            void: known(entry.void),
            ..entry.clone()
        });
        Self {
            entries: entries.collect(),
            items: self.items,
            numbers: self.numbers.clone(),
            given: self
                .given
                .iter()
                .filter(|(at, _)| *at <= step)
                .map(|(at, n)| (if again { 0 } else { *at }, *n))
                .collect(),
            thinned: self
                .thinned
                .iter()
                .filter(|(_, at)| **at <= step)
                .map(|(n, at)| (*n, if again { 0 } else { *at }))
                .collect(),
        }
    }

    /// A start has shown what counts of what was uncertain.
    pub(crate) fn settle(&mut self, found: &BTreeMap<u32, Seq>, open: &Open, step: usize) {
        let numbers = &mut self.numbers;
        for entry in self.entries.iter_mut().filter(|entry| entry.sure.is_none() && entry.void.is_none()) {
            let counts = match entry.items.first() {
                Some(item) => found.contains_key(item),
                None => {
                    let is_closed = |item: &u32| !found.contains_key(item);
                    let is_gone =
                        |item: &u32| numbers.get(item).is_some_and(|number| open.gone.contains(number));
                    let rest: Vec<_> = entry.closes.iter().filter(|item| !is_gone(item)).collect();
                    rest.into_iter().all(is_closed)
                }
            };
            if counts {
                entry.sure = Some(step);
            } else {
                entry.void = Some(step);
            }
            for item in &entry.items {
                found.get(item).into_iter().for_each(|number| {
                    numbers.insert(*item, *number);
                });
            }
        }
        self.note_thinned(open, step);
    }

    pub(crate) fn note_thinned(&mut self, open: &Open, step: usize) {
        for number in &open.gone {
            self.thinned.entry(*number).or_insert(step);
        }
    }

    /// Items that a caller may close: they count, and nobody has tried yet.
    pub(crate) fn closable(&self, open: &Open) -> Vec<(u32, Seq)> {
        let tried: BTreeSet<u32> = self
            .entries
            .iter()
            .filter(|entry| entry.void.is_none())
            .flat_map(|entry| entry.closes.iter().copied())
            .collect();
        let sure = self.entries.iter().filter(|entry| entry.sure.is_some());
        let items = sure.flat_map(|entry| entry.items.iter()).filter(|item| !tried.contains(item));
        let numbered = items.filter_map(|item| Some((*item, *self.numbers.get(item)?)));
        numbered.filter(|(_, number)| open.items.contains_key(number)).collect()
    }

    /// Compares what a start found after a cut behind `step` with what was known by then.
    pub(crate) fn check(
        &self,
        step: usize,
        journal: &Journal,
        open: &Open,
        recovery: &Recovery,
    ) -> Result<BTreeMap<u32, Seq>, String> {
        let demand = |holds: bool, what: &dyn Fn() -> String| if holds { Ok(()) } else { Err(what()) };
        demand(recovery.damaged.is_empty(), &|| format!("called damage: {:?}", recovery.damaged))?;
        demand(open.unknown == 0, &|| format!("{} copies of unknown items", open.unknown))?;
        demand(open.closed_twice == 0, &|| format!("{} closed twice", open.closed_twice))?;
        let found = identify(journal, open)?;
        let mut left: BTreeSet<u32> = found.keys().copied().collect();
        let is_gone = |item: &u32| self.numbers.get(item).is_some_and(|number| open.gone.contains(number));
        let mut closers: BTreeMap<u32, (bool, u32)> = BTreeMap::new();
        for entry in &self.entries {
            for item in &entry.closes {
                let closed = closers.entry(*item).or_default();
                match entry.fate(step) {
                    Fate::Sure => closed.0 = true,
                    Fate::Maybe => closed.1 += 1,
                    Fate::Absent => {}
                }
            }
        }
        let (mut sure, mut perhaps, mut maybe) = (0, 0, 0);
        let mut newest_time = 0;
        for entry in &self.entries {
            let fate = entry.fate(step);
            let here = entry.items.iter().filter(|item| left.remove(item)).count();
            match fate {
                Fate::Absent => demand(here == 0, &|| format!("cannot count and does: {entry:?}"))?,
                Fate::Maybe => {
                    demand(here == 0 || here == entry.items.len(), &|| {
                        format!("half of a batch: {entry:?}")
                    })?;
                    maybe += entry.items.len() as u64;
                    perhaps += here as u64;
                    // What nobody else may have closed.
                    let alone = entry
                        .closes
                        .iter()
                        .filter(|item| !is_gone(item) && closers.get(item) == Some(&(false, 1)));
                    let states: BTreeSet<bool> = alone.map(|item| !found.contains_key(item)).collect();
                    demand(states.len() < 2, &|| format!("half of the closes: {entry:?}"))?;
                    let closed = states.first().copied();
                    let is_there = here > 0;
                    demand(
                        entry.items.is_empty() || closed.is_none_or(|closed| closed == is_there),
                        &|| format!("half of a batch: {entry:?}"),
                    )?;
                }
                Fate::Sure => {
                    sure += entry.items.len() as u64;
                    newest_time = newest_time.max(entry.time);
                    for item in &entry.items {
                        let number = self.numbers.get(item).ok_or("a sure item without a number")?;
                        let is_open = found.get(item) == Some(number);
                        let was_thinned = self.thinned.get(number).is_some_and(|at| *at <= step);
                        let (closed, maybe_closed) = closers.get(item).copied().unwrap_or_default();
                        if closed || was_thinned {
                            demand(!found.contains_key(item), &|| {
                                format!(
                                    "item {item}, {number}, is open again (closed {closed}, thinned {was_thinned}): {entry:?}"
                                )
                            })?;
                        } else if maybe_closed == 0 {
                            let thinned = entry.lane == Lane::Snapshots && open.gone.contains(number);
                            demand(is_open || thinned, &|| {
                                format!("item {item}, {number}, is lost: {entry:?}")
                            })?;
                        }
                    }
                }
            }
        }
        demand(left.is_empty(), &|| format!("items from nowhere: {left:?}"))?;
        let total = open.seen;
        demand((sure + perhaps..=sure + maybe).contains(&total), &|| {
            format!("{total} items were counted, of {sure} and {perhaps} to {maybe}")
        })?;
        let time = recovery.newest_time.map_or(0, |time| time.0);
        demand(time >= newest_time, &|| format!("the newest time is {time}, and {newest_time} was given"))?;
        let next = journal.reserve(1).map_err(|error| error.to_string())?.next().ok_or("no number")?.get();
        let newest = self.given.iter().filter(|(at, _)| *at <= step).map(|(_, number)| *number).max();
        demand(newest < Some(next), &|| format!("{newest:?} was given already, and now {next} is"))?;
        Ok(found)
    }
}
