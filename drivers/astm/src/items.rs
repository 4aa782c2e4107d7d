//! Single records as report items, by the profile's places.
//!
//! Promises: a text is a part of the message as it stands, spaces around it aside, but for what a profile declares
//! about codes ([`code`]) and values ([`measure`]). A time stamp that is none becomes no time and a note. Leaves out
//! what a record means beside others; the interpreter knows that.

use crate::code::{self, TestCode, Twins};
use crate::measure::{self, Rule};
use crate::place::{self, Current, Place};
use crate::plan::Plan;
use crate::qc;
use crate::sample;
use orugate_driver::report::{
    Code, Comment, Flags, Item, Level, Note, NoteKind, Observation, Order, Patient, Query, ReportSink,
    Sender, Specimen, Status,
};
use orugate_driver::span::Span;
use orugate_driver::text::{Escapes, Text};
use orugate_driver::time::DeviceTime;
use orugate_driver::{Fault, Scratch};
use orugate_protocol::astm::record::{
    ActionCode, Field, Header, Order as OrderRecord, Patient as PatientRecord, Query as QueryRecord, Record,
    RecordType, Records, ReportType, ResultRecord,
};

/// An order whose results did not come, and which says something.
const REMARK_ONLY: &str = "The instrument sent a remark on this order and no result, so nothing carries the remark: it \
    may say why the test failed. Read it on the instrument's screen; tell the laboratory; discard.";
/// R.3 lacks what tells this result from another.
const NO_PART: &str = "The test code lacks a component that this kind of result needs, so it would look like another \
    result. Look at the instrument's screen; correct `code.part` in the profile, then release, or discard.";

pub(crate) fn sender<'m>(
    plan: &Plan,
    current: &Current<'m>,
    header: &Header<'m>,
    sink: &mut dyn ReportSink<'m>,
) -> Sender<'m> {
    let places = &plan.profile.sender;
    let mut name = text_at(plan, places.name, current);
    let mut serial = text_at(plan, places.serial, current);
    if places.serial_is_digits && !serial.bytes().iter().all(u8::is_ascii_digit) {
        name = if name.is_empty() { serial } else { name };
        serial = Text::EMPTY;
    }
    Sender {
        name,
        serial,
        version: text_at(plan, places.version, current),
        time: time(header.message_time(), "H.14", sink),
        qc: qc::of_message(plan, current, header),
        span: header.record().span(),
    }
}

pub(crate) fn patient<'m>(patient: &PatientRecord<'m>, sink: &mut dyn ReportSink<'m>) -> Patient<'m> {
    let text = |field: Field<'m>| field.trimmed().text();
    let name = patient.name();
    Patient {
        practice_id: text(patient.practice_patient_id()),
        laboratory_id: text(patient.laboratory_patient_id()),
        third_id: text(patient.patient_id_3()),
        family: text(name.component(1)),
        given: text(name.component(2)),
        middle: text(name.component(3)),
        birth: time(patient.birth_date(), "P.8", sink),
        sex: text(patient.sex()),
        span: patient.record().span(),
    }
}

pub(crate) fn specimen<'m>(
    plan: &Plan,
    current: &Current<'m>,
    order: &OrderRecord<'m>,
    below: &Records<'m>,
    sink: &mut dyn ReportSink<'m>,
) -> Specimen<'m> {
    let (id, id_place) = sample::find(plan, current, sink);
    let kind = order.specimen_descriptor().component(1).trimmed().text();
    let qc = qc::of_specimen(plan, current, order, &id, below);
    let times = &plan.profile.time;
    Specimen {
        id,
        id_place,
        kind,
        collected: time_at(times.collected, current, sink),
        received: time_at(times.received, current, sink),
        qc,
        span: order.record().span(),
    }
}

