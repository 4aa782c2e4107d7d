//! What is unsettled now: a fold over the journal's records, the same at a start and while running.
//!
//! The journal is the only truth; this is what of it must be at hand. It holds places of records, not their bytes:
//! messages that wait for interpretation or belong to an open hold, ORUs that wait for a destination, holds, and counts
//! for the ledger. What was sent before is read when it is asked for (`history.rs`). [`State::apply`] is the only way in, and
//! the batch that a running gateway applies has been synced before. What was tried and failed is never in it, also when the
//! disk has kept it (`failed.rs`).

mod bedside;
mod checkpoint;
#[cfg(test)]
mod dropped;
#[cfg(test)]
mod failed;
#[cfg(test)]
mod kept;
mod needed;
mod queues;
mod verifications;

pub use bedside::{Bedside, Standing, Thinned, Unsent};
pub use queues::{Made, Origin, Queue, Waiting};
pub use verifications::{Ended, Heard, Session, Unproven, Verifications};

use crate::offset;
use crate::records::{
    Abandoned, Attempt, CaptureExported, Chunk, ClockAccepted, Delivery, DeliveryResult, DeviceClock,
    Dropped, Fate, Hold, HoldSettled, Life, Meta, NeverSent, Observed, Oru, Outcome, ParkedSettled,
    Reconfigured, Redriven, Restored, Settlement, Verification,
};
use orugate_journal::{Location, RecordRef};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The fold.
#[derive(Debug, Default)]
pub struct State {
    messages: BTreeMap<u64, Message>,
    pending: BTreeSet<u64>,
    queues: queues::Queues,
    holds: BTreeMap<u64, OpenHold>,
    ledger: BTreeMap<Arc<str>, Counts>,
    /// What each bedside device said last.
    bedside: BTreeMap<Arc<str>, Bedside>,
    /// What was dropped of bedside devices' messages for want of room.
    thinned: Thinned,
    /// The last times that each instrument wrote, oldest first.
    clocks: BTreeMap<Arc<str>, Vec<DeviceClock>>,
    newest: i64,
    /// Messages that were pending when the journal was opened, with the attempts that earlier processes made.
    recovered: BTreeMap<u64, u32>,
    verifications: Verifications,
    /// Records of kinds or versions that this software does not know. Another one may, so they are never let go.
    unknown: BTreeMap<u64, Location>,
}

/// A message that is open, waits for interpretation, or belongs to a hold.
#[derive(Clone, Debug)]
pub struct Message {
    /// The instrument's name.
    pub instrument: Arc<str>,
    /// Its chunks, in order: number and place.
    pub chunks: Vec<(u64, Location)>,
    /// When its first chunk came, microseconds since 1970.
    pub received: i64,
    /// When its last one came.
    pub until: i64,
    /// Quality of that time, as in [`Chunk::clock`].
    pub clock: u8,
    /// `None` while it is open; then whether it ended as it should.
    pub complete: Option<bool>,
    /// Open holds that need its bytes.
    holds: u32,
}

/// A hold that nobody has settled.
#[derive(Clone, Debug)]
pub struct OpenHold {
    /// What it is.
    pub hold: Hold,
    /// Where its record is.
    pub at: Location,
    /// Identities of its observations that no later message has brought yet.
    pub(crate) waits: Vec<u128>,
    /// Observations that later messages have brought.
    pub overtaken: usize,
}

impl OpenHold {
    const fn new(hold: Hold, at: Location) -> Self {
        Self { hold, at, waits: Vec::new(), overtaken: 0 }
    }

    /// How many of what waits such an outcome of a later message brings.
    fn brought(&self, outcome: &Outcome, brings: &BTreeSet<u128>) -> usize {
        let later = self.hold.message < outcome.message && self.hold.instrument == outcome.instrument;
        if later { self.waits.iter().filter(|identity| brings.contains(identity)).count() } else { 0 }
    }
}

/// What an outcome brings, or brought before it: a hold of an older message that waits with one of these is overtaken.
fn brings(outcome: &Outcome) -> BTreeSet<u128> {
    let brought = outcome.dispositions.iter().filter(|d| matches!(d.fate, Fate::Sent | Fate::Repeat));
    brought.filter_map(|disposition| disposition.identity).collect()
}

/// Observations of one instrument by where they went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[allow(missing_docs)]
pub struct Counts {
    pub messages: u64,
    pub observations: u64,
    pub sent: u64,
    pub held: u64,
    pub qc: u64,
    pub repeat: u64,
    pub superseded: u64,
    pub discarded: u64,
    pub not_reportable: u64,
}

impl Counts {
    /// Observations that are in no disposition: 0, or an alarm.
    #[must_use]
    pub const fn difference(&self) -> i64 {
        let settled = self.sent
            + self.held
            + self.qc
            + self.repeat
            + self.superseded
            + self.discarded
            + self.not_reportable;
        self.observations.cast_signed() - settled.cast_signed()
    }
}

