//! From one snapshot to report items.
//!
//! Promises: no allocation; each record of each response is one measurement, known or not, with its unit and limits beside
//! it; a value that the device does not list although it lists its limits is absent and says why. What is measured now and then
//! is given from the answer in which it was new, and from no other. Codes have the MDC numbers that the tables prove and else
//! their own. Leaves out alarms as alarms: what the device says of them is an observation like any other.

use crate::data::{self, Identity, Number, Record, Records, Shape};
use crate::plan::Plan;
use crate::session::{CLOCK, IDENTIFY};
use crate::tables::{self, Dialect, Part, Row};
use crate::wire::{self, Frame, Kind};
use orugate_driver::report::{
    Alarm, Code, Device, End, Group, Item, Kind as Sort, Marks, Measurement, Note, NoteKind, Priority,
    Reading, ReportSink, Shown, Side, Unit,
};
use orugate_driver::snapshot::{self, Snapshot};
use orugate_driver::span::Span;
use orugate_driver::text::{Charset, Escapes, Text};
use orugate_driver::time::Utc;
use orugate_driver::{Fault, Interpreter, Scratch, StoredMessage};
use orugate_protocol::ascii::CR;

const UNLISTED: &str = "the device lists no value for it now";
const UNANSWERED: &str = "the device did not answer when it was asked for values";
const BLANK: &str = "the device sends spaces in place of a value";
const MARKS: &str = "the device sends marks in place of a value";
/// What is said of a text or an alarm that has neither a phrase nor a known code.
const WORDLESS: &str = "active";
/// The text of MEDIBUS.X by which a device says that its monitoring is simulated, and what is said of its values then.
const SIMULATION: u8 = 0x62;
const SIMULATED: &str = "the device says that its monitoring is in simulation";

/// The command that asks for texts.
const TEXTS: u8 = 0x2A;
/// The first command that asks for data; they follow each other.
const FIRST: u8 = 0x23;
/// How many there are.
const COUNT: usize = 12;

/// The interpreter of one profile.
pub(crate) struct MedibusInterpreter {
    pub(crate) plan: &'static Plan,
}

/// A response in a snapshot.
#[derive(Clone, Copy)]
struct Answer<'m> {
    data: &'m [u8],
    /// Where `data` begins in the message.
    offset: usize,
    received: Utc,
}

/// One walk over a snapshot.
struct Walk<'a, 'm> {
    plan: &'static Plan,
    snapshot: Snapshot<'m>,
    dialect: Option<Dialect>,
    /// No value is a patient's.
    simulated: bool,
    /// What stands.
    answers: [Option<Answer<'m>>; COUNT],
    scratch: &'a mut Scratch<'m>,
    sink: &'a mut dyn ReportSink<'m>,
}

impl Interpreter for MedibusInterpreter {
    fn interpret<'m>(
        &self,
        message: &StoredMessage<'m>,
        scratch: &mut Scratch<'m>,
        sink: &mut dyn ReportSink<'m>,
    ) -> Result<(), Fault> {
        let snapshot = snapshot::read(message.raw)?;
        let mut walk = Walk {
            plan: self.plan,
            snapshot,
            dialect: None,
            simulated: false,
            answers: [None; COUNT],
            scratch,
            sink,
        };
        walk.read();
        for part in Part::ALL {
            walk.part(part)?;
        }
        walk.sink.item(Item::End(End { complete: message.complete }));
        Ok(())
    }
}

/// The frame that stands at `at` in a unit, as what it answers.
fn answer<'m>(unit: &snapshot::Unit<'m>, at: usize) -> Option<(u8, Answer<'m>)> {
    let bytes = unit.bytes.get(at..)?;
    let end = bytes.iter().position(|byte| *byte == CR)?.saturating_add(1);
    match wire::open(bytes.get(..end)?) {
        Ok(Frame { kind: Kind::Response, code, data }) => {
            let offset = unit.offset.saturating_add(at).saturating_add(2);
            Some((code, Answer { data, offset, received: unit.received }))
        }
        _ => None,
    }
}

/// What was taken: the answer with it, and the data of the one before.
fn taken<'m>(unit: &snapshot::Unit<'m>) -> Option<(u8, Answer<'m>, Option<&'m [u8]>)> {
    let (code, first) = answer(unit, 0)?;
    // The frame's end: code, data, checksum.
    let second = first.data.len().saturating_add(5);
    if second >= unit.bytes.len() {
        return Some((code, first, None));
    }
    let (of, last) = answer(unit, second)?;
    if of == code { Some((code, last, Some(first.data))) } else { None }
}