/// OBR-4: the only test's own code, or the panel's of the profile.
pub(crate) fn order<'m>(plan: &'static Plan, order: &OrderRecord<'m>) -> Order<'m> {
    let mut tests = order.universal_test_id().repeats().filter(|test| !test.trimmed().is_empty());
    let only = match (tests.next(), tests.next()) {
        (Some(only), None) => Some(code::of_order(plan, only).code).filter(|code| !code.id.is_empty()),
        _ => None,
    };
    let panel = &plan.profile.panel;
    Order {
        code: only.unwrap_or(Code {
            id: Text::plain(&panel.code),
            name: Text::plain(&panel.name),
            system: plan.profile.coding_system.0,
            loinc: Text::EMPTY,
        }),
        cancelled: order.action_code() == ActionCode::Cancel || order.report_type() == ReportType::Cancelled,
        span: order.record().span(),
    }
}

pub(crate) fn observation<'m>(
    plan: &'static Plan,
    current: &Current<'m>,
    result: &ResultRecord<'m>,
    siblings: Option<(&Records<'m>, &Twins)>,
    isolates: &mut Isolates,
    scratch: &mut Scratch<'m>,
    sink: &mut dyn ReportSink<'m>,
) -> Result<Observation<'m>, Fault> {
    let profile = &plan.profile;
    let text = |field: Field<'m>| field.trimmed().text();
    let TestCode { code, bare, replicate, lacking } =
        code::of_result(plan, result.universal_test_id(), siblings, scratch)?;
    let (mut value, flags) = measure::value(plan, current, result, &bare);
    let (not_reportable, held) = match measure::not_reportable(plan, &value) {
        Some(Rule { hold: Some(sentence), .. }) => (None, Some(sentence)),
        Some(Rule { name, hold: None }) => (Some(name), None),
        None => (None, None),
    };
    let mut range = measure::range(plan, result, scratch)?;
    if profile.value.decimal_comma {
        value = measure::with_point(value, scratch)?;
        range = measure::with_point(range, scratch)?;
    }
    let (unit, unit_as_sent) = measure::unit(plan, &bare, text(result.units()));
    // Replicates are of the run of the first of them.
    let first = siblings.filter(|_| profile.run.replicates);
    let first = first.and_then(|(below, _)| code::first_of_test(plan, &bare, below));
    let of_run = Current { result: first.or(current.result), ..*current };
    Ok(Observation {
        code,
        value,
        unit,
        unit_as_sent,
        range,
        flags,
        nature: text(result.record().field(profile.result.nature.field())),
        status: measure::status(plan, result),
        started: time_at(profile.time.started, current, sink),
        completed: time_at(profile.time.completed, current, sink),
        operator: text_at(plan, profile.operator, current),
        verifier: text_at(plan, profile.verifier, current),
        device: text_at(plan, profile.device, current),
        run: place::first(&profile.run.discriminator, &of_run).map_or(Text::EMPTY, |f| f.text()),
        replicate,
        group: isolates.of(plan, &bare, current),
        not_reportable,
        doubt: lacking.then_some(NO_PART).or(held),
        suspect: false,
        span: result.record().span(),
    })
}

/// True when the record has a time where LIS02 has the device and one field more: the model has the parts of R one field
/// further than the profile knows (Mindray's BS, Beckman Coulter's DxH), so its flags and its status are read from the wrong
/// ones.
pub(crate) fn is_shifted(plan: &Plan, record: &Record<'_>) -> bool {
    const DEVICE: usize = 14;
    let by_lis02 = plan.profile.result.status.field() == 9
        && plan.profile.device.is_some_and(|place| place.field() == DEVICE);
    let device = record.field(DEVICE).trimmed().bytes();
    let is_time = device.len() == 14 && device.iter().all(u8::is_ascii_digit);
    let empty = |n| record.field(n).trimmed().is_empty();
    by_lis02 && is_time && empty(9) && !empty(DEVICE + 1)
}

/// True when the status is missing and a letter that is a status and nothing else stands in the field before: the record has a field
/// less than the standard behind its value (some leave an empty unit out with its delimiter), so that its unit, range and flags may
/// each be another one.
pub(crate) fn is_short(plan: &Plan, record: &Record<'_>) -> bool {
    let by_lis02 = plan.profile.result.status.field() == 9 && plan.profile.result.nature.field() == 8;
    let nature = record.field(8).trimmed().bytes();
    by_lis02
        && record.field(9).trimmed().is_empty()
        && matches!(nature, [b'C' | b'F' | b'P' | b'V' | b'W' | b'X'])
}

