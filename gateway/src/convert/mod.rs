//! One stored message to what becomes of it: ORUs, holds, dispositions. The function that the gateway calls.
//!
//! [`Converter::convert`] walks the message twice. The first pass collects [`Facts`]; then each observation gets its
//! fate by rules, history and destinations; the second pass writes the ORUs. It reads no clock and no file: the same
//! message, configuration and history give the same bytes. Its memory is used again for every message, so that in
//! steady state nothing is allocated between the raw message and the finished ORU.

mod facts;
mod hash;
mod zone;

pub use facts::{Candidate, Fact, Facts, Group, HoldReason, NoteFact};
pub use hash::Keyed;
pub use zone::SiteZone;

use crate::state::Sent;
use facts::Collector;
use jiff::tz::TimeZone;
use orugate_driver::{Fault, Interpreter, Scratch, StoredMessage};
use orugate_protocol::hl7::Name;
use orugate_protocol::hl7::writer::WriteError;
use orugate_protocol::oru::{GroupPlan, OruError, OruWriter, PatientField, Route, Verdict, WriteObservation};
use orugate_protocol::report::Status;
use orugate_protocol::text::Charset;
use orugate_protocol::time::Utc;
use std::fmt::Write as _;
use std::ops::Range;

/// The largest ORU: what an MLLP receiver takes by default.
const ORU_MAX: usize = 16 << 20;
/// OBR-3 as the facts of the field have it: at most 20 characters.
const FILLER_MAX: usize = 20;

/// What is the same for all messages of one instrument.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// The instrument's name.
    pub instrument: &'a str,
    /// Its destinations, in the order of `send_to`, only those that accept its mode.
    pub destinations: &'a [Target<'a>],
    /// The gateway's four characters, which begin each MSH-10.
    pub gateway: &'a str,
    /// The zone of the instrument's clock.
    pub zone: &'a TimeZone,
    /// The journal's key for hashes.
    pub key: &'a [u8; 16],
}

/// One destination, as far as conversion depends on it.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// Which, in the plan.
    pub index: usize,
    /// Message constants.
    pub route: Route<'a>,
    /// A record, to which a result without a status is not final.
    pub record: bool,
    /// What a correction is sent as.
    pub corrections: Corrections,
    /// A resend of the same content is not sent again.
    pub suppress_resends: bool,
}

/// What a destination gets when a sent result was corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corrections {
    /// OBX-11 C.
    Corrected,
    /// OBX-11 F.
    Final,
    /// Nothing before a person decides.
    Hold,
}

/// One message to convert, with everything that its outcome depends on.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    /// Turns it into report items.
    pub interpreter: &'a dyn Interpreter,
    /// The message.
    pub message: StoredMessage<'a>,
    /// Its number: a later message has a higher one.
    pub number: u64,
    /// Its instrument's setting.
    pub setting: Setting<'a>,
    /// What was sent before.
    pub past: &'a dyn Past,
    /// The time that MSH-7 and OBR-22 carry.
    pub now: Utc,
    /// What a person decided, when this is a release.
    pub release: Option<Release<'a>>,
}

/// What was sent before.
pub trait Past {
    /// What was sent under an identity.
    fn sent(&self, identity: u128) -> Option<Sent>;
    /// The highest filler number of a specimen.
    fn filler(&self, specimen: u128) -> u32;
}

/// No past: for replays.
pub struct NoPast;

impl Past for NoPast {
    fn sent(&self, _: u128) -> Option<Sent> {
        None
    }
    fn filler(&self, _: u128) -> u32 {
        0
    }
}

/// Gives numbers for MSH-10 that were never given before; `None` when it cannot.
pub trait Numbers {
    /// The next number.
    fn next(&mut self) -> Option<u64>;
}

/// What a person said when a hold is released.
#[derive(Clone, Copy, Debug, Default)]
pub struct Release<'a> {
    /// The sample id for specimens without one.
    pub sample: Option<&'a str>,
    /// The observations of the hold; the others are left alone.
    pub observations: &'a [u32],
    /// And everything from this place on.
    pub rest_from: Option<u32>,
    /// Corrections are sent, whatever a destination says.
    pub corrections: bool,
}

