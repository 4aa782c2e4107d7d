//! A message read again today: where each result stands in its bytes, and what would be sent of it.
//!
//! Promises that the driver is called as in a dry run, so that one which panics or comes to no end costs its message and no
//! other. What was sent is in the journal; this only explains it.

use super::gather::Records;
use crate::apart::{Apart, AsThen, MESSAGE, Scene};
use crate::bedside::Told;
use crate::config::{InstrumentPlan, Plan};
use crate::convert::{Going, HoldReason, Reruns, Rules};
use crate::interpret::OwnedTarget;
use crate::lineup;
use crate::maps::{Mapped, Table};
use crate::records::{Fate, Outcome};
use jiff::tz::TimeZone;
use orugate_driver::report::{Item, Level, Note, Observation, ReportSink, Status};
use orugate_driver::span::Span;
use orugate_driver::{Fault, Interpreter, Piece, Profile, Scratch, StoredMessage};
use orugate_protocol::time::Utc;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What the driver said of a message.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Where the text stands; never empty.
    pub(super) pieces: Vec<Piece>,
    /// What the driver found, in document order.
    pub(super) parts: Vec<Part>,
    /// In document order, as dispositions count them.
    pub(super) results: Vec<Found>,
    /// The sample id of each order group, as the message has it.
    pub(super) samples: Vec<String>,
    /// The sample id under which a person released it; empty where nobody entered one.
    pub(super) sent_as: Vec<String>,
    /// The OBX of each group, with the observation that it is of, by outcome and destination.
    pub(super) obx: BTreeMap<(u64, u16, String), Vec<(u32, String)>>,
    /// What hashes of the results are now, by observation.
    pub(super) content: BTreeMap<u32, u128>,
    /// Name and hash of today's maps.
    pub(super) maps: Vec<(String, String)>,
    /// Which row of today's maps is for a result, by observation.
    pub(super) mapped: BTreeMap<u32, Row>,
    /// Notes of the driver, without their subjects.
    pub(super) notes: Vec<(Span, String)>,
    /// Why it is not whole.
    pub(super) broken: Option<String>,
}

/// One record that the driver gave.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) what: &'static str,
    /// In the message's text.
    pub(super) span: Span,
    /// The order group that it belongs to; what stands above groups has the next one's.
    pub(super) group: usize,
    /// It is the sender's or the end's, and says nothing of a patient.
    pub(super) common: bool,
}

/// One result.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) group: Option<usize>,
    pub(super) span: Span,
    pub(super) code: String,
    pub(super) name: String,
    pub(super) value: String,
    pub(super) unit: String,
    pub(super) range: String,
    pub(super) flags: String,
    pub(super) status: &'static str,
    pub(super) sample_in: &'static str,
}

/// A row of a map, as far as it is told.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) map: String,
    pub(super) file: String,
    pub(super) line: u32,
    pub(super) loinc: String,
    pub(super) expects: String,
    /// The result's unit is another one than the row expects.
    pub(super) other_unit: bool,
}

/// With what it is read.
pub(super) struct With<'a> {
    pub(super) profile: &'a dyn Profile,
    pub(super) targets: Vec<OwnedTarget>,
    pub(super) gateway: String,
    pub(super) zone: TimeZone,
    pub(super) key: [u8; 16],
    /// The maps of its instrument as they are today.
    pub(super) table: Option<Arc<Table>>,
}

/// What became of each measurement of a bedside device's message, read again without the one before it: what that had and this one
/// has not, and what was sent before, its ORU shows. None of any other device's.
pub(super) fn values(
    records: &Records,
    received: i64,
    profile: &dyn Profile,
    plan: &Plan,
    of: &InstrumentPlan,
    key: [u8; 16],
) -> Vec<Told> {
    let Some(bedside) = lineup::bedside(of) else { return Vec::new() };
    let scene = Scene {
        instrument: of.name.clone(),
        targets: lineup::targets(plan, of),
        gateway: plan.gateway.id.clone(),
        zone: of.zone(&plan.gateway).clone(),
        site_zone: plan.gateway.timezone.clone(),
        now: Utc(received),
        numbered: true,
        key,
        reruns: Reruns::All,
        rules: Rules::default(),
        table: None,
        bedside: Some(bedside),
    };
    let mut apart = Apart::new(scene, profile.interpreter(), MESSAGE);
    let read = apart.observe(&records.message()).is_ok();
    if read { apart.told().to_vec() } else { Vec::new() }
}

