//! How far an instrument's clock is from this box's, by the times that it writes into its messages.
//!
//! A time in a message was written before the message came, so the difference between the two is the clock's offset less the
//! time that the message waited. Promises what follows from that and no more: that a clock is ahead is proven by one
//! message; that it is behind, only by times that go along with this box's clock, since a batch of the night or a second
//! transmission look behind too. `docs/clocks.md` says it to people. Leaves out what is done about it.

use crate::records::{DeviceClock, clock_number};
use orugate_protocol::time::ClockQuality;
use std::fmt;

/// So many times are kept of an instrument.
pub const KEPT: usize = 16;
/// Times that must agree.
const AGREE: usize = 3;
/// To so much, in microseconds: some instruments write no seconds, and no two messages wait equally long.
const WITHIN: i64 = 90_000_000;
/// And be spread over so much: what was queued within a minute comes within a minute.
const SPREAD: i64 = 600_000_000;
/// Older than this, a time says nothing of the clock as it is now.
const WINDOW: i64 = 86_400_000_000;
/// Without such times the last so many are asked.
const LAST: usize = 3;

/// What is known of a clock, in microseconds; ahead of this box's is positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offset {
    /// So much, to a minute or two.
    Known(i64),
    /// So much or more: when it is negative, it is at most so far behind.
    AtLeast(i64),
}

/// Takes a time in; `seen` has the last ones, oldest first. One that came already, or by a clock that was not set, is no
/// news.
pub fn learn(seen: &mut Vec<DeviceClock>, new: DeviceClock) {
    let again = seen.iter().any(|old| (old.of, old.device) == (new.of, new.device));
    if again || !is_evidence(&new) {
        return;
    }
    if seen.len() >= KEPT {
        seen.drain(..=seen.len() - KEPT);
    }
    seen.push(new);
}

/// Whether this box knew what time it was.
const fn is_evidence(time: &DeviceClock) -> bool {
    time.quality != clock_number(ClockQuality::Unset)
}

const fn difference(time: &DeviceClock) -> i64 {
    time.device.saturating_sub(time.received)
}

/// What the times prove, the newest of them last. `None` without any.
#[must_use]
pub fn judge(seen: &[DeviceClock]) -> Option<Offset> {
    let newest = seen.last()?.received;
    let recent = |time: &&DeviceClock| newest.saturating_sub(time.received) <= WINDOW;
    // Whatever came later can only be as late or later, unless the clock has been set.
    let mut highest_after = i64::MIN;
    for (place, time) in seen.iter().enumerate().rev().filter(|(_, time)| recent(time)) {
        let before = seen.get(..=place).unwrap_or_default().iter().filter(recent);
        if let Some(offset) = along_with(time, before) {
            if highest_after <= offset.saturating_add(WITHIN) {
                return Some(Offset::Known(offset));
            }
            break;
        }
        highest_after = highest_after.max(difference(time));
    }
    seen.iter().filter(recent).rev().take(LAST).map(difference).max().map(Offset::AtLeast)
}

/// The times that count by this box's clock as it is now. When somebody vouches for it, those count that came while somebody
/// did: a box may have begun hours behind, and have been set since.
pub fn counting(seen: &[DeviceClock], quality: ClockQuality) -> impl Iterator<Item = &DeviceClock> {
    let synchronised = clock_number(ClockQuality::Synchronised);
    seen.iter().filter(move |time| quality != ClockQuality::Synchronised || time.quality == synchronised)
}

/// What the times prove that are not after this one, and this one, which came while somebody vouched for this box's clock. It
/// is one of them, or comes after all.
#[must_use]
pub fn judge_with(seen: &[DeviceClock], new: &DeviceClock) -> Option<Offset> {
    let mut all = [*new; KEPT + 1];
    let before = counting(seen, ClockQuality::Synchronised)
        .filter(|old| old.received <= new.received && (old.of, old.device) != (new.of, new.device));
    let mut count = 0usize;
    for (place, old) in all.iter_mut().zip(before) {
        *place = *old;
        count = count.saturating_add(1);
    }
    if let Some(last) = all.get_mut(count) {
        *last = *new;
    }
    judge(all.get(..=count).unwrap_or_default())
}

