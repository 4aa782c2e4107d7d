//! What must be known of bedside devices between two of their messages, and what is let go of them.
//!
//! Promises that the places of the last messages in which something stands are known as long as they can be read, so that what the next
//! one lacks is withdrawn; that what is made now and then is known by the last of it, so that a restart sends none twice; and that
//! what was dropped for want of room is counted once and nothing points to it any more.

use super::{Message, State};
use crate::records::Observed;
use orugate_journal::{Lane, Location};
use serde::{Deserialize, Serialize};

/// How much of what is made now and then is remembered of one device.
const ONCE: usize = 64;

/// How many messages of one device may stand beside each other: a central station pushes one for each bed.
const STANDING: usize = 256;

/// Who is not heard for so long, in microseconds, is not there any more.
const GONE: i64 = 600_000_000;

/// A message of which something stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Its number.
    pub number: u64,
    /// Where it is.
    pub message: Message,
    /// Of which bed or device it is.
    pub source: u64,
    /// When that one was heard last, in microseconds since 1970.
    pub heard: i64,
}

/// What a bedside device said last.
#[derive(Clone, Debug, Default)]
pub struct Bedside {
    /// Messages of which something stands, oldest first. A device that is asked has one at most.
    pub last: Vec<Standing>,
    /// What of it is made now and then was sent: keyed hash, and when it was received, in microseconds since 1970.
    pub once: Vec<(u64, i64)>,
    /// What of it is not sent.
    pub unsent: Option<Unsent>,
}

/// Messages of which nothing is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsent {
    /// Why, as a clause.
    pub why: String,
    /// Of which bed or device; 0 for whatever the instrument says.
    pub source: u64,
    /// When that one was heard last, in microseconds since 1970.
    pub heard: i64,
}

impl Bedside {
    /// A message of this source was received then, and for this reason nothing of it was sent; an empty one when something was. A
    /// central station's other beds do not make good what is wrong with one.
    fn heard(&mut self, source: u64, heard: i64, why: &str) {
        if !why.is_empty() {
            self.unsent = Some(Unsent { why: why.to_owned(), source, heard });
        } else if let Some(unsent) = &self.unsent
            && (unsent.source == source || unsent.source == 0 || heard.saturating_sub(unsent.heard) > GONE)
        {
            self.unsent = None;
        }
    }
}

/// What was dropped for want of room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thinned {
    /// Messages that nobody had interpreted.
    pub messages: u64,
    /// ORUs that no destination had, as far as was on flash.
    pub orus: u64,
    /// Holds.
    pub holds: u64,
}

impl State {
    /// What a bedside device said last; `None` when it said nothing yet.
    #[must_use]
    pub fn bedside(&self, instrument: &str) -> Option<&Bedside> {
        self.bedside.get(instrument)
    }

    /// What was dropped of bedside devices' messages for want of room, since the journal began.
    #[must_use]
    pub const fn dropped_snapshots(&self) -> Thinned {
        self.thinned
    }

