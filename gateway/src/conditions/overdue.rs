//! Holds that wait for longer than the site wants.
//!
//! Promises that a wrong clock makes none of them young: an age is the longer of what the wall clock says and of how long this
//! process has seen the hold. A box that boots in 1970 tells of an old hold when it has been up for the limit.

use crate::records::Hold;
use orugate_protocol::time::{Tick, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// What waits for too long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overdue {
    /// How many.
    pub holds: usize,
    /// The limit in seconds.
    pub limit: i64,
    /// The age of the oldest in seconds.
    pub age: i64,
    /// The oldest.
    pub oldest: u64,
    /// Its instrument.
    pub instrument: String,
    /// Its reason.
    pub reason: String,
}

/// Remembers since when each open hold was seen.
#[derive(Debug, Default)]
pub struct Watch {
    seen: BTreeMap<u64, Tick>,
}

impl Watch {
    /// Looks at all open holds; what is older than the limit.
    pub fn see<'h>(
        &mut self,
        now: Utc,
        tick: Tick,
        limit: Duration,
        holds: impl Iterator<Item = (u64, &'h Hold)>,
    ) -> Option<Overdue> {
        let mut seen = BTreeMap::new();
        let limit = i64::try_from(limit.as_secs()).unwrap_or(i64::MAX);
        let mut overdue: Option<Overdue> = None;
        for (number, hold) in holds {
            let since = self.seen.get(&number).copied().unwrap_or(tick);
            seen.insert(number, since);
            let watched = i64::try_from(tick.since(since).as_secs()).unwrap_or(i64::MAX);
            let age = watched.max(now.0.saturating_sub(hold.at) / 1_000_000);
            if age <= limit {
                continue;
            }
            let count = overdue.as_ref().map_or(0, |before| before.holds) + 1;
            if overdue.as_ref().is_none_or(|before| before.age < age) {
                let (instrument, reason) = (hold.instrument.clone(), hold.reason.clone());
                overdue = Some(Overdue { holds: 0, limit, age, oldest: number, instrument, reason });
            }
            if let Some(overdue) = &mut overdue {
                overdue.holds = count;
            }
        }
        self.seen = seen;
        overdue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;

    fn hold(instrument: &str, at: i64) -> Hold {
        Hold {
            message: 1,
            instrument: instrument.to_owned(),
            reason: "no-sample-id".to_owned(),
            sentence: String::new(),
            observations: Vec::new(),
            rest_from: None,
            at,
        }
    }

    fn minutes(n: i64) -> Tick {
        Tick::from_micros(u64::try_from(n * MINUTE).unwrap())
    }

    #[test]
    fn the_oldest_is_named_and_all_that_are_too_old_are_counted() {
        let (old, older, new) = (hold("b", 20 * MINUTE), hold("a", 0), hold("c", 50 * MINUTE));
        let mut watch = Watch::default();
        let mut see = |now: i64| {
            let holds = [(7, &old), (9, &older), (11, &new)];
            watch.see(Utc(now * MINUTE), minutes(0), Duration::from_secs(1800), holds.into_iter())
        };
        assert_eq!(see(30), None, "not before it is older");
        let overdue = see(51).unwrap();
        assert_eq!((overdue.holds, overdue.oldest, &*overdue.instrument, overdue.age), (2, 9, "a", 3060));
    }

    #[test]
    fn a_clock_that_is_wrong_makes_no_hold_young() {
        // Held at a good time; then the box boots in 1970.
        let held = hold("a", 1_795_000_000_000_000);
        let mut watch = Watch::default();
        let mut see = |up: i64| {
            let holds = [(7, &held)];
            watch.see(Utc(up * MINUTE), minutes(up), Duration::from_secs(1800), holds.into_iter())
        };
        assert_eq!(see(1), None);
        assert_eq!(see(31), None);
        assert_eq!(see(32).map(|overdue| overdue.age), Some(31 * 60));
    }

    #[test]
    fn what_is_settled_is_forgotten() {
        let held = hold("a", 0);
        let mut watch = Watch::default();
        let limit = Duration::from_secs(60);
        watch.see(Utc(0), minutes(0), limit, [(7, &held)].into_iter());
        assert_eq!(watch.see(Utc(0), minutes(9), limit, [].into_iter()), None);
        assert!(watch.seen.is_empty());
    }
}