impl Release<'_> {
    fn covers(&self, observation: u32) -> bool {
        self.rest_from.is_some_and(|from| observation >= from) || self.observations.contains(&observation)
    }
}

/// Where one observation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Going {
    /// Into the ORUs of its group.
    Sent,
    /// It waits for a person.
    Held(HoldReason),
    /// Quality control and its like; the evidence.
    Qc(&'static str),
    /// Sent before, and no destination wants it again.
    Repeat,
    /// A later message brought the same result while this one was held.
    Superseded,
    /// Not truthfully a result, by a named rule.
    NotReportable(&'static str),
    /// Not part of the release at hand.
    Untouched,
}

/// The first place of an ORU whose text its destination's charset cannot express.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inexpressible {
    /// The segment.
    pub segment: Name,
    /// The field, as the standard counts.
    pub field: u16,
    /// What the destination reads.
    pub charset: Charset,
}

/// One finished ORU.
#[derive(Clone, Debug)]
pub struct Ready {
    /// The number in its MSH-10.
    pub number: u64,
    /// The destination's index in the plan.
    pub destination: usize,
    /// The order group.
    pub group: u16,
    /// Observations in it.
    pub observations: u32,
    /// Where it has a character that the destination's charset does not have. It is in UTF-8 then, which its MSH-18
    /// says, and must not be sent before a person has decided.
    pub inexpressible: Option<Inexpressible>,
    bytes: Range<usize>,
}

/// Converts messages. One per thread.
#[derive(Debug)]
pub struct Converter {
    scratch: Vec<u8>,
    out: Vec<u8>,
    used: usize,
    facts: Facts,
    going: Vec<Going>,
    known: Vec<Known>,
    fillers: Vec<u32>,
    given: Vec<(u128, u32)>,
    /// Filler numbers that groups of this message have.
    taken: Vec<(u128, u32)>,
    starved: bool,
    verdicts: Vec<Verdict>,
    /// Tests of the group at hand with their places, sorted: runs of one test get sub-ids.
    tests: Vec<(u128, usize)>,
    ready: Vec<Ready>,
    control: String,
    filler: String,
    fault: Option<Fault>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// Nothing of this identity was sent, or what was sent was not final yet.
    New,
    /// The same was sent, as final as it is now.
    Same,
    /// A final result with another content was sent.
    Changed,
    /// A later message has overtaken it.
    Overtaken,
}

impl Known {
    fn of(fact: &Fact, task: &Task<'_>) -> Self {
        let before = fact.identity.and_then(|identity| task.past.sent(identity));
        match before {
            Some(sent) if sent.message > task.number => Self::Overtaken,
            Some(sent) if sent.content != fact.content() && sent.is_final => Self::Changed,
            Some(sent) if sent.content == fact.content() && sent.is_final == fact.is_final() => Self::Same,
            // Nothing, or something preliminary that this one only completes.
            _ => Self::New,
        }
    }
}

impl Default for Converter {
    fn default() -> Self {
        Self {
            scratch: Vec::new(),
            out: vec![0; 64 << 10],
            used: 0,
            facts: Facts::default(),
            going: Vec::new(),
            known: Vec::new(),
            fillers: Vec::new(),
            given: Vec::new(),
            taken: Vec::new(),
            starved: false,
            verdicts: Vec::new(),
            tests: Vec::new(),
            ready: Vec::new(),
            control: String::new(),
            filler: String::new(),
            fault: None,
        }
    }
}

/// A conversion's result, borrowed from its [`Converter`].
#[derive(Clone, Copy)]
pub struct Conversion<'c> {
    /// What the message says.
    pub facts: &'c Facts,
    /// Where each observation goes, as in `facts.observations`.
    pub going: &'c [Going],
    /// The ORUs, by group and then by destination.
    pub orus: &'c [Ready],
    /// Filler numbers given by this message: (specimen, number).
    pub given: &'c [(u128, u32)],
    /// Why the interpreter stopped before the message's end, if it did.
    pub fault: Option<Fault>,
    /// No number was to be had for an ORU: nothing of this conversion may be used.
    pub starved: bool,
    fillers: &'c [u32],
    out: &'c [u8],
}