    pub(super) fn observed(&mut self, observed: Observed, sequence: u64, at: Location) {
        self.newest = self.newest.max(observed.at);
        let instrument = self.instrument_name(&observed.instrument);
        self.queues.outcome(observed.message, &instrument, sequence, at);
        if let Some(clock) = observed.clock {
            crate::offset::learn(self.clocks.entry(instrument.clone()).or_default(), clock);
        }
        let counts = self.ledger.entry(instrument.clone()).or_default();
        counts.messages += 1;
        let of = observed.counts;
        counts.sent += u64::from(of.sent) + u64::from(of.absent);
        counts.not_reportable += u64::from(of.left);
        counts.repeat += u64::from(of.repeat);
        counts.superseded += u64::from(of.superseded);
        counts.observations +=
            [of.sent, of.absent, of.left, of.repeat, of.superseded].into_iter().map(u64::from).sum::<u64>();
        let message = self.messages.get(&observed.message).cloned();
        let received = message.as_ref().map_or(observed.at, |message| message.received);
        let device = self.bedside.entry(instrument).or_default();
        device.last.retain(|standing| !observed.settled.contains(&standing.number));
        if let Some(message) = message {
            let (number, source, heard) = (observed.message, observed.source, message.received);
            for standing in device.last.iter_mut().filter(|standing| standing.source == source) {
                standing.heard = heard;
            }
            if observed.stands {
                device.last.push(Standing { number, message, source, heard });
            }
        }
        let surplus = device.last.len().saturating_sub(STANDING);
        device.last.drain(..surplus);
        device.heard(observed.source, received, &observed.why);
        device.once.retain(|(hash, _)| observed.once.iter().all(|(new, _)| new != hash));
        device.once.extend(observed.once);
        let surplus = device.once.len().saturating_sub(ONCE);
        device.once.drain(..surplus);
        self.recovered.remove(&observed.message);
        if self.pending.remove(&observed.message) {
            self.forget_if_settled(observed.message);
        }
    }

    /// A segment of the lane *snapshots* is gone, with all that was in it.
    pub fn thinned(&mut self, segment: u64) -> Thinned {
        let gone = |at: &Location| at.lane() == Lane::Snapshots && at.segment() == segment;
        let of_message = |message: &Message| message.chunks.iter().any(|(_, at)| gone(at));
        let messages: Vec<u64> = self
            .messages
            .iter()
            .filter(|(_, message)| of_message(message))
            .map(|(number, _)| *number)
            .collect();
        let holds: Vec<u64> =
            self.holds.iter().filter(|(_, open)| gone(&open.at)).map(|(number, _)| *number).collect();
        let mut thinned = Thinned { holds: holds.len() as u64, ..Thinned::default() };
        for number in &messages {
            self.messages.remove(number);
            self.recovered.remove(number);
            thinned.messages += u64::from(self.pending.remove(number));
        }
        for number in holds {
            if let Some(open) = self.holds.remove(&number) {
                // Its observations were counted as held; nobody can decide on them any more.
                let held = open.hold.observations.len() as u64;
                let name = self.instrument_name(&open.hold.instrument);
                let counts = self.ledger.entry(name).or_default();
                counts.held = counts.held.saturating_sub(held);
                counts.discarded += held;
                if let Some(message) = self.messages.get_mut(&open.hold.message) {
                    message.holds = message.holds.saturating_sub(1);
                    self.forget_if_settled(open.hold.message);
                }
            }
        }
        for device in self.bedside.values_mut() {
            device.last.retain(|standing| !of_message(&standing.message));
        }
        thinned.orus = self.queues.thinned(&gone);
        self.thinned.messages += thinned.messages;
        self.thinned.orus += thinned.orus;
        self.thinned.holds += thinned.holds;
        thinned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;

    #[test]
    fn another_bed_does_not_make_good_what_is_wrong_with_one() {
        let mut central = Bedside::default();
        central.heard(7, MINUTE, "its bed is not listed");
        central.heard(8, MINUTE, "");
        assert_eq!(central.unsent.as_ref().map(|unsent| unsent.source), Some(7));
        // It goes on, and it is put right.
        central.heard(7, 11 * MINUTE, "its bed is not listed");
        central.heard(8, 20 * MINUTE, "");
        assert!(central.unsent.is_some());
        central.heard(7, 20 * MINUTE, "");
        assert_eq!(central.unsent, None);
        // It is taken away.
        central.heard(7, 30 * MINUTE, "its bed is not listed");
        central.heard(8, 41 * MINUTE, "");
        assert_eq!(central.unsent, None);
        // Nobody knows whose one was that no driver could read.
        central.heard(0, 50 * MINUTE, "its driver cannot read it");
        central.heard(8, 51 * MINUTE, "");
        assert_eq!(central.unsent, None);
    }
}
