//! What is said again and again, on its way into the log.
//!
//! Promises that each kind of line is told when it first comes, and then at most once a minute with the number of those
//! that came meanwhile, so that a noisy line, a port scanner or a full disk fills neither log nor flash. Whoever has a timer asks
//! [`Hush::due`] and nothing goes uncounted; who has none takes the number along with the next line that is told ([`Hush::again`]).
//! Leaves out the counts of all time, which [`PortStatus`](crate::status::PortStatus) keeps.

use orugate_protocol::time::Tick;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a kind is silent after it was told.
const QUIET: Duration = Duration::from_secs(60);

/// The kinds that were told lately. There must be few: a key names no peer and holds no text of a message.
#[derive(Debug)]
pub struct Hush<K>(BTreeMap<K, Told>);

impl<K> Default for Hush<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

#[derive(Debug)]
struct Told {
    until: Tick,
    more: u64,
}

impl<K: Ord + Clone> Hush<K> {
    /// One came: true when it is to be told now.
    pub fn take(&mut self, now: Tick, kind: K) -> bool {
        let until = now.after(QUIET);
        let mut first = false;
        let told = self.0.entry(kind).or_insert_with(|| {
            first = true;
            Told { until, more: 0 }
        });
        told.more = told.more.saturating_add(u64::from(!first));
        first
    }

    /// One came, and nobody asks [`due`](Self::due): how many were not told before it, when it is to be told now.
    pub fn again(&mut self, now: Tick, kind: K) -> Option<u64> {
        let over = self.0.get(&kind).is_none_or(|told| told.until <= now);
        if !over {
            self.take(now, kind);
            return None;
        }
        let before = self.0.insert(kind, Told { until: now.after(QUIET), more: 0 });
        Some(before.map_or(0, |told| told.more))
    }

    /// When [`due`](Self::due) has something.
    #[must_use]
    pub fn deadline(&self) -> Option<Tick> {
        self.0.values().map(|told| told.until).min()
    }

    /// The kinds whose silence is over, with how many came in it. Those that came go on being silent.
    pub fn due(&mut self, now: Tick) -> Vec<(K, u64)> {
        let mut due = Vec::new();
        self.0.retain(|kind, told| {
            if told.until > now {
                return true;
            }
            if told.more == 0 {
                return false;
            }
            due.push((kind.clone(), std::mem::take(&mut told.more)));
            told.until = now.after(QUIET);
            true
        });
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Tick {
        Tick::ZERO.after(Duration::from_secs(seconds))
    }

    #[test]
    fn a_kind_is_told_at_once_and_then_each_minute_with_what_came_meanwhile() {
        let mut notes = Hush::default();
        assert!(notes.take(at(0), "a"));
        for second in 1..=30 {
            assert!(!notes.take(at(second), "a"));
        }
        assert!(notes.take(at(30), "b"), "another kind");
        assert_eq!(notes.deadline(), Some(at(60)));
        assert_eq!(notes.due(at(60)), [("a", 30)]);
        assert!(!notes.take(at(61), "a"));
        assert_eq!(notes.due(at(90)), [], "nothing more of b, which is forgotten");
        assert_eq!(notes.due(at(120)), [("a", 1)]);
        assert_eq!(notes.due(at(180)), []);
        assert_eq!(notes.deadline(), None);
        assert!(notes.take(at(181), "a"), "told at once again");
    }

    #[test]
    fn without_a_timer_the_next_that_is_told_has_the_number_of_those_that_were_not() {
        let mut notes = Hush::default();
        assert_eq!(notes.again(at(0), "a"), Some(0));
        for second in 1..60 {
            assert_eq!(notes.again(at(second), "a"), None);
        }
        assert_eq!(notes.again(at(60), "a"), Some(59));
        assert_eq!(notes.again(at(61), "a"), None);
        assert_eq!(notes.again(at(500), "a"), Some(1));
    }
}
