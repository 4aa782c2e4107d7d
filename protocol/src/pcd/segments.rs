//! Each segment of a PCD-01 message, field by field. Field names and numbers are those of HL7 2.6.

use super::writer::Place;
use super::{Plan, Route, UnknownPatient};
use crate::hl7::ts::{DeviceStamp, Stamp};
use crate::hl7::value::{ValueType, is_numeric};
use crate::hl7::writer::{Segment, Writer};
use crate::mdc;
use crate::oru::Zone;
use crate::report::{Alarm, Code, Device, Measurement, Reading, Term, Unit, Validity};
use crate::text::{Charset, Text};
use crate::time::Utc;
use core::fmt;

/// What a device is when nothing says of what kind (`MDC_DEV_MDS`).
const SOME_MDS: u32 = 69_633;

/// MSH, PID, PV1 and OBR.
pub(super) fn head(
    w: &mut Writer<'_>,
    route: &Route<'_>,
    plan: &Plan<'_>,
    device: &Device<'_>,
    zone: &dyn Zone,
) {
    msh(w, route, plan, zone);
    if pid(w, route, device) {
        pv1(w, route, plan, device);
    }
    obr(w, plan, device, zone);
}

fn msh(w: &mut Writer<'_>, route: &Route<'_>, plan: &Plan<'_>, zone: &dyn Zone) {
    let mut s = w.msh();
    s.field(3).str(route.sending_application);
    eui64(&mut s, route.sending_id, 2);
    s.field(4).str(route.sending_facility);
    s.field(5).str(route.receiving_application);
    s.field(6).str(route.receiving_facility);
    s.field(7).fmt(second(plan.created, zone));
    s.field(9);
    components(&mut s, "ORU^R01^ORU_R01");
    s.field(10).str(plan.control_id);
    s.field(11).chr(route.processing);
    s.field(12).str("2.6");
    s.field(15).str(route.acknowledgment.0);
    s.field(16).str(route.acknowledgment.1);
    if route.charset != Charset::Ascii {
        s.field(18).str(route.charset.msh_18());
    }
    s.field(21);
    components(&mut s, route.profile);
}

/// Whether there is a PID, without which there is no place for PV1.
fn pid(w: &mut Writer<'_>, route: &Route<'_>, device: &Device<'_>) -> bool {
    let id = device.patient.trimmed();
    let (authority, kind) = match (route.patient.filter(|_| !id.is_empty()), route.unknown_patient) {
        (Some(sent), _) => sent,
        (None, UnknownPatient::NoSegment) => return false,
        (None, UnknownPatient::NoId) => ("", ""),
        (None, UnknownPatient::Marked { authority, kind, .. }) => (authority, kind),
    };
    let mut s = w.segment("PID");
    s.field(3);
    match route.unknown_patient {
        _ if route.patient.is_some() && !id.is_empty() => s.text(id),
        UnknownPatient::Marked { id, .. } => s.str(id),
        UnknownPatient::NoSegment | UnknownPatient::NoId => &mut s,
    };
    s.component(4).str(authority).component(5).str(kind);
    s.field(5).component(7).str("U");
    true
}

fn pv1(w: &mut Writer<'_>, route: &Route<'_>, plan: &Plan<'_>, device: &Device<'_>) {
    let bed = device.location.trimmed();
    if plan.location.is_empty() && bed.is_empty() {
        return;
    }
    let mut s = w.segment("PV1");
    s.field(2).chr(route.patient_class).field(3);
    if plan.location.is_empty() {
        s.component(3).text(bed);
    } else {
        components(&mut s, plan.location);
    }
}

fn obr(w: &mut Writer<'_>, plan: &Plan<'_>, device: &Device<'_>, zone: &dyn Zone) {
    let mut s = w.segment("OBR");
    s.field(1).str("1");
    s.field(3).str(plan.filler).component(2).str(plan.instrument);
    eui64(&mut s, device.eui64.or(plan.device_id), 3);
    s.field(4);
    components(&mut s, "182777000^monitoring of patient^SCT");
    s.field(7).fmt(second(plan.began, zone));
    s.field(8).fmt(second(plan.ended, zone));
}

