//! What each observation is beside what was sent before, and where it goes.
//!
//! Promises: the same result again, a correction and another run are told apart by run and content alone (facts on what identifies
//! a result); without a run discriminator nothing is anything but new. For whom it is what is asked of each destination's own
//! past, since a correction of what never came is no correction. The old never follows the new in one place. Leaves out
//! the place itself: `places.rs`.

use super::facts::{Candidate, Fact};
use super::{
    Converter, Corrections, Going, HoldReason, Incomplete, Reruns, Sent, Target, Task, Which, zones,
};
use crate::maps::Mapped;
use crate::records::Stood;
use orugate_protocol::report::Status;
use std::ops::Range;

/// The rule by which a run is not sent when a later one counts.
pub const EARLIER_RUN: &str = "earlier-run";

/// What an observation is beside all that was sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Look {
    /// Whose place it takes: that of what was sent of the same run, or of the run that it replaces.
    pub(super) base: Option<Sent>,
    pub(super) of: Of,
    /// When it was measured, seconds since 1970.
    pub(super) ran: Option<i64>,
}

/// What decides before destinations are asked.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Of {
    #[default]
    Itself,
    /// A later message has brought it.
    Overtaken,
    /// A later run counts.
    EarlierRun,
    /// It is another run of what was sent, and counts.
    Replaces,
    /// It is another run, and somebody must say which counts: the how many of its message, and the other one.
    Waits(u16, OtherRun),
}

/// The run beside one that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherRun {
    /// When it was measured, seconds since 1970.
    pub ran: Option<i64>,
    /// The message in which it was sent; `None` when it stands in the same one.
    pub sent_in: Option<u64>,
}

/// What an observation is to one destination.
#[derive(Clone, Debug, Default)]
pub(super) struct Beside {
    pub(super) known: Known,
    /// What it was compared with: message, observation, and how that stands.
    pub(super) compared: Option<(u64, u32, Stood)>,
    /// As what the same was written before.
    status: Option<char>,
    /// Value and unit of what it corrects, in the converter's `was`.
    pub(super) was: Range<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing of it came before, as far as is known.
    #[default]
    New,
    /// It came before, and this destination has nothing of it and will not get it.
    Undelivered,
    /// The same was sent, as final as it is now.
    Same,
    /// What was sent was preliminary, or is so now.
    Restated,
    /// A final result with another content was sent.
    Changed,
    /// Another run was sent, and this one counts.
    Replaces,
}

impl Beside {
    /// It corrects something that the destination has, as far as anybody can tell.
    fn corrects(&self, status: Status) -> bool {
        match self.known {
            Known::Changed | Known::Replaces => true,
            // Somebody else may have sent the first.
            Known::New => status == Status::Corrected,
            Known::Undelivered | Known::Same | Known::Restated => false,
        }
    }

    /// OBX-11.
    pub(super) fn status(&self, fact: &Fact, destination: &Target<'_>) -> char {
        match (self.status, fact.status) {
            (Some(status), _) if self.known == Known::Same => status,
            (_, Status::NotDone) => 'X',
            (_, Status::Preliminary | Status::Questionable) => 'P',
            (_, status) if self.corrects(status) && destination.corrections != Corrections::Final => 'C',
            (_, Status::Absent) if destination.record => 'R',
            _ => 'F',
        }
    }

    /// What is said beside it; what it corrects is said behind that.
    pub(super) fn remark(&self, fact: &Fact) -> Option<&'static str> {
        match self.known {
            Known::Changed => Some("Corrected: another result was sent before."),
            Known::Replaces => Some("Run again: this result replaces the one that was sent before."),
            Known::New if fact.status == Status::Corrected => {
                Some("The instrument marks this as a correction; what it corrects is not known here.")
            }
            Known::Undelivered if fact.status == Status::Corrected => {
                Some("The instrument marks this as a correction; what it corrects was not delivered.")
            }
            _ => None,
        }
    }
}

impl Converter {
    /// Gives each observation its fate, and each group that sends something its filler number.
    pub(super) fn decide(&mut self, task: &Task<'_>) {
        self.going.clear();
        self.looks.clear();
        self.beside.clear();
        self.was.clear();
        for fact in &self.facts.observations {
            let look = self.look(fact, task);
            self.looks.push(look);
        }
        if task.setting.reruns != Reruns::All || !task.setting.rules.reruns_except.is_empty() {
            self.runs_of_one_message(task);
        }
        for (number, index) in (0u32..).zip(0..self.facts.observations.len()) {
            for target in task.setting.destinations {
                let beside = self.beside(index, target, task);
                self.beside.push(beside);
            }
            self.going.push(self.fate(number, index, task));
        }
        self.place(task);
    }

