//! Outcomes that the journal tells twice.
//!
//! A commit whose two attempts both failed may stand on flash all the same (the journal's FORMAT.md, "Reading", 4). The
//! interpretation was told that nobody knows, and tried again: the same message, other numbers. Promises that the later
//! outcome counts alone: the ORUs, holds and counts of the earlier one are taken back, so nothing is delivered twice.
//! Nobody can have acted on the earlier one, since the process that wrote it never had it in its state, and a process
//! that finds it at its start does not interpret the message again. Leaves out what the earlier one taught about
//! resends, which the later one says again, and outcomes further apart than [`KEPT`].

use super::{Counts, Message, OpenHold, State};
use crate::records::Outcome;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Outcomes that are remembered. A disk that failed twice takes no other outcome in between, or few.
const KEPT: usize = 256;

/// A message, and the hold whose release led to the outcome.
type Key = (u64, Option<u64>);

/// The latest outcomes.
#[derive(Debug, Default)]
pub(super) struct Told {
    made: BTreeMap<Key, Made>,
    order: VecDeque<Key>,
    /// ORUs and holds since the last outcome: those of the batch that the next outcome closes.
    batch: Vec<u64>,
}

/// What one outcome changed.
#[derive(Debug, Default)]
struct Made {
    instrument: Arc<str>,
    counts: Counts,
    /// Its ORUs and holds.
    records: Vec<u64>,
    /// The hold that it settled.
    settled: Option<(u64, OpenHold)>,
    /// Its message, once nothing needed it any more.
    message: Option<Message>,
}

impl Told {
    /// An ORU or a hold of the outcome that follows.
    pub(super) fn record(&mut self, sequence: u64) {
        self.batch.push(sequence);
    }

    /// An ORU that was made anew for a parked one, without an outcome.
    pub(super) fn not_of_an_outcome(&mut self, oru: u64) {
        self.batch.retain(|number| *number != oru);
    }

    /// What an outcome did to its instrument's counts.
    pub(super) fn outcome(&mut self, outcome: &Outcome, instrument: Arc<str>, counts: Counts) {
        let key = (outcome.message, outcome.released);
        let records = std::mem::take(&mut self.batch);
        self.made.insert(key, Made { instrument, counts, records, ..Made::default() });
        self.order.push_back(key);
        if self.order.len() > KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.made.remove(&oldest);
        }
    }

    /// A release settled this hold.
    pub(super) fn settled(&mut self, hold: u64, open: &OpenHold) {
        if let Some(made) = self.made.get_mut(&(open.hold.message, Some(hold))) {
            made.settled = Some((hold, open.clone()));
        }
    }

    /// Nothing needs this message any more, after its latest outcome.
    pub(super) fn forgotten(&mut self, number: u64, message: Message) {
        let last = self.order.iter().rev().find(|(of, _)| *of == number);
        if let Some(made) = last.and_then(|key| self.made.get_mut(key)) {
            made.message = Some(message);
        }
    }
}