/// The offset, if this time and others before it went along with this box's clock.
fn along_with<'t>(time: &DeviceClock, before: impl Iterator<Item = &'t DeviceClock>) -> Option<i64> {
    let offset = difference(time);
    let mut agreeing = (0usize, time.received, offset);
    for other in before.filter(|other| difference(other).abs_diff(offset) <= WITHIN.unsigned_abs()) {
        let (count, first, highest) = agreeing;
        agreeing = (count.saturating_add(1), first.min(other.received), highest.max(difference(other)));
    }
    let (count, first, highest) = agreeing;
    (count >= AGREE && time.received.saturating_sub(first) >= SPREAD).then_some(highest)
}

impl Offset {
    /// What is proven is more than so many microseconds, either way.
    #[must_use]
    pub const fn is_beyond(self, limit: i64) -> bool {
        match self {
            Self::Known(offset) => offset.saturating_abs() > limit,
            Self::AtLeast(offset) => offset > limit,
        }
    }

    /// It is a whole number of half hours, nearly: that is no bad clock.
    #[must_use]
    pub fn is_a_zone(self) -> bool {
        const HALF: i64 = 1_800_000_000;
        let Self::Known(offset) = self else { return false };
        let rest = offset.rem_euclid(HALF);
        let off = rest.min(HALF.saturating_sub(rest));
        off <= 120_000_000 && (HALF / 2..=28 * HALF).contains(&offset.saturating_abs())
    }
}

/// `4 min 10 s behind`, after "the clock is"; whose clock is the other is left to the sentence.
impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (offset, most, least) = match *self {
            Self::Known(offset) => (offset, "", ""),
            Self::AtLeast(offset) => (offset, "at most ", "at least "),
        };
        match offset {
            ..0 => write!(f, "{most}{} behind", Span(offset)),
            _ => write!(f, "{least}{} ahead of", Span(offset)),
        }
    }
}

