//! What a journal says of each message: the fold that the tools over a journal read, beside the running service or over
//! a copy.
//!
//! Promises that each message, ORU and hold that the records name is here once, with what became of it, in the words of
//! the design, and without a patient's name, value or sample id. What is named and not there is in
//! [`missing`](Archive::missing). Unlike [`State`](crate::state::State) it keeps what is settled. Leaves out bytes; a
//! second look at the journal has those.

mod fates;
mod journal;
mod ledger;
mod touch;

pub use fates::{Fates, Standing, Wanted};
pub use journal::{Journal, LookError, OfSample, names};
pub use ledger::{Got, Ledger, Line, Sums};
pub use touch::{Touched, touched};

use crate::records::{
    Abandoned, Attempt, Chunk, Delivery, DeliveryResult, Dropped, Fate, Hold, HoldSettled, Meta, NeverSent,
    Observed, Oru, Outcome, ParkedSettled, Redriven, Sending, Settlement, Verification, VerificationAct,
};
use orugate_journal::{Commit, RecordRef};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The fold.
#[derive(Debug, Default)]
pub struct Archive {
    /// By number.
    pub messages: BTreeMap<u64, Message>,
    /// By number, which is in MSH-10.
    pub orus: BTreeMap<u64, Made>,
    /// By number.
    pub holds: BTreeMap<u64, Held>,
    /// Named by records before they were seen, if they ever were.
    named: BTreeMap<u64, Named>,
    names: BTreeSet<Arc<str>>,
    /// ORUs and holds since the last outcome: those of the batch that the next outcome closes.
    fresh: Vec<u64>,
}

/// One message.
#[derive(Debug, Default)]
pub struct Message {
    /// The instrument's name; empty when no record that has it is there.
    pub instrument: Arc<str>,
    /// When its first chunk that is there came, microseconds since 1970; 0 when none is.
    pub received: i64,
    /// Quality of that time, as in [`Chunk::clock`].
    pub clock: u8,
    /// Its chunks' numbers, in order.
    pub chunks: Vec<u64>,
    /// Bytes in them.
    pub bytes: u64,
    /// Its first chunk is there.
    pub begins: bool,
    /// Whether it ended as it should; `None` while nothing ended it.
    pub complete: Option<bool>,
    /// Observations by where they went, but for those in holds.
    pub fates: Fates,
    /// ORUs made of it.
    pub orus: Vec<u64>,
    /// Holds, settled ones included.
    pub holds: Vec<u64>,
    /// Observations that its outcomes count, wherever each went.
    observed: u32,
    told: Vec<Told>,
}

/// An outcome.
#[derive(Debug)]
struct Told {
    sequence: u64,
    released: Option<u64>,
    fates: Fates,
    records: Vec<u64>,
    /// Observations that it says are in ORUs; `None` when it does not say what is in which.
    in_orus: Option<u32>,
    /// It is a copy, and what was stored with it is elsewhere.
    copied: bool,
}

/// One ORU.
#[derive(Debug)]
pub struct Made {
    /// For whom.
    pub destination: Arc<str>,
    /// The message that it came from.
    pub message: u64,
    /// Observations in it.
    pub observations: u32,
    /// When it was made, microseconds since 1970.
    pub at: i64,
    /// How it stands.
    pub standing: Way,
}

/// How an ORU stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// For its destination.
    Waiting,
    /// Acknowledged with this code.
    Delivered(String),
    /// For a person; why.
    Parked(String),
    /// Another ORU went in its place.
    Anew(u64),
    /// A later report made it pointless.
    Superseded,
    /// A person gave it up.
    Discarded,
}

/// One hold.
#[derive(Debug)]
pub struct Held {
    /// Its message.
    pub message: u64,
    /// The machine's reason.
    pub reason: String,
    /// Observations in it.
    pub observations: u32,
    /// How it ended; `None` while it is open.
    pub settled: Option<Settlement>,
}