impl Reading {
    pub(super) fn of(records: &Records, instrument: &str, received: i64, with: With<'_>) -> Self {
        let With { profile, targets, gateway, zone, key, table } = with;
        let names: Vec<(usize, String)> = targets.iter().map(|t| (t.index, t.name.clone())).collect();
        let scene = Scene {
            instrument: instrument.to_owned(),
            targets,
            gateway,
            site_zone: zone.clone(),
            zone,
            now: Utc(received),
            numbered: true,
            key,
            reruns: Reruns::All,
            rules: Rules::default(),
            table: table.clone(),
            bedside: None,
        };
        let heard = Arc::new(Mutex::new(None));
        let recording = Recording { inner: profile.interpreter(), heard: heard.clone() };
        let mut apart = Apart::new(scene, Box::new(recording), MESSAGE);
        let message = records.message();
        let (mut obx, mut samples, mut content) = (BTreeMap::new(), Vec::<String>::new(), BTreeMap::new());
        let mut sent_as = Vec::<String>::new();
        let mut mapped = BTreeMap::new();
        let mut broken = None;
        let entered = |outcome: &Outcome| {
            let first = records.orus.values().find(|(oru, _)| oru.at == outcome.at)?;
            let reason = &records.holds.get(&outcome.released?)?.reason;
            HoldReason::of(reason).filter(|reason| reason.takes_sample()).and_then(|_| sample_of(&first.1))
        };
        let none = Outcome::default();
        let then = records.outcomes.iter().map(|(number, outcome)| (*number, outcome));
        // What nobody has interpreted yet is read all the same.
        for (number, outcome) in then.chain(records.outcomes.is_empty().then_some((0, &none))) {
            let sent = outcome.dispositions.iter().filter(|d| d.fate == Fate::Sent);
            let sample = entered(outcome);
            let released = outcome.released.and_then(|hold| records.holds.get(&hold));
            let as_then = AsThen {
                sample: sample.clone(),
                observations: sent.map(|d| d.observation).collect(),
                overruled: released.map(|hold| hold.reason.clone()),
            };
            let conversion = match apart.again(&message, as_then) {
                Ok(conversion) => conversion,
                Err(why) => {
                    broken = Some(why.sentence().to_owned());
                    break;
                }
            };
            broken = conversion.fault.map(|fault| format!("The driver stops before the end: {fault}."));
            let facts = conversion.facts;
            samples.resize(facts.groups.len().max(samples.len()), String::new());
            sent_as.resize(samples.len(), String::new());
            for ((was, is), group) in samples.iter_mut().zip(&mut sent_as).zip(&facts.groups) {
                let said = facts.word(&group.sample);
                let mut going = conversion.going.get(group.observations.clone()).into_iter().flatten();
                if sample.is_none() {
                    said.clone_into(was);
                } else if going.any(|going| *going == Going::Sent) {
                    said.clone_into(is);
                }
            }
            content.extend((0u32..).zip(facts.observations.iter().map(|fact| fact.content())));
            let rows = facts.observations.iter().map(|fact| row_of(table.as_deref(), fact.mapped));
            mapped.extend((0u32..).zip(rows).filter_map(|(at, row)| Some((at, row?))));
            for oru in conversion.orus {
                let Some((_, name)) = names.iter().find(|(index, _)| *index == oru.destination) else {
                    continue;
                };
                let range = facts.groups.get(usize::from(oru.group)).map_or(0..0, |g| g.observations.clone());
                let sent = range.filter(|at| conversion.going.get(*at) == Some(&Going::Sent));
                let sent = sent.filter_map(|at| u32::try_from(at).ok());
                let segments = obx_of(conversion.bytes(oru));
                obx.insert((number, oru.group, name.clone()), sent.zip(segments).collect());
            }
        }
        let heard = heard.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut reading = heard.unwrap_or_default();
        if reading.pieces.is_empty() {
            let all = Span::new(0, message.raw.len());
            reading.pieces.push(Piece { raw: all, text: all, frame: None });
        }
        let maps = table.as_ref().map(|table| table.provenance()).unwrap_or_default();
        Self { obx, samples, sent_as, content, maps, mapped, broken, ..reading }
    }

    /// Where a span of the text stands in the raw bytes; several places when it goes over the end of a frame.
    pub(super) fn places(&self, span: Span) -> Vec<Span> {
        let mut places = Vec::new();
        let mut begin = 0u32;
        for piece in &self.pieces {
            let end = begin.saturating_add(piece.text.len());
            let (from, to) = (span.start.max(begin), span.end.min(end));
            if from < to {
                let at = |offset: u32| piece.text.start.saturating_add(offset.saturating_sub(begin));
                places.push(Span { start: at(from), end: at(to) });
            }
            begin = end;
        }
        places
    }

    /// The bytes of a span of the text.
    pub(super) fn bytes(&self, span: Span, raw: &[u8]) -> Vec<u8> {
        let of = |place: Span| raw.get(place.start as usize..place.end as usize).unwrap_or_default();
        self.places(span).into_iter().flat_map(of).copied().collect()
    }
}

