//! Sessions in which people compare an instrument's screen with what was sent, and what they prove: a part of the fold.
//!
//! Promises that an answer counts only for a result that the journal has as sent, or as quality control, since the session
//! began, read by the session's profile and from the session's analyzer; and that a proof is of one profile, its maps and one
//! analyzer. Leaves out what was shown and said: that is in the records' payloads, which are needed as long as the session is.

use crate::records::{
    Analyzer, Answer, Fate, Outcome, Shows, Verification, VerificationAct, VerificationScope,
};
use crate::words::count;
use orugate_journal::Location;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Sessions of an instrument that are over and kept still, and proofs of it.
const KEPT: usize = 8;
/// Messages that an open session follows.
const MESSAGES: usize = 1000;
/// Answers that a session takes.
const ANSWERS: usize = 2000;

/// The sessions.
#[derive(Debug, Default)]
pub struct Verifications {
    sessions: BTreeMap<u64, Session>,
}

/// One session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Of what it is.
    pub scope: VerificationScope,
    /// When it began, in microseconds since 1970.
    pub at: i64,
    /// Who began it.
    pub actor: String,
    /// Its records: number and place.
    records: BTreeMap<u64, Location>,
    /// What was heard of its instrument since, while it is open; by message.
    pub heard: BTreeMap<u64, Heard>,
    /// Messages that cannot be answered for: read by another profile or map, or more than a session follows.
    pub strange: u32,
    /// The last answer to each result, and what the result shows besides; by message and place in it.
    pub said: BTreeMap<(u64, u32), (Answer, Vec<Shows>)>,
    /// What cannot be seen, with a reason.
    pub excused: BTreeSet<Shows>,
    /// The analyzer that was answered for.
    pub analyzer: Option<Analyzer>,
    /// How it ended.
    pub ended: Option<Ended>,
}

/// A message of an open session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// Who sent it.
    pub analyzer: Analyzer,
    /// Observations that went out.
    pub sent: BTreeSet<u32>,
    /// Observations that are no patient's.
    pub qc: BTreeSet<u32>,
    /// Observations that wait in holds, or waited.
    pub held: u32,
    /// Observations that are not reportable.
    pub not_reportable: u32,
    /// ORUs of it that a destination acknowledged.
    pub acknowledged: u32,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When, in microseconds since 1970.
    pub at: i64,
    /// For which analyzer it proves the profile.
    pub proof: Option<Analyzer>,
}

/// Why an instrument's profile is not proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unproven {
    /// No session of it ended with a proof.
    Never,
    /// This session proved it with another profile or map.
    Changed(u64),
}

impl Verifications {
    /// All of them, the oldest first.
    pub fn all(&self) -> impl Iterator<Item = (u64, &Session)> {
        self.sessions.iter().map(|(number, session)| (*number, session))
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, session: u64) -> Option<&Session> {
        self.sessions.get(&session)
    }

    /// The open one of an instrument.
    #[must_use]
    pub fn open(&self, instrument: &str) -> Option<(u64, &Session)> {
        self.all().find(|(_, session)| session.is_open() && session.scope.instrument == instrument)
    }