/// A time in its two largest units.
struct Span(i64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 4] = [(86_400, "days"), (3_600, "h"), (60, "min"), (1, "s")];
        let seconds = self.0.unsigned_abs().saturating_add(500_000) / 1_000_000;
        let at = UNITS.iter().position(|(unit, _)| seconds >= *unit).unwrap_or(3);
        let mut rest = seconds;
        for (place, (unit, name)) in UNITS.iter().skip(at).take(2).enumerate() {
            let count = rest / unit;
            let name = if count == 1 && *name == "days" { "day" } else { *name };
            if place > 0 && count == 0 {
                break;
            }
            write!(f, "{}{count} {name}", if place > 0 { " " } else { "" })?;
            rest %= unit;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::TimeOf;

    const S: i64 = 1_000_000;
    const MIN: i64 = 60 * S;
    const LIMIT: i64 = 5 * MIN;

    /// Messages: when each came, and how far its time was ahead, both in seconds.
    fn seen(messages: &[(i64, i64)]) -> Vec<DeviceClock> {
        let mut all = Vec::new();
        for (received, ahead) in messages {
            let received = 1_795_000_000_000_000 + received * S;
            let time =
                DeviceClock { device: received + ahead * S, received, quality: 2, of: TimeOf::Message };
            learn(&mut all, time);
        }
        all
    }

    fn told(messages: &[(i64, i64)]) -> (String, bool) {
        let offset = judge(&seen(messages)).unwrap();
        (offset.to_string(), offset.is_beyond(LIMIT))
    }

    #[test]
    fn one_message_proves_that_a_clock_is_ahead_and_none_that_it_is_behind() {
        assert_eq!(judge(&[]), None);
        assert_eq!(told(&[(0, 725)]), ("at least 12 min 5 s ahead of".to_owned(), true));
        assert_eq!(told(&[(0, -90_000)]), ("at most 1 day 1 h behind".to_owned(), false));
        assert_eq!(told(&[(0, 20)]), ("at least 20 s ahead of".to_owned(), false));
    }

    #[test]
    fn times_that_go_along_with_the_boxs_clock_prove_that_it_is_behind() {
        assert!(!told(&[(0, -250), (300, -255)]).1);
        assert_eq!(told(&[(0, -250), (300, -255), (700, -251)]), ("4 min 10 s behind".to_owned(), false));
        assert_eq!(told(&[(0, -1440), (300, -1450), (700, -1441)]), ("24 min behind".to_owned(), true));
    }

    #[test]
    fn a_batch_of_the_night_says_nothing_of_the_clock() {
        // A result every ten minutes, sent one a second in the morning.
        let night: Vec<_> = (0..16).map(|n| (n, -3600 * 8 + n * 600)).collect();
        assert_eq!(told(&night), ("at most 5 h 30 min behind".to_owned(), false));
        // A dozen messages that were made within seconds, and came hours later within seconds.
        let queue: Vec<_> = (0..12).map(|n| (n, -3600 * 3)).collect();
        assert!(!told(&queue).1);
    }

    #[test]
    fn a_second_transmission_does_not_hide_what_is_known() {
        let mut all = vec![(0, -1440), (300, -1440), (700, -1441)];
        all.extend([(1000, -9000), (1001, -9400), (1002, -9100)]);
        assert_eq!(told(&all), ("24 min behind".to_owned(), true));
        let again = seen(&[(0, 0), (60, -60), (120, -120)]);
        assert_eq!(again.len(), 1, "the same time again is the same message again");
    }

    #[test]
    fn a_clock_that_was_set_right_is_right_at_once_when_it_was_behind_and_soon_when_it_was_ahead() {
        let behind = [(0, -1440), (300, -1440), (700, -1440), (1000, 1)];
        assert_eq!(told(&behind), ("at least 1 s ahead of".to_owned(), false));
        let mut ahead = vec![(0, 1440), (300, 1440), (700, 1440), (1000, 0), (1300, 1)];
        assert!(told(&ahead).1);
        ahead.push((1700, 0));
        assert_eq!(told(&ahead), ("1 s ahead of".to_owned(), false));
    }

    #[test]
    fn what_a_box_that_was_hours_behind_saw_does_not_count_when_ntp_has_set_it() {
        let mut all = seen(&[(0, 3600 * 8), (300, 3600 * 8), (700, 3600 * 8)]);
        all.iter_mut().for_each(|time| time.quality = 1);
        let plausible: Vec<_> = counting(&all, ClockQuality::Plausible).copied().collect();
        assert_eq!(judge(&plausible), Some(Offset::Known(3600 * 8 * S)));
        assert_eq!(counting(&all, ClockQuality::Synchronised).count(), 0);
        let new = seen(&[(3600 * 9, -2)])[0];
        assert_eq!(judge_with(&all, &new), Some(Offset::AtLeast(-2 * S)));
    }

    #[test]
    fn a_day_old_time_counts_no_more() {
        assert!(!told(&[(0, -1440), (300, -1440), (700, -1440), (90_000, -2000)]).1);
    }

    #[test]
    fn a_time_by_a_box_in_1970_is_no_evidence_and_no_more_than_enough_are_kept() {
        let mut all = Vec::new();
        learn(&mut all, DeviceClock { device: 5, received: 7, quality: 0, of: TimeOf::Message });
        assert_eq!(all, []);
        for n in 0..100 {
            learn(&mut all, DeviceClock { device: n, received: n, quality: 1, of: TimeOf::Result });
        }
        assert_eq!((all.len(), all[0].device, all[KEPT - 1].device), (KEPT, 84, 99));
    }

    #[test]
    fn a_whole_hour_is_a_zone_and_a_quarter_is_a_bad_clock() {
        let zone = |minutes: i64| Offset::Known(minutes * MIN).is_a_zone();
        assert!(zone(-60) && zone(60) && zone(-30) && zone(59) && zone(-119) && zone(330));
        assert!(!zone(0) && !zone(1) && !zone(15) && !zone(75) && !zone(60 * 24));
        assert!(!Offset::AtLeast(60 * MIN).is_a_zone());
    }

    #[test]
    fn spans_have_two_units_at_most() {
        let shown: Vec<String> =
            [0, 59, 60, 250, 3600, 7199, 90_000, 86_400 * 800].map(|s| Span(s * S).to_string()).to_vec();
        assert_eq!(
            shown,
            ["0 s", "59 s", "1 min", "4 min 10 s", "1 h", "1 h 59 min", "1 day 1 h", "800 days"]
        );
    }
}
