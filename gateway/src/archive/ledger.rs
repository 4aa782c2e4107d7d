//! The ledger: observations by where they went, counted in two ways that must agree.
//!
//! Promises that what outcomes counted is compared with what fates, holds and ORUs say, so that a result which left no trace
//! is a difference and not a smaller sum. Of a message whose first outcome was given back only what is left counts. Leaves
//! out damage: who reads the journal knows of it.

use super::{Archive, Fates, Message, Way};
use std::collections::BTreeMap;
use std::sync::Arc;

/// By instrument.
pub type Ledger = BTreeMap<Arc<str>, Line>;

/// One instrument's.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Line {
    /// Messages of it.
    pub messages: u64,
    /// Of these, those that wait to be interpreted.
    pub unread: u64,
    /// Of these, those that wait whole for a person, so that nobody has counted their results.
    pub held_whole: u64,
    /// Results that outcomes counted.
    pub results: u64,
    /// Of these, by where they went. Those in open holds are in `held`.
    #[serde(flatten)]
    pub fates: Sums,
    /// In open holds.
    pub held: u64,
    /// Results that are in more or fewer places than one.
    pub difference: i64,
    /// Results that were sent and are in no ORU; part of the difference.
    pub in_no_oru: u64,
    /// What each destination got of what was sent.
    pub destinations: BTreeMap<String, Got>,
}

/// [`Fates`] of many messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[allow(missing_docs)]
pub struct Sums {
    pub sent: u64,
    pub qc: u64,
    pub repeat: u64,
    pub superseded: u64,
    pub discarded: u64,
    /// Runs that were not sent, since a later one counts.
    pub earlier_run: u64,
    pub not_reportable: u64,
}

/// Results in ORUs for one destination, by how these stand. One that went in another's place counts, the other does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[allow(missing_docs)]
pub struct Got {
    pub delivered: u64,
    pub waiting: u64,
    pub parked: u64,
    pub superseded: u64,
    pub given_up: u64,
}

impl Sums {
    fn add(&mut self, fates: &Fates) {
        let Fates { sent, qc, repeat, superseded, discarded, earlier_run, not_reportable } = *fates;
        self.earlier_run += u64::from(earlier_run);
        self.sent += u64::from(sent);
        self.qc += u64::from(qc);
        self.repeat += u64::from(repeat);
        self.superseded += u64::from(superseded);
        self.discarded += u64::from(discarded);
        self.not_reportable += u64::from(not_reportable);
    }

    /// All of them.
    #[must_use]
    pub const fn sum(&self) -> u64 {
        let Self { sent, qc, repeat, superseded, discarded, earlier_run, not_reportable } = *self;
        sent + qc + repeat + superseded + discarded + earlier_run + not_reportable
    }
}

impl Got {
    /// All of it.
    #[must_use]
    pub const fn sum(&self) -> u64 {
        let Self { delivered, waiting, parked, superseded, given_up } = *self;
        delivered + waiting + parked + superseded + given_up
    }
}

impl Archive {
    /// The ledger of these messages, by instrument.
    #[must_use]
    pub fn ledger(&self, takes: impl Fn(&Message) -> bool) -> Ledger {
        let mut lines = Ledger::new();
        for message in self.messages.values().filter(|message| takes(message)) {
            let line = lines.entry(message.instrument.clone()).or_default();
            self.count(message, line);
        }
        lines
    }

    fn count(&self, message: &Message, line: &mut Line) {
        line.messages += 1;
        let bare = message.orus.is_empty() && message.holds.is_empty();
        line.unread += u64::from(!message.is_interpreted() && bare);
        let holds = message.holds.iter().filter_map(|number| self.holds.get(number));
        let mut held = 0;
        for hold in holds.filter(|hold| hold.settled.is_none()) {
            held += u64::from(hold.observations);
            line.held_whole += u64::from(hold.observations == 0);
        }
        let mut fates = Sums::default();
        fates.add(&message.fates);
        for oru in message.orus.iter().filter_map(|number| self.orus.get(number)) {
            let got = line.destinations.entry(oru.destination.to_string()).or_default();
            let place = match oru.standing {
                Way::Waiting => &mut got.waiting,
                Way::Delivered(_) => &mut got.delivered,
                Way::Parked(_) => &mut got.parked,
                Way::Superseded => &mut got.superseded,
                Way::Discarded => &mut got.given_up,
                Way::Anew(_) => continue,
            };
            *place += u64::from(oru.observations);
        }
        if message.told.iter().any(|told| told.released.is_none()) {
            let in_no_oru = self.in_no_oru(message);
            let counted = i64::from(message.observed);
            let placed = i64::try_from(fates.sum() + held).unwrap_or(i64::MAX);
            line.results += u64::from(message.observed);
            line.in_no_oru += in_no_oru;
            line.difference += (counted - placed).abs() + i64::try_from(in_no_oru).unwrap_or(i64::MAX);
        } else {
            // Its first outcome was given back: nobody knows any more how many there were. All that is left counts.
            if !message.is_interpreted() {
                fates.sent += self.sent_in(message.orus.iter());
            }
            line.results += fates.sum() + held;
        }
        line.held += held;
        let Sums { sent, qc, repeat, superseded, discarded, earlier_run, not_reportable } = fates;
        line.fates.earlier_run += earlier_run;
        line.fates.sent += sent;
        line.fates.qc += qc;
        line.fates.repeat += repeat;
        line.fates.superseded += superseded;
        line.fates.discarded += discarded;
        line.fates.not_reportable += not_reportable;
    }

    /// Results that an outcome says were sent, and that are in none of the ORUs that were stored with it. It says itself what
    /// is in which; one from before that did so sent all of them to at least one destination.
    fn in_no_oru(&self, message: &Message) -> u64 {
        let whole = message.told.iter().filter(|told| !told.copied);
        let placed = |told: &super::Told| match told.in_orus {
            // Of an ORU that is named and is not there all results are missing.
            Some(named) if self.has_all(&told.records) => u64::from(named),
            _ => self.sent_in(told.records.iter()),
        };
        whole.map(|told| u64::from(told.fates.sent).saturating_sub(placed(told))).sum()
    }

    fn has_all(&self, orus: &[u64]) -> bool {
        orus.iter().all(|number| self.orus.contains_key(number) || self.holds.contains_key(number))
    }

    /// Results in these ORUs, whichever destination got most.
    fn sent_in<'n>(&self, numbers: impl Iterator<Item = &'n u64>) -> u64 {
        let mut by_destination: BTreeMap<&str, u64> = BTreeMap::new();
        for oru in numbers.filter_map(|number| self.orus.get(number)) {
            *by_destination.entry(&oru.destination).or_default() += u64::from(oru.observations);
        }
        by_destination.into_values().max().unwrap_or(0)
    }
}
