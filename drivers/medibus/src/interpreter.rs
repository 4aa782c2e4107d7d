//! From one snapshot to report items.
//!
//! Promises: no allocation; each record of each response is one measurement, known or not, with its unit and limits beside
//! it; a value that the device does not list although it lists its limits, or was asked for, is absent and says why. Codes have
//! the MDC numbers that the tables prove and else their own. Leaves out alarms as alarms: what the device says of them is an
//! observation like any other.

use crate::data::{self, Identity, Number, Record, Records, Shape};
use crate::outbox::slot;
use crate::plan::Plan;
use crate::session::{CLOCK, IDENTIFY};
use crate::tables::{self, Dialect, Part, Row, Table};
use crate::wire::{self, Frame, Kind};
use orugate_driver::report::{
    Alarm, Code, Device, End, Group, Item, Measurement, Note, NoteKind, Reading, ReportSink, Shown, Term,
    Unit, Validity,
};
use orugate_driver::snapshot::{self, Snapshot};
use orugate_driver::span::Span;
use orugate_driver::text::{Charset, Escapes, Text};
use orugate_driver::time::Utc;
use orugate_driver::{Fault, Interpreter, Scratch, StoredMessage};

const STALE: &str = "stale";
const UNLISTED: &str = "the device lists no value for it now";
const UNANSWERED: &str = "the device did not answer when it was asked for values";
const BLANK: &str = "the device sends spaces in place of a value";
const MARKS: &str = "the device sends marks in place of a value";

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
    stale: bool,
}

/// One walk over a snapshot.
struct Walk<'a, 'm> {
    plan: &'static Plan,
    dialect: Option<Dialect>,
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
        let mut walk = Walk { plan: self.plan, dialect: None, answers: [None; COUNT], scratch, sink };
        for (command, place) in (FIRST..).zip(&mut walk.answers) {
            *place = answer(self.plan, &snapshot, command, walk.sink);
        }
        walk.device(&snapshot);
        if !snapshot.silent {
            for part in Part::ALL {
                walk.part(part)?;
            }
        }
        walk.sink.item(Item::End(End { complete: message.complete }));
        Ok(())
    }
}

/// The response to a command, when a good one is in the snapshot. The session keeps no other; flash may.
fn answer<'m>(
    plan: &Plan,
    snapshot: &Snapshot<'m>,
    command: u8,
    sink: &mut dyn ReportSink<'m>,
) -> Option<Answer<'m>> {
    let kept = snapshot.newest(slot(command))?;
    let offset = usize::try_from(kept.offset).unwrap_or(usize::MAX);
    match wire::open(kept.bytes) {
        Ok(Frame { kind: Kind::Response, code, data }) if code == command => Some(Answer {
            data,
            offset: offset.saturating_add(2),
            received: kept.received,
            stale: snapshot.is_stale(&kept, plan.profile.stale_after.0),
        }),
        _ => {
            let span = Span::new(offset, offset.saturating_add(kept.bytes.len()));
            sink.note(Note { kind: NoteKind::BadFrame, span, subject: Text::EMPTY });
            None
        }
    }
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
}