/// Gives the fields of a record that the profile wants as remarks.
pub(crate) fn place_notes<'m>(
    plan: &'static Plan,
    current: &Current<'m>,
    record: RecordType,
    sink: &mut dyn ReportSink<'m>,
) {
    let level = if record == RecordType::Order { Level::Order } else { Level::Observation };
    let code = current.result.map_or(Text::EMPTY, |result| code::of_order(plan, result.field(3)).bare);
    for note in plan.profile.note.iter().filter(|note| note.place.record() == record) {
        let Some(field) = note.place.read(current) else { continue };
        let text = field.text();
        let other_test = !note.codes.is_empty() && !note.codes.iter().any(|listed| code.reads(listed));
        if other_test
            || place::first(&note.unless_same_as, current).is_some_and(|f| f.bytes() == field.bytes())
        {
            continue;
        }
        let text = match &note.is {
            Some(is) if !text.reads(is) => continue,
            Some(_) => Text::EMPTY,
            None if is_absent(plan, &text) => continue,
            None => text,
        };
        sink.item(Item::Comment(Comment { level, label: &note.label, text, span: field.span() }));
    }
}

/// The texts of a C record; true when there was one.
pub(crate) fn comments<'m>(
    plan: &Plan,
    record: &Record<'m>,
    level: Level,
    sink: &mut dyn ReportSink<'m>,
) -> bool {
    let mut any = false;
    let rules = &plan.profile.comment;
    let delimiters = record.delimiters();
    for field in rules.fields.iter().map(|n| record.field(n.number()).trimmed()) {
        let text = field.text().without_tail(&[delimiters.component, delimiters.repeat, b' ']);
        if !text.is_empty() && !rules.ignore.iter().any(|ignored| text.reads(ignored)) {
            sink.item(Item::Comment(Comment { level, label: "", text, span: field.span() }));
            any = true;
        }
    }
    any
}

/// An order with a remark and no result: the remark waits for a person, for no ORU would carry it.
pub(crate) fn remark_only<'m>(plan: &'static Plan, order: &Order<'m>) -> Observation<'m> {
    Observation { code: order.code, doubt: Some(REMARK_ONLY), ..unread(plan, Text::EMPTY, order.span) }
}

/// Counts the isolates of an order.
#[derive(Default)]
pub(crate) struct Isolates(u16);

impl Isolates {
    /// The isolate that a result of this code is about: by its number where the profile knows the place, else by the
    /// results that begin one.
    fn of(&mut self, plan: &Plan, code: &Text<'_>, current: &Current<'_>) -> u16 {
        let rules = &plan.profile.isolate;
        if let Some(field) = rules.number.and_then(|place| place.read(current)) {
            return std::str::from_utf8(field.bytes()).ok().and_then(|n| n.parse().ok()).unwrap_or(0);
        }
        if rules.heads.iter().any(|head| code.reads(head)) {
            self.0 = self.0.saturating_add(1);
        }
        self.0
    }
}

/// A result under a header whose delimiters cannot be used: fields as they are, nothing taken apart or unescaped.
pub(crate) fn unsplit<'m>(plan: &'static Plan, result: &ResultRecord<'m>) -> Observation<'m> {
    let raw = |field: Field<'m>| unescaped(field.trimmed());
    Observation {
        value: raw(result.value()),
        unit: raw(result.units()),
        range: raw(result.record().field(plan.profile.result.range.field())),
        flags: Flags { text: raw(measure::flag_field(plan, result)), separator: 0, known: &[] },
        status: measure::status(plan, result),
        ..unread(plan, raw(result.universal_test_id()), result.record().span())
    }
}

