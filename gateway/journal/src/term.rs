//! stub
use crate::journal::Journal;
use crate::record::{Record, RecordRef};
/// A term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Term(u64, bool);
impl Term {
    /// hand
    #[must_use]
    pub const fn at_hand(hash: u64) -> Self {
        Self(hash, true)
    }
    /// number
    #[must_use]
    pub const fn number(n: u64) -> Self {
        Self(n, false)
    }
}
/// found
#[derive(Debug)]
pub struct Found {
    /// r
    pub records: Vec<Record>,
}
impl Journal {
    /// find
    pub fn find(&self, term: Term, most: usize, terms: fn(&RecordRef<'_>, &mut dyn FnMut(Term))) -> Found {
        let mut places = Vec::new();
        let _ = self.walk(&mut |record| {
            terms(&record, &mut |t| {
                if t == term {
                    places.push(record.location)
                }
            })
        });
        let records = places.iter().rev().take(most).filter_map(|at| self.read(*at).ok()).collect();
        Found { records }
    }
}
