//! From a snapshot to measurements.
//!
//! Promises: each value that the newest answer of numerics lists is given once, with the digits that it has or without a value and
//! with the reason; what has no value is given without one; what the monitor does not list is not given. A measurement that is
//! made now and then comes only of an answer in which the session found it new. The patient's names are never read. Leaves out
//! verdicts: what is sent is the gateway's.

use crate::alerts;
use crate::frame;
use crate::held::is_once;
use crate::pdu::{ALERTS, Attributes, DEMOGRAPHICS, Event, MDS, NUMERIC, Object, Pdu, Reply, parse};
use crate::read::Reader;
use crate::table::{self, Parameter};
use crate::units::{is_framed, split};
use crate::value::{
    Float, Metric, Observed, id, is_later, mode, narrow, observed, state, system, time, wide,
};
use orugate_driver::report::{
    Alarm, At, Code, Device, End, Item, Kind, Marks, Measurement, Note, NoteKind, Reading, ReportSink, Shown,
    Unit,
};
use orugate_driver::snapshot::{self, Unit as Came, decimal};
use orugate_driver::span::Span;
use orugate_driver::text::Text;
use orugate_driver::time::Utc;
use orugate_driver::{Fault, Interpreter, Scratch, StoredMessage};
use std::fmt::Write as _;
use std::time::Duration;

/// `MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS`, until the monitor says what it is.
const MULTI_PARAMETER_MONITOR: u32 = 69_965;
/// Philips' name of its nomenclature where it sends HL7 itself, as a local coding system.
const SYSTEM: &str = "99MDIL";

pub(crate) struct IntellivueInterpreter {
    pub(crate) stale_after: Duration,
}

/// One unit of the snapshot, with plain bytes.
#[derive(Clone, Copy)]
struct Plain<'m> {
    bytes: &'m [u8],
    taken: bool,
    received: Utc,
    span: Span,
}

/// More units than a session ever gives.
const UNITS: usize = 48;

/// What the snapshot has of each kind.
struct All<'m> {
    created: Option<Plain<'m>>,
    monitor: Option<Plain<'m>>,
    patient: Option<Plain<'m>>,
    alerts: Option<Plain<'m>>,
    /// Answers of numerics, in the snapshot's order.
    numerics: [Option<Plain<'m>>; UNITS],
}

impl<'m> All<'m> {
    fn numerics(&self) -> impl DoubleEndedIterator<Item = Plain<'m>> + '_ {
        self.numerics.iter().flatten().copied()
    }

    /// The newest answer that stands, by the monitor's own time.
    fn newest(&self) -> Option<Plain<'m>> {
        self.numerics().filter(|plain| !plain.taken).reduce(|known, next| {
            match (first_reply(known.bytes), first_reply(next.bytes)) {
                (Some(before), Some(after)) if is_later(before.relative, after.relative) => known,
                _ => next,
            }
        })
    }

    /// An attribute of an object, from the newest answer that has it.
    fn attribute(&self, object: &Object<'m>, id: u16) -> Option<&'m [u8]> {
        let own = object.attributes.find(id);
        own.or_else(|| {
            let same = |other: &Object<'m>| (other.context, other.handle) == (object.context, object.handle);
            let all = self.numerics().rev().flat_map(|plain| objects(plain.bytes)).filter(same);
            all.filter_map(|other| other.attributes.find(id)).next()
        })
    }
}