/// The row of a device, which says what it is; and that it says nothing, when it does.
pub(super) fn mds(w: &mut Writer<'_>, plan: &Plan<'_>, row: u32, place: Place, device: &Device<'_>) {
    let mut s = obx(w, row, "");
    let kind = mdc::term(device.mds).or_else(|| mdc::term(SOME_MDS));
    if let Some(kind) = kind {
        coded(&mut s, kind.code, kind.refid);
    }
    s.field(4).fmt(place);
    if device.silent {
        s.field(8).str("NAV");
    }
    s.field(11).str("X");
    s.field(18).str(plan.instrument);
    eui64(&mut s, device.eui64.or(plan.device_id), 3);
    if !device.serial.is_empty() {
        s.repeat().text(device.serial.trimmed()).component(2).text(device.model.trimmed());
    }
}

/// The row of a VMD or a channel.
pub(super) fn level(w: &mut Writer<'_>, row: u32, place: Place, term: Term<'_>, system: &str) {
    let mut s = obx(w, row, "");
    match term {
        Term::Mdc(code) => {
            if let Some(known) = mdc::term(code) {
                coded(&mut s, known.code, known.refid);
            } else {
                let some =
                    if place.channel == 0 { "69634^MDC_DEV_VMD^MDC" } else { "69635^MDC_DEV_CHAN^MDC" };
                components(&mut s, some);
            }
        }
        Term::Private(id) => _ = s.text(id).component(3).str(system),
        Term::None => {}
    }
    s.field(4).fmt(place).field(11).str("X");
}

/// A measurement. Its value goes only when `send` says so and its validity allows.
pub(super) fn metric(
    w: &mut Writer<'_>,
    route: &Route<'_>,
    row: u32,
    place: Place,
    measurement: &Measurement<'_>,
    send: bool,
    zone: &dyn Zone,
) {
    let m = measurement;
    let (token, believed) = validity(m.validity);
    let value = if send && believed && !is_empty(&m.value) { m.value } else { Reading::Absent };
    let mut s = obx(w, row, value_type(m));
    test(&mut s, m);
    s.field(4).fmt(place).field(5);
    reading(&mut s, &value, &m.code);
    s.field(6);
    unit(&mut s, &m.unit, &m.code);
    s.field(7);
    limits(&mut s, m.low, m.high);
    s.field(8).str(token);
    let alarm = match m.alarm {
        Alarm::None => "",
        Alarm::Off => "ALINH",
        Alarm::Active | Alarm::Low | Alarm::Medium | Alarm::High => "ALACT",
    };
    if route.alarm_status && !alarm.is_empty() {
        s.repeat().str(alarm);
    }
    s.field(11).str(if value == Reading::Absent { "X" } else { "R" });
    s.field(14);
    match &m.at {
        Some(at) => s.fmt(DeviceStamp::new(at, at.offset.or_else(|| zone.of(at).offset()))),
        None => s.fmt(second(m.received, zone)),
    };
    s.field(20);
    site(&mut s, m.site);
}

fn obx<'w, 'b>(w: &'w mut Writer<'b>, row: u32, value_type: &str) -> Segment<'w, 'b> {
    let mut s = w.segment("OBX");
    s.field(1).fmt(row).field(2).str(value_type).field(3);
    s
}

/// OBX-8 by the measurement status of IHE PCD, and whether there is a value with it.
const fn validity(validity: Validity) -> (&'static str, bool) {
    match validity {
        Validity::Valid => ("", true),
        Validity::Questionable => ("QUES", true),
        Validity::Invalid(_) => ("INV", false),
        Validity::NotAvailable(_) => ("NAV", false),
        Validity::Calibrating => ("CAL", true),
        Validity::Test => ("TEST", true),
        Validity::Demo => ("DEMO", true),
        Validity::Early => ("EARLY", true),
        Validity::Ongoing => ("BUSY", false),
    }
}