/// What looks like a result record behind bytes that do not belong there: only its test is told, for the hold.
pub(crate) fn misplaced<'m>(plan: &'static Plan, record: &Record<'m>) -> Option<Observation<'m>> {
    let junk = record.bytes().iter().take_while(|b| **b <= b' ').count();
    let delimiter = record.delimiters().field;
    match record.bytes().get(junk..)? {
        [b'R' | b'r', field, ..] if *field == delimiter && junk > 0 => {
            Some(unread(plan, unescaped(record.field(3).trimmed()), record.span()))
        }
        _ => None,
    }
}

/// What has the shape of a result record without being one: the test stands in one of its first fields, or the header
/// names another delimiter than the record has. Only its test is told, for the hold.
pub(crate) fn damaged<'m>(plan: &'static Plan, record: &Record<'m>) -> Option<Observation<'m>> {
    const FIELDS: usize = 4;
    let component = record.delimiters().component;
    let test = (2..=FIELDS)
        .map(|n| record.field(n).trimmed())
        .find(|test| record.field_count() >= FIELDS && test.bytes().contains(&component))
        .map(unescaped);
    let under_another = || {
        let [b'R' | b'r', field, rest @ ..] = record.bytes() else { return None };
        let mut fields = rest.split(|b| b == field);
        let test = fields.nth(1)?;
        (field.is_ascii_punctuation() && fields.count() >= FIELDS - 2)
            .then(|| Text::new(test, record.field(1).text().charset(), Escapes::None))
    };
    let test = test.or_else(under_another)?;
    Some(unread(plan, test, record.span()))
}

/// The field's bytes in its charset, each standing for itself.
fn unescaped(field: Field<'_>) -> Text<'_> {
    Text::new(field.bytes(), field.text().charset(), Escapes::None)
}

/// An observation of which nothing but the test is known.
fn unread<'m>(plan: &'static Plan, test: Text<'m>, span: Span) -> Observation<'m> {
    Observation {
        code: Code { id: test, system: plan.profile.coding_system.0, ..Code::default() },
        value: Text::EMPTY,
        unit: Text::EMPTY,
        unit_as_sent: Text::EMPTY,
        range: Text::EMPTY,
        flags: Flags::default(),
        nature: Text::EMPTY,
        status: Status::Absent,
        started: None,
        completed: None,
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

/// Gives a query for each specimen that a Q asks for; an empty one for ALL or when none is named.
pub(crate) fn queries<'m>(plan: &Plan, query: &QueryRecord<'m>, sink: &mut dyn ReportSink<'m>) {
    for repeat in query.starting_range_id().repeats() {
        let named = plan.profile.query.specimen.iter().find_map(|place| place.read_repeat(repeat));
        let specimen = named.map_or(Text::EMPTY, |f| f.text());
        let specimen = if specimen.reads("ALL") { Text::EMPTY } else { specimen };
        let span = named.map_or_else(|| query.record().span(), |f| f.span());
        sink.item(Item::Query(Query { specimen, span }));
    }
}

fn text_at<'m>(plan: &Plan, place: Option<Place>, current: &Current<'m>) -> Text<'m> {
    let text = place.and_then(|place| place.read(current)).map_or(Text::EMPTY, |field| field.text());
    if is_absent(plan, &text) { Text::EMPTY } else { text }
}

/// A word that the instrument writes for nothing.
fn is_absent(plan: &Plan, text: &Text<'_>) -> bool {
    plan.profile.absent.iter().any(|word| text.reads(word))
}

fn time_at<'m>(
    place: Option<Place>,
    current: &Current<'m>,
    sink: &mut dyn ReportSink<'m>,
) -> Option<DeviceTime> {
    let place = place?;
    time(place.read(current)?, place.name(), sink)
}

fn time<'m>(field: Field<'m>, name: &'static str, sink: &mut dyn ReportSink<'m>) -> Option<DeviceTime> {
    let first = field.repeats().next()?;
    // `^^` is an empty field of a sender that writes all delimiters.
    if first.components().all(|part| part.trimmed().is_empty()) {
        return None;
    }
    let parsed = first.time()?;
    if parsed.is_err() {
        sink.note(Note { kind: NoteKind::BadTime, span: field.span(), subject: Text::plain(name) });
    }
    parsed.ok()
}