impl Interpreter for IntellivueInterpreter {
    fn interpret<'m>(
        &self,
        message: &StoredMessage<'m>,
        scratch: &mut Scratch<'m>,
        sink: &mut dyn ReportSink<'m>,
    ) -> Result<(), Fault> {
        let snapshot = snapshot::read(message.raw)?;
        let mut all =
            All { created: None, monitor: None, patient: None, alerts: None, numerics: [None; UNITS] };
        for came in snapshot.units() {
            let plain = plain(&came, scratch)?;
            if plain.bytes.is_empty() || !sort(&mut all, plain) {
                sink.note(Note { kind: NoteKind::BadFrame, span: plain.span, subject: Text::EMPTY });
            }
        }
        let (device, nobodys) = self.device(&all, snapshot.ended, scratch)?;
        sink.item(Item::Device(device));
        let newest = all.newest();
        for (place, plain) in all.numerics().enumerate() {
            let stands = newest.is_some_and(|newest| newest.span == plain.span);
            if !plain.taken && !stands {
                // It is here for its labels.
                continue;
            }
            for object in objects(plain.bytes) {
                let metric = all.attribute(&object, id::METRIC).and_then(Metric::read);
                let once = is_once(&object, metric, false);
                if once != plain.taken || (once && is_given_before(&all, place, &object)) {
                    continue;
                }
                let seen = Seen { object, metric, once, plain, nobodys };
                give(&all, &seen, scratch, sink)?;
            }
        }
        if let Some(plain) = all.alerts {
            for object in objects(plain.bytes) {
                let marks = alerts::of_all(object.attributes) | nobodys;
                for entry in alerts::entries(object.attributes) {
                    alarm(plain, &entry, entry.marks() | marks, scratch, sink)?;
                }
            }
        }
        sink.item(Item::End(End { complete: message.complete }));
        Ok(())
    }
}

/// Puts a unit where it belongs; false when it is nothing that a session gives.
fn sort<'m>(all: &mut All<'m>, plain: Plain<'m>) -> bool {
    match parse(plain.bytes).map(|(pdu, _)| pdu) {
        Some(Pdu::Invoke { body, .. }) if Event::read(body).is_some() => {
            all.created = Some(plain);
            true
        }
        Some(Pdu::Result { body, .. } | Pdu::Linked { body, .. }) => {
            match Reply::read(body).map(|reply| reply.class) {
                Some(MDS) => {
                    all.monitor = Some(plain);
                    true
                }
                Some(DEMOGRAPHICS) => {
                    all.patient = Some(plain);
                    true
                }
                Some(ALERTS) => {
                    all.alerts = Some(plain);
                    true
                }
                Some(NUMERIC) => match all.numerics.iter_mut().find(|place| place.is_none()) {
                    Some(place) => {
                        *place = Some(plain);
                        true
                    }
                    None => false,
                },
                _ => false,
            }
        }
        _ => false,
    }
}

/// The unit's bytes without frames, in scratch space where it has some; nothing when a frame is none.
fn plain<'m>(came: &Came<'m>, scratch: &mut Scratch<'m>) -> Result<Plain<'m>, Fault> {
    let span = Span::new(came.offset, came.offset.saturating_add(came.bytes.len()));
    let mut bytes = came.bytes;
    if is_framed(came.bytes) {
        let mut space = scratch.take(came.bytes.len()).ok_or(Fault::Space)?;
        let (mut rest, mut filled) = (came.bytes, 0usize);
        while let Some((unit, after)) = split(rest) {
            rest = after;
            let free = space.get_mut(filled..).unwrap_or_default();
            let len = match frame::open(unit, free) {
                Ok(data) => data.len(),
                Err(_) => 0,
            };
            if len > 0 {
                // The unit stands behind its header.
                free.copy_within(HEADER..HEADER.saturating_add(len), 0);
            }
            filled = filled.saturating_add(len);
        }
        space = space.get_mut(..filled).unwrap_or_default();
        bytes = space;
    }
    Ok(Plain { bytes, taken: came.taken, received: came.received, span })
}

/// Of a frame: protocol, type and length.
const HEADER: usize = 4;

/// The replies in a unit's plain bytes.
fn replies(bytes: &[u8]) -> impl Iterator<Item = Reply<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        loop {
            let (pdu, used) = parse(rest)?;
            rest = rest.get(used..).unwrap_or_default();
            if let Pdu::Result { body, .. } | Pdu::Linked { body, .. } = pdu
                && let Some(reply) = Reply::read(body)
            {
                return Some(reply);
            }
        }
    })
}

