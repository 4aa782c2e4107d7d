//! From what was stored to report items.
//!
//! Promises: each value of the profile that a line has is given once, with the digits that it has, or without a value and with
//! the reason; keys that the profile does not know go along as the device's own. Leaves out verdicts.

use crate::plan::{Feed, Field, Plan, Split};
use crate::profile::KindWord;
use crate::seen::{Seen, Written};
use orugate_driver::report::{
    Alarm, At, Code, Comment, Device, End, Flags, Item, Kind, Level, Marks, Measurement, Note, NoteKind,
    Observation, Order, Qc, Reading, ReportSink, Sender, Shown, Side, Specimen, Status, Unit,
};
use orugate_driver::span::Span;
use orugate_driver::text::{Escapes, Text};
use orugate_driver::time::{DeviceTime, Utc};
use orugate_driver::{Fault, Interpreter, Scratch, StoredMessage, snapshot};
use std::ops::Range;

pub(crate) struct LinesInterpreter {
    pub(crate) plan: &'static Plan,
}

impl Interpreter for LinesInterpreter {
    fn interpret<'m>(
        &self,
        message: &StoredMessage<'m>,
        _: &mut Scratch<'m>,
        sink: &mut dyn ReportSink<'m>,
    ) -> Result<(), Fault> {
        match self.plan.feed {
            Feed::Results => self.result(message, sink),
            Feed::Bedside { .. } => self.bedside(message, sink)?,
        }
        sink.item(Item::End(End { complete: message.complete }));
        Ok(())
    }
}

/// A unit in a message: its line, where its text begins, and when it came.
struct Place<'m> {
    seen: Seen<'static, 'm>,
    base: usize,
}

impl<'m> Place<'m> {
    fn text(&self, range: Range<usize>) -> Text<'m> {
        let bytes = self.seen.text.get(range).unwrap_or_default();
        Text::new(bytes, self.seen.plan.charset, Escapes::None)
    }

    fn span(&self, range: &Range<usize>) -> Span {
        Span::new(self.base.saturating_add(range.start), self.base.saturating_add(range.end))
    }

    fn whole(&self) -> Span {
        self.span(&(0..self.seen.text.len()))
    }

    fn at(&self, source: Option<&crate::plan::Source>) -> Option<Range<usize>> {
        self.seen.find(source?)
    }

    fn text_at(&self, source: Option<&crate::plan::Source>) -> Text<'m> {
        self.at(source).map_or(Text::EMPTY, |range| self.text(range))
    }
}

