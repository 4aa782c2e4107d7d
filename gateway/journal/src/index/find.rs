//! Looking a term up: from the newest segment back, reading what may be meant and asking it for its terms again.

use super::entries::places;
use super::{Index, Part, Term};
use crate::journal::Shared;
use crate::record::{Record, Seq};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Each record once, the largest sequence first.
    pub records: Vec<Record>,
    /// Every segment that there is was looked at, and all that may be meant could be read.
    pub whole: bool,
    /// There are more than were asked for.
    pub more: bool,
}

/// Where records may be, in the newest segment first.
struct Candidates {
    places: Vec<(u64, Vec<u32>)>,
    whole: bool,
}

impl Index {
    /// Numbers in a segment that were not carried there, or written a second time, are larger than its own; all numbers in
    /// those before it are smaller. So the search ends as soon as enough are larger than the number of the segment.
    pub(crate) fn find(&self, shared: &Shared, term: Term, most: usize) -> Found {
        loop {
            // Each further turn is because of one more segment that was given back.
            if let Some(found) = self.look(shared, term, most) {
                return found;
            }
        }
    }

    /// `None`: a segment was given back meanwhile; what was needed of it is somewhere else now.
    fn look(&self, shared: &Shared, term: Term, most: usize) -> Option<Found> {
        let candidates = self.candidates(term);
        let mut whole = candidates.whole;
        let mut found: BTreeMap<Seq, Record> = BTreeMap::new();
        for (segment, offsets) in candidates.places {
            for offset in offsets {
                match shared.read_at(segment, offset) {
                    Ok(record) => {
                        if self.with_terms(|terms| terms.has(&record.as_ref(), term))
                            && let Entry::Vacant(place) = found.entry(record.sequence())
                        {
                            place.insert(record);
                        }
                    }
                    Err(_) if !self.state().segments.contains_key(&segment) => return None,
                    Err(_) => whole = false,
                }
            }
            if found.range(Seq(segment)..).nth(most).is_some() {
                break;
            }
        }
        let more = found.len() > most;
        let records = found.into_values().rev().take(most).collect();
        Some(Found { records, whole, more })
    }

    fn candidates(&self, term: Term) -> Candidates {
        let state = self.state();
        let mut candidates = Candidates { places: Vec::new(), whole: term.is_at_hand() };
        if !term.is_at_hand() {
            return candidates;
        }
        for (segment, part) in state.segments.iter().rev() {
            let fingerprint = term.fingerprint();
            let (offsets, whole): (Vec<u32>, _) = match part {
                Part::Waiting { .. } => (Vec::new(), false),
                Part::Written { entries, whole } => {
                    let same = entries.at_hand.iter().rev().filter(|(known, _)| *known == fingerprint);
                    (same.map(|(_, offset)| *offset).collect(), *whole)
                }
                Part::Known { at_hand, whole } => (places(at_hand, fingerprint).rev().collect(), *whole),
            };
            candidates.whole &= whole;
            if !offsets.is_empty() {
                candidates.places.push((*segment, offsets));
            }
        }
        candidates
    }
}
