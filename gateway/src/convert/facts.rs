//! The first pass: what a message says, as facts to decide on. Owns its memory and uses it again for every message.

use super::hash::Keyed;
use super::reason::HoldReason;
use super::{Proof, Release, SiteZone, Task};
use crate::maps::{Asked, Mapped};
use crate::records::Analyzer;
use orugate_protocol::oru::{Local, PatientField, Zone as _};
use orugate_protocol::report::{
    Comment, Item, Level, Note, NoteKind, Observation, Order, Qc, Query, ReportSink, Specimen, Status,
};
use orugate_protocol::span::Span;
use orugate_protocol::text::Text;
use orugate_protocol::time::DeviceTime;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Write as _;
use std::ops::Range;

/// More observations than any instrument puts into one message; a message with more is held whole.
const OBSERVATIONS: usize = 1 << 16;
/// Orders in one message: each is walked for on its own.
const GROUPS: usize = 4096;
/// Notes kept of one message; the count goes on.
const NOTES: usize = 256;

/// What is to become of an observation before history and destinations are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Candidate {
    /// It may be sent.
    Sendable,
    /// It waits for a person.
    Held(HoldReason),
    /// It is no patient's.
    Qc(Qc),
    /// It is not truthfully a result, by a named rule.
    NotReportable(&'static str),
}

/// One observation.
#[derive(Clone, Debug)]
pub struct Fact {
    /// The order it belongs to.
    pub order: Option<u16>,
    /// The test's code, in [`Facts::words`].
    pub code: Range<usize>,
    /// What the site's maps say of it. No hash depends on it: a changed map makes no other result of a resend.
    pub mapped: Mapped,
    /// Its unit, in [`Facts::words`], where the map expects another one.
    pub unit: Range<usize>,
    /// Keyed hash of instrument, specimen, code and isolate.
    pub test: u64,
    /// Keyed hash of what other runs of it have in common with it: the test, the dilution, and which of several results of one
    /// run it is. 0 without a run discriminator: nothing is another run of it.
    pub series: u64,
    /// Keyed hash of its identity, when the message has a run discriminator.
    pub identity: Option<u128>,
    /// What so far.
    pub candidate: Candidate,
    /// Result status.
    pub status: Status,
    /// It says nothing: no value, no flag, no comment.
    pub blank: bool,
    /// Remarks under it.
    pub remarks: u32,
    /// When the instrument measured it.
    pub ran: Option<DeviceTime>,
    content: Keyed,
}

impl Fact {
    /// It goes out as final, so that another content later corrects it.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        !matches!(self.status, Status::Preliminary | Status::Questionable)
    }

    /// Keyed hash of value, unit, flags and comments.
    #[must_use]
    pub fn content(&self) -> u128 {
        self.content.finish()
    }
}

/// One order group.
#[derive(Clone, Debug)]
pub struct Group {
    /// The sample id, in [`Facts::words`].
    pub sample: Range<usize>,
    /// Keyed hash of instrument-independent specimen id.
    pub specimen: u128,
    /// Indexes of its observations.
    pub observations: Range<usize>,
    /// Remarks on the order itself.
    pub remarks: u32,
    block: Option<Candidate>,
}

/// A note of the interpreter.
#[derive(Clone, Debug)]
pub struct NoteFact {
    /// What.
    pub kind: NoteKind,
    /// Where.
    pub span: Span,
    /// The thing's name, in [`Facts::words`].
    pub subject: Range<usize>,
}