const fn ascii(bytes: &[u8]) -> Text<'_> {
    Text::new(bytes, Charset::Ascii, Escapes::None)
}

impl<'m> Answer<'m> {
    fn records(&self, command: u8) -> Option<Records<'m>> {
        Some(Records::new(Shape::of(command)?, self.data))
    }

    fn span(&self, record: &Record<'m>) -> Span {
        let start = self.offset.saturating_add(record.at);
        Span::new(start, start.saturating_add(record.len))
    }

    fn whole(&self) -> Span {
        Span::new(self.offset, self.offset.saturating_add(self.data.len()))
    }
}

/// A record with what it is of.
#[derive(Clone, Copy)]
struct Known<'m> {
    command: u8,
    code: Option<u8>,
    digits: &'m [u8],
    row: Option<&'static Row>,
}

impl Known<'_> {
    fn part(&self) -> Part {
        self.row.map_or(Part::Other, |row| row.part)
    }

    fn is_once(&self) -> bool {
        self.row.is_some_and(|row| row.once)
    }

    fn sort(&self) -> Sort {
        match Shape::of(self.command) {
            Some(Shape::Settings) => Sort::Set,
            Some(Shape::Alarms) => Sort::Alarm,
            Some(Shape::Texts) if self.row.is_some_and(|row| row.mode) => Sort::Mode,
            Some(Shape::Texts) => Sort::Text,
            _ => Sort::Measured,
        }
    }
}

/// The commands that ask for the lower and the upper limits of measured values.
const fn limits(command: u8) -> Option<[u8; 2]> {
    match command {
        0x24 => Some([0x25, 0x26]),
        0x2B => Some([0x2C, 0x2D]),
        _ => None,
    }
}