    /// The analyzers for which the profile is proven, with the sessions that prove it, the newest first.
    pub fn proofs<'s>(
        &'s self,
        instrument: &'s str,
        profile_hash: &'s str,
        map_hash: &'s str,
    ) -> impl Iterator<Item = (u64, &'s Analyzer)> {
        let of = self.sessions.iter().rev().filter(move |(_, session)| {
            let scope = &session.scope;
            scope.instrument == instrument && scope.profile_hash == profile_hash && scope.map_hash == map_hash
        });
        of.filter_map(|(number, session)| Some((*number, session.proof()?)))
    }

    /// Why it has none.
    #[must_use]
    pub fn why_not(&self, instrument: &str, profile_hash: &str, map_hash: &str) -> Option<Unproven> {
        if self.proofs(instrument, profile_hash, map_hash).next().is_some() {
            return None;
        }
        let mut of = self.sessions.iter().rev().filter(|(_, session)| session.scope.instrument == instrument);
        let other = of.find(|(_, session)| session.proof().is_some());
        Some(other.map_or(Unproven::Never, |(number, _)| Unproven::Changed(*number)))
    }

    /// How many records are needed.
    pub(super) fn count(&self) -> usize {
        self.sessions.values().map(|session| session.records.len()).sum()
    }

    /// Places of all records that are needed.
    pub(super) fn places(&self) -> impl Iterator<Item = &Location> {
        self.sessions.values().flat_map(Session::places)
    }

    /// For a checkpoint.
    pub(super) fn saved(&self) -> Vec<(u64, Session)> {
        self.sessions.iter().map(|(number, session)| (*number, session.clone())).collect()
    }

    /// The reverse.
    pub(super) fn restored(saved: Vec<(u64, Session)>) -> Self {
        Self { sessions: saved.into_iter().collect() }
    }

    /// Takes a record in, or sees that it is at another place now.
    pub(super) fn record(&mut self, record: Verification, number: u64, at: Location) {
        let Verification { session, at: time, actor, name: _, act } = record;
        if let Some(place) = self.sessions.get_mut(&session).and_then(|s| s.records.get_mut(&number)) {
            *place = at;
            return;
        }
        let act = match act {
            VerificationAct::Began(scope) => {
                let session = Session::new(*scope, time, actor, number, at);
                self.sessions.insert(number, session);
                return;
            }
            act => act,
        };
        // Of a session that is not needed any more.
        let Some(of) = self.sessions.get_mut(&session) else { return };
        of.records.insert(number, at);
        match act {
            VerificationAct::Began(_) => {}
            VerificationAct::Said { message, observation, answer, shows } => {
                if let Some(heard) = of.heard.get(&message).filter(|_| answer != Answer::Skipped) {
                    of.analyzer.get_or_insert_with(|| heard.analyzer.clone());
                }
                of.said.insert((message, observation), (answer, shows));
            }
            VerificationAct::Excused(item) => {
                of.excused.insert(item);
            }
            VerificationAct::Ended { proof } => {
                of.ended = Some(Ended { at: time, proof });
                of.heard.clear();
                let instrument = of.scope.instrument.clone();
                self.forget(&instrument);
            }
        }
    }

    /// Follows what becomes of the messages of instruments with an open session.
    pub(super) fn outcome(&mut self, outcome: &Outcome) {
        let of = self.sessions.values_mut();
        for session in of.filter(|s| s.is_open() && s.scope.instrument == outcome.instrument) {
            let scope = &session.scope;
            let full = session.heard.len() >= MESSAGES && !session.heard.contains_key(&outcome.message);
            if outcome.provenance.profile_hash != scope.profile_hash
                || outcome.provenance.map_hash() != scope.map_hash
                || full
            {
                session.strange = session.strange.saturating_add(1);
                continue;
            }
            let heard = session.heard.entry(outcome.message).or_default();
            heard.analyzer = outcome.analyzer.clone();
            for disposition in &outcome.dispositions {
                match &disposition.fate {
                    Fate::Sent => drop(heard.sent.insert(disposition.observation)),
                    Fate::Qc(_) => drop(heard.qc.insert(disposition.observation)),
                    Fate::Held(_) => heard.held = heard.held.saturating_add(1),
                    Fate::NotReportable(_) => heard.not_reportable = heard.not_reportable.saturating_add(1),
                    Fate::Repeat | Fate::Superseded | Fate::Discarded(..) => {}
                }
            }
        }
    }

    /// A destination acknowledged an ORU of this message.
    pub(super) fn acknowledged(&mut self, message: u64) {
        for session in self.sessions.values_mut().filter(|session| session.is_open()) {
            if let Some(heard) = session.heard.get_mut(&message) {
                heard.acknowledged = heard.acknowledged.saturating_add(1);
            }
        }
    }

    /// Only the newest of what is over is kept, and the newest proof of each profile, map and analyzer.
    fn forget(&mut self, instrument: &str) {
        let over =
            self.sessions.iter().rev().filter(|(_, s)| !s.is_open() && s.scope.instrument == instrument);
        let (mut seen, mut proven) = (0, BTreeSet::new());
        let mut gone = Vec::new();
        for (number, session) in over {
            seen += 1;
            let scope = &session.scope;
            let key = session.proof().map(|of| (&scope.profile_hash, &scope.map_hash, of));
            let proves = key.is_some_and(|key| proven.len() < KEPT && proven.insert(key));
            if seen > KEPT && !proves {
                gone.push(*number);
            }
        }
        for number in gone {
            self.sessions.remove(&number);
        }
    }
}

impl Session {
    fn new(scope: VerificationScope, at: i64, actor: String, number: u64, place: Location) -> Self {
        Self {
            scope,
            at,
            actor,
            records: [(number, place)].into(),
            heard: BTreeMap::new(),
            strange: 0,
            said: BTreeMap::new(),
            excused: BTreeSet::new(),
            analyzer: None,
            ended: None,
        }
    }

