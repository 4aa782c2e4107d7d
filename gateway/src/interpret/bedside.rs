//! Messages of bedside devices: many instruments' in one batch of the journal.
//!
//! Promises that one batch holds at most one message of each instrument, in the instrument's order, so that each is compared
//! with the one before it, and no more than a commit takes; that a driver which fails on a message costs that message alone; and
//! that then what was said before is withdrawn, once, since nobody knows whether it still holds. What came of it is in the journal's
//! lane of the message itself. Nothing of a bedside device is held for a person: a value that could not be sent is taken again
//! a minute later.

use super::thread::{Hand, Unfit};
use super::{JournalNumbers, Subject, Tell, Worker, stored};
use crate::bedside::{Previous, Rules, Task};
use crate::config::Plan;
use crate::convert::Target;
use crate::interpret::Asked;
use crate::records::{Measured, Observed, Oru, clock_quality};
use crate::state::{Bedside, Message};
use crate::store::Entry;
use orugate_driver::{StoredMessage, snapshot};
use orugate_journal::{AppendError, Lane};
use orugate_protocol::time::Utc;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Messages in one batch.
const MOST: usize = 64;

/// What became of one message.
struct Seen {
    observed: Observed,
    orus: Vec<Entry>,
    notes: Vec<String>,
}

/// What came of giving a message to its driver.
enum Given {
    Seen(Box<Seen>),
    /// Nothing, and why.
    Failed(&'static str),
    /// Another thread has the work now.
    Overtaken,
}

/// A message, and what is known of its device.
#[derive(Clone, Copy)]
struct Pair<'a> {
    number: u64,
    message: StoredMessage<'a>,
    device: &'a Bedside,
}

impl Seen {
    /// In the journal, without what the journal itself adds.
    fn size(&self) -> usize {
        let own = self.observed.once.len().saturating_mul(20).saturating_add(512);
        self.orus.iter().map(Entry::size).sum::<usize>().saturating_add(own)
    }

    /// Nothing of it is sent.
    fn unsent(mut self, why: &str) -> Self {
        let Measured { sent, absent, left, repeat, superseded, .. } = self.observed.counts;
        let all = [sent, absent, left, repeat, superseded].into_iter().fold(0, u32::saturating_add);
        self.observed.counts = Measured { left: all, ..Measured::default() };
        self.observed.once.clear();
        why.clone_into(&mut self.observed.why);
        Self { orus: Vec::new(), notes: vec![unsent(why)], ..self }
    }
}

/// What is not held waits for no release.
const fn clause(unfit: Unfit) -> &'static str {
    match unfit {
        Unfit::Message => "its driver came to no end with it; send it to the maker",
        Unfit::Instrument => {
            "its driver came to no end with two messages of this device, so this one was not given to it; restart the service, or \
             update it"
        }
    }
}

fn unsent(why: &str) -> String {
    format!("nothing of a message was sent: {why}")
}

impl Worker {
    /// Works off what waits of bedside devices; true when something did.
    pub(super) fn observe(&self, hand: &mut Hand) -> Result<bool, AppendError> {
        let lineup = self.lineup.get();
        let batch = self.next_bedside(hand, |name| lineup.subject(name).is_some_and(Subject::is_bedside));
        if batch.is_empty() {
            return Ok(false);
        }
        // Half of a commit leaves room for whatever the journal writes around it.
        let room = self.store.journal().max_commit() / 2;
        let (mut all, mut size) = (Vec::<Seen>::new(), 0usize);
        for (number, message) in batch {
            let Some(subject) = lineup.subject(&message.instrument) else { continue };
            let Some(seen) = self.observe_one(hand, &lineup.plan, subject, number, &message)? else {
                return Ok(false);
            };
            let more = seen.size();
            if !all.is_empty() && size.saturating_add(more) > room {
                self.keep(std::mem::take(&mut all))?;
                size = 0;
            }
            size = size.saturating_add(more);
            all.push(seen);
        }
        self.keep(all)?;
        Ok(true)
    }

    /// Puts it into the journal, and tells of it.
    fn keep(&self, mut all: Vec<Seen>) -> Result<(), AppendError> {
        let kept = self.append_seen(&mut all);
        match (kept, all.pop()) {
            // One alone that no commit takes would wait for ever.
            (Err(AppendError::TooLarge { .. }), Some(one)) if all.is_empty() => {
                all.push(one.unsent("what came of it does not fit into one batch of the journal"));
                self.append_seen(&mut all)?;
            }
            (kept, last) => {
                all.extend(last);
                kept?;
            }
        }
        for Seen { observed, notes, .. } in all {
            let (instrument, number) = (observed.instrument, observed.message);
            let sent = usize::try_from(observed.counts.sent).unwrap_or(usize::MAX);
            tracing::debug!(target: "orugate::way", %instrument, number, sent, "observed");
            for note in notes {
                (self.told)(&instrument, Tell::Note { kind: &note, sentence: &note });
            }
            (self.told)(&instrument, Tell::Done { sent, held: 0 });
        }
        Ok(())
    }