fn first_reply(bytes: &[u8]) -> Option<Reply<'_>> {
    replies(bytes).next()
}

fn objects(bytes: &[u8]) -> impl Iterator<Item = Object<'_>> {
    replies(bytes).flat_map(|reply| reply.objects())
}

/// The same measurement stands in an answer that was taken before: another one was new in this.
fn is_given_before(all: &All<'_>, place: usize, object: &Object<'_>) -> bool {
    let stamp = object.attributes.find(id::TIME_STAMP);
    all.numerics().take(place).filter(|plain| plain.taken).flat_map(|plain| objects(plain.bytes)).any(
        |other| {
            (other.context, other.handle) == (object.context, object.handle)
                && other.attributes.find(id::TIME_STAMP) == stamp
                && observed(other.attributes).eq(observed(object.attributes))
        },
    )
}

impl IntellivueInterpreter {
    /// The device, and marks that all of its values have because of what it is doing.
    fn device<'m>(
        &self,
        all: &All<'m>,
        ended: Utc,
        scratch: &mut Scratch<'m>,
    ) -> Result<(Device<'m>, Marks), Fault> {
        let mut device = Device { mds: MULTI_PARAMETER_MONITOR, ..Device::default() };
        let mut nobodys = Marks::NONE;
        // What was asked last says more than what was told first.
        for plain in [all.created, all.monitor].into_iter().flatten() {
            device.span = plain.span;
            let Some(attributes) = of_monitor(plain.bytes) else { continue };
            for (id, value) in attributes {
                match id {
                    id::SYSTEM => device.eui64 = system(value).or(device.eui64),
                    id::SYSTEM_TYPE => {
                        let mut reader = Reader::new(value);
                        if let (Some(1), Some(code @ 1..)) = (reader.u16(), reader.u16()) {
                            device.mds = 65_536u32.saturating_add(code.into());
                        }
                    }
                    id::MODEL => {
                        let mut reader = Reader::new(value);
                        device.manufacturer = ascii(narrow(&mut reader));
                        device.model = ascii(narrow(&mut reader));
                    }
                    id::PRODUCTION => {
                        device.serial = ascii(production(value, SERIAL));
                        device.version = ascii(production(value, SOFTWARE));
                    }
                    id::BED => device.location = write(scratch, |text| text.extend(wide(value)))?,
                    id::CLOCK => {
                        let received = plain.received;
                        device.clock = time(value).map(|device| Shown { device, received }).or(device.clock);
                    }
                    id::MODE => {
                        let bits = Reader::new(value).u16().unwrap_or(0);
                        nobodys = Marks::NONE;
                        if bits & mode::DEMO != 0 {
                            nobodys = nobodys | Marks::DEMO;
                        }
                        if bits & mode::SERVICE != 0 {
                            nobodys = nobodys | Marks::TEST;
                        }
                    }
                    _ => {}
                }
            }
        }
        let fresh = |plain: &Plain<'_>| {
            let age = u64::try_from(ended.0.saturating_sub(plain.received.0)).unwrap_or(0);
            Duration::from_micros(age) <= self.stale_after
        };
        if let Some(plain) = all.patient.filter(fresh)
            && let Some(id) = objects(plain.bytes).find_map(|object| object.attributes.find(id::PATIENT))
        {
            device.patient = write(scratch, |text| text.extend(wide(id)))?;
        }
        Ok((device, nobodys))
    }
}

/// The monitor's attributes, from the event that told of the association or from an answer.
fn of_monitor(bytes: &[u8]) -> Option<Attributes<'_>> {
    match parse(bytes)?.0 {
        Pdu::Invoke { body, .. } => Event::read(body)?.attributes(),
        _ => objects(bytes).next().map(|object| object.attributes),
    }
}

