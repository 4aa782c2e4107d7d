//! A capture through a configuration, without a gateway: what each destination of an instrument would get.
//!
//! Promises that the targets, the session's messages and the conversion are those of the gateway, and that the same
//! capture, configuration and time give the same bytes: every MSH-10 has the number 0. [`compare()`] says how what two
//! configurations give differs. Nothing is stored or sent. Leaves out the past: corrections, resends and filler
//! numbers are those of an instrument that has sent nothing before.

mod compare;

pub use compare::{Comparison, compare};

use crate::apart::{Apart, Broken, Scene};
use crate::bedside;
use crate::config::{InstrumentPlan, Plan};
use crate::convert::{Conversion, Going, HoldReason, Ready, Rules};
use crate::interpret::OwnedTarget;
use crate::lineup;
use crate::maps::Table;
use crate::replay::{Heard, Message};
use orugate_protocol::text::{Charset, Escapes, Text};
use orugate_protocol::time::Utc;
use std::fmt::Write as _;
use std::time::Duration;

/// What a configuration makes of a capture.
#[derive(Debug, Default)]
pub struct Seen {
    /// The destinations that the instrument reaches, in the order of `send_to`.
    pub reached: Vec<String>,
    /// The messages of the capture.
    pub messages: Vec<Read>,
    /// What the link said, in words.
    pub notes: Vec<String>,
}

/// What became of one message.
#[derive(Debug)]
pub struct Read {
    raw: Vec<u8>,
    observations: Vec<Observed>,
    notes: Vec<String>,
    /// The place in [`Seen::reached`] and the text of each ORU.
    orus: Vec<(usize, String)>,
}

/// What became of one observation.
#[derive(Debug)]
struct Observed {
    code: String,
    /// `sent`, or why not.
    fate: String,
    /// What each of [`Seen::reached`] gets of it.
    rows: Vec<Option<Row>>,
}

/// Fields and what stands in them, in the order of the message: those of the observation and of the ORU around it.
type Row = Vec<(String, String)>;

/// An observation that goes into ORUs.
const SENT: &str = "sent";

/// What the plan makes of what the instrument's own capture session heard, at the time `now`; a message may take `limit`.
#[must_use]
pub fn see(plan: &Plan, instrument: &InstrumentPlan, heard: &Heard, now: Utc, limit: Duration) -> Seen {
    let scene = Scene {
        instrument: instrument.name.clone(),
        targets: lineup::targets(plan, instrument),
        gateway: plan.gateway.id.clone(),
        zone: instrument.zone(&plan.gateway).clone(),
        site_zone: plan.gateway.timezone.clone(),
        now,
        numbered: false,
        key: [0; 16],
        reruns: instrument.reruns,
        // A capture may be of any time.
        rules: Rules { times: None, ..instrument.rules.clone() },
        table: instrument.table.clone(),
        bedside: lineup::bedside(instrument),
    };
    let reached = scene.targets.iter().map(|target| target.name.clone()).collect::<Vec<_>>();
    // Twice, since one is lent while the other is looked at.
    let targets = lineup::targets(plan, instrument);
    let mut apart = Apart::new(scene, instrument.profile.interpreter(), limit);
    let mut messages = Vec::with_capacity(heard.messages.len());
    for (message, number) in heard.messages.iter().zip(1usize..) {
        if instrument.bedside.is_some() {
            messages.push(observed(
                &mut apart,
                &heard.timed(message, now),
                &targets,
                number,
                &instrument.name,
            ));
            continue;
        }
        messages.push(match apart.convert(message) {
            Ok(conversion) => read(&conversion, &message.raw, &targets, instrument.table.as_deref()),
            Err(why) => broken(&instrument.name, number, &message.raw, why),
        });
    }
    Seen { reached, messages, notes: heard.notes.clone() }
}

fn broken(instrument: &str, number: usize, raw: &[u8], why: Broken) -> Read {
    let (reason, why) = (HoldReason::DriverFault.code(), why.sentence());
    let note = format!("{instrument}: message {number} of the capture is held whole, {reason}: {why}");
    Read { raw: raw.to_vec(), observations: Vec::new(), notes: vec![note], orus: Vec::new() }
}

