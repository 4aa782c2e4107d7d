//! Which records of the journal are needed still, where they are, and what happens when they are carried.
//!
//! Needed is what somebody may have to read again: pieces of messages that are open, wait for interpretation or belong to a
//! hold; ORUs that wait or are parked, and the outcomes that explain them; open holds; what people compared, as long as it may
//! prove something; and what this software does not know.
//! The raw bytes of a message whose ORUs only wait for their engine go with their segment.
//!
//! A copy of a record that is not known means that both checkpoints that knew it are damaged. It was unsettled when it was
//! copied, and what settled it since stands behind it in the log; but whether it was done already before that, nobody knows.
//! So it waits for a person.

use super::{Change, Message, OpenHold, State, is_known};
use crate::convert::HoldReason;
use crate::records::{Chunk, Hold, Meta, Oru, Outcome, Verification};
use orugate_journal::{Lane, Location, RecordRef};

impl State {
    /// Places of all needed records.
    fn needed(&self) -> impl Iterator<Item = &Location> {
        let pieces = self.messages.values().flat_map(|message| &message.chunks).map(|(_, at)| at);
        let holds = self.holds.values().map(|open| &open.at);
        let origins =
            self.queues.orus.values().filter_map(|made| made.origin.as_ref()).map(|origin| &origin.outcome);
        let others = self.unknown.values().chain(self.verifications.places());
        pieces.chain(holds).chain(origins).chain(others).chain(self.queues.places())
    }

    /// Needed records of one segment, each once.
    #[must_use]
    pub fn needed_in(&self, lane: Lane, segment: u64) -> Vec<Location> {
        let here = |at: &&Location| at.lane() == lane && at.segment() == segment;
        let mut places: Vec<Location> = self.needed().filter(here).copied().collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    /// Bytes of all needed records, outcomes of several ORUs counted for each; but for *snapshots*, which go before results do.
    #[must_use]
    pub fn needed_bytes(&self) -> u64 {
        self.needed().filter(|at| at.lane() == Lane::Results).map(|at| u64::from(at.len())).sum()
    }

    /// About how many records are needed.
    #[must_use]
    pub fn needed_count(&self) -> usize {
        let others = self.unknown.len() + self.verifications.count();
        self.messages.len() + self.holds.len() + self.queues.orus.len() + others
    }

    /// Where a piece of a message is now.
    #[must_use]
    pub fn piece(&self, message: u64, piece: u64) -> Option<Location> {
        let chunks = &self.messages.get(&message)?.chunks;
        chunks.iter().find(|(number, _)| *number == piece).map(|(_, at)| *at)
    }

    /// Where an ORU is now.
    #[must_use]
    pub fn oru_at(&self, oru: u64) -> Option<Location> {
        let made = self.queues.orus.get(&oru)?;
        let queue = self.queues.of(&made.destination)?;
        let waiting = queue.waiting.get(&oru).or_else(|| queue.parked.get(&oru).map(|(parked, _)| parked));
        waiting.map(|waiting| waiting.at)
    }

    /// Where the outcome is that an ORU belongs to.
    #[must_use]
    pub fn outcome_at(&self, oru: u64) -> Option<Location> {
        self.queues.orus.get(&oru)?.origin.as_ref().map(|origin| origin.outcome)
    }

    /// A record is at another place now.
    pub(super) fn moved(&mut self, record: &RecordRef<'_>) -> Change {
        let (version, meta) = (record.meta_version, record.meta);
        let (number, at) = (record.sequence.0, record.location);
        match record.kind.0 {
            kind if !is_known(kind, version) => {
                self.unknown.insert(number, at);
            }
            Chunk::KIND => {
                if let Some(chunk) = Chunk::decode(version, meta) {
                    self.chunk_moved(chunk, number, at);
                }
            }
            Oru::KIND => {
                if let Some(oru) = Oru::decode(version, meta) {
                    self.queues.moved(&oru, number, at);
                }
            }
            Hold::KIND => match self.holds.get_mut(&number) {
                Some(open) => open.at = at,
                None => {
                    if let Some(hold) = Hold::decode(version, meta) {
                        if let Some(message) = self.messages.get_mut(&hold.message) {
                            message.holds += 1;
                        }
                        self.holds.insert(number, OpenHold::new(hold, at));
                    }
                }
            },
            Outcome::KIND => self.queues.outcome_moved(number, at),
            Verification::KIND => {
                if let Some(said) = Verification::decode(version, meta) {
                    self.verifications.record(said, number, at);
                }
            }
            _ => {}
        }
        Change::default()
    }

    fn chunk_moved(&mut self, chunk: Chunk, number: u64, at: Location) {
        if let Some(message) = self.messages.get_mut(&chunk.message) {
            match message.chunks.iter_mut().find(|(piece, _)| *piece == number) {
                Some((_, place)) => *place = at,
                None => {
                    message.chunks.push((number, at));
                    message.chunks.sort_unstable_by_key(|(piece, _)| *piece);
                }
            }
            return;
        }
        let hold = Hold {
            message: chunk.message,
            instrument: chunk.instrument.clone(),
            reason: HoldReason::JournalDamage.code().to_owned(),
            sentence: "The journal was damaged, and whether this message was sent on is not known any more. Compare with \
                the laboratory's system; then release or discard."
                .to_owned(),
            observations: Vec::new(),
            rest_from: Some(0),
            at: chunk.received,
        };
        let message = Message {
            instrument: chunk.instrument.into(),
            chunks: vec![(number, at)],
            received: chunk.received,
            until: chunk.received,
            clock: chunk.clock,
            complete: Some(chunk.end == Some(true)),
            holds: 1,
        };
        self.messages.insert(chunk.message, message);
        self.holds.insert(chunk.message, OpenHold::new(hold, at));
    }
}