/// Kinds of what a production specification has.
pub(crate) const SERIAL: u16 = 1;
const SOFTWARE: u16 = 4;

/// The first text of this kind in a production specification.
pub(crate) fn production(value: &[u8], kind: u16) -> Option<&[u8]> {
    let mut reader = Reader::new(value);
    reader.u32()?;
    loop {
        let found = reader.u16()?;
        reader.u16()?;
        let text = narrow(&mut reader)?;
        if found == kind {
            return Some(text);
        }
    }
}

/// Text that a monitor writes in ASCII; anything else is none.
fn ascii(text: Option<&[u8]>) -> Text<'_> {
    let text = text.and_then(|text| std::str::from_utf8(text).ok()).filter(|text| text.is_ascii());
    Text::plain(text.unwrap_or_default())
}

/// An object of numerics, and what is known of it.
struct Seen<'m> {
    object: Object<'m>,
    metric: Option<Metric>,
    once: bool,
    plain: Plain<'m>,
    nobodys: Marks,
}

/// Gives all values of an object, or that it has none.
fn give<'m>(
    all: &All<'m>,
    seen: &Seen<'m>,
    scratch: &mut Scratch<'m>,
    sink: &mut dyn ReportSink<'m>,
) -> Result<(), Fault> {
    let label = all.attribute(&seen.object, id::LABEL).and_then(|value| Reader::new(value).u32());
    let words = all.attribute(&seen.object, id::LABEL_TEXT).unwrap_or_default();
    let label_text = write(scratch, |text| text.extend(wide(words)))?;
    let at = seen.object.attributes.find(id::TIME_STAMP).and_then(time).map_or(At::Received, At::Device);
    let kind = match seen.metric {
        Some(metric) if metric.is_set() => Kind::Set,
        Some(metric) if metric.is_calculated() => Kind::Calculated,
        _ => Kind::Measured,
    };
    let common = Measurement {
        kind,
        at,
        received: seen.plain.received,
        once: seen.once,
        span: seen.plain.span,
        ..Measurement::default()
    };
    let mut values = observed(seen.object.attributes).peekable();
    if values.peek().is_none() {
        // Listed without a value. What it is its label says, if that is of the measurements' partition.
        let Some(label) = label else { return Ok(()) };
        let unit = all.attribute(&seen.object, id::UNIT).and_then(|value| Reader::new(value).u16());
        let unit = match unit {
            Some(unit) => unit_of(unit, scratch)?,
            None => Unit::default(),
        };
        let [high, low] = [label >> 16, label & 0xFFFF].map(|half| u16::try_from(half).unwrap_or(0));
        let (code, row) = code(high, low, label_text, scratch)?;
        sink.item(Item::Measurement(Measurement {
            place: row.map_or(0, |row| row.place),
            term: term(row, kind),
            code,
            unit,
            marks: Marks::NAV | seen.nobodys,
            why: "the monitor lists it without a value",
            ..common
        }));
        return Ok(());
    }
    for value in values {
        let (code, row) = code(MEASUREMENTS, value.physio, label_text, scratch)?;
        let (marks, mut why) = marks(&value);
        let marks = marks | seen.nobodys;
        if why.is_empty() && seen.nobodys.nobodys() {
            why = "the monitor is in demonstration or service mode";
        }
        let own = label.is_none_or(|label| is_own(label, value.physio));
        let number = match value.value {
            Float::Number { mantissa, exponent } if !marks.without_value() => {
                decimal(scratch, mantissa.into(), exponent).map_or(Reading::Absent, Reading::Number)
            }
            _ => Reading::Absent,
        };
        // A number that nobody writes without a power of ten is none of a monitor.
        let beyond = matches!(value.value, Float::Number { .. })
            && number == Reading::Absent
            && !marks.without_value();
        sink.item(Item::Measurement(Measurement {
            // Two of a kind have one place, which is the first one's own.
            place: row.filter(|_| own).map_or(0, |row| row.place),
            term: term(row, kind),
            code,
            value: number,
            unit: unit_of(value.unit, scratch)?,
            marks: if beyond { marks | Marks::INV } else { marks },
            why: if beyond { "its power of ten is no monitor's" } else { why },
            alarm: (value.state & state::IN_ALARM != 0).then(Alarm::default),
            label: if own { Text::EMPTY } else { told_apart(label, label_text, scratch)? },
            ..common
        }));
    }
    Ok(())
}

