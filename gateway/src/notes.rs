//! The link notes of one instrument on their way into the log.
//!
//! Promises that each kind of note is told when it first comes, and then at most once a minute with the number of those
//! that came meanwhile, so that a noisy line fills neither log nor flash; none goes uncounted. Leaves out the counts
//! of all time, which [`PortStatus`](crate::status::PortStatus) keeps.

use orugate_driver::{Note, NoteKind};
use orugate_protocol::time::Tick;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a kind is silent after it was told.
const QUIET: Duration = Duration::from_secs(60);

/// The kinds that were told lately. A driver's sentences are fixed, so there are few.
#[derive(Debug, Default)]
pub struct Notes(BTreeMap<&'static str, Told>);

#[derive(Debug)]
struct Told {
    until: Tick,
    more: u64,
}

impl Notes {
    /// A note came: true when it is to be told now.
    pub fn take(&mut self, now: Tick, note: &Note) -> bool {
        let NoteKind::Link { what, .. } = note.kind else { return true };
        let until = now.after(QUIET);
        let mut first = false;
        let told = self.0.entry(what.sentence).or_insert_with(|| {
            first = true;
            Told { until, more: 0 }
        });
        told.more = told.more.saturating_add(u64::from(!first));
        first
    }

    /// When [`due`](Self::due) has something.
    #[must_use]
    pub fn deadline(&self) -> Option<Tick> {
        self.0.values().map(|told| told.until).min()
    }

    /// The kinds whose silence is over, with how many came in it. Those that came go on being silent.
    pub fn due(&mut self, now: Tick) -> Vec<(&'static str, u64)> {
        let mut due = Vec::new();
        self.0.retain(|sentence, told| {
            if told.until > now {
                return true;
            }
            if told.more == 0 {
                return false;
            }
            due.push((*sentence, std::mem::take(&mut told.more)));
            told.until = now.after(QUIET);
            true
        });
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orugate_driver::TrafficFault;

    #[test]
    fn a_kind_is_told_at_once_and_then_each_minute_with_what_came_meanwhile() {
        let note = |sentence| Note {
            kind: NoteKind::Link {
                what: TrafficFault { sentence, expected: None, found: None },
                lost: false,
            },
            offset: 0,
        };
        let at = |seconds| Tick::ZERO.after(Duration::from_secs(seconds));
        let mut notes = Notes::default();
        assert!(notes.take(at(0), &note("a")));
        for second in 1..=30 {
            assert!(!notes.take(at(second), &note("a")));
        }
        assert!(notes.take(at(30), &note("b")), "another kind");
        assert_eq!(notes.deadline(), Some(at(60)));
        assert_eq!(notes.due(at(60)), [("a", 30)]);
        assert!(!notes.take(at(61), &note("a")));
        assert_eq!(notes.due(at(90)), [], "nothing more of b, which is forgotten");
        assert_eq!(notes.due(at(120)), [("a", 1)]);
        assert_eq!(notes.due(at(180)), []);
        assert_eq!(notes.deadline(), None);
        assert!(notes.take(at(181), &note("a")), "told at once again");
    }
}