impl<'m> Walk<'_, 'm> {
    /// Finds what stands, by its own bytes, and tells of the device.
    fn read(&mut self) {
        let mut said = None;
        for unit in self.snapshot.units() {
            let found = if unit.taken {
                taken(&unit).map(|(code, answer, _)| (code, answer))
            } else {
                answer(&unit, 0)
            };
            let Some((code, answer)) = found else {
                let span = Span::new(unit.offset, unit.offset.saturating_add(unit.bytes.len()));
                self.sink.note(Note { kind: NoteKind::BadFrame, span, subject: Text::EMPTY });
                continue;
            };
            let place = code.checked_sub(FIRST).and_then(|at| self.answers.get_mut(usize::from(at)));
            match place {
                Some(place) if !unit.taken => *place = Some(answer),
                None if code == IDENTIFY => said = Some(answer),
                _ => {}
            }
        }
        let identity = said.map(|said| Identity::read(said.data)).unwrap_or_default();
        let known = tables::device_of(identity.id);
        self.dialect = known.map(|device| device.dialect).or(self.plan.profile.dialect);
        let mut texts = self.answer(TEXTS).and_then(|answer| answer.records(TEXTS)).into_iter().flatten();
        self.simulated =
            self.dialect == Some(Dialect::X) && texts.any(|record| record.code == Some(SIMULATION));
        let model = match (identity.name, known) {
            ([], Some(device)) => Text::plain(device.model),
            (name, _) => ascii(name),
        };
        let clock = self.answer(CLOCK).and_then(|answer| {
            let device = data::clock(answer.data);
            if device.is_none() {
                self.sink.note(Note { kind: NoteKind::BadTime, span: answer.whole(), subject: Text::EMPTY });
            }
            device.map(|device| Shown { device, received: answer.received })
        });
        self.sink.item(Item::Device(Device {
            mds: known.map_or(0, |device| device.mds),
            // The maker's name without its umlaut, which not every receiver's charset has.
            manufacturer: Text::plain("Draeger"),
            model,
            version: ascii(identity.device),
            clock,
            span: said.map(|said| said.whole()).unwrap_or_default(),
            ..Device::default()
        }));
    }

    fn answer(&self, command: u8) -> Option<Answer<'m>> {
        let at = usize::from(command.checked_sub(FIRST)?);
        self.answers.get(at).copied().flatten()
    }

    /// A part of the device with all that is of it: values first, then settings, then what is said of all of it.
    fn part(&mut self, part: Part) -> Result<(), Fault> {
        let mut begun = false;
        for unit in self.snapshot.units().filter(|unit| unit.taken) {
            if let Some((command, answer, before)) = taken(&unit) {
                self.new_values(command, answer, before, part, &mut begun)?;
            }
        }
        for command in [0x24, 0x2B, 0x29, 0x27, 0x2E, 0x23, 0x2A] {
            if let Some(answer) = self.answer(command) {
                self.records(command, answer, part, &mut begun)?;
            }
            if let Some(limits) = limits(command) {
                self.unlisted(command, limits, part, &mut begun)?;
            }
        }
        Ok(())
    }

    fn known(&self, command: u8, record: &Record<'m>) -> Known<'m> {
        let row = record.code.and_then(|code| tables::meaning(command, code, self.dialect));
        Known { command, code: record.code, digits: record.digits, row }
    }

    /// What was measured in this answer and not before.
    fn new_values(
        &mut self,
        command: u8,
        answer: Answer<'m>,
        before: Option<&'m [u8]>,
        part: Part,
        begun: &mut bool,
    ) -> Result<(), Fault> {
        let Some(records) = answer.records(command).filter(|_| limits(command).is_some()) else {
            return Ok(());
        };
        for record in records.filter(|record| data::is_taken(before, record)) {
            let known = self.known(command, &record);
            if known.part() == part && known.is_once() {
                self.record(answer, &record, &known, begun)?;
            }
        }
        Ok(())
    }

    fn records(
        &mut self,
        command: u8,
        answer: Answer<'m>,
        part: Part,
        begun: &mut bool,
    ) -> Result<(), Fault> {
        let Some(mut records) = answer.records(command) else { return Ok(()) };
        for record in records.by_ref() {
            // A name is no observation, and says less of who it is than what the gateway knows.
            if data::is_name(command, record.code) && self.dialect != Some(Dialect::Classic) {
                continue;
            }
            let known = self.known(command, &record);
            if known.part() == part && !known.is_once() {
                self.record(answer, &record, &known, begun)?;
            }
        }
        // Said once, with the first part.
        let rest = records.rest();
        if !rest.is_empty() && Part::ALL.first() == Some(&part) {
            let end = answer.offset.saturating_add(answer.data.len());
            let span = Span::new(end.saturating_sub(rest.len()), end);
            self.sink.note(Note { kind: NoteKind::CutRecord, span, subject: Text::EMPTY });
        }
        Ok(())
    }

    fn record(
        &mut self,
        answer: Answer<'m>,
        record: &Record<'m>,
        known: &Known<'m>,
        begun: &mut bool,
    ) -> Result<(), Fault> {
        let (value, mut marks, mut why) = self.value(record, known)?;
        if self.simulated && Shape::of(known.command) == Some(Shape::Values) {
            marks = marks | Marks::DEMO;
            why = if why.is_empty() { SIMULATED } else { why };
        }
        let [low, high] = self.limits_of(known.command, record.code)?;
        // A second record of one code, which no device should send, has no place of its own.
        let mut earlier =
            answer.records(known.command).into_iter().flatten().take_while(|one| one.at < record.at);
        let twice = earlier.any(|one| one.digits == record.digits);
        let place = record.code.filter(|_| !twice).map_or(0, |code| tables::place(known.command, code));
        let measured = Measurement {
            place,
            value,
            marks,
            why,
            low,
            high,
            alarm: alarm(known, record),
            received: answer.received,
            span: answer.span(record),
            ..Measurement::default()
        };
        self.give(measured, known, begun)
    }

    /// Codes that have limits and no value.
    fn unlisted(&mut self, command: u8, limits: [u8; 2], part: Part, begun: &mut bool) -> Result<(), Fault> {
        let measured = self.answer(command);
        let [low, high] = limits.map(|command| self.answer(command));
        let why = if measured.is_some() { UNLISTED } else { UNANSWERED };
        let listed = |answer: Option<Answer<'m>>, code: Option<u8>| {
            let records = answer.and_then(|answer| answer.records(command));
            records.is_some_and(|mut records| records.any(|record| record.code == code))
        };
        for (source, before) in [(low, None), (high, low)] {
            let Some((answer, records)) = source.and_then(|answer| Some((answer, answer.records(command)?)))
            else {
                continue;
            };
            for record in records {
                let known = self.known(command, &record);
                let elsewhere = listed(measured, record.code) || listed(before, record.code);
                if known.part() != part || elsewhere || known.is_once() {
                    continue;
                }
                let [low, high] = self.limits_of(command, record.code)?;
                let absent = Measurement {
                    place: record.code.map_or(0, |code| tables::place(command, code)),
                    marks: Marks::NAV,
                    why,
                    low,
                    high,
                    received: answer.received,
                    span: answer.span(&record),
                    ..Measurement::default()
                };
                self.give(absent, &known, begun)?;
            }
        }
        Ok(())
    }

    fn limits_of(&mut self, command: u8, code: Option<u8>) -> Result<[Text<'m>; 2], Fault> {
        let mut found = [Text::EMPTY; 2];
        let Some((limits, code)) = limits(command).zip(code) else { return Ok(found) };
        for (limit, command) in found.iter_mut().zip(limits) {
            let Some(mut records) = self.answer(command).and_then(|answer| answer.records(command)) else {
                continue;
            };
            let Some(record) = records.find(|record| record.code == Some(code)) else { continue };
            if let (Reading::Number(text), ..) = self.number(record.field)? {
                *limit = text;
            }
        }
        Ok(found)
    }

    /// Gives a measurement, and before it its group, once.
    fn give(&mut self, measured: Measurement<'m>, known: &Known<'m>, begun: &mut bool) -> Result<(), Fault> {
        if !std::mem::replace(begun, true) {
            let part = known.part();
            self.sink.item(Item::Group(Group {
                vmd: part.mdc(),
                vmd_place: part.place(),
                span: measured.span,
                ..Group::default()
            }));
        }
        let id = match known.code {
            Some(code) => Text::plain(tables::code_name(known.command, code)),
            None => self.odd_code(known)?,
        };
        let row = known.row;
        self.sink.item(Item::Measurement(Measurement {
            term: row.map_or(0, Row::term),
            code: Code {
                id,
                name: row.map_or(Text::EMPTY, |row| Text::plain(row.name)),
                system: self.plan.profile.coding_system.0,
                loinc: Text::EMPTY,
            },
            kind: known.sort(),
            unit: row
                .map_or(Unit::default(), |row| Unit { mdc: row.unit_code(), text: Text::plain(row.unit) }),
            once: known.is_once(),
            ..measured
        }));
        Ok(())
    }

    /// A code that is no two hexadecimal digits, named like the others.
    fn odd_code(&mut self, known: &Known<'m>) -> Result<Text<'m>, Fault> {
        // `24:00` without its last two digits.
        let command = tables::code_name(known.command, 0).as_bytes();
        let command = command.get(..3).unwrap_or_default();
        self.written(&[command, known.digits])
    }

    fn value(&mut self, record: &Record<'m>, known: &Known<'m>) -> Result<Value<'m>, Fault> {
        match Shape::of(known.command) {
            Some(Shape::Alarms | Shape::Texts) => {
                let said = data::trimmed(record.field);
                let text = match (said, known.row) {
                    ([], Some(row)) => Text::plain(row.name),
                    ([], None) => Text::plain(WORDLESS),
                    _ => ascii(said),
                };
                Ok((Reading::Words(text), Marks::NONE, ""))
            }
            _ => self.number(record.field),
        }
    }

    fn number(&mut self, field: &'m [u8]) -> Result<Value<'m>, Fault> {
        Ok(match data::number(field) {
            Number::Plain(digits) => (Reading::Number(ascii(digits)), Marks::NONE, ""),
            Number::Apart { negative, whole, fraction } => {
                let sign: &[u8] = if negative { b"-" } else { b"" };
                let whole = if whole.is_empty() { b"0".as_slice() } else { whole };
                let point: &[u8] = if fraction.is_empty() { b"" } else { b"." };
                (Reading::Number(self.written(&[sign, whole, point, fraction])?), Marks::NONE, "")
            }
            Number::Blank => (Reading::Absent, Marks::NAV, BLANK),
            Number::Other(text) if text.iter().any(u8::is_ascii_alphanumeric) => {
                (Reading::Words(ascii(text)), Marks::NONE, "")
            }
            Number::Other(_) => (Reading::Absent, Marks::INV, MARKS),
        })
    }

    /// These parts one after the other, in the scratch space.
    fn written(&mut self, parts: &[&[u8]]) -> Result<Text<'m>, Fault> {
        let len = parts.iter().map(|part| part.len()).sum();
        let place = self.scratch.take(len).ok_or(Fault::Space)?;
        let all = parts.iter().flat_map(|part| part.iter());
        for (to, from) in place.iter_mut().zip(all) {
            *to = *from;
        }
        Ok(ascii(place))
    }
}

/// A value, its marks, and why.
type Value<'m> = (Reading<'m>, Marks, &'static str);

/// The bands of priority: 1 to 6 advisory without a tone, 7 to 10 with one, 11 to 24 caution, 25 to 31 warning.
fn alarm(known: &Known<'_>, record: &Record<'_>) -> Option<Alarm> {
    if Shape::of(known.command) != Some(Shape::Alarms) {
        return None;
    }
    let priority = match record.priority {
        1..=10 => Priority::Low,
        11..=24 => Priority::Medium,
        25..=31 => Priority::High,
        _ => Priority::Unknown,
    };
    Some(Alarm { side: Side::Unknown, priority })
}