/// The partition of events in the nomenclature.
const EVENTS: u16 = 3;

/// Gives an alarm that is on, with the words that the monitor shows.
fn alarm<'m>(
    plain: Plain<'m>,
    entry: &alerts::Entry<'m>,
    marks: Marks,
    scratch: &mut Scratch<'m>,
    sink: &mut dyn ReportSink<'m>,
) -> Result<(), Fault> {
    let (mut code, _) = code(EVENTS, entry.code, Text::EMPTY, scratch)?;
    code.name = Text::plain(if entry.patient { "alarm" } else { "technical alarm" });
    let (partition, source) = entry.about();
    let known = (partition == MEASUREMENTS).then(|| table::parameter(source)).flatten();
    let label = match known {
        Some(row) => Text::plain(row.name),
        None => write(scratch, |text| text.push(format_args!("{partition:04x}-{source:04x}")))?,
    };
    let words = write(scratch, |text| text.extend(wide(entry.words)))?;
    sink.item(Item::Measurement(Measurement {
        kind: Kind::Alarm,
        code,
        // One without words is told by its number.
        value: Reading::Words(if words.is_empty() { code.id } else { words }),
        marks,
        why: if marks.nobodys() { "the monitor is in demonstration or test mode" } else { "" },
        alarm: Some(entry.alarm()),
        label,
        received: plain.received,
        span: plain.span,
        ..Measurement::default()
    }));
    Ok(())
}

/// The partition of measurements in the nomenclature.
const MEASUREMENTS: u16 = 2;

/// The partition of units in it.
const DIMENSIONS: u16 = 4;

/// The label is that of the measurement, or of the compound that it is a part of: systolic, diastolic and mean follow it.
fn is_own(label: u32, physio: u16) -> bool {
    label >> 16 == u32::from(MEASUREMENTS) && (label ^ u32::from(physio)) & 0xFFFC == 0
}

/// The label by which the monitor tells two of a kind apart. Where it has many of one name, as it has pulses, its number as well.
fn told_apart<'m>(label: Option<u32>, text: Text<'m>, scratch: &mut Scratch<'m>) -> Result<Text<'m>, Fault> {
    match label {
        Some(label) if label >> 31 == 1 => write(scratch, |out| {
            let words = std::str::from_utf8(text.bytes()).unwrap_or_default();
            out.push(format_args!(
                "{words}{}{:04x}-{:04x}",
                if words.is_empty() { "" } else { " " },
                label >> 16,
                label & 0xFFFF
            ));
        }),
        _ => Ok(text),
    }
}

/// The MDC code of a measurement; a setting's is another one, and none is proven.
fn term(row: Option<Parameter>, kind: Kind) -> u32 {
    row.filter(|_| kind != Kind::Set).map_or(0, |row| row.mdc)
}

/// A code as Philips writes it in HL7, and what is known of it.
fn code<'m>(
    partition: u16,
    number: u16,
    label: Text<'m>,
    scratch: &mut Scratch<'m>,
) -> Result<(Code<'m>, Option<Parameter>), Fault> {
    let row = (partition == MEASUREMENTS).then(|| table::parameter(number)).flatten();
    let id = write(scratch, |text| text.push(format_args!("{partition:04x}-{number:04x}")))?;
    let name = row.map_or(label, |row| Text::plain(row.name));
    Ok((Code { id, name, system: SYSTEM, loinc: Text::EMPTY }, row))
}

