//! Each segment of a PCD-01 message, field by field. Field names and numbers are those of HL7 2.6.

use super::writer::Place;
use super::{Plan, Route, UnknownPatient};
use crate::hl7::ts::{DeviceStamp, Stamp};
use crate::hl7::value::{ValueType, is_numeric};
use crate::hl7::writer::{Segment, Writer};
use crate::mdc;
use crate::oru::Zone;
use crate::report::{At, Code, Device, Group, Kind, Marks, Measurement, Priority, Reading, Side, Unit};
use crate::text::{Charset, Text};
use crate::time::Utc;
use core::fmt;

/// What a device, a VMD and a channel are when nothing says of what kind.
const SOME_MDS: u32 = 69_633;
const SOME_VMD: u32 = 69_634;
const SOME_CHANNEL: u32 = 69_635;

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
        for (n, part) in [(1, device.unit.trimmed()), (2, device.room.trimmed())] {
            if !part.is_empty() {
                s.component(n).text(part);
            }
        }
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

/// The row of the device.
pub(super) fn mds(w: &mut Writer<'_>, plan: &Plan<'_>, row: u32, device: &Device<'_>) {
    let mut s = obx(w, row, "");
    kind_of_device(&mut s, device.mds, SOME_MDS);
    s.component(5).text(device.model.trimmed());
    s.field(4).str("1.0.0.0").field(11).str("X");
    s.field(18).str(plan.instrument);
    eui64(&mut s, device.eui64.or(plan.device_id), 3);
    if !device.serial.is_empty() {
        s.repeat().text(device.serial.trimmed()).component(2).text(device.model.trimmed());
    }
}

/// The row of a group's VMD. Its name and number stand here when it has no channel.
pub(super) fn vmd(w: &mut Writer<'_>, row: u32, group: &Group<'_>) {
    let place = Place { vmd: group.vmd_place, channel: 0, metric: 0 };
    level(w, row, place, (group.vmd, SOME_VMD), (group.channel_place == 0).then_some(group));
}

/// Whether there is anything to say of a group's channel: one that has neither code nor name nor number is a place and no more.
pub(super) const fn has_channel_row(group: &Group<'_>) -> bool {
    group.channel != 0 || !group.name.is_empty() || !group.id.is_empty()
}

/// The row of a group's channel.
pub(super) fn channel(w: &mut Writer<'_>, row: u32, group: &Group<'_>) {
    let place = Place { vmd: group.vmd_place, channel: group.channel_place, metric: 0 };
    level(w, row, place, (group.channel, SOME_CHANNEL), Some(group));
}

fn level(w: &mut Writer<'_>, row: u32, place: Place, kind: (u32, u32), named: Option<&Group<'_>>) {
    let mut s = obx(w, row, "");
    kind_of_device(&mut s, kind.0, kind.1);
    if let Some(group) = named {
        s.component(5).text(group.name);
    }
    s.field(4).fmt(place).field(11).str("X");
    if let Some(group) = named {
        s.field(18).text(group.id);
    }
}

fn kind_of_device(s: &mut Segment<'_, '_>, code: u32, otherwise: u32) {
    if let Some(kind) = mdc::term(code).or_else(|| mdc::term(otherwise)) {
        coded(s, kind.code, kind.refid);
    }
}

/// A measurement, without its value when its marks forbid one; `device` is who measured it, where its row says so.
pub(super) fn metric(
    w: &mut Writer<'_>,
    row: u32,
    place: Place,
    measurement: &Measurement<'_>,
    device: Option<(&str, Option<u64>)>,
    zone: &dyn Zone,
) {
    let m = measurement;
    let value = if m.marks.without_value() || is_empty(&m.value) { Reading::Absent } else { m.value };
    let mut s = obx(w, row, value_type(m));
    test(&mut s, m);
    s.field(4).fmt(place).field(5);
    reading(&mut s, &value, &m.code);
    s.field(6);
    unit(&mut s, &m.unit, &m.code);
    s.field(7);
    limits(&mut s, m.low, m.high);
    s.field(8);
    flags(&mut s, m);
    s.field(11).str(match value {
        Reading::Absent => "X",
        _ if m.marks.has(Marks::VALIDATED) => "F",
        _ => "R",
    });
    s.field(14);
    time(&mut s, m, zone);
    s.field(17);
    method(&mut s, m);
    if let Some((name, id)) = device {
        s.field(18).str(name);
        eui64(&mut s, id, 3);
    }
    s.field(20);
    site(&mut s, m);
}

fn obx<'w, 'b>(w: &'w mut Writer<'b>, row: u32, value_type: &str) -> Segment<'w, 'b> {
    let mut s = w.segment("OBX");
    s.field(1).fmt(row).field(2).str(value_type).field(3);
    s
}

/// Marks and their tokens in OBX-8: limits, then the measurement status of IHE PCD.
const STATUS: [(Marks, &str); 13] = [
    (Marks::OVER, ">"),
    (Marks::UNDER, "<"),
    (Marks::INV, "INV"),
    (Marks::QUES, "QUES"),
    (Marks::NAV, "NAV"),
    (Marks::CAL, "CAL"),
    (Marks::TEST, "TEST"),
    (Marks::DEMO, "DEMO"),
    (Marks::EARLY, "EARLY"),
    (Marks::BUSY, "BUSY"),
    (Marks::OFF, "OFF"),
    (Marks::NI, "NI"),
    (Marks::ALINH, "ALINH"),
];

