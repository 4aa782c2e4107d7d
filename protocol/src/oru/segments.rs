//! Each segment of the ORU, field by field. Field names and numbers are those of HL7 2.5.1.

use super::writer::{Context, GroupPlan, WriteObservation};
use super::{Local, PatientField, PatientId, Route, SampleIdIn, Zone};
use crate::hl7::ts::{DeviceStamp, Stamp};
use crate::hl7::value::{self, ValueType};
use crate::hl7::writer::{Segment, Writer};
use crate::report::{Code, Observation, Order, Patient, Specimen, Status};
use crate::text::{Charset, Text};
use crate::time::DeviceTime;

/// OBX-7 is ST of at most 60 characters in 2.5.1; a longer range goes into an NTE.
const RANGE_MAX: usize = 60;

pub(super) fn msh(
    w: &mut Writer<'_>,
    route: &Route<'_>,
    group: &GroupPlan<'_>,
    charset: Charset,
    zone: &dyn Zone,
) {
    let mut s = w.msh();
    for (field, text) in [
        (3, route.sending_application),
        (4, route.sending_facility),
        (5, route.receiving_application),
        (6, route.receiving_facility),
    ] {
        s.field(field);
        s.str(text);
    }
    s.field(7);
    s.fmt(Stamp::new(group.created, zone.at(group.created)));
    s.field(9);
    for (component, text) in [(1, "ORU"), (2, "R01"), (3, "ORU_R01")] {
        s.component(component);
        s.str(text);
    }
    s.field(10);
    s.str(group.control_id);
    s.field(11);
    s.chr(route.processing);
    s.field(12);
    s.str("2.5.1");
    s.field(15);
    s.str(route.acknowledgment.0);
    s.field(16);
    s.str(route.acknowledgment.1);
    s.field(18);
    s.str(charset.msh_18());
    s.end();
}

/// Nothing is written when the field that the site named is empty: no patient is asserted then.
pub(super) fn pid(w: &mut Writer<'_>, rule: &PatientId<'_>, patient: &Patient<'_>) {
    let id = match rule.field {
        PatientField::P3 => patient.practice_id,
        PatientField::P4 => patient.laboratory_id,
        PatientField::P5 => patient.third_id,
    }
    .trimmed();
    if id.is_empty() {
        return;
    }
    let mut s = w.segment("PID");
    s.field(1);
    s.str("1");
    s.field(3);
    s.text(id);
    s.component(4);
    s.str(rule.authority);
    s.component(5);
    s.str(rule.kind);
    s.field(5);
    if patient.family.is_empty() && patient.given.is_empty() {
        s.component(7);
        s.str("U");
    } else {
        for (component, text) in [(1, patient.family), (2, patient.given), (3, patient.middle)] {
            s.component(component);
            s.text(text.trimmed());
        }
        s.component(7);
        s.str("L");
    }
    s.field(7);
    if let Some(birth) = &patient.birth {
        s.fmt(DeviceStamp::new(birth, None));
    }
    s.field(8);
    if let [sex @ (b'M' | b'F' | b'U' | b'm' | b'f' | b'u')] = patient.sex.trimmed().bytes() {
        s.chr(char::from(sex.to_ascii_uppercase()));
    }
    s.end();
}

pub(super) fn orc(w: &mut Writer<'_>, route: &Route<'_>, group: &GroupPlan<'_>) {
    let mut s = w.segment("ORC");
    s.field(1);
    s.str("RE");
    order_numbers(&mut s, route, group);
    s.field(5);
    s.str(if matches!(group.status, 'P' | 'A') { "IP" } else { "CM" });
    s.end();
}

pub(super) fn obr(
    w: &mut Writer<'_>,
    route: &Route<'_>,
    group: &GroupPlan<'_>,
    context: &Context<'_>,
    order: &Order<'_>,
    zone: &dyn Zone,
) {
    let mut s = w.segment("OBR");
    s.field(1);
    s.str("1");
    order_numbers(&mut s, route, group);
    s.field(4);
    code(&mut s, &order.code);
    s.field(7);
    time(&mut s, context.specimen.collected.as_ref(), zone);
    s.field(22);
    s.fmt(Stamp::new(group.created, zone.at(group.created)));
    s.field(25);
    s.chr(group.status);
    s.end();
}

/// Fields 2 and 3, which ORC and OBR share.
fn order_numbers(s: &mut Segment<'_, '_>, route: &Route<'_>, group: &GroupPlan<'_>) {
    if route.sample_id_in == SampleIdIn::Placer {
        s.field(2);
        s.str(group.sample);
    }
    s.field(3);
    s.str(if route.sample_id_in == SampleIdIn::Filler { group.sample } else { group.filler });
}

