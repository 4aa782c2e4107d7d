//! What became of each measurement of a message, in words: for whoever holds a device's screen beside what goes out.
//!
//! Promises the order and the fates of the last [`Observer::observe`]: what has a row in the ORU, why it has one without a value, and
//! why it has none. Leaves out times and places, which the ORU shows.

use super::facts::{Fact, Going};
use super::{Observer, Task, is_silent};
use orugate_driver::Scratch;
use orugate_protocol::report::{Item, Marks, Measurement, Note, Reading, ReportSink};
use orugate_protocol::{mdc, pcd};
use std::fmt::Write as _;

/// One measurement, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Told {
    /// The vendor's code.
    pub code: String,
    /// What it is called, and by what it is told from others of its kind.
    pub name: String,
    /// The value as the device gives it; empty where there is none.
    pub value: String,
    /// In UCUM where MDC has it, else as the device writes it.
    pub unit: String,
    /// Code and reference id of MDC; empty where no source proves one.
    pub mdc: String,
    /// `sent`, or why it is not.
    pub fate: String,
    /// It has a row in the ORU, with or without a value.
    pub goes: bool,
}

impl Observer {
    /// What became of the measurements of a message that was just observed.
    pub fn tell(&mut self, task: &Task<'_>) -> Vec<Told> {
        let mut told = Vec::new();
        if !is_silent(&task.message) {
            let facts = &self.facts.all;
            let mut sink = Teller { facts, withdrawn: None, why: &self.why, seen: 0, told: &mut told };
            let _ =
                task.interpreter.interpret(&task.message, &mut Scratch::new(&mut self.scratch), &mut sink);
        }
        for (index, (previous, (scratch, facts))) in task.previous.iter().zip(&mut self.before).enumerate() {
            let withdrawn = Some((index, &*self.withdrawn));
            let mut sink = Teller { facts: &facts.all, withdrawn, why: "", seen: 0, told: &mut told };
            let _ = task.interpreter.interpret(&previous.message, &mut Scratch::new(scratch), &mut sink);
        }
        told
    }
}

struct Teller<'t> {
    facts: &'t [Fact],
    /// It is this one of those before; these of them are withdrawn, and nothing is told of others.
    withdrawn: Option<(usize, &'t [(usize, usize)])>,
    /// Why nothing of the message is sent.
    why: &'t str,
    seen: usize,
    told: &'t mut Vec<Told>,
}

impl Teller<'_> {
    fn measurement(&mut self, m: &Measurement<'_>) {
        let place = self.seen;
        self.seen = self.seen.saturating_add(1);
        let Some(fact) = self.facts.get(place) else { return };
        let going = match self.withdrawn {
            Some((index, withdrawn)) if withdrawn.contains(&(index, place)) => None,
            Some(_) => return,
            None => Some(fact.going),
        };
        let mut name = m.code.name.to_string();
        if !m.label.is_empty() {
            let _ = write!(name, " ({})", m.label);
        }
        self.told.push(Told {
            code: m.code.id.to_string(),
            name: name.trim().to_owned(),
            value: if going.is_some() { value(&m.value) } else { String::new() },
            unit: match mdc::unit(m.unit.mdc) {
                Some(unit) => unit.ucum.to_owned(),
                None => m.unit.text.to_string(),
            },
            mdc: mdc::term(m.term).map_or_else(String::new, |term| format!("{} {}", term.code, term.refid)),
            fate: self.fate(m, going),
            goes: matches!(going, None | Some(Going::Sent | Going::Absent(..))),
        });
    }

    fn fate(&self, m: &Measurement<'_>, going: Option<Going>) -> String {
        let (how, marks, why) = match going {
            None => return "withdrawn, for the device does not give it any more".to_owned(),
            Some(Going::Sent) => ("sent", m.marks, m.why),
            Some(Going::Absent(marks, why)) => {
                ("sent without a value", m.marks.and(marks), if m.why.is_empty() { why } else { m.why })
            }
            Some(Going::Left) => ("left out", m.marks, m.why),
            Some(Going::Repeat) => return "sent before".to_owned(),
            Some(Going::Superseded) => return "passed over for another message of its interval".to_owned(),
            Some(Going::Unreadable) if self.why.is_empty() => {
                return "not sent: a text of it cannot be decoded".to_owned();
            }
            Some(Going::Unreadable) => return format!("not sent: {}", self.why),
        };
        let mut fate = how.to_owned();
        for token in pcd::status(marks) {
            let _ = write!(fate, ", {token}");
        }
        if marks.has(Marks::VALIDATED) {
            fate.push_str(", validated");
        }
        if !why.is_empty() {
            let _ = write!(fate, ": {why}");
        }
        fate
    }
}

fn value(reading: &Reading<'_>) -> String {
    match reading {
        Reading::Absent => String::new(),
        Reading::Number(text) | Reading::Words(text) => text.to_string(),
        Reading::Coded(code, text) if text.is_empty() => {
            mdc::term(*code).map_or_else(String::new, |term| term.refid.to_owned())
        }
        Reading::Coded(_, text) => text.to_string(),
    }
}

impl<'m> ReportSink<'m> for Teller<'_> {
    fn item(&mut self, item: Item<'m>) {
        if let Item::Measurement(measurement) = item {
            self.measurement(&measurement);
        }
    }

    fn note(&mut self, _: Note<'m>) {}
}

/// The measurements below each other, a line each.
#[must_use]
pub fn table(told: &[Told]) -> String {
    let head = ["code", "name", "value", "unit", "MDC", "what goes out"].map(str::to_owned);
    let cells = |told: &Told| {
        let Told { code, name, value, unit, mdc, fate, goes: _ } = told.clone();
        [code, name, value, unit, mdc, fate]
    };
    let rows: Vec<[String; 6]> = std::iter::once(head).chain(told.iter().map(cells)).collect();
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..6).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            // A text of a device may hold what would break the line.
            let cell: String = cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            let _ = write!(line, "  {cell:<width$}");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}