/// What OBX-8 says of these marks, in its order. What a person validated has no token.
pub fn status(marks: Marks) -> impl Iterator<Item = &'static str> {
    STATUS.iter().filter(move |(mark, _)| marks.has(*mark)).map(|(_, token)| *token)
}

/// OBX-8: by the limits of the value, its alarm, and the measurement status of IHE PCD, in this order.
fn flags(s: &mut Segment<'_, '_>, measurement: &Measurement<'_>) {
    if let Some(alarm) = measurement.alarm {
        let side = match alarm.side {
            Side::Low => "L",
            Side::High => "H",
            Side::Unknown => "A",
        };
        let priority = match alarm.priority {
            Priority::Low => "PL",
            Priority::Medium => "PM",
            Priority::High => "PH",
            Priority::Unknown => "",
        };
        s.str(side).repeat().str(priority).repeat().str("ALACT");
    }
    for token in status(measurement.marks) {
        s.repeat().str(token);
    }
}

/// OBX-14: the device's own time, or when it was received, less what the device says that it is old.
fn time(s: &mut Segment<'_, '_>, measurement: &Measurement<'_>, zone: &dyn Zone) {
    match &measurement.at {
        At::Device(at) => s.fmt(DeviceStamp::new(at, at.offset.or_else(|| zone.of(at).offset()))),
        At::Received => s.fmt(second(measurement.received, zone)),
        At::Before(age) => {
            let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
            s.fmt(second(Utc(measurement.received.0.saturating_sub(age)), zone))
        }
    };
}

/// OBX-17: what a person set is no measurement, also where its code is the vendor's own.
fn method(s: &mut Segment<'_, '_>, measurement: &Measurement<'_>) {
    if measurement.kind == Kind::Set {
        components(s, "MSET^manual-setting^MDC");
        s.component(5).text(measurement.method);
    } else {
        s.component(2).text(measurement.method);
    }
}

/// OBX-2. It stays what it would be when there is no value, where that can be told.
fn value_type(measurement: &Measurement<'_>) -> &'static str {
    let words = |text| if ValueType::of(text, false) == ValueType::Tx { "TX" } else { "ST" };
    match measurement.value {
        Reading::Number(text) if is_numeric(text) => "NM",
        Reading::Number(text) | Reading::Words(text) => words(text),
        Reading::Coded(..) => "CWE",
        Reading::Absent if measurement.unit.mdc == 0 && measurement.unit.text.is_empty() => "",
        Reading::Absent => "NM",
    }
}

/// A text without a character is no value.
fn is_empty(value: &Reading<'_>) -> bool {
    match value {
        Reading::Absent => true,
        Reading::Number(text) | Reading::Words(text) => text.is_empty(),
        Reading::Coded(code, text) => text.is_empty() && mdc::term(*code).is_none(),
    }
}

fn reading(s: &mut Segment<'_, '_>, value: &Reading<'_>, code: &Code<'_>) {
    match *value {
        Reading::Absent => {}
        Reading::Number(text) | Reading::Words(text) => _ = s.formatted_text(text),
        Reading::Coded(token, text) => {
            let mut first = 1;
            if let Some(known) = mdc::term(token) {
                coded(s, known.code, known.refid);
                first = 4;
            }
            if !text.is_empty() {
                s.component(first).text(text).component(first.saturating_add(2)).str(code.system);
            }
        }
    }
}

/// OBX-3: the MDC term where the table knows it, and the vendor's code.
fn test(s: &mut Segment<'_, '_>, measurement: &Measurement<'_>) {
    let code = &measurement.code;
    let mut first = 1;
    if let Some(known) = mdc::term(measurement.term) {
        coded(s, known.code, known.refid);
        first = 4;
    }
    // A device that writes MDC codes itself has no others.
    let said = first > 1 && code.system == "MDC";
    if !(said || code.id.is_empty() && code.name.is_empty()) {
        s.component(first).text(code.id).component(first.saturating_add(1)).text(code.name);
        s.component(first.saturating_add(2)).str(code.system);
    }
}

/// OBX-6 in MDC and UCUM, or in the device's words.
fn unit(s: &mut Segment<'_, '_>, unit: &Unit<'_>, code: &Code<'_>) {
    if let Some(known) = mdc::unit(unit.mdc) {
        coded(s, known.code, known.refid);
        s.component(4).str(known.ucum).component(5).str(known.ucum).component(6).str("UCUM");
    } else if !unit.text.is_empty() {
        // Words of a device are in no public system, also where its code is.
        let system = if code.system == "MDC" { "L" } else { code.system };
        s.text(unit.text).component(3).str(system);
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

/// OBX-20: a place that the table knows. A label is text and asserts no place.
fn site(s: &mut Segment<'_, '_>, measurement: &Measurement<'_>) {
    let mut component = 2;
    if let Some(known) = mdc::term(measurement.site) {
        coded(s, known.code, known.refid);
        component = 5;
    }
    s.component(component).text(measurement.label);
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
        write!(f, "1.{}.{}.{}", self.vmd, self.channel, self.metric)
    }
}
