//! Answers that come in parts, made whole.
//!
//! A monitor gives a long answer as linked parts, numbered from 1, of which the last says so, and ends it with an ordinary result,
//! which may be empty. Promises that an answer comes out once and only when each of its parts is there, in whatever order and
//! however often they come, and that one that never gets whole is told of. Leaves out what is in it.

use crate::pdu::{Part, Reply};
use crate::request::SECOND;
use orugate_driver::time::Tick;
use std::collections::VecDeque;
use std::hash::Hasher as _;
use std::time::Duration;

/// What all parts of one answer have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) class: u16,
    pub(crate) poll: u16,
    pub(crate) sequence: u16,
    pub(crate) relative: u32,
}

impl Key {
    /// Parts of one answer; a monitor gives them one time, and others that look at their clock for each are not far off.
    fn is_same(self, other: Self) -> bool {
        let apart =
            self.relative.wrapping_sub(other.relative).min(other.relative.wrapping_sub(self.relative));
        (self.class, self.poll, self.sequence) == (other.class, other.poll, other.sequence) && apart < SECOND
    }

    pub(crate) const fn of(reply: &Reply<'_>) -> Self {
        Self { class: reply.class, poll: reply.poll, sequence: reply.sequence, relative: reply.relative }
    }
}

/// One answer: its units, raw, in their order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) key: Key,
    pub(crate) raw: Vec<u8>,
}

#[derive(Debug)]
struct Set {
    key: Key,
    /// Number, and the raw unit.
    parts: Vec<(u8, Vec<u8>)>,
    last: Option<u8>,
    end: Option<Vec<u8>>,
    /// When it is given up, or taken as it is when it is an end alone.
    until: Tick,
}

/// Answers that are not whole yet.
#[derive(Debug, Default)]
pub(crate) struct Gather {
    sets: Vec<Set>,
    /// Those that came out last, with their ends and when: a doubled part of one is nothing new.
    done: VecDeque<(Key, u64, Tick)>,
    /// The monitor says of a part that it is the last.
    marks: bool,
    /// Answers in a row that had a first part, an end, and nothing that said it was the last.
    unmarked: u32,
}

/// So many are no accident: this monitor marks no last part where the first is the only one.
const NO_ACCIDENT: u32 = 3;

/// Parts of one answer come in one go.
const PATIENCE: Duration = Duration::from_secs(2);
/// An end that overtook its parts comes at most so much before them.
const OVERTAKEN: Duration = Duration::from_millis(250);
/// More at a time is noise.
const SETS: usize = 8;
const DONE: usize = 16;
/// No answer is longer; a snapshot's piece may not be.
pub(crate) const MOST: usize = 65_536;

/// A part that came.
#[derive(Debug)]
pub(crate) struct Came<'a> {
    pub(crate) key: Key,
    /// `None`: the result that ends the answer.
    pub(crate) part: Option<Part>,
    /// It lists something.
    pub(crate) full: bool,
    pub(crate) raw: &'a [u8],
}

/// What a part, or time, made of what was there.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) answer: Option<Answer>,
    /// So many answers will never be whole.
    pub(crate) broken: usize,
}

impl Gather {
    /// `ordered`: nothing overtakes anything on this wire.
    pub(crate) fn part(&mut self, now: Tick, ordered: bool, came: &Came<'_>) -> Outcome {
        let mut outcome = Outcome::default();
        // Whoever numbers nothing and has no clock says the same of each answer; what is in it may be another, and a network
        // that doubles does so at once.
        let is_alone = came.part.is_none() && came.full;
        let end = fingerprint(came.raw);
        let is_double = |(done, ended, at): &(Key, u64, Tick)| {
            let at_once = *ended == end && now < at.after(OVERTAKEN);
            done.is_same(came.key) && (!is_alone || at_once)
        };
        if self.done.iter().any(is_double) {
            return outcome;
        }
        let place = self.sets.iter().position(|set| set.key.is_same(came.key)).unwrap_or_else(|| {
            if self.sets.len() >= SETS {
                self.sets.remove(0);
                outcome.broken = 1;
            }
            let (parts, until) = (Vec::new(), now.after(PATIENCE));
            self.sets.push(Set { key: came.key, parts, last: None, end: None, until });
            self.sets.len().saturating_sub(1)
        });
        let Some(set) = self.sets.get_mut(place) else { return outcome };
        match came.part {
            Some(part) => {
                if set.parts.iter().all(|(count, _)| *count != part.count) && set.len() < MOST {
                    set.parts.push((part.count, came.raw.to_vec()));
                }
                if part.last {
                    set.last = Some(part.count);
                    self.marks = true;
                }
            }
            None => {
                set.end = Some(came.raw.to_vec());
                if set.parts.is_empty() && set.last.is_none() {
                    // Empty and alone, it may have overtaken all its parts.
                    set.until = if ordered || came.full { now } else { now.after(OVERTAKEN) };
                }
            }
        }
        let only_first = set.is_first_alone() && !self.marks;
        if only_first && ordered {
            self.unmarked = self.unmarked.saturating_add(1);
        }
        let whole = set.is_whole()
            || (set.is_alone() && set.until <= now)
            || (only_first && self.unmarked >= NO_ACCIDENT);
        if whole && set.len() <= MOST {
            let set = self.sets.remove(place);
            outcome.answer = Some(self.give(now, set));
            // One that began before is overtaken for good.
            outcome.broken = outcome.broken.saturating_add(self.drop_before(came.key));
        } else if ordered && set.end.is_some() {
            self.sets.remove(place);
            outcome.broken = outcome.broken.saturating_add(1);
        }
        outcome
    }