    fn append_seen(&self, all: &mut [Seen]) -> Result<(), AppendError> {
        let mut entries = Vec::new();
        for seen in all {
            entries.append(&mut seen.orus);
            entries.push(Entry::new(&seen.observed));
        }
        self.store.append_wait_in(Lane::Snapshots, entries, self.time()).map(drop)
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
        plan: &Plan,
        subject: &Subject,
        number: u64,
        message: &Message,
    ) -> Result<Option<Seen>, AppendError> {
        let nothing = |why| {
            Seen { observed: self.observed(subject, number), orus: Vec::new(), notes: Vec::new() }.unsent(why)
        };
        if !self.may_try(hand, Lane::Snapshots, number)? {
            return Ok(Some(nothing("the gateway died three times with it at hand")));
        }
        let device = &self.store.state().bedside(&subject.name).cloned().unwrap_or_default();
        let given = match self.bytes(number, message) {
            None => Given::Failed("it cannot be read back from the journal"),
            Some((raw, ends)) => {
                let pair = Pair { number, message: stored(&raw, &ends, message), device };
                let fit = hand.begin(number, &message.instrument);
                self.give(hand, plan, subject, pair, fit)?
            }
        };
        let why = match given {
            Given::Seen(seen) => return Ok(Some(*seen)),
            Given::Overtaken => return Ok(None),
            Given::Failed(why) => why,
        };
        // Nobody knows what it says, so what was said before may not hold any more. A device that pushes says it again itself.
        let last = device
            .last
            .last()
            .and_then(|last| Some((last.number, self.bytes(last.number, &last.message)?.0)));
        let Some((last, _)) = last.filter(|(_, raw)| snapshot::read(raw).is_ok()) else {
            return Ok(Some(nothing(why)));
        };
        let received = Utc(message.received);
        let mut silent = Vec::new();
        let _ = snapshot::Writer::new(&mut silent, received, received);
        let clock = clock_quality(message.clock);
        let silent = StoredMessage { raw: &silent, chunk_ends: &[], complete: true, received, clock };
        let pair = Pair { number, message: silent, device };
        let fit = hand.begin_known(last, &message.instrument);
        Ok(match self.give(hand, plan, subject, pair, fit)? {
            Given::Overtaken => None,
            Given::Failed(_) => Some(nothing(why)),
            Given::Seen(mut seen) => {
                why.clone_into(&mut seen.observed.why);
                // Nothing stands any more, where a device that is only silent is said to be so again.
                seen.observed.settled = device.last.iter().map(|standing| standing.number).collect();
                seen.notes.push(unsent(why));
                Some(*seen)
            }
        })
    }

    /// Gives a message to its driver, which began with it, if it is `fit`.
    fn give(
        &self,
        hand: &mut Hand,
        plan: &Plan,
        subject: &Subject,
        pair: Pair<'_>,
        fit: Result<(), Unfit>,
    ) -> Result<Given, AppendError> {
        if let Err(unfit) = fit {
            return Ok(Given::Failed(clause(unfit)));
        }
        let targets: Vec<Target<'_>> =
            subject.targets.iter().map(|target| target.borrowed(&subject.name)).collect();
        let rules = Rules::default();
        let observed = self.observed(subject, pair.number);
        let task = Task {
            interpreter: &*subject.interpreter,
            message: pair.message,
            previous: &[],
            instrument: &subject.name,
            // What is only described must not reach a chart before somebody has compared it.
            targets: if subject.asked == Asked::Proof { &[] } else { &targets },
            gateway: &plan.gateway.id,
            zone: &subject.zone,
            site_zone: &plan.gateway.timezone,
            key: self.store.journal().identity().hash_key(),
            rules: subject.bedside.as_ref().unwrap_or(&rules),
            once: &pair.device.once,
            now: Utc(observed.at),
        };
        let mut numbers = JournalNumbers { store: &self.store, reserved: Vec::new() };
        let observer = &mut hand.observer;
        let came = catch_unwind(AssertUnwindSafe(|| {
            let source = observer.source(&task);
            // Those that are compared with it, and those of others that are silent.
            let known = |of: u64, heard: i64| Previous::is_compared(&task, source, of, heard);
            let read = pair.device.last.iter().filter(|standing| known(standing.source, standing.heard));
            let read: Vec<_> = read
                .filter_map(|standing| Some((self.bytes(standing.number, &standing.message)?, standing)))
                .collect();
            let previous: Vec<Previous<'_>> = read
                .iter()
                .map(|((raw, ends), standing)| Previous {
                    number: standing.number,
                    message: stored(raw, ends, &standing.message),
                })
                .collect();
            observer.observe(&Task { previous: &previous, ..task }, &mut numbers);
        }));
        if !hand.end() {
            return Ok(Given::Overtaken);
        }
        if came.is_err() {
            return Ok(Given::Failed("its driver failed on it"));
        }
        let found = hand.observer.observation();
        if found.starved {
            return Err(AppendError::Busy);
        }
        let mut notes = found.notes.to_vec();
        if !found.why.is_empty() {
            notes.push(unsent(found.why));
        }
        let mut orus = Vec::new();
        for oru in found.orus {
            let reserved = numbers.take(oru.number).ok_or(AppendError::Busy)?;
            let Some(target) = subject.targets.iter().find(|target| target.index == oru.destination) else {
                continue;
            };
            let meta = Oru {
                destination: target.name.clone(),
                message: pair.number,
                group: 0,
                observations: oru.observations,
                at: observed.at,
            };
            orus.push(Entry::with_payload(&meta, found.bytes(oru).to_vec()).numbered(reserved));
        }
        let observed = Observed {
            counts: found.counts,
            why: found.why.to_owned(),
            stands: found.stands,
            source: found.source,
            settled: found.settled.to_vec(),
            once: found.once.to_vec(),
            clock: found.clock,
            ..observed
        };
        Ok(Given::Seen(Box::new(Seen { observed, orus, notes })))
    }

    /// The record of a message of which nothing is known yet.
    fn observed(&self, subject: &Subject, number: u64) -> Observed {
        Observed {
            message: number,
            instrument: subject.name.clone(),
            at: self.clock.stamp().0,
            provenance: subject.provenance.clone(),
            ..Observed::default()
        }
    }
}
