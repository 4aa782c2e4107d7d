//! The state as bytes, for the journal's checkpoints, so that a start need not read the whole log. What was sent before (the
//! history) is not in it: it is large, and the outcomes that it comes from stay in the log.
//!
//! The structs here are a disk format of their own: when one changes, [`VERSION`] does, and checkpoints of another version
//! are refused. Then the log is read from its beginning.

use super::queues::{Made, Origin, Queue, Waiting};
use super::{Bedside, Counts, Message, OpenHold, Session, Standing, State, Thinned, Unsent, Verifications};
use crate::records::{DeviceClock, Hold};
use orugate_journal::Location;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

const VERSION: u8 = 7;

#[derive(Serialize, Deserialize)]
struct Saved {
    messages: Vec<(u64, SavedMessage)>,
    pending: Vec<u64>,
    destinations: Vec<SavedQueue>,
    orus: Vec<(u64, SavedOru)>,
    holds: Vec<SavedHold>,
    ledger: Vec<(String, Counts)>,
    clocks: Vec<(String, Vec<DeviceClock>)>,
    newest: i64,
    recovered: Vec<(u64, u32)>,
    unknown: Vec<(u64, Location)>,
    verifications: Vec<(u64, Session)>,
    bedside: Vec<(String, SavedBedside)>,
    thinned: Thinned,
}

#[derive(Serialize, Deserialize)]
struct SavedBedside {
    last: Vec<SavedStanding>,
    once: Vec<(u64, i64)>,
    unsent: Option<Unsent>,
}

#[derive(Serialize, Deserialize)]
struct SavedStanding {
    number: u64,
    message: SavedMessage,
    source: u64,
    heard: i64,
}

#[derive(Serialize, Deserialize)]
struct SavedMessage {
    instrument: String,
    chunks: Vec<(u64, Location)>,
    received: i64,
    until: i64,
    clock: u8,
    complete: Option<bool>,
    holds: u32,
}

#[derive(Serialize, Deserialize)]
struct SavedHold {
    number: u64,
    hold: Hold,
    at: Location,
    waits: Vec<u128>,
    overtaken: usize,
}

#[derive(Serialize, Deserialize)]
struct SavedQueue {
    name: String,
    orus: u64,
    delivered: u64,
    delivered_observations: u64,
    observations: u64,
    given_up: u64,
    given_up_observations: u64,
}

#[derive(Serialize, Deserialize)]
struct SavedOru {
    /// Place in the list of destinations.
    destination: u32,
    message: u64,
    group: u16,
    observations: u32,
    never_sent: bool,
    origin: Option<SavedOrigin>,
    at: Location,
    made: i64,
    /// Why it is parked; `None` while it waits.
    parked: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct SavedOrigin {
    instrument: String,
    number: u64,
    outcome: Location,
    sent: Range<usize>,
}

impl State {
    /// The state but for the history.
    #[must_use]
    pub fn checkpoint(&self) -> Vec<u8> {
        let saved = Saved {
            messages: self
                .messages
                .iter()
                .map(|(number, message)| (*number, SavedMessage::of(message)))
                .collect(),
            pending: self.pending.iter().copied().collect(),
            destinations: self.queues.all().map(|(name, queue)| SavedQueue::of(name, queue)).collect(),
            orus: self.saved_orus(),
            holds: self.holds.iter().map(|(number, open)| SavedHold::of(*number, open)).collect(),
            ledger: self.ledger.iter().map(|(name, counts)| (name.to_string(), *counts)).collect(),
            clocks: self.clocks.iter().map(|(name, seen)| (name.to_string(), seen.clone())).collect(),
            newest: self.newest,
            recovered: self.recovered.iter().map(|(number, attempts)| (*number, *attempts)).collect(),
            unknown: self.unknown.iter().map(|(number, at)| (*number, *at)).collect(),
            verifications: self.verifications.saved(),
            bedside: self.bedside.iter().map(|(name, device)| (name.to_string(), device.into())).collect(),
            thinned: self.thinned,
        };
        // Postcard fails only on types that these structs do not use; then there is no checkpoint.
        postcard::to_extend(&saved, vec![VERSION]).unwrap_or_default()
    }