/// What a number that is named is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    /// A message.
    Message,
    /// An ORU.
    Oru,
    /// A hold.
    Hold,
}

impl Archive {
    /// Takes a commit in; a void one changes nothing.
    pub fn see(&mut self, commit: &Commit<'_>) {
        if !commit.void {
            commit.records.iter().for_each(|record| self.record(record));
        }
    }

    /// Numbers that records name and that are not there: settled and given back, or lost.
    pub fn missing(&self) -> impl Iterator<Item = (u64, Named)> {
        let known = |number: &u64, named: &Named| match named {
            Named::Message => self.messages.get(number).is_some_and(|message| !message.chunks.is_empty()),
            Named::Oru => self.orus.contains_key(number),
            Named::Hold => self.holds.contains_key(number),
        };
        self.named
            .iter()
            .filter(move |(number, named)| !known(number, named))
            .map(|(number, named)| (*number, *named))
    }

    /// The message that a number belongs to: its own, that of an ORU or of a hold.
    #[must_use]
    pub fn message_of(&self, number: u64) -> Option<u64> {
        let by_oru = || self.orus.get(&number).map(|oru| oru.message);
        let by_hold = || self.holds.get(&number).map(|hold| hold.message);
        let itself = self.messages.contains_key(&number).then_some(number);
        itself.or_else(by_oru).or_else(by_hold)
    }

