//! Single records as report items, by the profile's places.
//!
//! Promises: a text is a part of the message as it stands, spaces around it aside, with two exceptions that a
//! profile declares: a decimal comma, and the character at which a code ends. A time stamp that is none becomes no
//! time and a note. Leaves out what a record means beside others; the interpreter knows that.

use crate::place::{self, Current, Place};
use crate::plan::Plan;
use crate::sample;
use crate::values::{Letter, One};
use orugate_driver::report::{
    Code, Flags, Note, NoteKind, Observation, Order, Patient, Qc, Query, ReportSink, Sender, Specimen, Status,
};
use orugate_driver::span::Span;
use orugate_driver::text::{Escapes, Text};
use orugate_driver::time::DeviceTime;
use orugate_driver::{Fault, Scratch};
use orugate_protocol::astm::record::{
    ActionCode, Field, Header, Order as OrderRecord, Patient as PatientRecord, ProcessingId,
    Query as QueryRecord, Record, ReportType, ResultRecord, ResultStatus,
};

pub(crate) fn sender<'m>(
    plan: &Plan,
    current: &Current<'m>,
    header: &Header<'m>,
    sink: &mut dyn ReportSink<'m>,
) -> Sender<'m> {
    let places = &plan.profile.sender;
    Sender {
        name: text_at(places.name, current),
        serial: text_at(places.serial, current),
        version: text_at(places.version, current),
        time: time(header.message_time(), "H.14", sink),
        qc: match header.processing_id() {
            ProcessingId::QualityControl => Some(Qc::ProcessingId),
            ProcessingId::Training | ProcessingId::Debugging => Some(Qc::Training),
            ProcessingId::Production | ProcessingId::Unknown(_) | ProcessingId::Absent => None,
        },
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
    sink: &mut dyn ReportSink<'m>,
) -> Specimen<'m> {
    let (id, id_place) = sample::find(plan, current, sink);
    let kind = order.specimen_descriptor().component(1).trimmed().text();
    let rules = &plan.profile.qc;
    let qc = if order.action_code() == ActionCode::QualityControl {
        Some(Qc::ActionCode)
    } else if rules.sample_prefixes.iter().any(|prefix| begins_with(&id, prefix))
        || rules.descriptors.iter().any(|descriptor| kind.reads(descriptor))
    {
        Some(Qc::ProfileRule)
    } else {
        None
    };
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
        (Some(only), None) => Some(code(plan, only).0).filter(|code| !code.id.is_empty()),
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
    scratch: &mut Scratch<'m>,
    sink: &mut dyn ReportSink<'m>,
) -> Result<Observation<'m>, Fault> {
    let profile = &plan.profile;
    let text = |field: Field<'m>| field.trimmed().text();
    let (code, replicate) = code(plan, result.universal_test_id());
    let value = match profile.value.component {
        Some(n) => text(result.value().component(n.number())),
        None => without_empty_tail(text(result.value()), result.record().delimiters().component),
    };
    let not_reportable =
        profile.not_reportable.iter().find(|rule| value.reads(&rule.value)).map(|rule| rule.rule.0);
    let value = if profile.value.decimal_comma { with_point(value, scratch)? } else { value };
    Ok(Observation {
        code,
        value,
        unit: text(result.units()),
        range: text(range(result.reference_ranges())),
        flags: Flags {
            text: text(result.abnormal_flags()),
            separator: result.record().delimiters().repeat,
            known: &plan.flags,
        },
        nature: text(result.abnormality_nature()),
        status: status(plan, result),
        started: time_at(profile.time.started, current, sink),
        completed: time_at(profile.time.completed, current, sink),
        operator: text_at(profile.operator, current),
        verifier: text_at(profile.verifier, current),
        device: text_at(profile.device, current),
        run: place::first(&profile.run.discriminator, current).map_or(Text::EMPTY, |f| f.text()),
        replicate,
        not_reportable,
        doubt: None,
        span: result.record().span(),
    })
}