/// What applying a record changed that somebody may be waiting for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// A message waits for interpretation.
    pub pending: bool,
    /// An ORU waits for delivery.
    pub waiting: bool,
}

impl State {
    /// Folds one record in. Of kinds and versions that this software does not know it keeps the place.
    pub fn apply(&mut self, record: &RecordRef<'_>) -> Change {
        let (version, meta) = (record.meta_version, record.meta);
        let (sequence, at) = (record.sequence.0, record.location);
        if record.carried {
            return self.moved(record);
        }
        let mut change = Change::default();
        match record.kind.0 {
            kind if !is_known(kind, version) => {
                self.unknown.insert(sequence, at);
            }
            Chunk::KIND => {
                if let Some(chunk) = Chunk::decode(version, meta) {
                    change.pending = self.chunk(chunk, sequence, at);
                }
            }
            Abandoned::KIND => {
                if let Some(Abandoned { message }) = Abandoned::decode(version, meta) {
                    change.pending = self.end(message, false);
                }
            }
            Life::KIND => {
                if let Some(life) = Life::decode(version, meta) {
                    self.newest = self.newest.max(life.at);
                }
            }
            Reconfigured::KIND => {
                if let Some(changed) = Reconfigured::decode(version, meta) {
                    self.newest = self.newest.max(changed.at);
                }
            }
            Restored::KIND => {
                if let Some(restored) = Restored::decode(version, meta) {
                    self.newest = self.newest.max(restored.at);
                }
            }
            ClockAccepted::KIND => {
                if let Some(accepted) = ClockAccepted::decode(version, meta) {
                    self.newest = accepted.at;
                }
            }
            CaptureExported::KIND => {
                if let Some(exported) = CaptureExported::decode(version, meta) {
                    self.newest = self.newest.max(exported.at);
                }
            }
            Attempt::KIND => {
                if let Some(Attempt { message }) = Attempt::decode(version, meta) {
                    *self.recovered.entry(message).or_default() += 1;
                }
            }
            Outcome::KIND => {
                if let Some(outcome) = Outcome::decode(version, meta) {
                    self.outcome(&outcome, sequence, at);
                }
            }
            Observed::KIND => {
                if let Some(observed) = Observed::decode(version, meta) {
                    self.observed(observed, sequence, at);
                }
            }
            Oru::KIND => {
                if let Some(oru) = Oru::decode(version, meta) {
                    self.newest = self.newest.max(oru.at);
                    self.queues.oru(&oru, sequence, at);
                    change.waiting = true;
                }
            }
            Delivery::KIND => {
                if let Some(delivery) = Delivery::decode(version, meta) {
                    self.newest = self.newest.max(delivery.at);
                    if let DeliveryResult::Delivered(_) = delivery.result
                        && let Some(made) = self.queues.made(delivery.oru)
                    {
                        self.verifications.acknowledged(made.message);
                    }
                    self.queues.delivery(&delivery);
                }
            }
            NeverSent::KIND => {
                if let Some(NeverSent { oru }) = NeverSent::decode(version, meta) {
                    self.queues.never_sent(oru);
                }
            }
            ParkedSettled::KIND => {
                if let Some(settled) = ParkedSettled::decode(version, meta) {
                    self.newest = self.newest.max(settled.at);
                    change.waiting = self.queues.parked_settled(&settled);
                }
            }
            Dropped::KIND => {
                if let Some(dropped) = Dropped::decode(version, meta) {
                    self.newest = self.newest.max(dropped.at);
                    self.queues.dropped(&dropped);
                }
            }
            Hold::KIND => {
                if let Some(hold) = Hold::decode(version, meta) {
                    self.newest = self.newest.max(hold.at);
                    if let Some(message) = self.messages.get_mut(&hold.message) {
                        message.holds += 1;
                    }
                    self.holds.insert(sequence, OpenHold::new(hold, at));
                }
            }
            HoldSettled::KIND => {
                if let Some(settled) = HoldSettled::decode(version, meta) {
                    self.hold_settled(&settled);
                }
            }
            Redriven::KIND => {
                if let Some(redriven) = Redriven::decode(version, meta) {
                    self.newest = self.newest.max(redriven.at);
                }
            }
            Verification::KIND => {
                if let Some(said) = Verification::decode(version, meta) {
                    self.newest = self.newest.max(said.at);
                    self.verifications.record(said, sequence, at);
                }
            }
            _ => {}
        }
        change
    }

    /// The next message to interpret.
    #[must_use]
    pub fn next_pending(&self) -> Option<u64> {
        self.pending.first().copied()
    }