    /// Where its records are.
    pub(super) fn places(&self) -> impl Iterator<Item = &Location> {
        self.records.values()
    }

    /// Nobody has ended it.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.ended.is_none()
    }

    /// The analyzer for which it proves its profile.
    #[must_use]
    pub fn proof(&self) -> Option<&Analyzer> {
        self.ended.as_ref()?.proof.as_ref()
    }

    /// What was seen, by the last answers.
    #[must_use]
    pub fn seen(&self) -> BTreeSet<Shows> {
        let of = self.said.values().flat_map(|(answer, shows)| {
            let shows = if *answer == Answer::Same { shows.as_slice() } else { &[] };
            answer.sees().into_iter().chain(shows.iter().copied())
        });
        of.collect()
    }

    /// Results with this as their last answer.
    #[must_use]
    pub fn answered(&self, answer: Answer) -> usize {
        self.said.values().filter(|(said, _)| *said == answer).count()
    }

    /// What is to be seen, was not, and has no reason.
    #[must_use]
    pub fn open_items(&self) -> Vec<Shows> {
        let seen = self.seen();
        let open = |item: &&Shows| !seen.contains(item) && !self.excused.contains(item);
        self.scope.wanted.iter().filter(open).copied().collect()
    }

    /// Whether an answer may be taken.
    ///
    /// # Errors
    /// A sentence that says why not.
    pub fn takes(&self, message: u64, observation: u32, answer: Answer) -> Result<(), String> {
        if !self.is_open() {
            return Err(
                "This verification is over. Begin another: orugate verify session INSTRUMENT".to_owned()
            );
        }
        if self.said.len() >= ANSWERS && !self.said.contains_key(&(message, observation)) {
            return Err(format!("A verification takes {ANSWERS} results. End this one and begin another."));
        }
        let Some(heard) = self.heard.get(&message) else {
            return Err(format!(
                "Message {message} did not come from {} since this verification began, or was read by another profile.",
                self.scope.instrument
            ));
        };
        let (sent, qc) = (heard.sent.contains(&observation), heard.qc.contains(&observation));
        let of_qc = answer.sees().is_some() || answer == Answer::OtherQc;
        match answer {
            Answer::Skipped if sent || qc => return Ok(()),
            _ if !sent && !qc => {
                return Err(format!(
                    "Result {observation} of message {message} was neither sent nor quality control."
                ));
            }
            Answer::Same if qc => {
                return Err("This went to no patient. Say what it is: a control, a blank, a calibration, or none of these."
                    .to_owned());
            }
            _ if of_qc && sent => {
                return Err(
                    "This went out as a patient's result. If it is none, that is a difference: answer no."
                        .to_owned(),
                );
            }
            Answer::Same if heard.acknowledged == 0 => {
                return Err(
                    "No destination has acknowledged this result yet, so nobody knows that it arrived."
                        .to_owned(),
                );
            }
            _ => {}
        }
        match &self.analyzer {
            Some(analyzer) if *analyzer != heard.analyzer => Err(format!(
                "This came from another analyzer ({}) than what was answered before ({}). Look at the cable; each analyzer \
                 has a verification of its own.",
                heard.analyzer.named(),
                analyzer.named()
            )),
            _ => Ok(()),
        }
    }

    /// The analyzer for which it proves its profile, if it ends now.
    ///
    /// # Errors
    /// Each thing that is missing, as a clause.
    pub fn verdict(&self) -> Result<Analyzer, Vec<String>> {
        let mut missing = Vec::new();
        if self.scope.mode != "test" {
            missing.push("it was not made in test mode".to_owned());
        }
        if self.answered(Answer::Same) == 0 {
            missing.push("no result was confirmed".to_owned());
        }
        let differ = self.answered(Answer::Differs);
        if differ > 0 {
            missing.push(count(differ as u64, "result differs", "results differ"));
        }
        let open = self.open_items();
        missing
            .extend(open.iter().map(|item| format!("{} was not seen, and nothing says why", item.words())));
        if self.analyzer.is_none() {
            missing.push("nothing says which analyzer it was".to_owned());
        }
        match &self.analyzer {
            Some(analyzer) if missing.is_empty() => Ok(analyzer.clone()),
            _ => Err(missing),
        }
    }
}

impl Analyzer {
    /// For people.
    #[must_use]
    pub fn named(&self) -> String {
        let model = if self.model.is_empty() { "no model named" } else { &self.model };
        match self.serial.is_empty() {
            true => format!("{model}, no serial number"),
            false => format!("{model}, serial {}", self.serial),
        }
    }
}

#[cfg(test)]
mod tests;
