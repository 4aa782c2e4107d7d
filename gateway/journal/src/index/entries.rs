//! What is known of one segment: a fingerprint and a place for each term of each record. Collected in the order of the log,
//! looked up by fingerprint once sorted. An entry is a hint: the record behind it has the last word.

use super::term::{Term, Terms};
use crate::format::FIRST_OWN_KIND;
use crate::record::RecordRef;

/// Half of a term's hash, and where the record's header is in the segment.
pub(crate) type Entry = (u32, u32);

/// The entries of one segment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Entries {
    pub(crate) at_hand: Vec<Entry>,
    pub(crate) on_file: Vec<Entry>,
}

impl Entries {
    /// Adds records of *results* in the order of the log. `false`: the terms of one could not be told.
    pub(crate) fn add<'a>(
        &mut self,
        records: impl IntoIterator<Item = &'a RecordRef<'a>>,
        terms: &Terms<'_>,
    ) -> bool {
        let (mut found, mut all) = (Vec::new(), true);
        for record in records.into_iter().filter(|record| record.kind.0 < FIRST_OWN_KIND) {
            all &= terms.collect(record, &mut found);
            for term in &found {
                let list = if term.is_at_hand() { &mut self.at_hand } else { &mut self.on_file };
                list.push((term.fingerprint(), record.location.offset));
            }
        }
        all
    }

    pub(crate) fn sort(&mut self) {
        for list in [&mut self.at_hand, &mut self.on_file] {
            list.sort_unstable();
            list.dedup();
            list.shrink_to_fit();
        }
    }

    /// Where records may be that have this term. The entries are sorted.
    pub(crate) fn places(&self, term: Term) -> impl DoubleEndedIterator<Item = u32> {
        places(if term.is_at_hand() { &self.at_hand } else { &self.on_file }, term.fingerprint())
    }
}

/// The places with this fingerprint in a sorted list, in ascending order.
pub(crate) fn places(sorted: &[Entry], fingerprint: u32) -> impl DoubleEndedIterator<Item = u32> {
    let begin = sorted.partition_point(|(known, _)| *known < fingerprint);
    let same = sorted.get(begin..).unwrap_or_default();
    let end = same.partition_point(|(known, _)| *known == fingerprint);
    same.get(..end).unwrap_or_default().iter().map(|(_, offset)| *offset)
}