    /// All messages that wait for interpretation.
    pub fn pending(&self) -> impl Iterator<Item = u64> + '_ {
        self.pending.iter().copied()
    }

    /// A message whose bytes are still needed.
    #[must_use]
    pub fn message(&self, number: u64) -> Option<&Message> {
        self.messages.get(&number)
    }

    /// Messages that nothing ended: at a start, those that the previous process left open.
    #[must_use]
    pub fn open_messages(&self) -> Vec<u64> {
        self.messages.iter().filter(|(_, m)| m.complete.is_none()).map(|(n, _)| *n).collect()
    }

    /// Those of an instrument that waits for interpretation or is still open.
    pub fn unread<'s>(&'s self, instrument: &'s str) -> impl Iterator<Item = u64> + 's {
        let unread = move |number: &u64, message: &Message| {
            *message.instrument == *instrument
                && (message.complete.is_none() || self.pending.contains(number))
        };
        self.messages
            .iter()
            .filter(move |(number, message)| unread(number, message))
            .map(|(number, _)| *number)
    }

    /// One destination's queue.
    #[must_use]
    pub fn queue(&self, destination: &str) -> Option<&Queue> {
        self.queues.of(destination)
    }

    /// All destinations that ORUs were ever made for.
    pub fn queues(&self) -> impl Iterator<Item = (&str, &Queue)> {
        self.queues.all()
    }

    /// What is known of an ORU that is not delivered.
    #[must_use]
    pub fn made(&self, oru: u64) -> Option<&Made> {
        self.queues.made(oru)
    }

    /// Open holds, oldest first.
    pub fn holds(&self) -> impl Iterator<Item = (u64, &OpenHold)> {
        self.holds.iter().map(|(n, h)| (*n, h))
    }

    /// One open hold.
    #[must_use]
    pub fn hold(&self, number: u64) -> Option<&OpenHold> {
        self.holds.get(&number)
    }

    /// Open holds of which an outcome that is to be stored brings all that later messages have not brought yet.
    #[must_use]
    pub fn overtaken(&self, outcome: &Outcome) -> Vec<u64> {
        if self.holds.is_empty() {
            return Vec::new();
        }
        let brings = brings(outcome);
        let whole = |open: &OpenHold| match open.brought(outcome, &brings) {
            0 => false,
            n => open.hold.rest_from.is_none() && n + open.overtaken == open.hold.observations.len(),
        };
        let overtaken =
            self.holds.iter().filter(|(number, open)| outcome.released != Some(**number) && whole(open));
        overtaken.map(|(number, _)| *number).collect()
    }

    /// What people compared, and what it proves.
    #[must_use]
    pub const fn verifications(&self) -> &Verifications {
        &self.verifications
    }

    /// Observations by instrument.
    pub fn ledger(&self) -> impl Iterator<Item = (&str, &Counts)> {
        self.ledger.iter().map(|(name, counts)| (&**name, counts))
    }

    /// The last times that an instrument wrote, oldest first.
    #[must_use]
    pub fn device_clock(&self, instrument: &str) -> &[DeviceClock] {
        self.clocks.get(instrument).map_or(&[], Vec::as_slice)
    }

    /// The newest time in any record, microseconds since 1970; since a person accepted the clock, if one did.
    #[must_use]
    pub const fn newest(&self) -> i64 {
        self.newest
    }

    /// Marks everything pending as left by an earlier process. Called once, when the journal is open.
    pub fn recovered(&mut self) {
        for message in &self.pending {
            self.recovered.entry(*message).or_default();
        }
    }

    /// How often earlier processes began this message again and did not finish it; `None` for a message of this one.
    #[must_use]
    pub fn attempts(&self, message: u64) -> Option<u32> {
        self.recovered.get(&message).copied()
    }

    fn chunk(&mut self, chunk: Chunk, sequence: u64, at: Location) -> bool {
        self.newest = self.newest.max(chunk.received);
        let mut pending = false;
        if chunk.first {
            // One session speaks at a time: whatever this instrument left open will not go on.
            let open = |m: &Message| m.complete.is_none() && *m.instrument == *chunk.instrument;
            let left: Vec<u64> = self.messages.iter().filter(|(_, m)| open(m)).map(|(n, _)| *n).collect();
            for number in left {
                pending |= self.end(number, false);
            }
        }
        let message = self.messages.entry(chunk.message).or_insert_with(|| Message {
            instrument: chunk.instrument.into(),
            chunks: Vec::new(),
            received: chunk.received,
            until: chunk.received,
            clock: chunk.clock,
            complete: None,
            holds: 0,
        });
        message.chunks.push((sequence, at));
        message.until = chunk.received;
        if let Some(complete) = chunk.end {
            pending |= self.end(chunk.message, complete);
        }
        pending
    }

    fn end(&mut self, number: u64, complete: bool) -> bool {
        let Some(message) = self.messages.get_mut(&number) else { return false };
        if message.complete.is_some() {
            return false;
        }
        message.complete = Some(complete);
        self.pending.insert(number);
        true
    }

    fn outcome(&mut self, outcome: &Outcome, sequence: u64, at: Location) {
        self.newest = self.newest.max(outcome.at);
        let instrument = self.instrument_name(&outcome.instrument);
        self.queues.outcome(outcome.message, &instrument, sequence, at);
        self.verifications.outcome(outcome);
        let held = outcome.released.and_then(|hold| self.holds.get(&hold));
        let held = held.map_or(0, |open| open.hold.observations.len());
        if let Some(clock) = outcome.clock {
            offset::learn(self.clocks.entry(instrument.clone()).or_default(), clock);
        }
        let counts = self.ledger.entry(instrument).or_default();
        counts.messages += u64::from(outcome.released.is_none());
        // A release counts again only what its hold could not count.
        counts.observations += outcome.dispositions.len().saturating_sub(held) as u64;
        for disposition in &outcome.dispositions {
            *counts.of(&disposition.fate) += 1;
            if let (Fate::Held(hold), Some(identity)) = (&disposition.fate, disposition.identity)
                && let Some(open) = self.holds.get_mut(hold)
            {
                open.waits.push(identity);
            }
        }
        if !self.holds.is_empty() {
            let brings = brings(outcome);
            for open in self.holds.values_mut().filter(|_| !brings.is_empty()) {
                let brought = open.brought(outcome, &brings);
                if brought > 0 {
                    open.overtaken += brought;
                    open.waits.retain(|identity| !brings.contains(identity));
                }
            }
        }
        self.recovered.remove(&outcome.message);
        if self.pending.remove(&outcome.message) {
            self.forget_if_settled(outcome.message);
        }
    }

    fn hold_settled(&mut self, settled: &HoldSettled) {
        self.newest = self.newest.max(settled.at);
        let Some(OpenHold { hold, .. }) = self.holds.remove(&settled.hold) else { return };
        let instrument = self.instrument_name(&hold.instrument);
        let counts = self.ledger.entry(instrument).or_default();
        let held = hold.observations.len() as u64;
        counts.held = counts.held.saturating_sub(held);
        match &settled.how {
            Settlement::Released => {} // The outcome in the same batch counts them.
            Settlement::Discarded(_) => counts.discarded += held,
            Settlement::Superseded => counts.superseded += held,
        }
        if let Some(message) = self.messages.get_mut(&hold.message) {
            message.holds = message.holds.saturating_sub(1);
            self.forget_if_settled(hold.message);
        }
    }

    fn forget_if_settled(&mut self, number: u64) {
        let settled = self.messages.get(&number).is_some_and(|m| m.holds == 0 && m.complete.is_some())
            && !self.pending.contains(&number);
        if settled {
            self.messages.remove(&number);
        }
    }

    fn instrument_name(&self, name: &str) -> Arc<str> {
        match self.ledger.get_key_value(name) {
            Some((known, _)) => known.clone(),
            None => name.into(),
        }
    }
}