/// What becomes of a bedside device's message: each measurement is an observation.
fn observed(
    apart: &mut Apart,
    message: &Message,
    targets: &[OwnedTarget],
    number: usize,
    instrument: &str,
) -> Read {
    let raw = message.raw.clone();
    let observation = match apart.observe(message) {
        Ok(observation) => observation,
        Err(why) => return broken(instrument, number, &raw, why),
    };
    let mut notes = observation.notes.to_vec();
    if !observation.why.is_empty() {
        notes.push(format!(
            "{instrument}: nothing of message {number} of the capture would be sent: {}",
            observation.why
        ));
    }
    let of = |ready: &bedside::Ready| {
        let at = targets.iter().position(|target| target.index == ready.destination)?;
        let charset = targets.get(at)?.charset;
        Some((at, Text::new(observation.bytes(ready), charset, Escapes::None).to_string()))
    };
    let orus: Vec<(usize, String)> = observation.orus.iter().filter_map(of).collect();
    let told = apart.told();
    let mut observations: Vec<Observed> = told
        .iter()
        .map(|told| Observed {
            code: format!("{} {}", told.code, told.name).trim().to_owned(),
            fate: told.fate.clone(),
            rows: vec![None; targets.len()],
        })
        .collect();
    for (at, text) in &orus {
        let goes = told.iter().zip(&mut observations).filter(|(told, _)| told.goes);
        let in_tree = |row: &Row| row.iter().any(|(label, value)| label == "OBX-4" && value.ends_with(".0"));
        for ((_, observed), row) in goes.zip(rows(text).into_iter().filter(|row| !in_tree(row))) {
            if let Some(slot) = observed.rows.get_mut(*at) {
                *slot = Some(row);
            }
        }
    }
    Read { raw, observations, notes, orus }
}

fn read(conversion: &Conversion<'_>, raw: &[u8], targets: &[OwnedTarget], table: Option<&Table>) -> Read {
    let facts = conversion.facts;
    let mut observations: Vec<Observed> = facts
        .observations
        .iter()
        .zip(conversion.going)
        .enumerate()
        .map(|(index, (fact, going))| Observed {
            code: match facts.word(&fact.code) {
                "" => "(no code)".to_owned(),
                code => code.to_owned(),
            },
            fate: fate(conversion, index, *going, table),
            rows: vec![None; targets.len()],
        })
        .collect();
    let mut orus = Vec::new();
    for ready in conversion.orus {
        let Some(at) = targets.iter().position(|target| target.index == ready.destination) else { continue };
        let Some(target) = targets.get(at) else { continue };
        let text = decoded(conversion.bytes(ready), ready, target.charset);
        let range = facts.groups.get(usize::from(ready.group)).map_or(0..0, |g| g.observations.clone());
        let sent = range.filter(|i| conversion.going.get(*i) == Some(&Going::Sent));
        let parked = ready.inexpressible.map(|lacks| {
            let (segment, field) = (lacks.segment.as_str(), lacks.field);
            format!("yes, {segment}-{field} has a character that {} does not have", lacks.charset.name())
        });
        for (index, mut row) in sent.zip(rows(&text)) {
            if let Some(why) = &parked {
                put(&mut row, PARKED.to_owned(), why);
            }

            let slot = observations.get_mut(index).and_then(|observed| observed.rows.get_mut(at));
            if let Some(slot) = slot {
                *slot = Some(row);
            }
        }
        orus.push((at, text));
    }
    let mut notes: Vec<String> = facts
        .notes
        .iter()
        .map(|note| match facts.word(&note.subject) {
            "" => note.kind.to_string(),
            subject => format!("{}: {subject}", note.kind),
        })
        .collect();
    notes.extend(
        conversion.fault.map(|fault| format!("the rest of a message is held, driver-fault: {fault}")),
    );
    let asks = |query| format!("the instrument asks for orders of the specimen {}", facts.word(query));
    notes.extend(facts.queries.iter().map(asks));
    Read { raw: raw.to_vec(), observations, notes, orus }
}

