//! ORUs on their way: one queue for each destination, and what must be known of each ORU until it is settled.
//!
//! Promises that an ORU is in exactly one place, waiting or parked, until it was delivered or a person settled it, and
//! that a record which says so twice changes nothing the second time.

use crate::records::{Delivery, DeliveryResult, Dropped, Oru, ParkedSettled, Sending};
use orugate_journal::Location;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// One destination's own progress.
#[derive(Debug, Default)]
pub struct Queue {
    /// ORUs to deliver, in order, with the number of observations and when they were made.
    pub waiting: BTreeMap<u64, Waiting>,
    /// ORUs that wait for a person, and why.
    pub parked: BTreeMap<u64, (Waiting, String)>,
    /// ORUs made for it, but for those that a person took out.
    pub orus: u64,
    /// ORUs delivered.
    pub delivered: u64,
    /// Observations in them.
    pub delivered_observations: u64,
    /// Observations in `orus`.
    pub observations: u64,
    /// ORUs that a person gave up.
    pub given_up: u64,
    /// Observations in them.
    pub given_up_observations: u64,
}

impl Queue {
    /// ORUs that are not settled.
    #[must_use]
    pub fn unsettled(&self) -> usize {
        self.waiting.len() + self.parked.len()
    }

    fn taken_out(&mut self, oru: Waiting) {
        self.orus = self.orus.saturating_sub(1);
        self.observations = self.observations.saturating_sub(u64::from(oru.observations));
    }

    fn gave_up(&mut self, oru: Waiting) {
        self.taken_out(oru);
        self.given_up += 1;
        self.given_up_observations += u64::from(oru.observations);
    }
}

/// An ORU in a queue.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    /// Where it is.
    pub at: Location,
    /// Observations in it.
    pub observations: u32,
    /// When it was made, microseconds since 1970.
    pub made: i64,
}

/// What is known of an ORU that is not delivered.
#[derive(Clone, Debug)]
pub struct Made {
    /// For whom.
    pub destination: Arc<str>,
    /// The message that it came from.
    pub message: u64,
    /// The order group in that message.
    pub group: u16,
    /// Observations in it.
    pub observations: u32,
    /// No byte of it was sent: its destination's charset does not have a character of it.
    pub never_sent: bool,
    /// What it was decided with.
    pub origin: Option<Origin>,
}

/// The outcome that an ORU belongs to.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The instrument's name.
    pub instrument: Arc<str>,
    /// The outcome's own number.
    pub number: u64,
    /// Where the outcome is.
    pub outcome: Location,
    /// Which of the outcome's dispositions are its group's, counting those that were sent. Only for outcomes that do not say
    /// themselves what is in each ORU.
    pub sent: Range<usize>,
}

/// All queues.
#[derive(Debug, Default)]
pub(super) struct Queues {
    pub(super) destinations: BTreeMap<Arc<str>, Queue>,
    pub(super) orus: BTreeMap<u64, Made>,
    /// Made since the last outcome; that of their own is behind them in the same batch.
    fresh: Vec<u64>,
}

impl Queues {
    pub(super) fn of(&self, destination: &str) -> Option<&Queue> {
        self.destinations.get(destination)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &Queue)> {
        self.destinations.iter().map(|(name, queue)| (&**name, queue))
    }

    pub(super) fn made(&self, oru: u64) -> Option<&Made> {
        self.orus.get(&oru)
    }

    pub(super) fn oru(&mut self, oru: &Oru, sequence: u64, at: Location) {
        let destination: Arc<str> = match self.destinations.get_key_value(oru.destination.as_str()) {
            Some((name, _)) => name.clone(),
            None => oru.destination.as_str().into(),
        };
        let queue = self.destinations.entry(destination.clone()).or_default();
        queue.waiting.insert(sequence, Waiting { at, observations: oru.observations, made: oru.at });
        queue.orus += 1;
        queue.observations += u64::from(oru.observations);
        let made = Made {
            destination,
            message: oru.message,
            group: oru.group,
            observations: oru.observations,
            never_sent: false,
            origin: None,
        };
        self.orus.insert(sequence, made);
        self.fresh.push(sequence);
    }

    /// Ties the ORUs before an outcome to it. What is sent is mostly sent to at least one destination whole, so what one of them
    /// gets of each group says how many of the outcome's sent observations are that group's. An outcome of today says
    /// itself what is in each ORU.
    pub(super) fn outcome(&mut self, message: u64, instrument: &Arc<str>, number: u64, outcome: Location) {
        let mut longest: BTreeMap<u16, usize> = BTreeMap::new();
        let mut fresh = std::mem::take(&mut self.fresh);
        fresh.retain(|number| self.orus.get(number).is_some_and(|made| made.message == message));
        let mut got: BTreeMap<(u16, &str), usize> = BTreeMap::new();
        for made in fresh.iter().filter_map(|number| self.orus.get(number)) {
            *got.entry((made.group, &*made.destination)).or_default() += made.observations as usize;
        }
        for ((group, _), observations) in got {
            let count = longest.entry(group).or_default();
            *count = (*count).max(observations);
        }
        for oru in fresh {
            let Some(made) = self.orus.get_mut(&oru) else { continue };
            let start: usize = longest.range(..made.group).map(|(_, count)| *count).sum();
            let end = start.saturating_add(longest.get(&made.group).copied().unwrap_or(0));
            made.origin = Some(Origin { instrument: instrument.clone(), number, outcome, sent: start..end });
        }
    }