/// Everything about one message.
#[derive(Debug, Default)]
pub struct Facts {
    /// Observations in document order.
    pub observations: Vec<Fact>,
    /// Order groups in document order.
    pub groups: Vec<Group>,
    /// Notes, at most [`NOTES`].
    pub notes: Vec<NoteFact>,
    /// Notes beyond those.
    pub more_notes: usize,
    /// Specimens asked for by queries, in [`Facts::words`].
    pub queries: Vec<Range<usize>>,
    /// Codes, sample ids and subjects, decoded.
    pub words: String,
    /// False when the interpreter says that the message is not whole.
    pub complete: bool,
    /// There was more than this holds: nothing of the message may be sent.
    pub too_large: bool,
    /// When the message was made, by the first header that says so.
    pub made: Option<DeviceTime>,
    /// When the newest result was there.
    pub newest: Option<DeviceTime>,
    /// Results of the hour that autumn repeats.
    pub in_repeated_hour: u32,
    /// Results of the hour that spring skips.
    pub in_skipped_hour: u32,
    /// Who sent it: model and serial, in [`words`](Self::words).
    sender: Option<(Range<usize>, Range<usize>)>,
    /// Somebody else sent another part of it.
    senders_differ: bool,
    /// How often each identity came.
    identities: HashMap<u128, u128>,
}

impl Facts {
    /// A piece of [`words`](Self::words).
    #[must_use]
    pub fn word(&self, range: &Range<usize>) -> &str {
        self.words.get(range.clone()).unwrap_or_default()
    }

    /// The identity itself, or with its ordinal where one message has several results of one identity (replicates,
    /// a number and its interpretation): a resend has them in the same order. And the ordinal, from 1.
    fn distinct(&mut self, mut identity: Keyed) -> (u128, u128) {
        let bare = identity.finish();
        match self.identities.entry(bare) {
            Entry::Vacant(entry) => {
                entry.insert(1);
                (bare, 1)
            }
            Entry::Occupied(mut entry) => {
                *entry.get_mut() += 1;
                identity.number(*entry.get());
                (identity.finish(), *entry.get())
            }
        }
    }

    /// Model and serial number of who sent it; of several, the first.
    fn sender(&self) -> (&str, &str) {
        self.sender.as_ref().map_or(("", ""), |(model, serial)| (self.word(model), self.word(serial)))
    }

    /// Who sent it.
    #[must_use]
    pub fn analyzer(&self) -> Analyzer {
        let (model, serial) = self.sender();
        Analyzer { model: model.to_owned(), serial: serial.to_owned() }
    }

    /// Whether its results may go out by what is proven of the profile.
    pub(super) fn is_proven(&self, proof: Proof<'_>) -> bool {
        match proof {
            Proof::NotAsked => true,
            Proof::By(analyzers) => {
                let (model, serial) = self.sender();
                !self.senders_differ && analyzers.iter().any(|of| of.model == model && of.serial == serial)
            }
        }
    }

    fn sent_by(&mut self, model: &Text<'_>, serial: &Text<'_>) {
        let before = self.words.len();
        let now = (self.keep(model), self.keep(serial));
        match &self.sender {
            None => self.sender = Some(now),
            Some((model, serial)) => {
                self.senders_differ |=
                    self.word(model) != self.word(&now.0) || self.word(serial) != self.word(&now.1);
                self.words.truncate(before);
            }
        }
    }

    fn clear(&mut self) {
        self.sender = None;
        self.senders_differ = false;
        self.identities.clear();
        self.observations.clear();
        self.groups.clear();
        self.notes.clear();
        self.more_notes = 0;
        self.queries.clear();
        self.words.clear();
        self.complete = false;
        self.too_large = false;
        (self.made, self.newest) = (None, None);
        (self.in_repeated_hour, self.in_skipped_hour) = (0, 0);
    }

    fn keep(&mut self, text: &Text<'_>) -> Range<usize> {
        let start = self.words.len();
        // Writing into a String cannot fail.
        let _ = write!(self.words, "{text}");
        start..self.words.len()
    }
}

/// Half of a keyed hash, which is as good a hash; never 0.
fn half(hash: &Keyed) -> u64 {
    (hash.finish() as u64).max(1)
}

/// The sink of the first pass.
pub(super) struct Collector<'f> {
    facts: &'f mut Facts,
    task: &'f Task<'f>,
    key: Keyed,
    /// A sample id that a person entered: it is that of all specimens, since only those of the hold are sent.
    entered: Option<&'f str>,
    patient_needed: Option<PatientField>,
    zone: SiteZone<'f>,
    message_block: Option<Candidate>,
    patient_block: Option<Candidate>,
    specimen: Option<(Range<usize>, u128, Option<Candidate>)>,
    /// The material, in [`Facts::words`].
    kind: Range<usize>,
    serial: Keyed,
}