    /// Time has passed. Call it again while it gives an answer.
    pub(crate) fn due(&mut self, now: Tick) -> Outcome {
        let mut outcome = Outcome::default();
        while let Some(place) = self.sets.iter().position(|set| set.until <= now) {
            let set = self.sets.remove(place);
            if set.is_alone() {
                outcome.answer = Some(self.give(now, set));
                return outcome;
            }
            if set.is_first_alone() && !self.marks {
                self.unmarked = self.unmarked.saturating_add(1);
            }
            outcome.broken = outcome.broken.saturating_add(1);
        }
        outcome
    }

    pub(crate) fn deadline(&self) -> Option<Tick> {
        self.sets.iter().map(|set| set.until).min()
    }

    /// Nothing more comes. How many answers were not whole.
    pub(crate) fn clear(&mut self) -> usize {
        self.done.clear();
        self.marks = false;
        self.unmarked = 0;
        std::mem::take(&mut self.sets).len()
    }

    fn drop_before(&mut self, key: Key) -> usize {
        let before = self.sets.len();
        self.sets.retain(|set| {
            set.key.class != key.class || crate::value::is_later(set.key.relative, key.relative)
        });
        before.saturating_sub(self.sets.len())
    }

    fn give(&mut self, now: Tick, mut set: Set) -> Answer {
        let end = set.end.unwrap_or_default();
        self.done.push_back((set.key, fingerprint(&end), now));
        if self.done.len() > DONE {
            self.done.pop_front();
        }
        set.parts.sort_by_key(|(count, _)| *count);
        let mut raw: Vec<u8> = set.parts.into_iter().flat_map(|(_, raw)| raw).collect();
        raw.extend(end);
        Answer { key: set.key, raw }
    }
}

/// What a unit's bytes come to: the same for the same.
fn fingerprint(raw: &[u8]) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    hasher.write(raw);
    hasher.finish()
}

impl Set {
    fn len(&self) -> usize {
        let parts = self.parts.iter().map(|(_, raw)| raw.len()).fold(0, usize::saturating_add);
        parts.saturating_add(self.end.as_ref().map_or(0, Vec::len))
    }

    /// The end, the part that says it is the last, and as many as that one's number.
    fn is_whole(&self) -> bool {
        let Some(last) = self.last else { return false };
        self.end.is_some()
            && self.parts.len() == usize::from(last)
            && self.parts.iter().all(|(count, _)| (1..=last).contains(count))
    }

    /// The first part and the end.
    fn is_first_alone(&self) -> bool {
        self.end.is_some() && self.last.is_none() && matches!(self.parts.as_slice(), [(1, _)])
    }