fn row_of(table: Option<&Table>, mapped: Mapped) -> Option<Row> {
    let (Mapped::Row(place) | Mapped::OtherUnit(place)) = mapped else { return None };
    let (map, row) = (table?.map_of(place)?, table?.row(place)?);
    Some(Row {
        map: map.name.clone(),
        file: map.file.display().to_string(),
        line: row.line,
        loinc: row.loinc.clone(),
        expects: row.expected.words().to_owned(),
        other_unit: matches!(mapped, Mapped::OtherUnit(_)),
    })
}

/// The OBX of an ORU.
pub(super) fn obx_of(oru: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(oru);
    text.split('\r').filter(|segment| segment.starts_with("OBX|")).map(str::to_owned).collect()
}

/// A field of a segment that is not MSH.
pub(super) fn field(segment: &str, number: usize) -> &str {
    segment.split('|').nth(number).unwrap_or_default()
}

/// SPM-2 of an ORU, unescaped as far as a sample id can be written with escapes.
pub(super) fn sample_of(oru: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(oru);
    let spm = text.split('\r').find(|segment| segment.starts_with("SPM|"))?;
    let mut sample = field(spm, 2).to_owned();
    for (escaped, plain) in [("\\F\\", "|"), ("\\S\\", "^"), ("\\T\\", "&"), ("\\R\\", "~"), ("\\E\\", "\\")]
    {
        sample = sample.replace(escaped, plain);
    }
    (!sample.is_empty()).then_some(sample)
}

/// Writes down what an interpreter gives the first time.
struct Recording {
    inner: Box<dyn Interpreter>,
    heard: Arc<Mutex<Option<Reading>>>,
}

impl Recording {
    fn heard(&self) -> std::sync::MutexGuard<'_, Option<Reading>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Interpreter for Recording {
    fn interpret<'m>(
        &self,
        message: &StoredMessage<'m>,
        scratch: &mut Scratch<'m>,
        sink: &mut dyn ReportSink<'m>,
    ) -> Result<(), Fault> {
        if self.heard().is_some() {
            return self.inner.interpret(message, scratch, sink);
        }
        let mut tee = Tee {
            sink,
            reading: Reading { pieces: self.inner.pieces(message), ..Reading::default() },
            groups: 0,
            sample_in: "",
        };
        let done = self.inner.interpret(message, scratch, &mut tee);
        let reading = tee.reading;
        *self.heard() = Some(reading);
        done
    }
}

struct Tee<'s, 'm> {
    sink: &'s mut dyn ReportSink<'m>,
    reading: Reading,
    groups: usize,
    sample_in: &'static str,
}

impl<'m> ReportSink<'m> for Tee<'_, 'm> {
    fn item(&mut self, item: Item<'m>) {
        let above = self.groups;
        let within = self.groups.saturating_sub(1);
        let part = match &item {
            Item::Sender(sender) => Some(("sender", sender.span, above, true)),
            Item::Patient(patient) => Some(("patient", patient.span, above, false)),
            Item::Specimen(specimen) => {
                self.sample_in = specimen.id_place;
                Some(("specimen", specimen.span, above, false))
            }
            Item::Order(order) => {
                self.groups = self.groups.saturating_add(1);
                Some(("order", order.span, above, false))
            }
            Item::Observation(observation) => {
                let group = self.groups.checked_sub(1);
                self.reading.results.push(found(observation, group, self.sample_in));
                Some(("result", observation.span, within, false))
            }
            Item::Comment(comment) => match comment.level {
                Level::Order | Level::Observation => Some(("comment", comment.span, within, false)),
                Level::Patient | Level::Message => Some(("comment", comment.span, above, false)),
            },
            // What is asked for may be anybody's.
            Item::Query(query) => Some(("query", query.span, usize::MAX, false)),
            _ => None,
        };
        if let Some((what, span, group, common)) = part {
            self.reading.parts.push(Part { what, span, group, common });
        }
        self.sink.item(item);
    }

    fn note(&mut self, note: Note<'m>) {
        self.reading.notes.push((note.span, note.kind.to_string()));
        self.sink.note(note);
    }
}

fn found(observation: &Observation<'_>, group: Option<usize>, sample_in: &'static str) -> Found {
    let Observation { code, value, unit, range, flags, status, span, .. } = observation;
    let status = match status {
        Status::Final => "final",
        Status::Preliminary => "preliminary",
        Status::Corrected => "corrected",
        Status::NotDone => "not done",
        Status::Pending => "pending",
        Status::Questionable => "questionable",
        Status::RerunInformation => "rerun information",
        Status::Absent => "none sent",
        _ => "unknown",
    };
    Found {
        group,
        span: *span,
        code: code.id.to_string(),
        name: code.name.to_string(),
        value: value.to_string(),
        unit: unit.to_string(),
        range: range.to_string(),
        flags: flags.text.to_string(),
        status,
        sample_in,
    }
}
