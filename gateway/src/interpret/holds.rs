//! A person's acts on holds: release, redrive, discard.
//!
//! Promises that each is one batch, so that one which dies on the way has done nothing or all; that a redrive overrules
//! nothing, and a release only the reason that its hold has; that what is overtaken goes to nobody; and that what is held
//! again keeps the time since which it waits. Only this thread acts on holds, so that none ends twice.

use super::thread::Hand;
use super::{Act, Asked, Kept, Trouble, Worker};
use crate::convert::{HoldReason, IdRule, Way};
use crate::lineup::Lineup;
use crate::records::{self, Hold, HoldSettled, Settlement};
use crate::state::Message;
use crate::store::Entry;

/// What came of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Released {
    /// Observations that are on their way now.
    pub sent: usize,
    /// Observations that are held again.
    pub held: usize,
    /// Observations that a later message has brought in the meantime.
    pub superseded: usize,
}

/// What came of a redrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redriven {
    /// Nothing of it is to be held any more, or only a part, in other holds.
    Settled(Released),
    /// It waits as before; the sentence of today's reason.
    Waits(String),
}

impl Worker {
    pub(super) fn release(
        &self,
        hand: &mut Hand,
        hold: u64,
        sample: Option<&str>,
        anyway: bool,
        actor: &str,
    ) -> Result<Released, String> {
        let (open, message) = self.open(hold)?;
        let reason = HoldReason::of(&open.reason);
        if reason == Some(HoldReason::NoSampleId) && sample.is_none() {
            return Err(format!(
                "This hold needs the sample id. Find the tube by the instrument's list, then: orugate holds release {hold} --sample ID"
            ));
        }
        let lineup = self.lineup.get();
        if let Some(why) = unproven_in_test(&open, &lineup) {
            return Err(why);
        }
        let rule = lineup.subject(&message.instrument).map(|subject| &subject.rules.sample_id);
        let sample = sample.map(|typed| sample_id(typed, hold, &open, rule, anyway)).transpose()?;
        let act = Act { hold, observations: observations(&open), open: &open, sample, release: true, actor };
        match self.again(hand, &lineup, &message, &act) {
            Ok(kept) => Ok(kept.released),
            Err(Trouble::Append(error)) => {
                Err(format!("Not released, and nothing is changed: {error}. See: orugate status"))
            }
            Err(Trouble::Whole(_, sentence)) => Err(format!("Still held. {sentence}")),
            Err(Trouble::Overtaken) => Err("Still held. The driver took too long.".to_owned()),
        }
    }

    pub(super) fn redrive(&self, hand: &mut Hand, hold: u64, actor: &str) -> Result<Redriven, String> {
        let (open, message) = self.open(hold)?;
        if HoldReason::of(&open.reason).is_some_and(|reason| reason.way() == Way::Decides) {
            return self.waits(hold, actor, open.sentence);
        }
        let lineup = self.lineup.get();
        if let Some(why) = unproven_in_test(&open, &lineup) {
            return self.waits(hold, actor, why);
        }
        let act =
            Act { hold, observations: observations(&open), open: &open, sample: None, release: false, actor };
        match self.again(hand, &lineup, &message, &act) {
            Ok(kept) if kept.unchanged => Ok(Redriven::Waits(open.sentence)),
            Ok(kept) => Ok(Redriven::Settled(kept.released)),
            Err(Trouble::Append(error)) => {
                Err(format!("Hold {hold} was not redriven: {error}. See: orugate status"))
            }
            Err(Trouble::Overtaken) => Err(format!("Hold {hold} waits as before. The driver took too long.")),
            Err(Trouble::Whole(_, sentence)) => self.waits(hold, actor, sentence.to_owned()),
        }
    }

    /// A redrive that left a hold as it was.
    fn waits(&self, hold: u64, actor: &str, sentence: String) -> Result<Redriven, String> {
        let act = records::Redriven { hold, actor: actor.to_owned(), at: self.clock.stamp().0 };
        let stored = self.store.append_wait(vec![Entry::new(&act)], self.time());
        stored
            .map(|_| Redriven::Waits(sentence))
            .map_err(|error| format!("Hold {hold} was not redriven: {error}."))
    }

    pub(super) fn discard(&self, hold: u64, reason: String, actor: String) -> Result<(), String> {
        if self.store.state().hold(hold).is_none() {
            return Err(no_hold(hold));
        }
        let settled =
            HoldSettled { hold, actor, at: self.clock.stamp().0, how: Settlement::Discarded(reason) };
        let stored = self.store.append_wait(vec![Entry::new(&settled)], self.time());
        stored.map(drop).map_err(|error| format!("Not discarded: {error}. See: orugate status"))
    }

    /// An open hold and its message.
    fn open(&self, hold: u64) -> Result<(Hold, Message), String> {
        let state = self.store.state();
        let open = state.hold(hold).ok_or_else(|| no_hold(hold))?.hold.clone();
        let message = state
            .message(open.message)
            .ok_or_else(|| format!("The message of hold {hold} is not in the journal any more."))?
            .clone();
        Ok((open, message))
    }

    /// Interprets what is in a hold once more.
    fn again(
        &self,
        hand: &mut Hand,
        lineup: &Lineup,
        message: &Message,
        act: &Act<'_>,
    ) -> Result<Kept, Trouble> {
        let subject = lineup.subject(&message.instrument).ok_or(Trouble::whole(HoldReason::Unconfigured))?;
        self.convert(hand, lineup, subject, act.open.message, message, Some(act))
    }
}

/// What waits to be proven is a patient's: as a test's it would reach nobody, and be settled.
fn unproven_in_test(open: &Hold, lineup: &Lineup) -> Option<String> {
    let unproven = HoldReason::of(&open.reason) == Some(HoldReason::Unproven);
    let subject = lineup.subject(&open.instrument).filter(|_| unproven)?;
    (subject.asked == Asked::NothingInTest).then(|| {
        format!(
            "{} is in test mode, so these results would go out as a test's. When its verification is done, write mode = \
             \"live\", orugate reload, then redrive.",
            open.instrument
        )
    })
}

fn observations(open: &Hold) -> Vec<u32> {
    open.observations.iter().map(|(number, _)| *number).collect()
}

/// To whoever asks for a hold that is not open.
#[must_use]
pub fn no_hold(hold: u64) -> String {
    format!(
        "There is no open hold {hold}; one that a later message overtook is settled by itself. Those that are open: orugate \
         holds list. What became of it: orugate trace {hold}"
    )
}

/// A sample id as a person typed it, for a hold that takes one.
fn sample_id<'s>(
    typed: &'s str,
    hold: u64,
    open: &Hold,
    rule: Option<&IdRule>,
    anyway: bool,
) -> Result<&'s str, String> {
    let sample = typed.trim_matches(' ');
    if !HoldReason::of(&open.reason).is_some_and(HoldReason::takes_sample) {
        return Err(
            "Nothing is wrong with the sample id of these results; release them without --sample.".to_owned()
        );
    }
    if sample.is_empty() || sample.chars().count() > 199 || sample.chars().any(char::is_control) {
        return Err("A sample id has 1 to 199 characters, none of them a control character.".to_owned());
    }
    match rule.and_then(|rule| rule.broken_by(sample)).filter(|_| !anyway) {
        Some(why) => Err(format!(
            "Not released: {} does not take this sample id, {why}. Read the tube again. If it is right all the same: orugate \
             holds release {hold} --sample ID --anyway",
            open.instrument
        )),
        None => Ok(sample),
    }
}
