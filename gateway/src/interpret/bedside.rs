//! Messages of bedside devices: many instruments' in one batch of the journal.
//!
//! Promises that one batch holds at most one message of each instrument, in the instrument's order, so that each is compared
//! with the one before it; and that a driver which fails on a message costs that message alone. What came of it is in the
//! journal's lane of the message itself. Nothing of a bedside device is held for a person: a value that could not be sent is
//! taken again a minute later, and the next message withdraws what does not hold any more.

use super::thread::Hand;
use super::{JournalNumbers, Subject, Tell, Worker, stored};
use crate::bedside::{Observation, Previous, Rules, Task};
use crate::convert::Target;
use crate::interpret::Asked;
use crate::records::{Observed, Oru};
use crate::state::Message;
use crate::store::Entry;
use orugate_journal::{AppendError, Lane};
use orugate_protocol::time::Utc;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Messages in one batch.
const MOST: usize = 64;

/// What became of one message.
struct Seen {
    instrument: String,
    number: u64,
    entries: Vec<Entry>,
    sent: usize,
    notes: Vec<String>,
}

impl Worker {
    /// Works off what waits of bedside devices; true when something did.
    pub(super) fn observe(&self, hand: &mut Hand) -> Result<bool, AppendError> {
        let lineup = self.lineup.get();
        let batch = self.next_bedside(hand, |name| lineup.subject(name).is_some_and(Subject::is_bedside));
        if batch.is_empty() {
            return Ok(false);
        }
        let mut entries = Vec::new();
        let mut all = Vec::new();
        for (number, message) in batch {
            let Some(subject) = lineup.subject(&message.instrument) else { continue };
            let Some(mut seen) = self.observe_one(hand, &lineup.plan, subject, number, &message)? else {
                return Ok(false);
            };
            entries.append(&mut seen.entries);
            all.push(seen);
        }
        let _ = self.store.append_wait_in(Lane::Snapshots, entries, self.time())?;
        for Seen { instrument, number, sent, notes, .. } in all {
            tracing::debug!(target: "orugate::way", %instrument, number, sent, "observed");
            for note in notes {
                (self.told)(&instrument, Tell::Note { kind: &note, sentence: &note });
            }
            (self.told)(&instrument, Tell::Done { sent, held: 0 });
        }
        Ok(true)
    }

    /// The oldest message that waits of each bedside instrument, but for those whose driver has not come back from one.
    fn next_bedside(&self, hand: &Hand, is_bedside: impl Fn(&str) -> bool) -> Vec<(u64, Message)> {
        let state = self.store.state();
        let mut taken = BTreeSet::new();
        let waiting = state.pending().filter_map(|number| Some((number, state.message(number)?)));
        waiting
            .filter(|(_, message)| {
                is_bedside(&message.instrument) && taken.insert(message.instrument.clone())
            })
            .filter(|(_, message)| !hand.must_wait(&message.instrument))
            .take(MOST)
            .map(|(number, message)| (number, message.clone()))
            .collect()
    }

    /// `None` when another thread has the work now.
    fn observe_one(
        &self,
        hand: &mut Hand,
        plan: &crate::config::Plan,
        subject: &Subject,
        number: u64,
        message: &Message,
    ) -> Result<Option<Seen>, AppendError> {
        let now = self.clock.stamp();
        let nothing = |why: &str| {
            let observed = Observed {
                message: number,
                instrument: subject.name.clone(),
                at: now.0,
                provenance: subject.provenance.clone(),
                why: why.to_owned(),
                ..Observed::default()
            };
            Seen {
                instrument: subject.name.clone(),
                number,
                entries: vec![Entry::new(&observed)],
                sent: 0,
                notes: vec![format!("nothing of a message was sent: {why}")],
            }
        };
        if !self.may_try(hand, Lane::Snapshots, number)? {
            return Ok(Some(nothing("the gateway died three times with it at hand")));
        }
        let Some((raw, ends)) = self.bytes(number, message) else {
            return Ok(Some(nothing("it cannot be read back from the journal")));
        };
        let device = self.store.state().bedside(&subject.name).cloned().unwrap_or_default();
        let targets: Vec<Target<'_>> =
            subject.targets.iter().map(|target| target.borrowed(&subject.name)).collect();
        let rules = Rules::default();
        let task = Task {
            interpreter: &*subject.interpreter,
            message: stored(&raw, &ends, message),
            previous: &[],
            instrument: &subject.name,
            // What is only described must not reach a chart before somebody has compared it.
            targets: if subject.asked == Asked::Proof { &[] } else { &targets },
            gateway: &plan.gateway.id,
            zone: &subject.zone,
            site_zone: &plan.gateway.timezone,
            key: self.store.journal().identity().hash_key(),
            rules: subject.bedside.as_ref().unwrap_or(&rules),
            once: &device.once,
            now,
        };
        if let Err(unfit) = hand.begin(number, &message.instrument) {
            return Ok(Some(nothing(unfit.sentence())));
        }
        let mut numbers = JournalNumbers { store: &self.store, reserved: Vec::new() };
        let observer = &mut hand.observer;
        let observed = catch_unwind(AssertUnwindSafe(|| {
            let source = observer.source(&task);
            // Those that are compared with it, and those of others that are silent.
            let known = |of: u64, heard: i64| Previous::is_compared(&task, source, of, heard);
            let read = device.last.iter().filter(|standing| known(standing.source, standing.heard));
            let read: Vec<_> = read
                .filter_map(|standing| Some((self.bytes(standing.number, &standing.message)?, standing)))
                .collect();
            let previous: Vec<Previous<'_>> = read
                .iter()
                .map(|((raw, ends), standing)| Previous {
                    number: standing.number,
                    source: standing.source,
                    message: stored(raw, ends, &standing.message),
                })
                .collect();
            observer.observe(&Task { previous: &previous, ..task }, &mut numbers);
        }));
        if !hand.end() {
            return Ok(None);
        }
        if observed.is_err() {
            return Ok(Some(nothing("its driver failed on it")));
        }
        let found = hand.observer.observation();
        if found.starved {
            return Err(AppendError::Busy);
        }
        let mut seen = nothing(found.why);
        seen.entries.clear();
        seen.notes = found.notes.to_vec();
        if !found.why.is_empty() {
            seen.notes.push(format!("nothing of a message was sent: {}", found.why));
        }
        seen.sent = usize::try_from(found.counts.sent).unwrap_or(usize::MAX);
        for oru in found.orus {
            let reserved = numbers.take(oru.number).ok_or(AppendError::Busy)?;
            let Some(target) = subject.targets.iter().find(|target| target.index == oru.destination) else {
                continue;
            };
            let meta = Oru {
                destination: target.name.clone(),
                message: number,
                group: 0,
                observations: oru.observations,
                at: now.0,
            };
            seen.entries.push(Entry::with_payload(&meta, found.bytes(oru).to_vec()).numbered(reserved));
        }
        seen.entries.push(Entry::new(&record(subject, number, now, &found)));
        Ok(Some(seen))
    }
}

fn record(subject: &Subject, number: u64, now: Utc, found: &Observation<'_>) -> Observed {
    Observed {
        message: number,
        instrument: subject.name.clone(),
        at: now.0,
        provenance: subject.provenance.clone(),
        counts: found.counts,
        why: found.why.to_owned(),
        stands: found.stands,
        source: found.source,
        settled: found.settled.to_vec(),
        once: found.once.to_vec(),
        clock: found.clock,
    }
}