impl Conversion<'_> {
    /// The bytes of one ORU.
    #[must_use]
    pub fn bytes(&self, oru: &Ready) -> &[u8] {
        self.out.get(oru.bytes.clone()).unwrap_or_default()
    }

    /// The filler number of an observation's group; 0 for none.
    #[must_use]
    pub fn filler(&self, fact: &Fact) -> u32 {
        fact.order.and_then(|o| self.fillers.get(usize::from(o))).copied().unwrap_or(0)
    }
}

impl Converter {
    /// Converts one message; `numbers` are those of its ORUs.
    pub fn convert(&mut self, task: &Task<'_>, numbers: &mut dyn Numbers) -> Conversion<'_> {
        self.ready.clear();
        self.used = 0;
        self.starved = false;
        // Framing is taken off into the scratch space, and a profile may rewrite values there.
        let room = task.message.raw.len().saturating_mul(2).saturating_add(1024);
        if self.scratch.len() < room {
            self.scratch.resize(room, 0);
        }
        self.first_pass(task);
        self.decide(task);
        for group in 0..self.facts.groups.len() {
            for target in task.setting.destinations {
                if let Err(reason) = self.write(task, target, group, numbers) {
                    self.hold_group(group, reason);
                    break;
                }
            }
        }
        self.conversion()
    }

    /// What the last [`convert`](Self::convert) found.
    #[must_use]
    pub fn conversion(&self) -> Conversion<'_> {
        Conversion {
            facts: &self.facts,
            going: &self.going,
            orus: &self.ready,
            given: &self.given,
            fault: self.fault,
            starved: self.starved,
            fillers: &self.fillers,
            out: &self.out,
        }
    }

    fn first_pass(&mut self, task: &Task<'_>) {
        let setting = &task.setting;
        let patient: Option<PatientField> =
            setting.destinations.iter().find_map(|t| t.route.patient.map(|p| p.field));
        let entered = task.release.and_then(|r| r.sample);
        let mut collector =
            Collector::new(&mut self.facts, setting.key, setting.instrument, entered, patient);
        let mut scratch = Scratch::new(&mut self.scratch);
        self.fault = task.interpreter.interpret(&task.message, &mut scratch, &mut collector).err();
    }

    /// Gives each observation its fate, and each group that sends something its filler number.
    fn decide(&mut self, task: &Task<'_>) {
        self.going.clear();
        self.known.clear();
        for (index, fact) in (0u32..).zip(&self.facts.observations) {
            let known = Known::of(fact, task);
            self.known.push(known);
            self.going.push(self.fate(index, fact, known, task));
        }
        self.number_groups(task.past);
    }

    fn fate(&self, index: u32, fact: &Fact, known: Known, task: &Task<'_>) -> Going {
        let Task { setting, release, .. } = task;
        let hold_corrections = !release.is_some_and(|r| r.corrections)
            && setting.destinations.iter().any(|t| t.corrections == Corrections::Hold);
        let correction = known == Known::Changed || fact.status == Status::Corrected;
        match fact.candidate {
            _ if release.is_some_and(|r| !r.covers(index)) => Going::Untouched,
            Candidate::Qc(evidence) => Going::Qc(evidence.evidence()),
            Candidate::NotReportable(rule) => Going::NotReportable(rule),
            // To send it all the same is what the release of such a hold means.
            Candidate::Held(reason) if reason != HoldReason::Cancelled || release.is_none() => {
                Going::Held(reason)
            }
            _ if known == Known::Overtaken => Going::Superseded,
            _ if fact.blank => Going::NotReportable("no-value"),
            _ if self.facts.too_large => Going::Held(HoldReason::TooLarge),
            _ if setting.destinations.is_empty() => Going::Held(HoldReason::NoDestination),
            _ if correction && hold_corrections => Going::Held(HoldReason::Correction),
            _ if known == Known::Same && setting.destinations.iter().all(|t| t.suppress_resends) => {
                Going::Repeat
            }
            _ => Going::Sent,
        }
    }