    pub(super) fn never_sent(&mut self, oru: u64) {
        if let Some(made) = self.orus.get_mut(&oru) {
            made.never_sent = true;
        }
    }

    pub(super) fn delivery(&mut self, delivery: &Delivery) {
        let Some(made) = self.orus.get(&delivery.oru) else { return };
        let Some(queue) = self.destinations.get_mut(&made.destination) else { return };
        match &delivery.result {
            DeliveryResult::Delivered(_) => {
                queue.waiting.remove(&delivery.oru);
                queue.parked.remove(&delivery.oru);
                queue.delivered += 1;
                queue.delivered_observations += u64::from(made.observations);
                self.orus.remove(&delivery.oru);
            }
            DeliveryResult::Parked(why) => {
                if let Some(waiting) = queue.waiting.remove(&delivery.oru) {
                    queue.parked.insert(delivery.oru, (waiting, why.clone()));
                }
            }
        }
    }

    /// ORUs at such places are gone; how many.
    pub(super) fn thinned(&mut self, gone: &dyn Fn(&Location) -> bool) -> u64 {
        let mut count = 0;
        for queue in self.destinations.values_mut() {
            let waiting = queue.waiting.iter().map(|(number, oru)| (*number, *oru));
            let parked = queue.parked.iter().map(|(number, (oru, _))| (*number, *oru));
            for (number, oru) in waiting.chain(parked).filter(|(_, oru)| gone(&oru.at)).collect::<Vec<_>>() {
                queue.waiting.remove(&number);
                queue.parked.remove(&number);
                queue.taken_out(oru);
                self.orus.remove(&number);
                count += 1;
            }
        }
        count
    }

    /// Places of all ORUs that are not settled.
    pub(super) fn places(&self) -> impl Iterator<Item = &Location> {
        let waiting = self.destinations.values().flat_map(|queue| queue.waiting.values());
        let parked = self.destinations.values().flat_map(|queue| queue.parked.values());
        waiting.chain(parked.map(|(parked, _)| parked)).map(|waiting| &waiting.at)
    }

    /// An ORU is at another place now. One that is not known was not delivered when it was copied; whether it is parked or
    /// may go, nobody knows.
    pub(super) fn moved(&mut self, oru: &Oru, number: u64, at: Location) {
        if !self.orus.contains_key(&number) {
            self.oru(oru, number, at);
            self.fresh.retain(|fresh| *fresh != number);
            let why = "the journal was damaged, and whether it was sent is not known any more. Ask those who look after \
                the engine whether it has this number; then send or discard it"
                .to_owned();
            self.delivery(&Delivery { oru: number, at: oru.at, result: DeliveryResult::Parked(why) });
            return;
        }
        for queue in self.destinations.values_mut() {
            if let Some(waiting) = queue.waiting.get_mut(&number) {
                waiting.at = at;
            } else if let Some((parked, _)) = queue.parked.get_mut(&number) {
                parked.at = at;
            }
        }
    }

    /// An outcome is at another place now.
    pub(super) fn outcome_moved(&mut self, number: u64, at: Location) {
        for made in self.orus.values_mut() {
            if let Some(origin) = made.origin.as_mut().filter(|origin| origin.number == number) {
                origin.outcome = at;
            }
        }
    }

    /// True when something waits for delivery now that did not.
    pub(super) fn parked_settled(&mut self, settled: &ParkedSettled) -> bool {
        if let Sending::Anew(new) = settled.how {
            self.fresh.retain(|fresh| *fresh != new);
            let origin = self.orus.get(&settled.oru).and_then(|made| made.origin.clone());
            if let Some(made) = self.orus.get_mut(&new) {
                made.origin = origin;
            }
        }
        let Some(made) = self.orus.get(&settled.oru) else { return false };
        let Some(queue) = self.destinations.get_mut(&made.destination) else { return false };
        let Some((waiting, _)) = queue.parked.remove(&settled.oru) else { return false };
        match settled.how {
            Sending::Again => {
                queue.waiting.insert(settled.oru, waiting);
                return true;
            }
            Sending::Anew(_) | Sending::Superseded => queue.taken_out(waiting),
            Sending::Discarded(_) => queue.gave_up(waiting),
        }
        self.orus.remove(&settled.oru);
        false
    }

    pub(super) fn dropped(&mut self, dropped: &Dropped) {
        let Some(queue) = self.destinations.get_mut(dropped.destination.as_str()) else { return };
        let waiting = queue.waiting.range(..=dropped.upto).map(|(number, oru)| (*number, *oru));
        let parked = queue.parked.range(..=dropped.upto).map(|(number, (oru, _))| (*number, *oru));
        for (number, oru) in waiting.chain(parked).collect::<Vec<_>>() {
            queue.waiting.remove(&number);
            queue.parked.remove(&number);
            queue.gave_up(oru);
            self.orus.remove(&number);
        }
    }
}