/// Whether a record can be folded in.
fn is_known(kind: u16, version: u8) -> bool {
    match kind {
        Chunk::KIND => Chunk::knows(version),
        Abandoned::KIND => Abandoned::knows(version),
        Life::KIND => Life::knows(version),
        Reconfigured::KIND => Reconfigured::knows(version),
        Restored::KIND => Restored::knows(version),
        ClockAccepted::KIND => ClockAccepted::knows(version),
        CaptureExported::KIND => CaptureExported::knows(version),
        Attempt::KIND => Attempt::knows(version),
        Outcome::KIND => Outcome::knows(version),
        Observed::KIND => Observed::knows(version),
        Oru::KIND => Oru::knows(version),
        Delivery::KIND => Delivery::knows(version),
        NeverSent::KIND => NeverSent::knows(version),
        ParkedSettled::KIND => ParkedSettled::knows(version),
        Dropped::KIND => Dropped::knows(version),
        Hold::KIND => Hold::knows(version),
        HoldSettled::KIND => HoldSettled::knows(version),
        Redriven::KIND => Redriven::knows(version),
        Verification::KIND => Verification::knows(version),
        _ => false,
    }
}

impl Counts {
    fn of(&mut self, fate: &Fate) -> &mut u64 {
        match fate {
            Fate::Sent => &mut self.sent,
            Fate::Held(_) => &mut self.held,
            Fate::Qc(_) => &mut self.qc,
            Fate::Repeat => &mut self.repeat,
            Fate::Superseded => &mut self.superseded,
            Fate::Discarded(..) => &mut self.discarded,
            Fate::NotReportable(_) => &mut self.not_reportable,
        }
    }
}
