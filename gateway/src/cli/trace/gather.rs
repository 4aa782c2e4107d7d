//! All records that concern one message, decoded and in the order of writing.

use crate::archive::{Archive, Journal, LookError};
use crate::records::{
    Abandoned, Attempt, Chunk, Delivery, Dropped, Hold, HoldSettled, Meta, NeverSent, Observed, Oru, Outcome,
    ParkedSettled, Redriven, Verification,
};
use crate::replay;
use orugate_journal::{Commit, Gathered, RecordRef, Term};
use std::collections::{BTreeMap, BTreeSet};

/// The records of one message. ORUs and outcomes that were stored again later are not among them.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) chunks: BTreeMap<u64, (Chunk, Vec<u8>)>,
    /// By number.
    pub(super) outcomes: BTreeMap<u64, Outcome>,
    pub(super) orus: BTreeMap<u64, (Oru, Vec<u8>)>,
    pub(super) deliveries: BTreeMap<u64, (Delivery, Vec<u8>)>,
    pub(super) never_sent: BTreeSet<u64>,
    pub(super) holds: BTreeMap<u64, Hold>,
    pub(super) settled: BTreeMap<u64, HoldSettled>,
    pub(super) redriven: BTreeMap<u64, Redriven>,
    pub(super) parked: BTreeMap<u64, ParkedSettled>,
    pub(super) dropped: BTreeMap<u64, Dropped>,
    pub(super) compared: BTreeMap<u64, Verification>,
    /// A process that was gone before its end heard it.
    pub(super) abandoned: bool,
    /// How often it was begun again after a process did not survive.
    pub(super) attempts: u32,
}

impl Records {
    /// What is linked to the term, by message; only of these messages. Without a term all of the journal is looked through.
    pub(super) fn of(
        journal: &Journal,
        term: Option<Term>,
        archive: &Archive,
        messages: &[u64],
    ) -> Result<(BTreeMap<u64, Self>, Gathered), LookError> {
        let mut all: BTreeMap<u64, Self> = messages.iter().map(|number| (*number, Self::default())).collect();
        let mut see = |commit: &Commit<'_>| {
            for record in commit.records.iter().filter(|_| !commit.void) {
                if let Some(records) = archive.about(record).and_then(|message| all.get_mut(&message)) {
                    records.see(archive, record);
                } else if record.kind.0 == Dropped::KIND {
                    let concerned = all.iter_mut().filter(|(message, _)| archive.concerns(record, **message));
                    concerned.for_each(|(_, records)| records.see(archive, record));
                }
            }
        };
        let gathered = match term {
            Some(term) => journal.gather(term, &mut see)?,
            None => {
                let seen = journal.walk(&mut see)?;
                let damaged = seen.damaged.into_iter().map(|spot| spot.damage).collect();
                Gathered { damaged, gone: seen.gone, ..Gathered::default() }
            }
        };
        for records in all.values_mut() {
            records.forget_what_was_told_again();
        }
        Ok((all, gathered))
    }

    fn see(&mut self, archive: &Archive, record: &RecordRef<'_>) {
        let (version, meta, number) = (record.meta_version, record.meta, record.sequence.0);
        let payload = || record.payload.to_vec();
        match record.kind.0 {
            Chunk::KIND => keep(&mut self.chunks, number, Chunk::decode(version, meta), payload),
            Outcome::KIND => self.outcomes.extend(Outcome::decode(version, meta).map(|it| (number, it))),
            Observed::KIND => {
                self.outcomes.extend(Observed::decode(version, meta).map(|it| (number, it.into())));
            }
            Oru::KIND if archive.orus.contains_key(&number) => {
                keep(&mut self.orus, number, Oru::decode(version, meta), payload);
            }
            Delivery::KIND => keep(&mut self.deliveries, number, Delivery::decode(version, meta), payload),
            NeverSent::KIND => self.never_sent.extend(NeverSent::decode(version, meta).map(|it| it.oru)),
            Hold::KIND if archive.holds.contains_key(&number) => {
                self.holds.extend(Hold::decode(version, meta).map(|it| (number, it)));
            }
            HoldSettled::KIND => {
                self.settled.extend(HoldSettled::decode(version, meta).map(|it| (number, it)));
            }
            Redriven::KIND => self.redriven.extend(Redriven::decode(version, meta).map(|it| (number, it))),
            ParkedSettled::KIND => {
                self.parked.extend(ParkedSettled::decode(version, meta).map(|it| (number, it)));
            }
            Dropped::KIND => self.dropped.extend(Dropped::decode(version, meta).map(|it| (number, it))),
            Verification::KIND => {
                self.compared.extend(Verification::decode(version, meta).map(|it| (number, it)));
            }
            Abandoned::KIND => self.abandoned = true,
            Attempt::KIND => self.attempts = self.attempts.saturating_add(1),
            _ => {}
        }
    }

    /// The journal may have an outcome although its writer was told that it might not have it. The later counts.
    fn forget_what_was_told_again(&mut self) {
        let last: BTreeMap<Option<u64>, u64> =
            self.outcomes.iter().map(|(number, outcome)| (outcome.released, *number)).collect();
        self.outcomes.retain(|number, outcome| last.get(&outcome.released) == Some(number));
    }

    /// The message as its interpreter gets it.
    pub(super) fn message(&self) -> replay::Message {
        let mut message = replay::Message::default();
        for (chunk, bytes) in self.chunks.values() {
            message.raw.extend_from_slice(bytes);
            message.chunk_ends.push(u32::try_from(message.raw.len()).unwrap_or(u32::MAX));
            message.complete = chunk.end == Some(true);
        }
        message
    }

    /// Whether a hold ended by a redrive: nobody overruled anything.
    pub(super) fn was_redriven(&self, settled: &HoldSettled) -> bool {
        self.redriven.values().any(|redriven| (redriven.hold, redriven.at) == (settled.hold, settled.at))
    }

    /// The outcome that an ORU was made by; of one that was made in another's place, the other's.
    pub(super) fn outcome_of(&self, oru: u64) -> Option<u64> {
        let oru = self.first_of(oru);
        let at = self.orus.get(&oru)?.0.at;
        self.outcomes.iter().find(|(_, outcome)| outcome.at == at).map(|(number, _)| *number)
    }

    pub(super) fn first_of(&self, mut oru: u64) -> u64 {
        // Each went in the place of one before, so this ends.
        while let Some(before) = self.parked.values().find_map(|settled| match settled.how {
            crate::records::Sending::Anew(new) if new == oru && settled.oru < oru => Some(settled.oru),
            _ => None,
        }) {
            oru = before;
        }
        oru
    }
}

fn keep<M>(
    into: &mut BTreeMap<u64, (M, Vec<u8>)>,
    number: u64,
    meta: Option<M>,
    payload: impl FnOnce() -> Vec<u8>,
) {
    if let Some(meta) = meta {
        into.insert(number, (meta, payload()));
    }
}