pub(super) fn obx(
    w: &mut Writer<'_>,
    route: &Route<'_>,
    number: u32,
    how: &WriteObservation,
    observation: &Observation<'_>,
    context: &Context<'_>,
    zone: &dyn Zone,
) {
    let mut s = w.segment("OBX");
    s.field(1);
    s.fmt(format_args!("{number}"));
    let value = if observation.status == Status::NotDone { Text::EMPTY } else { observation.value };
    let kind = ValueType::of(value, route.structured_numeric);
    s.field(2);
    s.str(kind.code());
    s.field(3);
    code(&mut s, &observation.code);
    s.field(4);
    match (observation.group, how.sub_id) {
        (0, 0) => &mut s,
        (0, number) | (number, 0) => s.fmt(format_args!("{number}")),
        (group, repeat) => s.fmt(format_args!("{group}.{repeat}")),
    };
    s.field(5);
    match kind {
        ValueType::Sn(parts) => parts.write(&mut s),
        ValueType::Tx => {
            s.formatted_text(value);
        }
        ValueType::Nm | ValueType::St => {
            s.text(value);
        }
    }
    s.field(6);
    if !observation.unit.is_empty() {
        s.text(observation.unit);
        s.component(3);
        if observation.unit_as_sent.is_empty() {
            s.str(observation.code.system);
        } else {
            s.str("UCUM");
            s.component(4);
            s.text(observation.unit_as_sent);
            s.component(6);
            s.str(observation.code.system);
        }
    }
    s.field(7);
    if !is_long(&observation.range) {
        s.text(observation.range);
    }
    s.field(8);
    let flags = observation.flags.iter().filter_map(|(_, known)| known?.hl7.filter(|hl7| !hl7.is_empty()));
    for (n, flag) in (0..).zip(flags) {
        if n > 0u32 {
            s.repeat();
        }
        s.str(flag);
    }
    s.field(10);
    if let [nature @ (b'A' | b'S' | b'R' | b'N')] = observation.nature.bytes() {
        s.chr(char::from(*nature));
    }
    s.field(11);
    s.chr(how.status);
    s.field(14);
    time(&mut s, context.specimen.collected.as_ref(), zone);
    s.field(16);
    s.text(observation.operator);
    if !observation.verifier.is_empty() {
        s.repeat();
        s.text(observation.verifier);
    }
    s.field(18);
    let device = if observation.device.is_empty() { context.sender.name } else { observation.device };
    s.text(device);
    if !context.sender.serial.is_empty() {
        s.repeat();
        s.text(context.sender.serial);
    }
    s.field(19);
    // OBX-19 is when it was analyzed: with one that says only when it began, that is the time there is.
    time(&mut s, observation.completed.as_ref().or(observation.started.as_ref()), zone);
    s.end();
}

/// What an OBX has no field for, or where its field would say something else: vendor flags, doubt, long ranges.
pub(super) fn observation_notes(
    w: &mut Writer<'_>,
    notes: &mut u32,
    how: &WriteObservation,
    was: &str,
    observation: &Observation<'_>,
) {
    match how.remark {
        Some(remark) if was.is_empty() => nte(w, notes, Text::plain(remark)),
        Some(remark) => remark_on(w, notes, remark.trim_end_matches('.'), was),
        None => {}
    }
    if observation.status == Status::Questionable {
        nte(w, notes, Text::plain("The instrument questions the validity of this result."));
    }
    if observation.status == Status::NotDone && !observation.value.is_empty() {
        nte_labelled(w, notes, "Not done; the instrument wrote: ", observation.value);
    }
    for (flag, known) in observation.flags.iter() {
        match known {
            Some(known) if known.hl7.is_some() && known.meaning.is_empty() => {}
            Some(known) if !known.meaning.is_empty() => {
                nte_labelled(w, notes, known.meaning, Text::EMPTY);
            }
            _ => nte_labelled(w, notes, "Instrument flag: ", flag),
        }
    }
    if is_long(&observation.range) {
        nte_labelled(w, notes, "Reference range: ", observation.range);
    }
    if !matches!(observation.replicate.bytes(), [] | b"1") {
        nte_labelled(w, notes, "Dilution or replicate: ", observation.replicate);
    }
}

fn is_long(range: &Text<'_>) -> bool {
    // No character takes less than a byte.
    range.bytes().len() > RANGE_MAX && range.chars().nth(RANGE_MAX).is_some()
}