impl LinesInterpreter {
    fn place<'m>(&self, raw: &'m [u8], offset: usize) -> Option<Place<'m>> {
        let range = self.plan.framing.text(raw);
        let seen = Seen::of(self.plan, raw.get(range.clone())?).ok().filter(|seen| !seen.line.skip)?;
        Some(Place { seen, base: offset.saturating_add(range.start) })
    }

    fn bedside<'m>(&self, message: &StoredMessage<'m>, sink: &mut dyn ReportSink<'m>) -> Result<(), Fault> {
        let snapshot = snapshot::read(message.raw)?;
        let mut device = Device {
            mds: self.plan.mds,
            manufacturer: Text::plain(self.plan.manufacturer),
            model: Text::plain(self.plan.model),
            ..Device::default()
        };
        for unit in snapshot.units() {
            let Some(place) = self.place(unit.bytes, unit.offset) else { continue };
            let line = place.seen.line;
            if let Some(serial) = place.seen.serial() {
                device.serial = place.text(serial);
                device.span = place.whole();
            }
            if line.version.is_some() {
                device.version = place.text_at(line.version.as_ref());
            }
            let newer = device.clock.is_none_or(|shown| shown.received <= unit.received);
            if let Some(time) = place.seen.time().filter(|_| newer) {
                device.clock = Some(Shown { device: time, received: unit.received });
            }
        }
        sink.item(Item::Device(device));
        for unit in snapshot.units() {
            match self.place(unit.bytes, unit.offset) {
                Some(place) => self.values(&place, unit.taken, unit.received, sink),
                None => {
                    let span = Span::new(unit.offset, unit.offset.saturating_add(unit.bytes.len()));
                    sink.note(Note { kind: NoteKind::BadFrame, span, subject: Text::EMPTY });
                }
            }
        }
        Ok(())
    }

    fn values<'m>(&self, place: &Place<'m>, taken: bool, received: Utc, sink: &mut dyn ReportSink<'m>) {
        let time = place.seen.time();
        let at = time.map_or(At::Received, At::Device);
        for (n, field, range) in place.seen.fields() {
            if field.once != taken || field.kind == KindWord::Age {
                continue;
            }
            if let Some(measurement) = self.measurement(place, n, field, range) {
                sink.item(Item::Measurement(Measurement { at, received, ..measurement }));
            }
        }
        if taken {
            return;
        }
        // What the profile does not know of a line of keys goes along as the device's own.
        for (key, value) in place.seen.keys() {
            let Some(value) = value else { continue };
            let name = place.seen.text.get(key.clone()).unwrap_or_default();
            let known = place
                .seen
                .line
                .accounted
                .iter()
                .any(|source| matches!(source, crate::plan::Source::Key(own) if own == name));
            if known || name.is_empty() {
                continue;
            }
            let cut = place.seen.cut(value.clone(), b"");
            let percent = place.seen.text.get(cut.value.clone()).is_some_and(|bytes| bytes.ends_with(b"%"));
            let digits = place.seen.cut(value, b"%").value;
            let (reading, marks, why) = reading(place, digits, true);
            let (mdc, text) = if percent { (262688, "%") } else { (0, "") };
            sink.item(Item::Measurement(Measurement {
                code: Code { id: place.text(key.clone()), system: self.plan.system, ..Code::default() },
                value: reading,
                unit: Unit { mdc, text: Text::plain(text) },
                marks,
                why,
                at,
                received,
                span: place.span(&key),
                ..Measurement::default()
            }));
        }
    }

    /// A field's measurement; `None` for a word that says that there is none to speak of.
    fn measurement<'m>(
        &self,
        place: &Place<'m>,
        n: usize,
        field: &'static Field,
        range: Range<usize>,
    ) -> Option<Measurement<'m>> {
        let cut = place.seen.cut(range.clone(), &field.trim);
        let bytes = place.seen.text.get(cut.value.clone()).unwrap_or_default();
        let kind = match field.kind {
            KindWord::Measured | KindWord::Age => Kind::Measured,
            KindWord::Set => Kind::Set,
            KindWord::Calculated => Kind::Calculated,
            KindWord::Mode => Kind::Mode,
            KindWord::Alarm => Kind::Alarm,
            KindWord::Text => Kind::Text,
        };
        let words = matches!(kind, Kind::Mode | Kind::Alarm | Kind::Text);
        if field.none.iter().any(|none| none == bytes) || (words && bytes.is_empty()) {
            return None;
        }
        let urgent = match self.plan.alarms.iter().find(|(word, _)| kind == Kind::Alarm && word == bytes) {
            Some((_, None)) => return None,
            Some((_, Some(priority))) => Some(Alarm { side: Side::Unknown, priority: *priority }),
            None => None,
        };
        let (mut value, mut marks, mut why) = if words {
            (Reading::Words(place.text(cut.value)), Marks::NONE, "")
        } else {
            reading(place, cut.value, false)
        };
        // What takes a value away does so from what is measured, and not from the alarm that says it.
        let (said, reason, alarm) = if words { (Marks::NONE, "", urgent) } else { place.seen.marks(n) };
        marks = marks | said;
        if !reason.is_empty() {
            why = reason;
        }
        if marks.without_value() {
            value = Reading::Absent;
        }
        Some(Measurement {
            place: u16::try_from(n.saturating_add(1)).unwrap_or(0),
            term: field.mdc,
            code: Code {
                id: Text::plain(field.code),
                name: Text::plain(field.name),
                system: self.plan.system,
                ..Code::default()
            },
            kind,
            value,
            unit: Unit { mdc: field.unit_mdc, text: Text::plain(field.unit) },
            marks,
            why,
            once: field.once,
            alarm,
            label: Text::plain(field.label),
            span: place.span(&range),
            ..Measurement::default()
        })
    }

    fn result<'m>(&self, message: &StoredMessage<'m>, sink: &mut dyn ReportSink<'m>) {
        let Some(place) = self.place(message.raw, 0) else {
            let span = Span::new(0, message.raw.len());
            sink.item(Item::Sender(Sender { span, ..Sender::default() }));
            sink.note(Note { kind: NoteKind::NoHeader, span, subject: Text::EMPTY });
            // Kept for a person: nothing can be told of it but that it came.
            sink.item(Item::Specimen(Specimen { span, ..Specimen::default() }));
            sink.item(Item::Observation(Observation {
                doubt: Some("the message fits no pattern of the profile"),
                ..self.observation(Text::plain("?"), span)
            }));
            return;
        };
        let line = place.seen.line;
        let time = place.seen.time();
        sink.item(Item::Sender(Sender {
            name: Text::plain(self.plan.model),
            serial: place.text_at(line.serial.as_ref()),
            version: place.text_at(line.version.as_ref()),
            time,
            qc: None,
            span: place.whole(),
        }));
        if let Some((source, _)) = &line.time
            && time.is_none()
            && let Some(range) = place.seen.find(source).filter(|range| !range.is_empty())
        {
            sink.note(Note { kind: NoteKind::BadTime, span: place.span(&range), subject: Text::EMPTY });
        }
        let id = place.at(line.id.as_ref());
        let bytes = id.clone().and_then(|range| place.seen.text.get(range)).unwrap_or_default();
        let control = self.plan.control_prefixes.iter().find(|(prefix, _)| bytes.starts_with(prefix));
        sink.item(Item::Specimen(Specimen {
            id: id.clone().map_or(Text::EMPTY, |range| place.text(range)),
            id_place: "id",
            kind: place.text_at(line.kind.as_ref()),
            qc: control.map(|(_, clause)| Qc::ProfileRule(clause)),
            span: id.map_or_else(|| place.whole(), |range| place.span(&range)),
            ..Specimen::default()
        }));
        let (code, name) = self.plan.panel;
        sink.item(Item::Order(Order {
            code: Code {
                id: Text::plain(code),
                name: Text::plain(name),
                system: self.plan.system,
                ..Code::default()
            },
            cancelled: false,
            span: place.whole(),
        }));
        for (n, source) in &line.notes {
            let (Some((label, none)), Some(range)) = (self.plan.notes.get(*n), place.seen.find(source))
            else {
                continue;
            };
            let bytes = place.seen.text.get(range.clone()).unwrap_or_default();
            if bytes.is_empty() || none.iter().any(|own| own == bytes) {
                continue;
            }
            let span = place.span(&range);
            sink.item(Item::Comment(Comment { level: Level::Order, label, text: place.text(range), span }));
        }
        let doubt = (!self.plan.framing.holds(message.raw))
            .then_some("the checksum of its message is wrong or missing");
        let suspect = self.plan.suspects.iter().any(|prefix| bytes.starts_with(prefix));
        let run = place.text_at(line.run.as_ref());
        let operator = place.text_at(line.operator.as_ref());
        let common = Observation {
            completed: time,
            run,
            operator,
            suspect,
            doubt,
            ..self.observation(Text::EMPTY, Span::default())
        };
        self.observations(&place, &common, sink);
    }

    fn observations<'m>(&self, place: &Place<'m>, common: &Observation<'m>, sink: &mut dyn ReportSink<'m>) {
        if let Split::Repeat { .. } = place.seen.line.split {
            for row in place.seen.rows() {
                let name = place.seen.text.get(row.code.clone()).unwrap_or_default();
                let field = self.plan.fields.iter().find(|field| field.from.as_bytes() == name);
                let trim = field.map_or(&[][..], |field| &field.trim);
                let unit = row.unit.clone().map_or(Text::EMPTY, |unit| place.text(unit));
                let end = row.unit.as_ref().map_or(row.value.end, |unit| unit.end);
                let span = place.span(&(row.code.start..end));
                let code = match field {
                    Some(field) => self.code(Text::plain(field.code), field.name),
                    None => self.code(place.text(row.code.clone()), ""),
                };
                sink.item(Item::Observation(self.valued(
                    place,
                    row.value,
                    trim,
                    unit,
                    code,
                    Observation { span, ..*common },
                )));
            }
            if place.seen.left_over() > 0 {
                let kind = NoteKind::UnknownRecord;
                sink.note(Note { kind, span: place.whole(), subject: Text::EMPTY });
                // Results may be in it: it waits for a person.
                sink.item(Item::Observation(Observation {
                    code: self.code(Text::plain("?"), ""),
                    doubt: Some("a part of the message fits no pattern of the profile"),
                    span: place.whole(),
                    ..*common
                }));
            }
            return;
        }
        for (_, field, range) in place.seen.fields() {
            let bytes = place.seen.text.get(range.clone()).unwrap_or_default();
            if field.none.iter().any(|none| none == bytes) {
                continue;
            }
            let common = Observation { span: place.span(&range), ..*common };
            let code = self.code(Text::plain(field.code), field.name);
            let unit = Text::plain(field.unit);
            sink.item(Item::Observation(self.valued(place, range, &field.trim, unit, code, common)));
        }
        self.unknown_keys(place, common, sink);
    }

    /// Keys that the profile says nothing of: results of the instrument's own names, until somebody says what they are.
    fn unknown_keys<'m>(&self, place: &Place<'m>, common: &Observation<'m>, sink: &mut dyn ReportSink<'m>) {
        for (key, value) in place.seen.keys() {
            let name = place.seen.text.get(key.clone()).unwrap_or_default();
            let known = place
                .seen
                .line
                .accounted
                .iter()
                .any(|source| matches!(source, crate::plan::Source::Key(own) if own == name));
            let Some(value) = value.filter(|value| !known && !name.is_empty() && !value.is_empty()) else {
                continue;
            };
            let common = Observation { span: place.span(&(key.start..value.end)), ..*common };
            let code = self.code(place.text(key), "");
            sink.item(Item::Observation(self.valued(place, value, b"", Text::EMPTY, code, common)));
        }
    }

    fn valued<'m>(
        &self,
        place: &Place<'m>,
        range: Range<usize>,
        trim: &[u8],
        unit: Text<'m>,
        code: Code<'m>,
        common: Observation<'m>,
    ) -> Observation<'m> {
        let cut = place.seen.cut(range, trim);
        let nothing = place.seen.written(cut.value.clone()) == Written::Nothing;
        let sent = place.text(cut.unit);
        Observation {
            code,
            value: place.text(cut.value),
            unit: if sent.is_empty() { unit } else { sent },
            flags: Flags { text: place.text(cut.flags), separator: b' ', known: self.plan.flags },
            not_reportable: nothing.then_some("no-value"),
            ..common
        }
    }

    fn code<'m>(&self, id: Text<'m>, name: &'static str) -> Code<'m> {
        Code { id, name: Text::plain(name), system: self.plan.system, ..Code::default() }
    }

    fn observation<'m>(&self, code: Text<'m>, span: Span) -> Observation<'m> {
        Observation {
            code: self.code(code, ""),
            value: Text::EMPTY,
            unit: Text::EMPTY,
            unit_as_sent: Text::EMPTY,
            range: Text::EMPTY,
            flags: Flags::default(),
            nature: Text::EMPTY,
            status: Status::Absent,
            started: None,
            completed: None::<DeviceTime>,
            operator: Text::EMPTY,
            verifier: Text::EMPTY,
            device: Text::EMPTY,
            run: Text::EMPTY,
            replicate: Text::EMPTY,
            group: 0,
            not_reportable: None,
            doubt: None,
            suspect: false,
            span,
        }
    }
}

/// A value's text as a reading; words that are no number are a value only of what nobody described.
fn reading<'m>(place: &Place<'m>, range: Range<usize>, words: bool) -> (Reading<'m>, Marks, &'static str) {
    match place.seen.written(range.clone()) {
        Written::Number => (Reading::Number(place.text(range)), Marks::NONE, ""),
        Written::Nothing => (Reading::Absent, Marks::NAV, "the device shows no value"),
        Written::Words if words => (Reading::Words(place.text(range)), Marks::NONE, ""),
        Written::Words => (Reading::Absent, Marks::INV, "what the device wrote is no number"),
    }
}