fn fate(conversion: &Conversion<'_>, index: usize, going: Going, table: Option<&Table>) -> String {
    match going {
        Going::Sent => SENT.to_owned(),
        Going::Held(reason) => {
            format!("held, {}: {}", reason.code(), conversion.sentence(reason, table, &[index]))
        }
        Going::Qc(evidence) => format!("qc, not a patient's result, because {evidence}"),
        Going::NotReportable(rule) => {
            format!("not reportable by the rule {}", conversion.by_the_rule(index, rule))
        }
        // Only with a past.
        Going::Repeat | Going::Superseded | Going::Untouched => "not sent again".to_owned(),
    }
}

/// An ORU as its receiver reads it.
fn decoded(bytes: &[u8], ready: &Ready, charset: Charset) -> String {
    let charset = if ready.inexpressible.is_some() { Charset::Utf8 } else { charset };
    Text::new(bytes, charset, Escapes::None).to_string()
}

/// One row for each OBX.
fn rows(oru: &str) -> Vec<Row> {
    let (mut shared, mut rows) = (Row::new(), Vec::<Row>::new());
    let mut parent = "";
    for segment in oru.split('\r').filter(|segment| !segment.is_empty()) {
        let (name, fields) = segment.split_once('|').unwrap_or((segment, ""));
        match name {
            "NTE" => {
                let text = fields.split('|').nth(2).unwrap_or_default();
                match rows.last_mut().filter(|_| parent == "OBX") {
                    Some(row) => put(row, "NTE".to_owned(), text),
                    None => put(&mut shared, format!("NTE of {parent}"), text),
                }
                continue;
            }
            "OBX" => rows.push(fields_of(name, fields, 1).collect()),
            // MSH-1 is the separator itself.
            "MSH" => shared.extend(fields_of(name, fields, 2)),
            _ => fields_of(name, fields, 1).for_each(|(label, value)| put(&mut shared, label, &value)),
        }
        parent = name;
    }
    rows.iter_mut().for_each(|row| row.extend(shared.iter().cloned()));
    rows
}

/// The field of a row that says why the ORU is not sent before a person decides.
const PARKED: &str = "waits for a person";

/// The fields with something in them. What only counts segments is left out.
fn fields_of<'s>(
    name: &'s str,
    fields: &'s str,
    first: usize,
) -> impl Iterator<Item = (String, String)> + 's {
    fields.split('|').enumerate().filter_map(move |(at, value)| {
        let number = at + first;
        let counts = number == 1 && name != "MSH";
        (!counts && !value.is_empty()).then(|| (format!("{name}-{number}"), value.to_owned()))
    })
}

fn put(row: &mut Row, label: String, value: &str) {
    match row.iter_mut().find(|(known, _)| *known == label) {
        Some((_, text)) => {
            let _ = write!(text, " / {value}");
        }
        None => row.push((label, value.to_owned())),
    }
}

impl Seen {
    /// How many observations the capture has.
    #[must_use]
    pub fn observations(&self) -> usize {
        self.all().count()
    }

    /// The ORUs for a destination, a segment a line, an empty line behind each.
    #[must_use]
    pub fn orus(&self, destination: &str) -> String {
        let at = self.reached.iter().position(|name| name == destination);
        let mut out = String::new();
        for (_, oru) in self.messages.iter().flat_map(|m| &m.orus).filter(|(to, _)| Some(*to) == at) {
            for segment in oru.split('\r').filter(|segment| !segment.is_empty()) {
                let _ = writeln!(out, "{segment}");
            }
            out.push('\n');
        }
        out
    }

    /// Each observation that is not sent, with the reason, and each note.
    #[must_use]
    pub fn not_sent(&self) -> String {
        let mut out = String::new();
        for observed in self.all().filter(|observed| observed.fate != SENT) {
            let _ = writeln!(out, "{}: {}", observed.code, observed.fate);
        }
        for note in self.all_notes() {
            let _ = writeln!(out, "note {note}");
        }
        out
    }

    fn all(&self) -> impl Iterator<Item = &Observed> {
        self.messages.iter().flat_map(|message| &message.observations)
    }

    fn all_notes(&self) -> impl Iterator<Item = &String> {
        self.notes.iter().chain(self.messages.iter().flat_map(|message| &message.notes))
    }
}