pub(super) fn spm(w: &mut Writer<'_>, sample: &str, specimen: &Specimen<'_>, zone: &dyn Zone) {
    let mut s = w.segment("SPM");
    s.field(1);
    s.str("1");
    s.field(2);
    s.str(sample);
    s.field(4);
    match specimen_type(specimen.kind.bytes()) {
        Some((code, name)) => {
            for (component, text) in [(1, code), (2, name), (3, "HL70487")] {
                s.component(component);
                s.str(text);
            }
        }
        // SPM-4 is required; its second component is free text and asserts no code.
        None => {
            s.component(2);
            if specimen.kind.is_empty() {
                s.str("Not stated by the instrument");
            } else {
                s.text(specimen.kind);
            }
        }
    }
    s.field(11);
    for (component, text) in [(1, "P"), (2, "Patient"), (3, "HL70369")] {
        s.component(component);
        s.str(text);
    }
    s.field(17);
    time(&mut s, specimen.collected.as_ref(), zone);
    s.field(18);
    time(&mut s, specimen.received.as_ref(), zone);
    s.end();
}

/// Words that instruments use for what HL7 table 0487 codes, spelled as sent but for case. Anything else is text.
fn specimen_type(kind: &[u8]) -> Option<(&'static str, &'static str)> {
    const TYPES: [(&str, &str, &str); 12] = [
        ("SERUM", "SER", "Serum"),
        ("SER", "SER", "Serum"),
        ("PLASMA", "PLAS", "Plasma"),
        ("PLAS", "PLAS", "Plasma"),
        ("BLOOD", "BLD", "Whole blood"),
        ("BLD", "BLD", "Whole blood"),
        ("WHOLE BLOOD", "BLD", "Whole blood"),
        ("URINE", "UR", "Urine"),
        ("UR", "UR", "Urine"),
        ("CSF", "CSF", "Cerebral spinal fluid"),
        ("STOOL", "STL", "Stool"),
        ("SALIVA", "SAL", "Saliva"),
    ];
    TYPES
        .iter()
        .find(|(word, ..)| kind.eq_ignore_ascii_case(word.as_bytes()))
        .map(|(_, code, name)| (*code, *name))
}

pub(super) fn nte(w: &mut Writer<'_>, notes: &mut u32, text: Text<'_>) {
    nte_labelled(w, notes, "", text);
}

/// A remark with what stood there before behind it.
fn remark_on(w: &mut Writer<'_>, notes: &mut u32, remark: &str, was: &str) {
    *notes = notes.saturating_add(1);
    let mut s = w.segment("NTE");
    s.field(1);
    s.fmt(format_args!("{notes}"));
    s.field(2);
    s.str("A");
    s.field(3);
    s.str(remark);
    s.str(": ");
    s.formatted_text(Text::plain(was));
    s.end();
}

pub(super) fn nte_labelled(w: &mut Writer<'_>, notes: &mut u32, label: &str, text: Text<'_>) {
    *notes = notes.saturating_add(1);
    let mut s = w.segment("NTE");
    s.field(1);
    s.fmt(format_args!("{notes}"));
    s.field(2);
    s.str("A");
    s.field(3);
    s.str(label);
    s.formatted_text(text);
    s.end();
}

/// CE: a LOINC code that the instrument itself sent goes first, the vendor's code always goes along.
fn code(s: &mut Segment<'_, '_>, code: &Code<'_>) {
    let mut first = 1;
    if value::is_loinc(code.loinc.bytes()) {
        s.text(code.loinc);
        s.component(2);
        s.text(if code.name.is_empty() { code.id } else { code.name });
        s.component(3);
        s.str("LN");
        first = 4;
    }
    s.component(first);
    s.text(code.id);
    s.component(first.saturating_add(1));
    s.text(code.name);
    s.component(first.saturating_add(2));
    s.str(code.system);
}

/// An NTE for a time that no clock showed: its instant is not known, so it has no offset.
pub(super) fn skipped_note(
    w: &mut Writer<'_>,
    notes: &mut u32,
    what: &str,
    time: Option<&DeviceTime>,
    zone: &dyn Zone,
) {
    if time.is_some_and(|time| time.offset.is_none() && zone.of(time) == Local::Skipped) {
        nte_labelled(
            w,
            notes,
            what,
            Text::plain(" is in the hour that daylight saving skips; it has no offset."),
        );
    }
}

/// TS: the instrument's own digits, with the zone's offset when it has a time of day.
fn time(s: &mut Segment<'_, '_>, time: Option<&DeviceTime>, zone: &dyn Zone) {
    if let Some(time) = time {
        s.fmt(DeviceStamp::new(time, time.offset.or_else(|| zone.of(time).offset())));
    }
}