/// A unit; one that the table does not have goes by its number: a value without its unit is another one.
fn unit_of<'m>(unit: u16, scratch: &mut Scratch<'m>) -> Result<Unit<'m>, Fault> {
    if let Some(row) = table::unit(unit) {
        return Ok(Unit { mdc: row.mdc, text: Text::plain(row.text) });
    }
    let text = write(scratch, |text| text.push(format_args!("{DIMENSIONS:04x}-{unit:04x}")))?;
    Ok(Unit { mdc: 0, text })
}

/// What the monitor's bits and special values say.
fn marks(value: &Observed) -> (Marks, &'static str) {
    const BITS: [(u16, Marks, &str); 9] = [
        (state::UNAVAILABLE, Marks::NAV, "the monitor has no value"),
        (state::INVALID, Marks::INV, "the monitor says that it is not valid"),
        (state::CALIBRATING, Marks::CAL, "the sensor is being calibrated"),
        (state::TEST, Marks::TEST, "the monitor shows a test signal"),
        (state::DEMO, Marks::DEMO, "the monitor is in demonstration mode"),
        (state::QUESTIONABLE, Marks::QUES, "the monitor doubts it"),
        (state::MEASURING, Marks::BUSY, "the measurement goes on"),
        (state::EARLY, Marks::EARLY, "it is an early estimate"),
        (state::ALARMS_OFF, Marks::ALINH, "its alarms are off"),
    ];
    let special = match value.value {
        Float::Number { .. } => None,
        Float::Nothing => Some((Marks::INV, "the monitor sends no number")),
        Float::Resolution => Some((Marks::NAV, "it cannot be told at this resolution")),
        Float::Over => Some((Marks::OVER, "it is above what can be measured")),
        Float::Under => Some((Marks::UNDER, "it is below what can be measured")),
        Float::Reserved => Some((Marks::INV, "the monitor sends a number that means nothing")),
    };
    let mut all = if value.state & state::VALIDATED != 0 { Marks::VALIDATED } else { Marks::NONE };
    let mut why = "";
    let bits =
        BITS.iter().filter(|(bit, ..)| value.state & bit != 0).map(|(_, mark, clause)| (*mark, *clause));
    for (mark, clause) in bits.chain(special) {
        if mark == Marks::INV && all.without_value() {
            // That there is no number says no more than the bits do.
            continue;
        }
        all = all | mark;
        if why.is_empty() {
            why = clause;
        }
    }
    (all, why)
}

/// Text that is written into scratch space.
struct Draft<'t> {
    space: &'t mut [u8],
    len: usize,
    full: bool,
}

impl Draft<'_> {
    fn extend(&mut self, characters: impl Iterator<Item = char>) {
        for character in characters {
            self.full |= self.write_char(character).is_err();
        }
    }

    fn push(&mut self, words: std::fmt::Arguments<'_>) {
        self.full |= self.write_fmt(words).is_err();
    }
}

impl std::fmt::Write for Draft<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.len.saturating_add(text.len());
        let place = self.space.get_mut(self.len..end).ok_or(std::fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// Labels, beds and ids are shorter.
const LONGEST: usize = 256;

fn write<'m>(scratch: &mut Scratch<'m>, words: impl FnOnce(&mut Draft<'_>)) -> Result<Text<'m>, Fault> {
    let mut space = [0u8; LONGEST];
    let mut draft = Draft { space: &mut space, len: 0, full: false };
    words(&mut draft);
    let len = draft.len;
    let text = space.get(..len).unwrap_or_default();
    let place = scratch.take(len).ok_or(Fault::Space)?;
    place.copy_from_slice(text);
    Ok(Text::plain(std::str::from_utf8(place).unwrap_or_default()))
}