    /// A group goes out under the filler number that its results had before, or under the specimen's next one.
    fn number_groups(&mut self, past: &dyn Past) {
        self.fillers.clear();
        self.given.clear();
        self.taken.clear();
        for group in &self.facts.groups {
            let mut sends =
                group.observations.clone().filter(|i| self.going.get(*i) == Some(&Going::Sent)).peekable();
            if sends.peek().is_none() {
                self.fillers.push(0);
                continue;
            }
            let before =
                sends.find_map(|i| past.sent(self.facts.observations.get(i)?.identity?)).map(|s| s.filler);
            // Two orders of one message never share a number: a receiver that replaces by OBR-3 would lose one.
            let before = before.filter(|filler| !self.taken.contains(&(group.specimen, *filler)));
            let number = before.unwrap_or_else(|| {
                let highest = self.given.iter().rev().find(|(s, _)| *s == group.specimen).map(|(_, n)| *n);
                let number = highest.unwrap_or_else(|| past.filler(group.specimen)).saturating_add(1);
                self.given.push((group.specimen, number));
                number
            });
            self.taken.push((group.specimen, number));
            self.fillers.push(number);
        }
    }

    /// Writes the ORU of one group for one destination, if it has one.
    fn write(
        &mut self,
        task: &Task<'_>,
        target: &Target<'_>,
        group: usize,
        numbers: &mut dyn Numbers,
    ) -> Result<(), HoldReason> {
        let Task { interpreter, message, setting, now, release, .. } = task;
        let observations = self.verdicts(target, group);
        let Some(facts) = self.facts.groups.get(group) else { return Ok(()) };
        if observations == 0 {
            return Ok(());
        }
        let order = u16::try_from(group).map_err(|_| HoldReason::Unwritable)?;
        let Some(number) = numbers.next() else {
            self.starved = true;
            return Err(HoldReason::Unwritable);
        };
        self.control.clear();
        let _ = write!(self.control, "{}{number:016}", setting.gateway);
        write_filler(
            &mut self.filler,
            self.facts.word(&facts.sample),
            facts.specimen,
            self.fillers.get(group),
        );
        let mut remarks = [""; 3];
        let mut count = 0;
        let mut remark = |text| {
            if let Some(slot) = remarks.get_mut(count) {
                *slot = text;
                count += 1;
            }
        };
        if self.all_known(facts.observations.clone()) {
            remark("Sent again by the instrument.");
        }
        if release.is_some_and(|r| r.sample.is_some()) {
            remark("The sample id was entered by a person when the result was released.");
        }
        if !message.complete || !self.facts.complete {
            remark("The transmission broke off: results of this order may be missing.");
        }
        let plan = GroupPlan {
            order,
            control_id: &self.control,
            filler: &self.filler,
            sample: self.facts.word(&facts.sample),
            status: self.group_status(group),
            created: *now,
            remarks: remarks.get(..count).unwrap_or_default(),
        };
        let zone = SiteZone { zone: setting.zone, received: message.received };
        let mut route = target.route;
        let mut inexpressible = None;
        let length = loop {
            let buffer = self.out.get_mut(self.used..).unwrap_or_default();
            let mut writer = OruWriter::new(&route, &plan, &self.verdicts, &zone, buffer);
            // A fault was seen in the first pass; what came before it is written here too.
            let _ = interpreter.interpret(message, &mut Scratch::new(&mut self.scratch), &mut writer);
            let written = writer.finish().map(<[u8]>::len);
            match written {
                Ok(length) => break length,
                Err(OruError::Write(WriteError::Full)) if self.out.len() < ORU_MAX => {
                    let room = self.out.len().saturating_mul(2).min(ORU_MAX);
                    self.out.resize(room, 0);
                }
                // UTF-8 has every character, so this happens once.
                Err(OruError::Write(WriteError::Inexpressible { segment, field })) => {
                    inexpressible = Some(Inexpressible { segment, field, charset: route.charset });
                    route.charset = Charset::Utf8;
                }
                Err(_) => return Err(HoldReason::Unwritable),
            }
        };
        let bytes = self.used..self.used.saturating_add(length);
        self.used = bytes.end;
        self.ready.push(Ready {
            number,
            destination: target.index,
            group: order,
            observations,
            inexpressible,
            bytes,
        });
        Ok(())
    }

