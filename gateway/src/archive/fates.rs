//! What became of a message, counted and in words.

use super::{Archive, Message, Way};
use crate::convert::EARLIER_RUN;
use crate::records::Fate;
use crate::words::count;
use std::collections::BTreeMap;

/// Observations by where they went. Those in open holds are the holds'.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[allow(missing_docs)]
pub struct Fates {
    pub sent: u32,
    pub qc: u32,
    pub repeat: u32,
    pub superseded: u32,
    pub discarded: u32,
    pub earlier_run: u32,
    pub not_reportable: u32,
}

/// Where a message stands over all: the first of these that is so of any part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It is open, waits for interpretation, or an ORU waits for its destination.
    Waiting,
    /// An ORU waits for a person.
    Parked,
    /// A hold waits for a person.
    Held,
    /// Each ORU of it was acknowledged, or a person settled it.
    Delivered,
    /// Nothing of it was to be sent.
    Settled,
}

/// What of a message somebody wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Wanted {
    /// Something of it waits to be interpreted or delivered
    Waiting,
    /// Results of it wait in a hold
    Held,
    /// An ORU of it is parked
    Parked,
    /// ORUs were made of it, and all are acknowledged or settled
    Delivered,
}

impl Fates {
    pub(super) fn of<'f>(fates: impl Iterator<Item = &'f Fate>) -> Self {
        let mut counts = Self::default();
        for fate in fates {
            match fate {
                Fate::Sent => counts.sent += 1,
                Fate::Held(_) => {}
                Fate::Qc(_) => counts.qc += 1,
                Fate::Repeat => counts.repeat += 1,
                Fate::Superseded => counts.superseded += 1,
                Fate::Discarded(..) => counts.discarded += 1,
                Fate::NotReportable(rule) if rule.starts_with(EARLIER_RUN) => counts.earlier_run += 1,
                Fate::NotReportable(_) => counts.not_reportable += 1,
            }
        }
        counts
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.with(other, u32::saturating_add);
    }

    pub(super) fn take(&mut self, other: &Self) {
        self.with(other, u32::saturating_sub);
    }

    fn with(&mut self, other: &Self, how: fn(u32, u32) -> u32) {
        let Self { sent, qc, repeat, superseded, discarded, earlier_run, not_reportable } = other;
        self.earlier_run = how(self.earlier_run, *earlier_run);
        self.sent = how(self.sent, *sent);
        self.qc = how(self.qc, *qc);
        self.repeat = how(self.repeat, *repeat);
        self.superseded = how(self.superseded, *superseded);
        self.discarded = how(self.discarded, *discarded);
        self.not_reportable = how(self.not_reportable, *not_reportable);
    }
}

impl Message {
    /// It was interpreted at least once.
    #[must_use]
    pub const fn is_interpreted(&self) -> bool {
        !self.told.is_empty()
    }
}

impl Archive {
    fn ways<'a>(&'a self, message: &'a Message) -> impl Iterator<Item = (&'a str, &'a Way)> {
        message
            .orus
            .iter()
            .filter_map(|number| self.orus.get(number))
            .map(|oru| (&*oru.destination, &oru.standing))
    }

    fn is_waiting(&self, message: &Message) -> bool {
        // Of a message whose outcome was given back nothing waits: its ORUs or holds tell.
        let unread = !message.is_interpreted() && message.orus.is_empty() && message.holds.is_empty();
        unread || self.ways(message).any(|(_, way)| *way == Way::Waiting)
    }

    fn is_parked(&self, message: &Message) -> bool {
        self.ways(message).any(|(_, way)| matches!(way, Way::Parked(_)))
    }

    fn is_held(&self, message: &Message) -> bool {
        message.holds.iter().any(|number| self.holds.get(number).is_some_and(|hold| hold.settled.is_none()))
    }

    /// Where it stands.
    #[must_use]
    pub fn standing(&self, message: &Message) -> Standing {
        match () {
            () if self.is_waiting(message) => Standing::Waiting,
            () if self.is_parked(message) => Standing::Parked,
            () if self.is_held(message) => Standing::Held,
            () if message.orus.is_empty() => Standing::Settled,
            () => Standing::Delivered,
        }
    }

    /// Whether somebody who wants this wants to see it.
    #[must_use]
    pub fn is_wanted(&self, message: &Message, wanted: Wanted) -> bool {
        match wanted {
            Wanted::Waiting => self.is_waiting(message),
            Wanted::Held => self.is_held(message),
            Wanted::Parked => self.is_parked(message),
            Wanted::Delivered => self.standing(message) == Standing::Delivered,
        }
    }

    /// What became of it, in words.
    #[must_use]
    pub fn became(&self, message: &Message) -> String {
        let mut parts = Vec::new();
        if !message.is_interpreted() && message.orus.is_empty() && message.holds.is_empty() {
            parts.push(match message.complete {
                None => "still open".to_owned(),
                Some(_) => "waits to be interpreted".to_owned(),
            });
        }
        let mut ways: BTreeMap<String, u64> = BTreeMap::new();
        for (destination, way) in self.ways(message) {
            let words = match way {
                Way::Waiting => format!("waiting for {destination}"),
                Way::Delivered(code) => format!("acknowledged by {destination} ({code})"),
                Way::Parked(_) => format!("PARKED for {destination}"),
                Way::Anew(_) => format!("made anew for {destination}"),
                Way::Superseded => format!("for {destination} overtaken by a later report"),
                Way::Discarded => format!("for {destination} given up by a person"),
            };
            *ways.entry(words).or_default() += 1;
        }
        parts.extend(ways.into_iter().map(|(words, orus)| format!("{} {words}", count(orus, "ORU", "ORUs"))));
        let open = message
            .holds
            .iter()
            .filter_map(|number| self.holds.get(number))
            .filter(|hold| hold.settled.is_none());
        for hold in open {
            parts.push(match hold.observations {
                0 => format!("the whole message HELD ({})", hold.reason),
                observations => {
                    format!("{} HELD ({})", count(observations.into(), "result", "results"), hold.reason)
                }
            });
        }
        let Fates { qc, repeat, superseded, discarded, earlier_run, not_reportable, .. } = message.fates;
        let others = [
            (qc, "QC"),
            (repeat, "sent before"),
            (superseded, "overtaken"),
            (discarded, "discarded by a person"),
            (earlier_run, "run again later"),
            (not_reportable, "not reportable"),
        ];
        parts.extend(
            others.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")),
        );
        if parts.is_empty() { "no results in it".to_owned() } else { parts.join(", ") }
    }
}
