//! Numbers that are given once. A number may be seen before its record is on flash (an ORU is rendered with it, a
//! log line shows it), so "one more than the newest record" is no rule to restart by: it would give the numbers
//! again that were reserved and lost. Hence a ceiling: numbers are only given below one that is durable, and the
//! next start begins at that ceiling, whatever was given below it. Giving one costs no IO; the writer raises the
//! ceiling ahead of need. A start therefore skips up to 65,536 numbers, as many as 66 ms of the clock that the
//! sequence started from; that stays behind the clock as long as starts are more than 66 ms apart on average.

use crate::record::Seq;
use std::sync::atomic::{AtomicU64, Ordering};

/// How far the ceiling is put above what was given.
pub(crate) const LEAP: u64 = 65_536;
/// A start with an unreadable ceiling page skips this much instead.
pub(crate) const LEAP_WHEN_DAMAGED: u64 = 64 * LEAP;

/// So far above a ceiling there is no number, whatever became of the ceiling since: the newer of its pages may be lost, and
/// whoever copied the files of a running journal by hand has an older `journal.id` than the last commits. It took a
/// thousand numbers a second for seven weeks.
const FAR: u64 = 1 << 32;

/// Numbers from here on were never given by the journal that has this ceiling.
pub(crate) const fn beyond(ceiling: u64) -> u64 {
    ceiling.saturating_add(FAR)
}

/// A number that nobody else has, to be used for one record of the journal that gave it, or for none. Not
/// copyable, so it cannot be used twice.
///
/// ```compile_fail,E0277
/// fn twice<T: Clone>(_: T) {}
/// fn reuse(number: orugate_journal::Reserved) { twice(number) }
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Reserved(Seq);

impl Reserved {
    /// The number, to render it.
    #[must_use]
    pub const fn get(&self) -> Seq {
        self.0
    }
}

/// Consecutive reserved numbers. Those that are dropped unused are never given again.
#[derive(Debug)]
#[must_use = "numbers that are not used are lost"]
pub struct Reservation {
    next: u64,
    end: u64,
}

impl Iterator for Reservation {
    type Item = Reserved;

    fn next(&mut self) -> Option<Reserved> {
        let number = self.next;
        (number < self.end).then(|| {
            self.next = number.saturating_add(1);
            Reserved(Seq(number))
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.end.saturating_sub(self.next)).unwrap_or(usize::MAX);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Reservation {}

/// The numbers of the whole journal: records, commits and segments draw from it.
#[derive(Debug)]
pub(crate) struct Counter {
    next: AtomicU64,
    ceiling: AtomicU64,
}

impl Counter {
    /// `ceiling` is durable.
    pub(crate) const fn new(next: u64, ceiling: u64) -> Self {
        Self { next: AtomicU64::new(next), ceiling: AtomicU64::new(ceiling) }
    }

    /// The first of `count` numbers; `None` when the ceiling is in the way.
    pub(crate) fn draw(&self, count: u64) -> Option<u64> {
        let ceiling = self.ceiling.load(Ordering::Acquire);
        self.next
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |next| {
                next.checked_add(count).filter(|&after| after <= ceiling)
            })
            .ok()
    }

    pub(crate) fn reserve(&self, count: u64) -> Option<Reservation> {
        let next = self.draw(count)?;
        Some(Reservation { next, end: next.saturating_add(count) })
    }

    /// All numbers that were given are below.
    pub(crate) fn ceiling(&self) -> u64 {
        self.ceiling.load(Ordering::Acquire)
    }

    /// All numbers below are given.
    pub(crate) fn next(&self) -> u64 {
        self.next.load(Ordering::Acquire)
    }

    /// Where the ceiling should be put before `count` numbers are drawn; `None` when it is far enough.
    pub(crate) fn wanted_ceiling(&self, count: u64) -> Option<u64> {
        let needed = self.next().saturating_add(count);
        let ceiling = self.ceiling.load(Ordering::Acquire);
        (needed.saturating_add(LEAP / 2) > ceiling).then(|| needed.saturating_add(LEAP))
    }

    /// Only after the new ceiling is durable.
    pub(crate) fn raise(&self, ceiling: u64) {
        self.ceiling.fetch_max(ceiling, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stop_at_the_ceiling_and_go_on_when_it_is_raised() {
        let counter = Counter::new(10, 13);
        assert_eq!(counter.reserve(2).unwrap().map(|n| n.get().0).collect::<Vec<_>>(), [10, 11]);
        assert_eq!(counter.draw(2), None);
        assert_eq!(counter.draw(1), Some(12));
        assert_eq!(counter.wanted_ceiling(1), Some(14 + LEAP));
        counter.raise(14 + LEAP);
        assert_eq!(counter.wanted_ceiling(1), None);
        assert_eq!(counter.draw(1), Some(13));
    }
}