impl State {
    /// Takes back what an earlier outcome of the same message made, if there was one.
    pub(super) fn take_back(&mut self, outcome: &Outcome) {
        let key = (outcome.message, outcome.released);
        let Some(made) = self.told.made.remove(&key) else { return };
        self.told.order.retain(|known| *known != key);
        for number in made.records {
            self.holds.remove(&number);
            self.queues.take_back(number);
        }
        let counts = self.ledger.entry(made.instrument).or_default();
        *counts = counts.with(&made.counts, u64::saturating_sub);
        if let Some((number, open)) = made.settled {
            counts.held += open.hold.observations.len() as u64;
            self.holds.insert(number, open);
        }
        if let Some(message) = made.message {
            self.messages.entry(outcome.message).or_insert(message);
        }
        let holds = self.holds.values().filter(|open| open.hold.message == outcome.message).count();
        if let Some(message) = self.messages.get_mut(&outcome.message) {
            message.holds = u32::try_from(holds).unwrap_or(u32::MAX);
            if outcome.released.is_none() {
                self.pending.insert(outcome.message);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::records::{
        Chunk, Delivery, DeliveryResult, Disposition, Fate, Hold, HoldSettled, Oru, Outcome, Provenance,
        Settlement,
    };
    use crate::state::State;
    use crate::store::{Entry, Store};
    use orugate_journal::model::{Crash, ModelDisk};
    use orugate_journal::{AppendError, Journal, Options, Reserved, UnixMillis};
    use std::fmt::Write as _;

    /// What of a state decides what is done next.
    fn told(state: &State) -> String {
        let mut text = String::new();
        for (name, queue) in state.queues() {
            let (waiting, parked): (Vec<_>, Vec<_>) =
                (queue.waiting.keys().collect(), queue.parked.keys().collect());
            let counts = (queue.orus, queue.delivered, queue.observations, queue.delivered_observations);
            let _ = writeln!(text, "{name} {waiting:?} {parked:?} {counts:?}");
        }
        let holds: Vec<u64> = state.holds().map(|(number, _)| number).collect();
        let messages: Vec<_> = state.messages.iter().map(|(n, m)| (n, m.holds, m.chunks.len())).collect();
        let counts: Vec<_> = state.ledger().collect();
        let _ = writeln!(text, "{holds:?} {messages:?} {:?} {counts:?}", state.pending().collect::<Vec<_>>());
        text
    }

    fn message(store: &Store) -> u64 {
        let number = store.reserve().unwrap();
        let message = number.get().0;
        let chunk = Chunk {
            message,
            instrument: "one".to_owned(),
            received: 1,
            clock: 0,
            first: true,
            end: Some(true),
        };
        let _ = store.append_wait(vec![Entry::new(&chunk).numbered(number)], None).unwrap();
        message
    }

    /// A batch with one result that is sent, and one more that is held unless a hold is released.
    fn outcome(store: &Store, message: u64, released: Option<u64>) -> (Vec<Entry>, u64, u64) {
        let number = |reserved: &Reserved| reserved.get().0;
        let (oru, hold) = (store.reserve().unwrap(), store.reserve().unwrap());
        let (oru_number, hold_number) = (number(&oru), number(&hold));
        let fates = [Fate::Sent, Fate::Held(hold_number)];
        let fates = if released.is_some() { &fates[..1] } else { &fates[..] };
        let dispositions = (0u32..).zip(fates).map(|(observation, fate)| Disposition {
            observation,
            identity: None,
            content: 0,
            is_final: true,
            filler: 1,
            fate: fate.clone(),
        });
        let outcome = Outcome {
            message,
            instrument: "one".to_owned(),
            at: 1,
            provenance: Provenance::default(),
            dispositions: dispositions.collect(),
            fillers: Vec::new(),
            released,
        };
        let meta = Oru { destination: "engine".to_owned(), message, group: 0, observations: 1, at: 1 };
        let mut entries = vec![Entry::with_payload(&meta, b"MSH".to_vec()).numbered(oru)];
        match released {
            None => {
                let meta = Hold {
                    message,
                    instrument: "one".to_owned(),
                    reason: "no-sample".to_owned(),
                    sentence: "No sample.".to_owned(),
                    observations: vec![(1, "GLU".to_owned())],
                    rest_from: None,
                    at: 1,
                };
                entries.extend([Entry::new(&meta).numbered(hold), Entry::new(&outcome)]);
            }
            Some(hold) => {
                let how = Settlement::Released;
                let settled = HoldSettled { hold, actor: "uid 0".to_owned(), at: 1, how };
                entries.extend([Entry::new(&outcome), Entry::new(&settled)]);
            }
        }
        (entries, oru_number, hold_number)
    }

    fn store(disk: &ModelDisk) -> Store {
        let options = Options {
            segment_size: 256 << 10,
            max_commit: 192 << 10,
            soon: std::time::Duration::ZERO,
            ..Options::default()
        };
        if disk.names().is_empty() {
            drop(Journal::create(disk.clone(), UnixMillis(1_795_305_600_000), options.clone()).unwrap());
        }
        Store::open(disk.clone(), options).unwrap().0
    }

    fn delivered(oru: u64) -> Vec<Entry> {
        vec![Entry::new(&Delivery { oru, at: 1, result: DeliveryResult::Delivered("AA".to_owned()) })]
    }

    /// Each time the sync failed twice, the bytes reached the disk, and the outcome is stored again later.
    fn plays(released: bool) {
        let disk = ModelDisk::new();
        let store = store(&disk);
        let message = message(&store);
        let mut release = None;
        if released {
            let (entries, oru, hold) = outcome(&store, message, None);
            let _ = store.append_wait(entries, None).unwrap();
            let _ = store.append_wait(delivered(oru), None).unwrap();
            release = Some(hold);
        }
        for _ in 0..2 {
            disk.fail_syncs_from(1);
            let failed = store.append_wait(outcome(&store, message, release).0, None);
            assert!(matches!(failed, Err(AppendError::Failed(_))), "{failed:?}");
            disk.fail_syncs_from(0);
        }
        let (entries, oru, _) = outcome(&store, message, release);
        let _ = store.append_wait(entries, None).unwrap();
        let check = |what: &str| {
            let found = super::tests::store(&disk.crash(disk.steps(), Crash::Kept));
            let (running, started) = (told(&store.state()), told(&found.state()));
            assert_eq!(running, started, "{what}");
        };
        check("before its delivery");
        let _ = store.append_wait(delivered(oru), None).unwrap();
        check("after its delivery");
        assert!(store.state().queues().all(|(_, queue)| queue.waiting.is_empty()));
    }

    #[test]
    fn an_outcome_that_was_found_and_stored_again_counts_once() {
        plays(false);
    }

    #[test]
    fn a_release_that_was_found_and_stored_again_counts_once() {
        plays(true);
    }
}