    fn is_alone(&self) -> bool {
        self.end.is_some() && self.parts.is_empty() && self.last.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(second: u32) -> Key {
        Key { class: 6, poll: 1, sequence: 0, relative: second * SECOND }
    }

    fn parts(n: u8) -> Vec<(Option<Part>, Vec<u8>)> {
        let mut parts: Vec<_> =
            (1..=n).map(|count| (Some(Part { last: count == n, count }), vec![count; 2])).collect();
        parts.push((None, vec![0xEE]));
        parts
    }

    fn came<'a>(relative: u32, (part, raw): &'a (Option<Part>, Vec<u8>)) -> Came<'a> {
        Came { key: key(relative), part: *part, full: false, raw }
    }

    const NOW: Tick = Tick::from_micros(1_000_000);

    #[test]
    fn any_order_and_doubles_give_one_answer() {
        let parts = parts(3);
        for order in ["0123", "3210", "2013", "01201233", "3012", "3333012"] {
            let mut gather = Gather::default();
            let mut answers = Vec::new();
            for digit in order.bytes() {
                let outcome = gather.part(NOW, false, &came(7, &parts[usize::from(digit - b'0')]));
                assert_eq!(outcome.broken, 0, "{order}");
                answers.extend(outcome.answer);
            }
            assert_eq!(answers.len(), 1, "{order}");
            assert_eq!(answers[0].raw, [1, 1, 2, 2, 3, 3, 0xEE], "{order}");
            assert_eq!(gather.deadline(), None, "{order}");
        }
    }

    #[test]
    fn what_misses_a_part_never_comes_out_and_is_told() {
        let parts = parts(3);
        for missing in 0..4 {
            let mut gather = Gather::default();
            for (_, part) in parts.iter().enumerate().filter(|(place, _)| *place != missing) {
                assert!(gather.part(NOW, false, &came(7, part)).answer.is_none(), "{missing}");
            }
            let outcome = gather.due(NOW.after(PATIENCE));
            assert!(outcome.answer.is_none() && outcome.broken == 1, "{missing}");
        }
    }

    #[test]
    fn where_nothing_overtakes_an_end_without_its_parts_is_broken_at_once() {
        let parts = parts(2);
        let mut gather = Gather::default();
        assert_eq!(gather.part(NOW, true, &came(7, &parts[1])).broken, 0);
        assert_eq!(gather.part(NOW, true, &came(7, &parts[2])).broken, 1);
        // An answer in one piece is whole.
        assert!(gather.part(NOW, true, &came(8, &parts[2])).answer.is_some());
    }

    #[test]
    fn an_empty_end_waits_a_moment_for_parts_that_it_overtook() {
        let parts = parts(1);
        let mut gather = Gather::default();
        assert!(gather.part(NOW, false, &came(7, &parts[1])).answer.is_none());
        let outcome = gather.due(NOW.after(OVERTAKEN));
        assert_eq!(outcome.answer.unwrap().raw, [0xEE]);
        let full = Came { full: true, ..came(8, &parts[1]) };
        assert!(gather.part(NOW, false, &full).answer.is_some());
    }

    #[test]
    fn a_newer_answer_ends_the_wait_for_an_older_one() {
        let parts = parts(2);
        let mut gather = Gather::default();
        gather.part(NOW, false, &came(7, &parts[0]));
        for part in &parts {
            let outcome = gather.part(NOW, false, &came(8, part));
            assert_eq!(outcome.broken, usize::from(outcome.answer.is_some()));
        }
        assert_eq!(gather.deadline(), None);
    }

    #[test]
    fn a_monitor_that_marks_no_last_part_is_believed_after_a_while() {
        let unmarked = [(Some(Part { last: false, count: 1 }), vec![1, 1]), (None, vec![0xEE])];
        for ordered in [true, false] {
            let mut gather = Gather::default();
            let mut now = NOW;
            let mut answers = 0;
            for relative in 0..10 {
                for part in &unmarked {
                    answers += usize::from(gather.part(now, ordered, &came(relative, part)).answer.is_some());
                }
                now = now.after(Duration::from_secs(3));
                answers += usize::from(gather.due(now).answer.is_some());
            }
            assert!((7..=8).contains(&answers), "{answers}");
        }
        // One that marks them is not: there a part is missing.
        let mut gather = Gather::default();
        for part in &parts(1) {
            gather.part(NOW, true, &came(99, part));
        }
        for relative in 100..110 {
            for part in &unmarked {
                assert!(gather.part(NOW, true, &came(relative, part)).answer.is_none());
            }
        }
    }

    #[test]
    fn without_numbers_and_a_clock_another_answer_is_told_by_its_bytes() {
        let mut gather = Gather::default();
        let mut give = |raw: &[u8], millis| {
            let came = Came { key: key(0), part: None, full: true, raw };
            gather.part(NOW.after(Duration::from_millis(millis)), false, &came).answer.is_some()
        };
        let came = [(b"72", 0), (b"72", 5), (b"73", 6), (b"72", 7), (b"72", 334)];
        assert_eq!(came.map(|(raw, millis)| give(raw, millis)), [true, false, true, false, true]);
    }

    #[test]
    fn it_stays_small() {
        let parts = parts(2);
        let mut gather = Gather::default();
        for relative in 0..1000 {
            gather.part(NOW, false, &came(relative, &parts[0]));
        }
        assert_eq!(gather.sets.len(), SETS);
        assert_eq!(gather.clear(), SETS);
    }
}
