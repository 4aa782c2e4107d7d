//! What records are found by: hashes that the keeper makes of what it will ask for.

use crate::record::RecordRef;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a record can be found by: a hash of 64 bits, kept in RAM or only in sidecars.
///
/// Two things with the same hash are told apart by nobody here, so make it of enough bits of a good function, keyed if what is
/// hashed could be guessed ([`Identity::hash_key`](crate::Identity::hash_key)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Term {
    hash: u64,
    at_hand: bool,
}

impl Term {
    /// A term that [`Journal::find`](crate::Journal::find) knows: eight bytes of RAM for each record that has it.
    #[must_use]
    pub const fn at_hand(hash: u64) -> Self {
        Self { hash, at_hand: true }
    }

    /// A term for tools: it is in sidecars only.
    #[must_use]
    pub const fn on_file(hash: u64) -> Self {
        Self { hash, at_hand: false }
    }

    /// The on-file term of a sequence: the number itself, mixed as the last step of splitmix64 does it.
    #[must_use]
    pub const fn number(sequence: u64) -> Self {
        let mixed = (sequence ^ (sequence >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self::on_file(mixed ^ (mixed >> 31))
    }

    /// Whether it is kept in RAM.
    #[must_use]
    pub const fn is_at_hand(self) -> bool {
        self.at_hand
    }

    /// What is kept of it: half of the hash. Whoever finds a record by it asks for the record's terms again.
    pub(crate) const fn fingerprint(self) -> u32 {
        (self.hash >> 32) as u32
    }
}

/// Tells each term of a record.
pub type TermsOf<'a> = dyn Fn(&RecordRef<'_>, &mut dyn FnMut(Term)) + 'a;

/// How to tell a record's terms.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    /// As [`Keeper::terms_version`](crate::Keeper::terms_version); sidecars of another version are not used.
    pub version: u32,
    /// As [`Keeper::terms`](crate::Keeper::terms).
    pub of: &'a TermsOf<'a>,
}

impl Terms<'_> {
    /// The record's terms, each once. `false`: the code that tells them panicked, and there may be more.
    pub(crate) fn collect(&self, record: &RecordRef<'_>, into: &mut Vec<Term>) -> bool {
        into.clear();
        let told = catch_unwind(AssertUnwindSafe(|| (self.of)(record, &mut |term| into.push(term))));
        into.sort_unstable();
        into.dedup();
        told.is_ok()
    }

    pub(crate) fn has(&self, record: &RecordRef<'_>, term: Term) -> bool {
        let mut terms = Vec::new();
        self.collect(record, &mut terms);
        terms.contains(&term)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_mixed_as_the_format_says() {
        // From another program: splitmix64's finaliser.
        assert_eq!(Term::number(0), Term::on_file(0));
        assert_eq!(Term::number(1), Term::on_file(0x5692_161d_100b_05e5));
        assert_eq!(Term::number(1_800_000_000_000_000), Term::on_file(0xfaa1_1e6e_6c43_7534));
    }
}