impl<'f> Collector<'f> {
    pub(super) fn new(
        facts: &'f mut Facts,
        task: &'f Task<'f>,
        patient_needed: Option<PatientField>,
        zone: SiteZone<'f>,
    ) -> Self {
        facts.clear();
        let key = Keyed::new(task.setting.key);
        let mut serial = key;
        serial.str(task.setting.instrument);
        Self {
            facts,
            task,
            key,
            entered: task.release.and_then(|release| release.sample),
            patient_needed,
            zone,
            kind: 0..0,
            message_block: None,
            patient_block: None,
            specimen: None,
            serial,
        }
    }

    /// A hold, unless a person overrules this reason. What stands behind it is looked at all the same.
    fn hold(&self, reason: HoldReason) -> Option<Candidate> {
        let overruled = self.task.release.is_some_and(|release: Release<'_>| release.overrules(reason));
        (!overruled).then_some(Candidate::Held(reason))
    }

    fn specimen(&mut self, specimen: &Specimen<'_>) {
        let id = self.entered.map_or(specimen.id, Text::plain);
        let sample = self.facts.keep(&id);
        let mapped = self.task.setting.table.is_some();
        self.kind = if mapped { self.facts.keep(&specimen.kind) } else { 0..0 };
        let mut hash = self.key;
        hash.text(&id);
        let block = if let Some(evidence) = specimen.qc {
            Some(Candidate::Qc(evidence))
        } else if specimen.kind.undecodable().is_some() || id.undecodable().is_some() {
            Some(Candidate::Held(HoldReason::Undecodable))
        } else if id.is_empty() {
            Some(Candidate::Held(HoldReason::NoSampleId))
        } else if id.bytes().len() > 199 && id.chars().nth(199).is_some() {
            Some(Candidate::Held(HoldReason::SampleIdTooLong))
        } else if self.entered.is_none() && !self.task.setting.rules.sample_id.fits(self.facts.word(&sample))
        {
            self.hold(HoldReason::SampleIdRule)
        } else {
            None
        };
        self.specimen = Some((sample, hash.finish(), block));
    }

    fn order(&mut self, order: &Order<'_>) {
        let (sample, specimen, block) = self
            .specimen
            .clone()
            .unwrap_or_else(|| (0..0, self.key.finish(), Some(Candidate::Held(HoldReason::NoSampleId))));
        let own = if order.undecodable().is_some() {
            Some(Candidate::Held(HoldReason::Undecodable))
        } else {
            order.cancelled.then(|| self.hold(HoldReason::Cancelled)).flatten()
        };
        // Evidence of QC anywhere above wins: such a thing must never wait in a queue of patients' results.
        let all = [self.message_block, self.patient_block, block, own];
        let block = all
            .iter()
            .flatten()
            .find(|c| matches!(c, Candidate::Qc(_)))
            .or_else(|| all.iter().flatten().next())
            .copied();
        let start = self.facts.observations.len();
        self.facts.too_large |= self.facts.groups.len() >= GROUPS;
        self.facts.groups.push(Group { sample, specimen, observations: start..start, remarks: 0, block });
    }

    fn time(&mut self, time: &DeviceTime) {
        if time.offset.is_none() {
            match self.zone.of(time) {
                Local::Twice(_) => self.facts.in_repeated_hour += 1,
                Local::Skipped => self.facts.in_skipped_hour += 1,
                Local::Offset(_) | Local::Date => {}
            }
        }
        let civil =
            |time: &DeviceTime| (time.year, time.month, time.day, time.hour, time.minute, time.second);
        let newer = self.facts.newest.as_ref().is_none_or(|newest| civil(newest) < civil(time));
        if newer && time.has_time_of_day() {
            self.facts.newest = Some(*time);
        }
    }

    fn observation(&mut self, observation: &Observation<'_>) {
        if let Some(time) = &observation.completed {
            self.time(time);
        }
        if self.facts.observations.len() >= OBSERVATIONS {
            self.facts.too_large = true;
            return;
        }
        let code = self.facts.keep(&observation.code.id);
        let (mapped, unit) = self.mapped(observation, &code);
        let group = self.facts.groups.last();
        let mut test = self.serial;
        test.number(group.map_or(0, |g| g.specimen)).text(&observation.code.id);
        if observation.group > 0 {
            test.number(observation.group.into());
        }
        let block = group.map_or(self.message_block, |g| g.block);
        let candidate = match block {
            Some(Candidate::Qc(evidence)) => Candidate::Qc(evidence),
            _ if observation.doubt.is_some() => {
                Candidate::Held(HoldReason::Structure(observation.doubt.unwrap_or_default()))
            }
            _ if observation.suspect && self.hold(HoldReason::SuspectedControl).is_some() => {
                Candidate::Held(HoldReason::SuspectedControl)
            }
            _ if group.is_none() => Candidate::Held(HoldReason::Structure(
                "A result stands before any order, so nothing says whose it is. Look at the instrument; discard.",
            )),
            _ if observation.undecodable().is_some() => Candidate::Held(HoldReason::Undecodable),
            // HL7 reads two quotation marks as "delete what you have", and LIS02 may mean the same.
            _ if observation.value.reads("\"\"") => Candidate::Held(HoldReason::Structure(
                "The value is two quotation marks, which would delete a result. Look at the instrument; discard.",
            )),
            _ if observation.not_reportable.is_some() => {
                Candidate::NotReportable(observation.not_reportable.unwrap_or_default())
            }
            Some(block) => block,
            None => match observation.status {
                Status::Pending | Status::RerunInformation if !observation.value.is_empty() => {
                    Candidate::Held(HoldReason::PendingValue)
                }
                Status::Pending => Candidate::NotReportable("pending"),
                Status::RerunInformation => Candidate::NotReportable("rerun-information"),
                Status::Unknown(_) => Candidate::Held(HoldReason::UnknownStatus),
                _ if self.is_of_no_time(observation) => {
                    self.hold(HoldReason::ImpossibleTime).unwrap_or(Candidate::Sendable)
                }
                _ => Candidate::Sendable,
            },
        };
        let mut content = self.key;
        content.text(&observation.value).text(&observation.unit).text(&observation.flags.text);
        let identity = (!observation.run.is_empty()).then(|| {
            let mut identity = self.serial;
            identity
                .number(group.map_or(0, |g| g.specimen))
                .text(&observation.code.id)
                .text(&observation.run);
            if observation.group > 0 {
                identity.number(observation.group.into());
            }
            identity
        });
        let (identity, ordinal) = identity.map(|identity| self.facts.distinct(identity)).unzip();
        let series = ordinal.map_or(0, |ordinal| {
            let mut series = test;
            series.text(&observation.replicate).number(ordinal);
            half(&series)
        });
        let order = self.facts.groups.len().checked_sub(1).and_then(|n| u16::try_from(n).ok());
        self.facts.observations.push(Fact {
            order,
            code,
            mapped,
            unit,
            test: half(&test),
            series,
            identity,
            candidate,
            status: observation.status,
            blank: observation.value.is_empty()
                && observation.flags.text.is_empty()
                && observation.status != Status::NotDone,
            remarks: 0,
            ran: observation.completed.or(observation.started),
            content,
        });
        let end = self.facts.observations.len();
        if let Some(group) = self.facts.groups.last_mut() {
            group.observations.end = end;
        }
    }

    /// What the maps say of an observation, and its unit where that is what is wrong.
    fn mapped(&mut self, observation: &Observation<'_>, code: &Range<usize>) -> (Mapped, Range<usize>) {
        let Some(table) = self.task.setting.table else { return (Mapped::Off, 0..0) };
        let Observation { unit, unit_as_sent, .. } = observation;
        let mapped = table.find(&Asked {
            code: self.facts.word(code),
            specimen: self.facts.word(&self.kind),
            unit: *unit,
            unit_as_sent: *unit_as_sent,
            measured: !observation.value.is_empty() && observation.status != Status::NotDone,
        });
        match mapped {
            Mapped::OtherUnit(_) => {
                let sent = if unit_as_sent.is_empty() { unit } else { unit_as_sent };
                (mapped, self.facts.keep(sent))
            }
            _ => (mapped, 0..0),
        }
    }

    fn is_of_no_time(&self, observation: &Observation<'_>) -> bool {
        let Task { setting, message, .. } = self.task;
        setting.rules.times.is_some_and(|times| {
            let mut said = [observation.started, observation.completed].into_iter().flatten();
            said.any(|time| times.exclude(&time, setting.zone, message.received, message.clock))
        })
    }

    fn comment(&mut self, comment: &Comment<'_>) {
        let Comment { level, label, text, .. } = comment;
        let bad = text.undecodable().is_some().then_some(Candidate::Held(HoldReason::Undecodable));
        match level {
            Level::Observation => {
                if let Some(fact) = self.facts.observations.last_mut() {
                    fact.content.text(text);
                    fact.remarks += u32::from(label.is_empty());
                    // A lot number beside an empty value is no result either.
                    fact.blank &= !label.is_empty();
                    if let (Some(bad), Candidate::Sendable) = (bad, fact.candidate) {
                        fact.candidate = bad;
                    }
                }
            }
            Level::Order => {
                if let Some(group) = self.facts.groups.last_mut() {
                    group.remarks += u32::from(label.is_empty());
                    group.block = group.block.or(bad);
                }
            }
            Level::Patient => self.patient_block = self.patient_block.or(bad),
            Level::Message => self.message_block = self.message_block.or(bad),
        }
    }

    fn query(&mut self, query: &Query<'_>) {
        let range = self.facts.keep(&query.specimen);
        if self.facts.queries.len() < NOTES {
            self.facts.queries.push(range);
        }
    }
}

impl<'m> ReportSink<'m> for Collector<'_> {
    fn item(&mut self, item: Item<'m>) {
        match item {
            Item::Sender(sender) => {
                let undecodable = sender.undecodable().map(|_| Candidate::Held(HoldReason::Undecodable));
                let other = self.task.setting.rules.identity.is_other(&sender);
                let other = other.then(|| self.hold(HoldReason::OtherInstrument)).flatten();
                self.message_block = sender.qc.map(Candidate::Qc).or(undecodable).or(other);
                self.patient_block = None;
                self.specimen = None;
                self.facts.made = self.facts.made.or(sender.time);
                self.facts.sent_by(&sender.name, &sender.serial);
                self.serial = self.key;
                if sender.serial.is_empty() {
                    self.serial.str(self.task.setting.instrument);
                } else {
                    self.serial.text(&sender.serial);
                }
            }
            Item::Patient(patient) => {
                // Names matter only where a site uses the patient; an odd name elsewhere must not hold a result.
                let needed = self.patient_needed.is_some() && patient.undecodable().is_some();
                self.patient_block = needed.then_some(Candidate::Held(HoldReason::Undecodable));
                self.specimen = None;
            }
            Item::Specimen(specimen) => self.specimen(&specimen),
            Item::Order(order) => self.order(&order),
            Item::Observation(observation) => self.observation(&observation),
            Item::Comment(comment) => self.comment(&comment),
            Item::Query(query) => self.query(&query),
            Item::End(end) => self.facts.complete = end.complete,
            _ => self.facts.more_notes += 1,
        }
    }

    fn note(&mut self, note: Note<'m>) {
        if self.facts.notes.len() < NOTES {
            let subject = self.facts.keep(&note.subject);
            self.facts.notes.push(NoteFact { kind: note.kind, span: note.span, subject });
        } else {
            self.facts.more_notes += 1;
        }
    }
}