    /// The message that a record is about, once all records were seen.
    #[must_use]
    pub fn about(&self, record: &RecordRef<'_>) -> Option<u64> {
        let (version, meta) = (record.meta_version, record.meta);
        let of_oru = |oru: u64| self.orus.get(&oru).map(|oru| oru.message);
        let of_hold = |hold: u64| self.holds.get(&hold).map(|hold| hold.message);
        match record.kind.0 {
            Chunk::KIND => Some(Chunk::decode(version, meta)?.message),
            Abandoned::KIND => Some(Abandoned::decode(version, meta)?.message),
            Attempt::KIND => Some(Attempt::decode(version, meta)?.message),
            Outcome::KIND => Some(Outcome::decode(version, meta)?.message),
            Observed::KIND => Some(Observed::decode(version, meta)?.message),
            Oru::KIND => Some(Oru::decode(version, meta)?.message),
            Hold::KIND => Some(Hold::decode(version, meta)?.message),
            Delivery::KIND => of_oru(Delivery::decode(version, meta)?.oru),
            NeverSent::KIND => of_oru(NeverSent::decode(version, meta)?.oru),
            ParkedSettled::KIND => of_oru(ParkedSettled::decode(version, meta)?.oru),
            HoldSettled::KIND => of_hold(HoldSettled::decode(version, meta)?.hold),
            Redriven::KIND => of_hold(Redriven::decode(version, meta)?.hold),
            Verification::KIND => match Verification::decode(version, meta)?.act {
                VerificationAct::Said { message, .. } => Some(message),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether a record belongs to what is shown of a message: it is about it, or gave an ORU of it up with others.
    #[must_use]
    pub fn concerns(&self, record: &RecordRef<'_>, message: u64) -> bool {
        if record.kind.0 != Dropped::KIND {
            return self.about(record) == Some(message);
        }
        let Some(dropped) = Dropped::decode(record.meta_version, record.meta) else { return false };
        let orus = self.messages.get(&message).into_iter().flat_map(|message| &message.orus);
        orus.filter_map(|number| Some((*number, self.orus.get(number)?))).any(|(number, oru)| {
            number <= dropped.upto
                && *oru.destination == dropped.destination
                && oru.standing == Way::Discarded
        })
    }

    fn record(&mut self, record: &RecordRef<'_>) {
        let (version, meta, number) = (record.meta_version, record.meta, record.sequence.0);
        match record.kind.0 {
            Chunk::KIND => {
                if let Some(chunk) = Chunk::decode(version, meta) {
                    self.chunk(&chunk, number, record.payload.len() as u64);
                }
            }
            Abandoned::KIND => {
                if let Some(Abandoned { message }) = Abandoned::decode(version, meta) {
                    self.name(message, Named::Message);
                    self.messages.entry(message).or_default().complete.get_or_insert(false);
                }
            }
            Outcome::KIND => {
                if let Some(outcome) = Outcome::decode(version, meta) {
                    self.outcome(&outcome, number, record.carried);
                }
            }
            Observed::KIND => {
                if let Some(observed) = Observed::decode(version, meta) {
                    self.outcome(&observed.into(), number, record.carried);
                }
            }
            Oru::KIND => {
                if let Some(oru) = Oru::decode(version, meta) {
                    self.oru(&oru, number, record.carried);
                }
            }
            Delivery::KIND => {
                if let Some(delivery) = Delivery::decode(version, meta) {
                    let way = match delivery.result {
                        DeliveryResult::Delivered(code) => Way::Delivered(code),
                        DeliveryResult::Parked(why) => Way::Parked(why),
                    };
                    self.stands(delivery.oru, way);
                }
            }
            NeverSent::KIND => {
                if let Some(NeverSent { oru }) = NeverSent::decode(version, meta) {
                    self.name(oru, Named::Oru);
                }
            }
            ParkedSettled::KIND => {
                if let Some(settled) = ParkedSettled::decode(version, meta) {
                    if let Sending::Anew(new) = settled.how {
                        self.fresh.retain(|number| *number != new);
                    }
                    let way = match settled.how {
                        Sending::Again => Way::Waiting,
                        Sending::Anew(new) => Way::Anew(new),
                        Sending::Superseded => Way::Superseded,
                        Sending::Discarded(_) => Way::Discarded,
                    };
                    self.stands(settled.oru, way);
                }
            }
            Dropped::KIND => {
                if let Some(dropped) = Dropped::decode(version, meta) {
                    for (_, oru) in self.orus.range_mut(..=dropped.upto) {
                        if *oru.destination == dropped.destination
                            && matches!(oru.standing, Way::Waiting | Way::Parked(_))
                        {
                            oru.standing = Way::Discarded;
                        }
                    }
                }
            }
            Hold::KIND => {
                if let Some(hold) = Hold::decode(version, meta) {
                    self.hold(hold, number, record.carried);
                }
            }
            HoldSettled::KIND => {
                if let Some(settled) = HoldSettled::decode(version, meta) {
                    self.name(settled.hold, Named::Hold);
                    self.hold_settled(&settled);
                }
            }
            Redriven::KIND => {
                if let Some(redriven) = Redriven::decode(version, meta) {
                    self.name(redriven.hold, Named::Hold);
                }
            }
            _ => {}
        }
    }

    fn chunk(&mut self, chunk: &Chunk, number: u64, bytes: u64) {
        let instrument = self.interned(&chunk.instrument);
        let message = self.messages.entry(chunk.message).or_default();
        // A copy of one that is known, or of one before those that are.
        let Err(at) = message.chunks.binary_search(&number) else { return };
        message.chunks.insert(at, number);
        message.bytes += bytes;
        message.begins |= chunk.first;
        message.instrument = instrument;
        if at == 0 {
            (message.received, message.clock) = (chunk.received, chunk.clock);
        }
        if chunk.end.is_some() {
            message.complete = chunk.end;
        }
    }

    fn outcome(&mut self, outcome: &Outcome, sequence: u64, copied: bool) {
        self.name(outcome.message, Named::Message);
        let instrument = self.interned(&outcome.instrument);
        let fresh = std::mem::take(&mut self.fresh);
        let records: Vec<u64> =
            fresh.into_iter().filter(|number| self.message_of(*number) == Some(outcome.message)).collect();
        let message = self.messages.entry(outcome.message).or_default();
        if message.told.iter().any(|told| told.sequence == sequence) {
            return;
        }
        message.instrument = instrument;
        // The same again: the journal had it although its writer was told that it might not have it. The later counts.
        if let Some(at) = message.told.iter().position(|told| told.released == outcome.released) {
            let before = message.told.remove(at);
            message.fates.take(&before.fates);
            let gone = |number: &u64| before.records.contains(number);
            message.orus.retain(|number| !gone(number));
            message.holds.retain(|number| !gone(number));
            self.orus.retain(|number, _| !gone(number));
            self.holds.retain(|number, _| !gone(number));
        }
        let fates = Fates::of(outcome.dispositions.iter().map(|disposition| &disposition.fate));
        message.fates.add(&fates);
        let last =
            outcome.dispositions.iter().map(|disposition| disposition.observation.saturating_add(1)).max();
        message.observed = message.observed.max(last.unwrap_or(0));
        let in_orus = (!outcome.towards.is_empty()).then(|| in_orus(outcome));
        message.told.push(Told { sequence, released: outcome.released, fates, records, in_orus, copied });
        for disposition in &outcome.dispositions {
            if let Fate::Held(hold) = disposition.fate {
                self.name(hold, Named::Hold);
            }
        }
    }

    fn oru(&mut self, oru: &Oru, number: u64, carried: bool) {
        if self.orus.contains_key(&number) {
            return;
        }
        self.name(oru.message, Named::Message);
        let destination = self.interned(&oru.destination);
        self.messages.entry(oru.message).or_default().orus.push(number);
        let made = Made {
            destination,
            message: oru.message,
            observations: oru.observations,
            at: oru.at,
            standing: Way::Waiting,
        };
        self.orus.insert(number, made);
        if !carried {
            self.fresh.push(number);
        }
    }

    fn hold(&mut self, hold: Hold, number: u64, carried: bool) {
        if self.holds.contains_key(&number) {
            return;
        }
        self.name(hold.message, Named::Message);
        let instrument = self.interned(&hold.instrument);
        let message = self.messages.entry(hold.message).or_default();
        message.holds.push(number);
        message.instrument = instrument;
        let observations = u32::try_from(hold.observations.len()).unwrap_or(u32::MAX);
        self.holds
            .insert(number, Held { message: hold.message, reason: hold.reason, observations, settled: None });
        if !carried {
            self.fresh.push(number);
        }
    }

    fn hold_settled(&mut self, settled: &HoldSettled) {
        let Some(hold) = self.holds.get_mut(&settled.hold).filter(|hold| hold.settled.is_none()) else {
            return;
        };
        hold.settled = Some(settled.how.clone());
        let (number, count) = (hold.message, hold.observations);
        let fates = &mut self.messages.entry(number).or_default().fates;
        match settled.how {
            Settlement::Released => {} // The outcome in the same batch counts them.
            Settlement::Discarded(_) => fates.discarded += count,
            Settlement::Superseded => fates.superseded += count,
        }
    }

    fn stands(&mut self, oru: u64, way: Way) {
        self.name(oru, Named::Oru);
        if let Some(made) = self.orus.get_mut(&oru) {
            made.standing = way;
        }
    }

    fn name(&mut self, number: u64, named: Named) {
        let known = match named {
            Named::Message => self.messages.contains_key(&number),
            Named::Oru => self.orus.contains_key(&number),
            Named::Hold => self.holds.contains_key(&number),
        };
        if !known {
            self.named.insert(number, named);
        }
    }

    fn interned(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return known.clone();
        }
        let name: Arc<str> = name.into();
        self.names.insert(name.clone());
        name
    }
}

/// How many observations are in ORUs, whichever destination got each.
fn in_orus(outcome: &Outcome) -> u32 {
    let orus = outcome.towards.iter().flat_map(|towards| &towards.orus);
    let all: BTreeSet<u32> =
        orus.flat_map(|(_, written)| written).map(|(observation, _)| *observation).collect();
    u32::try_from(all.len()).unwrap_or(u32::MAX)
}