    fn specimen(&self, fact: &Fact, task: &Task<'_>) -> Option<u128> {
        // Controls are sent to nobody, and one of their ids may be in the journal a thousand times. What is held the first
        // time is the newest that there is.
        let asks = match fact.candidate {
            Candidate::Sendable => true,
            Candidate::Held(_) => task.release.is_some(),
            Candidate::Qc(_) | Candidate::NotReportable(_) => false,
        };
        let group = fact.order.and_then(|order| self.facts.groups.get(usize::from(order)));
        group.filter(|_| asks).map(|group| group.specimen)
    }

    /// What becomes of another run of this test.
    fn reruns(&self, fact: &Fact, task: &Task<'_>) -> Reruns {
        let of_test = task.setting.rules.reruns_except.of(self.facts.word(&fact.code));
        of_test.unwrap_or(task.setting.reruns)
    }

    fn look(&self, fact: &Fact, task: &Task<'_>) -> Look {
        let reruns = self.reruns(fact, task);
        let ran = fact.ran.and_then(|ran| zones(task).instant(&ran)).map(|ran| ran.0.div_euclid(1_000_000));
        let look = |of, base| Look { base, of, ran };
        let (Some(specimen), Some(identity)) = (self.specimen(fact, task), fact.identity) else {
            return look(Of::Itself, None);
        };
        if let Some(own) = task.past.sent(specimen, Which::Run(identity)) {
            // Of a run that lost its place, under whatever rule: what comes again of it would overwrite what counts.
            let later = task.past.sent(specimen, Which::Series(fact.series, own.at));
            let lost = later.is_some_and(|later| {
                later.identity != identity && (later.filler, later.sub_id) == (own.filler, own.sub_id)
            });
            return match () {
                () if own.message > task.number => look(Of::Overtaken, None),
                () if lost => look(Of::EarlierRun, None),
                () => look(Of::Itself, Some(own)),
            };
        }
        let other = (reruns != Reruns::All)
            .then(|| task.past.sent(specimen, Which::Series(fact.series, task.rerun_since())))
            .flatten();
        match (other, reruns) {
            (None, _) | (_, Reruns::All) => look(Of::Itself, None),
            (Some(other), Reruns::Hold) => {
                look(Of::Waits(1, OtherRun { ran: other.ran, sent_in: Some(other.message) }), None)
            }
            (Some(other), Reruns::Last) if other.message > task.number => look(Of::Overtaken, None),
            (Some(other), Reruns::Last) if ran.zip(other.ran).is_some_and(|(this, that)| this < that) => {
                look(Of::EarlierRun, None)
            }
            (Some(other), Reruns::Last) => look(Of::Replaces, Some(other)),
        }
    }

    /// Several runs of one series in one message: the last counts, or each waits.
    fn runs_of_one_message(&mut self, task: &Task<'_>) {
        self.tests.clear();
        for (index, fact) in self.facts.observations.iter().enumerate() {
            let of = self.looks.get(index).map(|look| look.of);
            let lost = matches!(of, Some(Of::Overtaken | Of::EarlierRun));
            let counts = !lost && !fact.blank && fact.candidate == Candidate::Sendable && fact.series != 0;
            if counts && self.reruns(fact, task) != Reruns::All {
                self.tests.push((fact.series, index));
            }
        }
        self.tests.sort_unstable();
        for runs in self.tests.chunk_by(|(a, _), (b, _)| a == b).filter(|runs| runs.len() > 1) {
            let ran = |index: usize| self.looks.get(index).and_then(|look| look.ran);
            let timed = runs.iter().all(|(_, index)| ran(*index).is_some());
            // Where one has no time they are in the order of the message.
            let order = |index: usize| (timed.then(|| ran(index)).flatten(), index);
            let Some(last) = runs.iter().map(|(_, index)| order(*index)).max() else { continue };
            let Some(first) = runs.iter().map(|(_, index)| (ran(*index), *index)).min_by_key(|run| run.1)
            else {
                continue;
            };
            let last = (ran(last.1), last.1);
            // Runs of a series are of one test.
            let Some(fact) = self.facts.observations.get(first.1) else { continue };
            let reruns = self.reruns(fact, task);
            for (number, (_, index)) in (1u16..).zip(runs) {
                let other = if first.1 == *index { last } else { first };
                let other = OtherRun { ran: other.0, sent_in: None };
                let Some(look) = self.looks.get_mut(*index) else { continue };
                look.of = match (reruns, look.of) {
                    (Reruns::Last, _) if last.1 != *index => Of::EarlierRun,
                    (Reruns::Hold, Of::Waits(_, sent)) => Of::Waits(number, sent),
                    (Reruns::Hold, _) if look.base.is_none() => Of::Waits(number, other),
                    (_, of) => of,
                };
            }
        }
    }