    /// Fills `self.verdicts` for one destination and group; gives the number of observations written.
    fn verdicts(&mut self, target: &Target<'_>, group: usize) -> u32 {
        self.verdicts.clear();
        self.tests.clear();
        self.verdicts.resize(self.facts.observations.len(), Verdict::Withheld);
        let Some(range) = self.facts.groups.get(group).map(|g| g.observations.clone()) else { return 0 };
        let all_known = self.all_known(range.clone());
        let mut written = 0;
        for index in range.clone() {
            let (Some(fact), Some(Going::Sent)) = (self.facts.observations.get(index), self.going.get(index))
            else {
                continue;
            };
            let known = self.known.get(index).copied().unwrap_or(Known::New);
            if known == Known::Same && target.suppress_resends {
                continue;
            }
            let corrected = known == Known::Changed || fact.status == Status::Corrected;
            let status = match fact.status {
                Status::NotDone => 'X',
                Status::Preliminary | Status::Questionable => 'P',
                _ if corrected && target.corrections != Corrections::Final => 'C',
                Status::Absent if target.record => 'R',
                _ => 'F',
            };
            let remark = match known {
                Known::Changed => Some("Corrected: another result was sent before."),
                Known::New if corrected => {
                    Some("The instrument marks this as a correction; what it corrects is not known here.")
                }
                Known::Same if !all_known => Some("Sent again by the instrument."),
                _ => None,
            };
            if let Some(slot) = self.verdicts.get_mut(index) {
                *slot = Verdict::Write(WriteObservation { status, sub_id: 0, remark });
                self.tests.push((fact.test, index));
                written += 1;
            }
        }
        self.number_repeats();
        written
    }

    /// Everything that is sent of these observations was sent before.
    fn all_known(&self, mut range: Range<usize>) -> bool {
        range.all(|i| self.going.get(i) != Some(&Going::Sent) || self.known.get(i) == Some(&Known::Same))
    }

    /// OBX-4 only where OBX-3 alone does not name the observation.
    fn number_repeats(&mut self) {
        self.tests.sort_unstable();
        for run in self.tests.chunk_by(|(a, _), (b, _)| a == b).filter(|run| run.len() > 1) {
            for (sub_id, (_, index)) in (1u16..).zip(run) {
                if let Some(Verdict::Write(how)) = self.verdicts.get_mut(*index) {
                    how.sub_id = sub_id;
                }
            }
        }
    }

    /// OBR-25 from the OBX-11 of what is written.
    fn group_status(&self, group: usize) -> char {
        let range = self.facts.groups.get(group).map_or(0..0, |g| g.observations.clone());
        let mut all = None;
        for verdict in self.verdicts.get(range).unwrap_or_default() {
            let Verdict::Write(WriteObservation { status, .. }) = verdict else { continue };
            all = match (all, *status) {
                (None, status) => Some(status),
                (Some('C'), _) | (_, 'C') => Some('C'),
                (Some(a), b) if a == b => Some(a),
                // A report in which one test could not be done is as final as the others.
                (Some('X'), b) => Some(b),
                (Some(a), 'X') => Some(a),
                _ => Some('P'),
            };
        }
        all.unwrap_or('F')
    }

    /// Nothing of a group is sent when one of its messages cannot be written: no destination gets a part.
    fn hold_group(&mut self, group: usize, reason: HoldReason) {
        let range = self.facts.groups.get(group).map_or(0..0, |g| g.observations.clone());
        for going in self.going.get_mut(range).unwrap_or_default() {
            if *going == Going::Sent {
                *going = Going::Held(reason);
            }
        }
        self.ready.retain(|r| usize::from(r.group) != group);
    }
}

/// `<sample>-<number>`, or a keyed stand-in of the sample id when that is too long.
fn write_filler(out: &mut String, sample: &str, specimen: u128, number: Option<&u32>) {
    let number = number.copied().unwrap_or(1);
    out.clear();
    let _ = write!(out, "{sample}-{number}");
    if out.chars().count() > FILLER_MAX {
        out.clear();
        let short = specimen & 0xFF_FFFF_FFFF_FFFF;
        let _ = write!(out, "{short:014X}-{number}");
    }
}