/// `NEGATIVE^` says no more than `NEGATIVE`: trailing empty components may be omitted as trailing fields may.
fn without_empty_tail(value: Text<'_>, component: u8) -> Text<'_> {
    if value.bytes().last() != Some(&component) {
        return value;
    }
    let (mut at, mut end) = (0usize, 0usize);
    for piece in value.split(component) {
        at = at.saturating_add(piece.bytes().len());
        end = if piece.is_empty() { end } else { at };
        at = at.saturating_add(1);
    }
    value.with_bytes(value.bytes().get(..end).unwrap_or_default()).trimmed()
}

/// One range has its name beside it (`3.50 - 10.00^REFERENCE_RANGE`, `^DEFAULT`). Several ranges, or one whose parts
/// are all numbers, only make sense together.
fn range(ranges: Field<'_>) -> Field<'_> {
    let named = !ranges.components().skip(1).any(|c| c.text().chars().any(|c| matches!(c, Ok('0'..='9'))));
    if ranges.repeats().nth(1).is_none() && named { ranges.component(1) } else { ranges }
}

/// A result under a header whose delimiters cannot be used: fields as they are, nothing taken apart or unescaped.
pub(crate) fn unsplit<'m>(plan: &'static Plan, result: &ResultRecord<'m>) -> Observation<'m> {
    let raw = |field: Field<'m>| Text::new(field.trimmed().bytes(), plan.charset, Escapes::None);
    Observation {
        value: raw(result.value()),
        unit: raw(result.units()),
        range: raw(result.reference_ranges()),
        flags: Flags { text: raw(result.abnormal_flags()), separator: 0, known: &[] },
        status: status(plan, result),
        ..unread(plan, raw(result.universal_test_id()), result.record().span())
    }
}

/// What looks like a result record behind bytes that do not belong there: only its test is told, for the hold.
pub(crate) fn misplaced<'m>(plan: &'static Plan, record: &Record<'m>) -> Option<Observation<'m>> {
    let junk = record.bytes().iter().take_while(|b| **b <= b' ').count();
    let delimiter = record.delimiters().field;
    match record.bytes().get(junk..)? {
        [b'R' | b'r', field, ..] if *field == delimiter && junk > 0 => {
            let test = record.field(3).trimmed().bytes();
            Some(unread(plan, Text::new(test, plan.charset, Escapes::None), record.span()))
        }
        _ => None,
    }
}

/// An observation of which nothing but the test is known.
fn unread<'m>(plan: &'static Plan, test: Text<'m>, span: Span) -> Observation<'m> {
    Observation {
        code: Code { id: test, system: plan.profile.coding_system.0, ..Code::default() },
        value: Text::EMPTY,
        unit: Text::EMPTY,
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
        not_reportable: None,
        doubt: None,
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
        sink.item(orugate_driver::report::Item::Query(Query { specimen, span }));
    }
}

/// The code and the dilution or replicate in one test id.
fn code<'m>(plan: &'static Plan, test: Field<'m>) -> (Code<'m>, Text<'m>) {
    let rules = &plan.profile.code;
    let text = |field: Field<'m>| field.trimmed().text();
    let optional =
        |n: Option<crate::values::Component>| n.map_or(Text::EMPTY, |n| text(test.component(n.number())));
    let mut id = text(test.component(rules.id.number()));
    if id.is_empty() && rules.or_first {
        id = test.components().map(text).find(|part| !part.is_empty()).unwrap_or_default();
    }
    let mut replicate = optional(rules.replicate);
    if let Some(One(end)) = rules.ends_at
        && let Some((before, after)) = id.split_once(end)
    {
        replicate = if after.is_empty() { replicate } else { after.trimmed() };
        id = before.trimmed();
    }
    let code = Code {
        id,
        name: optional(rules.name),
        system: plan.profile.coding_system.0,
        loinc: optional(rules.loinc),
    };
    (code, replicate)
}

/// hl7.md A.2, unless the profile says otherwise.
fn status(plan: &Plan, result: &ResultRecord<'_>) -> Status {
    let field = result.record().field(9).trimmed();
    if let Some(word) = Letter::from_field(field.bytes()).and_then(|letter| plan.profile.status.get(&letter))
    {
        return (*word).into();
    }
    match result.status() {
        ResultStatus::Final
        | ResultStatus::Verified
        | ResultStatus::MicLevel
        | ResultStatus::QueryResponse
        | ResultStatus::PreviouslyTransmitted => Status::Final,
        ResultStatus::Preliminary | ResultStatus::Partial => Status::Preliminary,
        ResultStatus::Correction => Status::Corrected,
        ResultStatus::CannotBeDone => Status::NotDone,
        ResultStatus::Pending => Status::Pending,
        ResultStatus::Questionable => Status::Questionable,
        ResultStatus::NewOrderInformation => Status::RerunInformation,
        ResultStatus::Absent => Status::Absent,
        ResultStatus::Unknown(code) => Status::Unknown(code.first().copied().unwrap_or_default()),
    }
}

/// A comma between digits as a point, in scratch space; any other text as it is.
fn with_point<'m>(value: Text<'m>, scratch: &mut Scratch<'m>) -> Result<Text<'m>, Fault> {
    let mut commas = value.bytes().iter().enumerate().filter(|(_, b)| **b == b',');
    let (Some((at, _)), None) = (commas.next(), commas.next()) else { return Ok(value) };
    let after = at.checked_add(1).and_then(|after| value.bytes().get(after));
    if !after.is_some_and(u8::is_ascii_digit) || !reads_digit_before(value, at) {
        return Ok(value);
    }
    let copy = scratch.take(value.bytes().len()).ok_or(Fault::Space)?;
    copy.copy_from_slice(value.bytes());
    if let Some(comma) = copy.get_mut(at) {
        *comma = b'.';
    }
    Ok(value.with_bytes(copy))
}

/// In GB18030 a byte that looks like a digit may end a character.
fn reads_digit_before(value: Text<'_>, at: usize) -> bool {
    let before = value.bytes().get(..at).map(|bytes| value.with_bytes(bytes).chars().last());
    matches!(before, Some(Some(Ok('0'..='9'))))
}

fn begins_with(text: &Text<'_>, prefix: &str) -> bool {
    let mut chars = text.chars();
    prefix.chars().all(|c| chars.next() == Some(Ok(c)))
}

fn text_at<'m>(place: Option<Place>, current: &Current<'m>) -> Text<'m> {
    place.and_then(|place| place.read(current)).map_or(Text::EMPTY, |field| field.text())
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
    let parsed = field.time()?;
    if parsed.is_err() {
        sink.note(Note { kind: NoteKind::BadTime, span: field.span(), subject: Text::plain(name) });
    }
    parsed.ok()
}