const fn table(command: u8) -> Option<Table> {
    Some(match command {
        0x24 => Table::Measured1,
        0x2B => Table::Measured2,
        0x29 => Table::Settings,
        0x2A => Table::Texts,
        0x27 => Table::Alarms1,
        0x2E => Table::Alarms2,
        0x23 => Table::Alarms3,
        _ => return None,
    })
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
    fn answer(&self, command: u8) -> Option<Answer<'m>> {
        let at = usize::from(command.checked_sub(FIRST)?);
        self.answers.get(at).copied().flatten()
    }

    fn device(&mut self, snapshot: &Snapshot<'m>) {
        let said = answer(self.plan, snapshot, IDENTIFY, self.sink);
        let identity = said.map(|said| Identity::read(said.data)).unwrap_or_default();
        let known = tables::device_of(identity.id);
        self.dialect = known.map(|device| device.dialect).or(self.plan.profile.dialect);
        let model = match (identity.name, known) {
            ([], Some(device)) => Text::plain(device.model),
            (name, _) => ascii(name),
        };
        let clock = self.answer(CLOCK).filter(|answer| !answer.stale).and_then(|answer| {
            let device = data::clock(answer.data);
            if device.is_none() && !answer.data.is_empty() {
                let span = Span::new(answer.offset, answer.offset.saturating_add(answer.data.len()));
                self.sink.note(Note { kind: NoteKind::BadTime, span, subject: Text::EMPTY });
            }
            device.map(|device| Shown { device, received: answer.received })
        });
        let span = said.map(|said| Span::new(said.offset, said.offset.saturating_add(said.data.len())));
        self.sink.item(Item::Device(Device {
            mds: known.map_or(0, |device| device.mds),
            manufacturer: Text::plain("Draeger"),
            model,
            version: ascii(identity.device),
            clock,
            silent: snapshot.silent,
            span: span.unwrap_or_default(),
            ..Device::default()
        }));
    }

    /// A part of the device with all that is of it: values first, then settings, then what has no part.
    fn part(&mut self, part: Part) -> Result<(), Fault> {
        let mut begun = false;
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

    fn known(&self, command: u8, code: Option<u8>, digits: &'m [u8]) -> Known<'m> {
        let row = code.zip(table(command)).and_then(|(code, table)| tables::find(table, code, self.dialect));
        Known { command, code, digits, row }
    }

    fn records(
        &mut self,
        command: u8,
        answer: Answer<'m>,
        part: Part,
        begun: &mut bool,
    ) -> Result<(), Fault> {
        let Some(mut records) = answer.records(command) else { return Ok(()) };
        while let Some(record) = records.next() {
            let known = self.known(command, record.code, record.digits);
            if known.part() != part {
                continue;
            }
            let (mut value, mut validity) = self.value(command, &record, &known)?;
            let mut alarm = alarm(command, &record);
            if answer.stale {
                (value, validity, alarm) = (Reading::Absent, Validity::NotAvailable(STALE), Alarm::None);
            }
            let [low, high] = self.limits_of(command, record.code)?;
            let (received, span) = (answer.received, answer.span(&record));
            let measured =
                Measurement { value, validity, alarm, low, high, received, span, ..Measurement::default() };
            self.give(measured, &known, begun)?;
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

    /// Codes that have limits, or that the profile asks for, and no value.
    fn unlisted(&mut self, command: u8, limits: [u8; 2], part: Part, begun: &mut bool) -> Result<(), Fault> {
        let [low, high] = limits
            .map(|command| self.answer(command).and_then(|answer| Some((answer, answer.records(command)?))));
        let listed = |records: Option<(Answer<'m>, Records<'m>)>, code: Option<u8>| {
            records.is_some_and(|(_, mut records)| records.any(|record| record.code == code))
        };
        let measured = self.answer(command).and_then(|answer| Some((answer, answer.records(command)?)));
        let why = if measured.is_some() { UNLISTED } else { UNANSWERED };
        for (source, before) in [(low, None), (high, low)] {
            let Some((answer, records)) = source else { continue };
            for record in records {
                let known = self.known(command, record.code, record.digits);
                if known.part() != part || listed(measured, record.code) || listed(before, record.code) {
                    continue;
                }
                let [low, high] = self.limits_of(command, record.code)?;
                let (received, span) = (answer.received, answer.span(&record));
                let validity = Validity::NotAvailable(why);
                let absent = Measurement { validity, low, high, received, span, ..Measurement::default() };
                self.give(absent, &known, begun)?;
            }
        }
        let Some(asked_at) = measured.map(|(answer, _)| answer.received) else { return Ok(()) };
        let plan = self.plan;
        for code in plan.asks_for(command) {
            let known = self.known(command, Some(code), b"");
            let code = Some(code);
            if known.part() == part && !listed(measured, code) && !listed(low, code) && !listed(high, code) {
                let validity = Validity::NotAvailable(UNLISTED);
                let absent = Measurement { validity, received: asked_at, ..Measurement::default() };
                self.give(absent, &known, begun)?;
            }
        }
        Ok(())
    }

    fn limits_of(&mut self, command: u8, code: Option<u8>) -> Result<[Text<'m>; 2], Fault> {
        let mut found = [Text::EMPTY; 2];
        let Some((limits, code)) = limits(command).zip(code) else { return Ok(found) };
        for (limit, command) in found.iter_mut().zip(limits) {
            let Some(answer) = self.answer(command).filter(|answer| !answer.stale) else { continue };
            let Some(mut records) = answer.records(command) else { continue };
            let Some(record) = records.find(|record| record.code == Some(code)) else { continue };
            if let Reading::Number(text) = self.number(record.field)?.0 {
                *limit = text;
            }
        }
        Ok(found)
    }

    /// Gives a measurement, and before it its group, once.
    fn give(&mut self, measured: Measurement<'m>, known: &Known<'m>, begun: &mut bool) -> Result<(), Fault> {
        if !std::mem::replace(begun, true) {
            let (vmd, channel) = known.part().mdc();
            let term = |mdc| if mdc == 0 { Term::None } else { Term::Mdc(mdc) };
            self.sink.item(Item::Group(Group {
                vmd: term(vmd),
                channel: term(channel),
                span: measured.span,
            }));
        }
        let id = match known.code {
            Some(code) => Text::plain(tables::code_name(known.command, code)),
            None => self.odd_code(known)?,
        };
        let row = known.row;
        self.sink.item(Item::Measurement(Measurement {
            term: match row {
                Some(row) if row.mdc > 0 && !tables::is_private(row.mdc) => Term::Mdc(row.mdc),
                _ => Term::Private(id),
            },
            code: Code {
                id,
                name: row.map_or(Text::EMPTY, |row| Text::plain(row.name)),
                system: self.plan.profile.coding_system.0,
                loinc: Text::EMPTY,
            },
            unit: row.map_or(Unit::default(), |row| Unit { mdc: row.mdc_unit, sent: Text::plain(row.unit) }),
            once: row.is_some_and(|row| row.once),
            ..measured
        }));
        Ok(())
    }

    /// A code that is no two hexadecimal digits, named like the others.
    fn odd_code(&mut self, known: &Known<'m>) -> Result<Text<'m>, Fault> {
        // `24.00` without its last two digits.
        let command = tables::code_name(known.command, 0).as_bytes();
        let command = command.get(..3).unwrap_or_default();
        self.written(&[command, known.digits])
    }

    fn value(
        &mut self,
        command: u8,
        record: &Record<'m>,
        known: &Known<'m>,
    ) -> Result<(Reading<'m>, Validity), Fault> {
        match Shape::of(command) {
            Some(Shape::Alarms | Shape::Texts) => {
                let said = data::trimmed(record.field);
                let text = match (said, known.row) {
                    ([], Some(row)) => Text::plain(row.name),
                    _ => ascii(said),
                };
                Ok((Reading::Words(text), Validity::Valid))
            }
            _ => self.number(record.field),
        }
    }

    fn number(&mut self, field: &'m [u8]) -> Result<(Reading<'m>, Validity), Fault> {
        Ok(match data::number(field) {
            Number::Plain(digits) => (Reading::Number(ascii(digits)), Validity::Valid),
            Number::Apart { negative, whole, fraction } => {
                let sign: &[u8] = if negative { b"-" } else { b"" };
                let whole = if whole.is_empty() { b"0".as_slice() } else { whole };
                let point: &[u8] = if fraction.is_empty() { b"" } else { b"." };
                (Reading::Number(self.written(&[sign, whole, point, fraction])?), Validity::Valid)
            }
            Number::Blank => (Reading::Absent, Validity::Invalid(BLANK)),
            Number::Other(text) if text.iter().any(u8::is_ascii_alphanumeric) => {
                (Reading::Words(ascii(text)), Validity::Valid)
            }
            Number::Other(_) => (Reading::Absent, Validity::Invalid(MARKS)),
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

/// The bands of priority: 1 to 6 advisory without a tone, 7 to 10 with one, 11 to 24 caution, 25 to 31 warning.
const fn alarm(command: u8, record: &Record<'_>) -> Alarm {
    match (command, record.priority) {
        (0x23 | 0x27 | 0x2E, 1..=10) => Alarm::Low,
        (0x23 | 0x27 | 0x2E, 11..=24) => Alarm::Medium,
        (0x23 | 0x27 | 0x2E, 25..=31) => Alarm::High,
        (0x23 | 0x27 | 0x2E, _) => Alarm::Active,
        _ => Alarm::None,
    }
}