    /// The reverse; `None` for another version.
    #[must_use]
    pub fn restored(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let saved: Saved = (*version == VERSION).then(|| postcard::from_bytes(rest).ok()).flatten()?;
        let mut state = Self {
            pending: saved.pending.into_iter().collect::<BTreeSet<_>>(),
            holds: saved.holds.into_iter().map(SavedHold::restored).collect(),
            ledger: saved.ledger.into_iter().map(|(name, counts)| (name.into(), counts)).collect(),
            clocks: saved.clocks.into_iter().map(|(name, seen)| (name.into(), seen)).collect(),
            newest: saved.newest,
            recovered: saved.recovered.into_iter().collect(),
            unknown: saved.unknown.into_iter().collect(),
            verifications: Verifications::restored(saved.verifications),
            bedside: saved
                .bedside
                .into_iter()
                .map(|(name, device)| (name.into(), device.restored()))
                .collect(),
            thinned: saved.thinned,
            messages: saved
                .messages
                .into_iter()
                .map(|(number, message)| (number, message.restored()))
                .collect(),
            ..Self::default()
        };
        let mut names = Vec::new();
        for queue in saved.destinations {
            let name: std::sync::Arc<str> = queue.name.as_str().into();
            names.push(name.clone());
            state.queues.destinations.insert(name, queue.restored());
        }
        for (number, oru) in saved.orus {
            let destination = names.get(usize::try_from(oru.destination).ok()?)?.clone();
            let queue = state.queues.destinations.get_mut(&destination)?;
            let waiting = Waiting { at: oru.at, observations: oru.observations, made: oru.made };
            match oru.parked {
                Some(why) => queue.parked.insert(number, (waiting, why)).map(drop),
                None => queue.waiting.insert(number, waiting).map(drop),
            };
            let origin = oru.origin.map(|origin| Origin {
                instrument: origin.instrument.into(),
                number: origin.number,
                outcome: origin.outcome,
                sent: origin.sent,
            });
            let made = Made {
                destination,
                message: oru.message,
                group: oru.group,
                observations: oru.observations,
                never_sent: oru.never_sent,
                origin,
            };
            state.queues.orus.insert(number, made);
        }
        Some(state)
    }

    fn saved_orus(&self) -> Vec<(u64, SavedOru)> {
        let names: BTreeMap<&str, u32> =
            (0..).zip(self.queues.all()).map(|(place, (name, _))| (name, place)).collect();
        let saved = |(number, made): (&u64, &Made)| {
            let queue = self.queues.of(&made.destination)?;
            let (waiting, parked) = match (queue.waiting.get(number), queue.parked.get(number)) {
                (Some(waiting), _) => (waiting, None),
                (None, Some((waiting, why))) => (waiting, Some(why.clone())),
                (None, None) => return None,
            };
            let origin = made.origin.as_ref().map(|origin| SavedOrigin {
                instrument: origin.instrument.to_string(),
                number: origin.number,
                outcome: origin.outcome,
                sent: origin.sent.clone(),
            });
            let oru = SavedOru {
                destination: names.get(&*made.destination).copied()?,
                message: made.message,
                group: made.group,
                observations: made.observations,
                never_sent: made.never_sent,
                origin,
                at: waiting.at,
                made: waiting.made,
                parked,
            };
            Some((*number, oru))
        };
        self.queues.orus.iter().filter_map(saved).collect()
    }
}

impl SavedMessage {
    fn of(message: &Message) -> Self {
        Self {
            instrument: message.instrument.to_string(),
            chunks: message.chunks.clone(),
            received: message.received,
            until: message.until,
            clock: message.clock,
            complete: message.complete,
            holds: message.holds,
        }
    }

    fn restored(self) -> Message {
        let Self { instrument, chunks, received, until, clock, complete, holds } = self;
        Message { instrument: instrument.into(), chunks, received, until, clock, complete, holds }
    }
}

impl From<&Bedside> for SavedBedside {
    fn from(device: &Bedside) -> Self {
        let Bedside { last, once, unsent } = device;
        let saved = |Standing { number, message, source, heard }: &Standing| SavedStanding {
            number: *number,
            message: SavedMessage::of(message),
            source: *source,
            heard: *heard,
        };
        Self { last: last.iter().map(saved).collect(), once: once.clone(), unsent: unsent.clone() }
    }
}

impl SavedBedside {
    fn restored(self) -> Bedside {
        let Self { last, once, unsent } = self;
        let restored = |SavedStanding { number, message, source, heard }| Standing {
            number,
            message: message.restored(),
            source,
            heard,
        };
        Bedside { last: last.into_iter().map(restored).collect(), once, unsent }
    }
}

impl SavedHold {
    fn of(number: u64, open: &OpenHold) -> Self {
        let OpenHold { hold, at, waits, overtaken } = open.clone();
        Self { number, hold, at, waits, overtaken }
    }

    fn restored(self) -> (u64, OpenHold) {
        let Self { number, hold, at, waits, overtaken } = self;
        (number, OpenHold { hold, at, waits, overtaken })
    }
}

impl SavedQueue {
    fn of(name: &str, queue: &Queue) -> Self {
        let Queue {
            waiting: _,
            parked: _,
            orus,
            delivered,
            delivered_observations,
            observations,
            given_up,
            given_up_observations,
        } = *queue;
        let name = name.to_owned();
        Self { name, orus, delivered, delivered_observations, observations, given_up, given_up_observations }
    }

    fn restored(self) -> Queue {
        Queue {
            orus: self.orus,
            delivered: self.delivered,
            delivered_observations: self.delivered_observations,
            observations: self.observations,
            given_up: self.given_up,
            given_up_observations: self.given_up_observations,
            ..Queue::default()
        }
    }
}