/// OBX-2. It stays what it would be when there is no value, where that can be told.
fn value_type(measurement: &Measurement<'_>) -> &'static str {
    let words = |text| if ValueType::of(text, false) == ValueType::Tx { "TX" } else { "ST" };
    match measurement.value {
        Reading::Number(text) if is_numeric(text) => "NM",
        Reading::Number(text) | Reading::Words(text) | Reading::Coded(Term::None, text) => words(text),
        Reading::Coded(..) => "CWE",
        Reading::Absent if measurement.unit.mdc == 0 && measurement.unit.sent.is_empty() => "",
        Reading::Absent => "NM",
    }
}

/// A text without a character is no value.
fn is_empty(value: &Reading<'_>) -> bool {
    match value {
        Reading::Number(text) | Reading::Words(text) | Reading::Coded(Term::None, text) => text.is_empty(),
        Reading::Coded(Term::Private(id), text) => id.is_empty() && text.is_empty(),
        Reading::Coded(Term::Mdc(_), _) | Reading::Absent => false,
    }
}

fn reading(s: &mut Segment<'_, '_>, value: &Reading<'_>, code: &Code<'_>) {
    match *value {
        Reading::Absent => {}
        Reading::Number(text) | Reading::Words(text) | Reading::Coded(Term::None, text) => {
            s.formatted_text(text);
        }
        Reading::Coded(Term::Mdc(token), text) => match mdc::term(token) {
            Some(known) => {
                coded(s, known.code, known.refid);
                s.component(5).text(text);
            }
            None => _ = s.component(2).text(text),
        },
        Reading::Coded(Term::Private(id), text) => {
            s.text(id).component(2).text(text).component(3).str(code.system);
        }
    }
}

/// OBX-3: the MDC term where the table knows it, and the vendor's code always.
fn test(s: &mut Segment<'_, '_>, measurement: &Measurement<'_>) {
    let code = &measurement.code;
    let (mut first, mut id) = (1, code.id);
    match measurement.term {
        Term::Mdc(term) => {
            if let Some(known) = mdc::term(term) {
                coded(s, known.code, known.refid);
                first = 4;
            }
        }
        Term::Private(private) if id.is_empty() => id = private,
        Term::Private(_) | Term::None => {}
    }
    if !(id.is_empty() && code.name.is_empty()) {
        s.component(first).text(id).component(first.saturating_add(1)).text(code.name);
        s.component(first.saturating_add(2)).str(code.system);
    }
}

/// OBX-6 in MDC and UCUM, or in the device's words.
fn unit(s: &mut Segment<'_, '_>, unit: &Unit<'_>, code: &Code<'_>) {
    if let Some(known) = mdc::unit(unit.mdc) {
        coded(s, known.code, known.refid);
        s.component(4).str(known.ucum).component(5).str(known.ucum).component(6).str("UCUM");
    } else if !unit.sent.is_empty() {
        s.text(unit.sent).component(3).str(code.system);
    }
}

/// OBX-7: a range, with spaces where a sign would be taken for the hyphen.
fn limits(s: &mut Segment<'_, '_>, low: Text<'_>, high: Text<'_>) {
    let negative = |text: Text<'_>| text.bytes().first() == Some(&b'-');
    match (low.is_empty(), high.is_empty()) {
        (true, true) => s,
        (false, true) => s.str(">").text(low),
        (true, false) => s.str("<").text(high),
        (false, false) if negative(low) || negative(high) => s.text(low).str(" - ").text(high),
        (false, false) => s.text(low).str("-").text(high),
    };
}

/// OBX-20: a place that the table knows, or a label, which is text and asserts no place.
fn site(s: &mut Segment<'_, '_>, site: Term<'_>) {
    match site {
        Term::None => {}
        Term::Mdc(code) => {
            if let Some(known) = mdc::term(code) {
                coded(s, known.code, known.refid);
            }
        }
        Term::Private(label) => _ = s.component(2).text(label),
    }
}

/// The first three components of a code of MDC.
fn coded(s: &mut Segment<'_, '_>, code: u32, refid: &str) {
    s.fmt(code).component(2).str(refid).component(3).str("MDC");
}

/// A universal id and its type, from this component on.
fn eui64(s: &mut Segment<'_, '_>, id: Option<u64>, component: u16) {
    if let Some(id) = id {
        s.component(component).fmt(format_args!("{id:016X}"));
        s.component(component.saturating_add(1)).str("EUI-64");
    }
}

/// The site's own text with its components and sub-components.
fn components(s: &mut Segment<'_, '_>, text: &str) {
    for (n, component) in (1..).zip(text.split('^')) {
        for (m, part) in (1..).zip(component.split('&')) {
            s.component(n).subcomponent(m).str(part);
        }
    }
}

/// TS to the second: monitors do not mean more.
fn second(utc: Utc, zone: &dyn Zone) -> impl fmt::Display {
    Stamp::new(utc, zone.at(utc)).to_the_second()
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}.{}", self.mds, self.vmd, self.channel, self.metric)
    }
}
