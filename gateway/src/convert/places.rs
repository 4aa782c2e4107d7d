//! The place of each result that is sent: the number in OBR-3 and OBX-4, where its receiver files it.
//!
//! Promises: what was sent before keeps its place, also when it comes in another order, so an order whose results have places
//! under several OBR-3 becomes several ORUs; a new result never takes the place of another one; and two runs of a test
//! on one specimen, of one instrument and within `rerun_within`, differ in OBX-4, whichever messages they came in.

use super::{Converter, Going, Past, Task};

/// Where a receiver files a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The number behind the sample id in OBR-3; 0 for what is not sent.
    pub filler: u32,
    /// OBX-4, behind the isolate; 0 for the only one.
    pub sub_id: u16,
}

impl Converter {
    /// Gives each observation that is sent its place.
    pub(super) fn place(&mut self, task: &Task<'_>) {
        self.places.clear();
        self.places.resize(self.facts.observations.len(), Place::default());
        self.parts.clear();
        self.given.clear();
        self.taken.clear();
        self.numbered.clear();
        for group in 0..self.facts.groups.len() {
            self.sub_ids(group, task);
            self.fillers(group, task.past);
        }
    }

    /// OBX-4 where OBX-3 alone does not name the observation, in its order or beside earlier runs.
    fn sub_ids(&mut self, group: usize, task: &Task<'_>) {
        let Some(group) = self.facts.groups.get(group) else { return };
        self.tests.clear();
        let sent = group.observations.clone().filter(|index| self.going.get(*index) == Some(&Going::Sent));
        for index in sent {
            if let Some(fact) = self.facts.observations.get(index) {
                self.tests.push((fact.test, index));
            }
        }
        self.tests.sort_unstable();
        for same in self.tests.chunk_by(|(a, _), (b, _)| a == b) {
            let mut highest: Option<u16> = None;
            let mut rise = |to: Option<u16>| highest = highest.max(to);
            let mut fresh = 0usize;
            for (test, index) in same {
                let series = self.facts.observations.get(*index).map_or(0, |fact| fact.series);
                if let Some(base) = self.looks.get(*index).and_then(|look| look.base) {
                    if let Some(place) = self.places.get_mut(*index) {
                        place.sub_id = base.sub_id;
                    }
                    rise(Some(base.sub_id.max(1)));
                } else {
                    fresh += 1;
                }
                // Of what no run discriminator is known nobody knows whether it is another run.
                if series != 0 {
                    rise(self.numbered.get(test).copied());
                    rise(task.past.runs(group.specimen, *test, task.rerun_since()));
                }
            }
            let Some((test, _)) = same.first() else { continue };
            if fresh == 1 && same.len() == 1 && highest.is_none() {
                self.numbered.insert(*test, 1);
                continue;
            }
            let mut last = highest.unwrap_or(0);
            for (_, index) in same {
                if self.looks.get(*index).is_none_or(|look| look.base.is_none())
                    && let Some(place) = self.places.get_mut(*index)
                {
                    last = last.saturating_add(1);
                    place.sub_id = last;
                }
            }
            self.numbered.insert(*test, last.max(1));
        }
    }

    /// The number in OBR-3: that which a result had before; for new ones that of the others in the order, if their place under it
    /// is free, or the specimen's next one.
    fn fillers(&mut self, group: usize, past: &dyn Past) {
        let Some(facts) = self.facts.groups.get(group) else { return };
        let specimen = facts.specimen;
        let had = |index: usize| self.looks.get(index).and_then(|look| look.base).map(|base| base.filler);
        let sent = |index: &usize| self.going.get(*index) == Some(&Going::Sent);
        let first = facts.observations.clone().filter(sent).find_map(had);
        // Orders of one message do not share a number with what is new in them.
        let first = first.filter(|filler| !self.taken.contains(&(specimen, *filler)));
        let (begin, mut fresh) = (self.parts.len(), None);
        for index in facts.observations.clone().filter(sent) {
            let (Some(fact), Some(place)) = (self.facts.observations.get(index), self.places.get_mut(index))
            else {
                continue;
            };
            let sub_id = place.sub_id;
            let joins = || first.filter(|filler| !past.taken(specimen, fact.test, *filler, sub_id));
            let known = had(index).or_else(joins);
            place.filler = known.unwrap_or_else(|| {
                *fresh.get_or_insert_with(|| {
                    let given = self.given.iter().rev().find(|(of, _)| *of == specimen).map(|(_, n)| *n);
                    let number = given.map_or_else(|| past.next_filler(specimen), |n| n.saturating_add(1));
                    self.given.push((specimen, number));
                    number
                })
            });
            let part = (u16::try_from(group).unwrap_or(u16::MAX), place.filler);
            if !self.parts.get(begin..).unwrap_or_default().contains(&part) {
                self.parts.push(part);
            }
        }
        self.taken
            .extend(self.parts.get(begin..).into_iter().flatten().map(|(_, filler)| (specimen, *filler)));
    }
}