    /// What an observation is to one destination.
    fn beside(&mut self, index: usize, target: &Target<'_>, task: &Task<'_>) -> Beside {
        let facts = self.facts.observations.get(index).zip(self.looks.get(index));
        let Some((fact, look)) = facts else { return Beside::default() };
        let (Some(specimen), Some(identity)) = (self.specimen(fact, task), fact.identity) else {
            return Beside::default();
        };
        let (past, name, content) = (task.past, target.name, fact.content());
        let same = |sent: &Sent| sent.content == content && sent.is_final == fact.is_final();
        let compared = |known, had: &super::Had| Beside {
            known,
            compared: Some((had.sent.message, had.sent.observation, had.stood)),
            status: had.status,
            was: 0..0,
        };
        let Some(base) = look.base else {
            let came = past.came(specimen, identity);
            let known = if came { Known::Undelivered } else { Known::New };
            return Beside { known, ..Beside::default() };
        };
        let run = Which::Run(identity);
        if let Some(parked) = past.parked(specimen, run, name).filter(|had| same(&had.sent)) {
            return compared(Known::Same, &parked);
        }
        // What lost its place to this run was in it all the same.
        let in_place = || {
            let had = past.at(specimen, Which::Series(fact.series, base.at.min(task.rerun_since())), name)?;
            ((had.sent.filler, had.sent.sub_id) == (base.filler, base.sub_id)).then_some(had)
        };
        let Some(had) = past.at(specimen, run, name).or_else(in_place) else {
            return Beside { known: Known::Undelivered, ..Beside::default() };
        };
        let known = match () {
            () if had.sent.identity != identity => Known::Replaces,
            () if same(&had.sent) => Known::Same,
            () if had.sent.content != content && had.sent.is_final => Known::Changed,
            () => Known::Restated,
        };
        let mut beside = compared(known, &had);
        if matches!(known, Known::Changed | Known::Replaces) {
            let start = self.was.len();
            past.value(specimen, &had.sent, name, &mut self.was);
            let charset = target.route.charset;
            let fits = |c: char| charset.encode(c, &mut [0; 4]).is_some();
            // A word about the old must not keep the new from a destination that cannot read it.
            if !self.was.get(start..).unwrap_or_default().chars().all(fits) {
                self.was.truncate(start);
            }
            beside.was = start..self.was.len();
        }
        beside
    }

    fn fate(&self, number: u32, index: usize, task: &Task<'_>) -> Going {
        let (Some(fact), Some(look)) = (self.facts.observations.get(index), self.looks.get(index)) else {
            return Going::Held(HoldReason::Unwritable);
        };
        let Task { setting, release, .. } = task;
        let overruled = |reason| release.is_some_and(|release| release.overrules(reason));
        let to_all = || {
            let destinations = setting.destinations.iter().enumerate();
            destinations.map(|(at, target)| (self.towards(index, at, task), target))
        };
        let held = |(beside, target): (Option<&Beside>, &Target<'_>)| {
            target.corrections == Corrections::Hold
                && beside.is_some_and(|beside| beside.corrects(fact.status))
        };
        let repeat = |(beside, target): (Option<&Beside>, &Target<'_>)| {
            target.suppress_resends && beside.is_some_and(|beside| beside.known == Known::Same)
        };
        let broken = setting.rules.incomplete == Incomplete::Hold
            && !(task.message.complete && self.facts.complete)
            && !overruled(HoldReason::Incomplete);
        match (fact.candidate, look.of) {
            _ if release.is_some_and(|release| !release.covers(number)) => Going::Untouched,
            (Candidate::Qc(evidence), _) => Going::Qc(evidence.evidence()),
            (Candidate::NotReportable(rule), _) => Going::NotReportable(rule),
            (_, Of::Overtaken) => Going::Superseded,
            (Candidate::Held(reason), _) => Going::Held(reason),
            _ if fact.blank => Going::NotReportable("no-value"),
            _ if broken => Going::Held(HoldReason::Incomplete),
            (_, Of::EarlierRun) => Going::NotReportable(EARLIER_RUN),
            _ if self.facts.too_large => Going::Held(HoldReason::TooLarge),
            _ if !self.facts.is_proven(setting.proof) => Going::Held(HoldReason::Unproven),
            _ if setting.destinations.is_empty() => Going::Held(HoldReason::NoDestination),
            _ if matches!(fact.mapped, Mapped::OtherUnit(_)) && !overruled(HoldReason::UnitDiffers) => {
                Going::Held(HoldReason::UnitDiffers)
            }
            _ if fact.mapped == Mapped::Missing
                && setting.table.is_some_and(|table| table.required)
                && !overruled(HoldReason::UnmappedCode) =>
            {
                Going::Held(HoldReason::UnmappedCode)
            }
            (_, Of::Waits(..)) if !overruled(HoldReason::Rerun) => Going::Held(HoldReason::Rerun),
            // An observation goes one way, and so no two systems differ before a person has decided.
            _ if !overruled(HoldReason::Correction) && to_all().any(held) => {
                Going::Held(HoldReason::Correction)
            }
            _ if to_all().all(repeat) => Going::Repeat,
            _ => Going::Sent,
        }
    }

    /// What an observation is to a destination, by its place among the instrument's.
    pub(super) fn towards(&self, index: usize, target: usize, task: &Task<'_>) -> Option<&Beside> {
        self.beside.get(index.checked_mul(task.setting.destinations.len())?.checked_add(target)?)
    }
}
