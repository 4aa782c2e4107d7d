//! What a monitor says, as people write it: for examples and simulators.
//!
//! Promises: a script becomes a monitor's identity, its patient and its answers, and a capture (it begins with a frame or a unit)
//! gives those that are in it. Leaves out when what is said, and damage, which are the simulator's.
//!
//! ```text
//! monitor model=M8000 serial=DE00000001 version=J.10.26 mac=00:09:FB:01:02:03 bed=ICU-7 time=20260301100000
//! patient id=4711
//! answer
//! 8501 HR label=00024182 unit=0AA0 4182=72
//! 8503 ABP label=00024A14 unit=0F20 state=4000 4A15=120 4A16=80 4A17=93
//! 8504 NBP label=00024A04 unit=0F20 access=F000 at=20260301095500 4A05=118 4A06=76 4A07=90
//! ```
//! `on=60` says for how many seconds the monitor has been on; `extended=no`, `refused` or `ignored` has it give no extended polls.
//! `alarm patient 4BB8 0402 2 SpO2_LOW` and `alarm technical …` say what alarms are on: about what, its code, its priority from 1 (low)
//! to 4 (high), its words with `_` for spaces. Each `answer` begins another one; `repeat` after the last has them said again and again. Numbers of the nomenclature are
//! hexadecimal. A value is decimal, or one of `nan`, `nres`, `+inf`, `-inf`; an object without one is listed without.

use crate::alerts::id as alerts;
use crate::civil;
use crate::frame::wrap;
use crate::pdu::{
    ACTION, ALERTS, CREATED, DEMOGRAPHICS, EVENT, Event, MDS, NUMERIC, POLL, POLL_EXTENDED, Pdu, Reply, parse,
};
use crate::request::{SECOND, list, put_counted, put16, put32, remote, unit};
use crate::session::Settings;
use crate::units::{begins, plain};
use crate::value::id;

/// What a monitor knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Monitor {
    /// Attributes of the monitor itself, but for its clock and relative time.
    attributes: Vec<(u16, Vec<u8>)>,
    /// What its clock shows at the beginning, in seconds.
    pub(crate) clock: i64,
    /// For how many seconds it has been on then.
    pub(crate) on: u32,
    /// What a poll of the patient's demographics lists.
    patient: Option<Vec<u8>>,
    /// Each is parts of what a poll of numerics lists.
    pub(crate) answers: Vec<Vec<Vec<u8>>>,
    pub(crate) repeat: bool,
    pub(crate) extended: Extended,
    /// The patient's alarms and the equipment's, and how many of each; a capture's as it lists them.
    alarms: [(u16, Vec<u8>); 2],
    alerts: Option<Vec<u8>>,
}

/// What a monitor makes of extended polls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Extended {
    /// It answers them.
    #[default]
    Yes,
    /// It says in its terms that it does not.
    No,
    /// It does not say so, and refuses them.
    Refused,
    /// It does not say so, and never answers them.
    Ignored,
}

/// One answer's place in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) invoke: u16,
    pub(crate) poll: u16,
    pub(crate) group: u16,
    /// Which answer to an extended poll; `None` for a single one.
    pub(crate) sequence: Option<u16>,
    /// The monitor's time.
    pub(crate) relative: u32,
}

/// Bytes of what one part of an answer lists: a part must fit into a unit.
const PART: usize = 700;

impl Monitor {
    /// Of a script or a capture.
    pub(crate) fn read(input: &[u8]) -> Self {
        let mut monitor = Self::default();
        if begins(input) {
            monitor.hear(input);
        } else {
            monitor.script(&String::from_utf8_lossy(input));
        }
        monitor
    }

    fn script(&mut self, text: &str) {
        let mut open: Option<Vec<Vec<u8>>> = None;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "monitor" => self.identify(rest),
                "patient" => self.admit(rest),
                "repeat" => self.repeat = true,
                "alarm" => self.sound(rest),
                "answer" => self.answers.extend(open.replace(Vec::new()).map(parts)),
                _ => {
                    if let (Some(open), Ok(handle)) = (&mut open, u16::from_str_radix(word, 16)) {
                        open.push(object(handle, rest));
                    }
                }
            }
        }
        self.answers.extend(open.map(parts));
    }

    fn identify(&mut self, words: &str) {
        let mut production = Vec::new();
        let (mut model, mut bed, mut mac, mut mode) = ("M8000", "", vec![0, 9, 0xFB, 0, 0, 0], 0x4000u16);
        for (key, value) in pairs(words) {
            match key {
                "model" => model = value,
                "bed" => bed = value,
                "mac" => mac = value.split(':').filter_map(|two| u8::from_str_radix(two, 16).ok()).collect(),
                "on" => self.on = value.parse().unwrap_or(0),
                "serial" => specify(&mut production, 1, value),
                "version" => specify(&mut production, 4, value),
                "mode" => mode = hex(value),
                "time" => self.clock = civil::read(value).map_or(0, civil::seconds),
                "extended" => {
                    self.extended = match value {
                        "no" => Extended::No,
                        "refused" => Extended::Refused,
                        "ignored" => Extended::Ignored,
                        _ => Extended::Yes,
                    };
                }
                _ => {}
            }
        }
        let count = u16::from(has(words, "serial=")).saturating_add(u16::from(has(words, "version=")));
        let mut specification = count.to_be_bytes().to_vec();
        put_counted(&mut specification, &production);
        let mut system = Vec::new();
        put_counted(&mut system, &mac);
        let mut names = Vec::new();
        put_counted(&mut names, b"Philips\0");
        put_counted(&mut names, &[model.as_bytes(), b"\0"].concat());
        self.attributes = vec![
            (id::SYSTEM, system),
            (id::SYSTEM_TYPE, vec![0, 1, 0x11, 0x4D]),
            (id::MODEL, names),
            (id::PRODUCTION, specification),
            (id::MODE, mode.to_be_bytes().to_vec()),
            (id::BED, wide(bed, 17)),
        ];
    }

    fn admit(&mut self, words: &str) {
        let said = |wanted: &str| pairs(words).find(|(key, _)| *key == wanted).map_or("", |(_, value)| value);
        let attributes: Vec<(u16, Vec<u8>)> = vec![
            (id::PATIENT_INSIDE, said("inside").bytes().chain([0; 10]).take(10).collect()),
            (id::PATIENT, wide(said("id"), said("id").chars().count().saturating_add(1))),
            (id::FAMILY, wide(said("family"), said("family").chars().count().saturating_add(1))),
            (id::GIVEN, wide(said("given"), said("given").chars().count().saturating_add(1))),
        ];
        self.patient = Some(info(&[listed(0x50, &attributes)]));
    }

    /// `patient 4BB8 0402 4 SpO2_LOW`.
    fn sound(&mut self, words: &str) {
        let mut words = words.split_whitespace();
        let mut next = || words.next().unwrap_or_default();
        let patient = next() == "patient";
        let (source, code, bits, text) = (hex(next()), hex(next()), hex(next()), next().replace('_', " "));
        let [patients, equipments] = &mut self.alarms;
        let (count, list) = if patient { patients } else { equipments };
        *count = count.saturating_add(1);
        for word in
            [source, code, if patient { bits.wrapping_shl(8) } else { bits }, 0, NUMERIC, 0, source, 0x0204]
        {
            put16(list, word);
        }
        let mut info = vec![0, 0, 0, 3];
        for word in [code, 0, 0] {
            put16(&mut info, word);
        }
        info.extend(wide(&text, text.chars().count().saturating_add(1)));
        put_counted(list, &info);
    }

    /// The answer to a poll of the alert monitor.
    pub(crate) fn alerted(&self, place: Place) -> Vec<u8> {
        let [patients, equipments] = &self.alarms;
        let list = |(count, entries): &(u16, Vec<u8>)| {
            let mut value = count.to_be_bytes().to_vec();
            put_counted(&mut value, entries);
            value
        };
        let made = (patients.0 > 0 || equipments.0 > 0).then(|| {
            let attributes = [(alerts::PATIENT, list(patients)), (alerts::TECHNICAL, list(equipments))];
            info(&[listed(0, &attributes)])
        });
        let said = self.alerts.clone().or(made).unwrap_or_else(|| info(&[]));
        answer(place, ALERTS, &[said]).concat()
    }

    /// Takes what a capture has.
    fn hear(&mut self, capture: &[u8]) {
        let mut open = Vec::new();
        for unit in plain(capture) {
            match parse(&unit).map(|(pdu, _)| pdu) {
                Some(Pdu::Invoke { body, .. }) => {
                    let attributes = Event::read(body).and_then(|event| event.attributes());
                    self.attributes =
                        attributes.into_iter().flatten().map(|(id, value)| (id, value.to_vec())).collect();
                    self.attributes.retain(|(id, _)| !matches!(*id, id::CLOCK | id::RELATIVE));
                }
                Some(Pdu::Linked { body, .. }) => {
                    if let Some(reply) = Reply::read(body).filter(|reply| reply.class == NUMERIC) {
                        open.push(reply.info.to_vec());
                    }
                }
                Some(Pdu::Result { body, .. }) => match Reply::read(body) {
                    Some(reply) if reply.class == NUMERIC => {
                        if !reply.is_empty() {
                            open.push(reply.info.to_vec());
                        }
                        self.answers.push(std::mem::take(&mut open));
                    }
                    Some(reply) if reply.class == DEMOGRAPHICS => self.patient = Some(reply.info.to_vec()),
                    Some(reply) if reply.class == ALERTS => self.alerts = Some(reply.info.to_vec()),
                    Some(reply) if reply.class == MDS => {
                        let object = reply.objects().next();
                        self.attributes = object
                            .into_iter()
                            .flat_map(|object| object.attributes)
                            .map(|(id, value)| (id, value.to_vec()))
                            .filter(|(id, _)| !matches!(*id, id::CLOCK | id::RELATIVE))
                            .collect();
                    }
                    _ => {}
                },
                _ => {}
            }
        }
    }

    fn attributes(&self, clock: [u8; 8], relative: u32) -> Vec<(u16, Vec<u8>)> {
        let mut all = self.attributes.clone();
        all.push((id::CLOCK, clock.to_vec()));
        all.push((id::RELATIVE, relative.to_be_bytes().to_vec()));
        all
    }

    /// The event that tells of an association.
    pub(crate) fn created(&self, clock: [u8; 8], relative: u32) -> Vec<u8> {
        let object = [0, 0x21, 0, 0, 0, 0];
        let attributes = self.attributes(clock, relative);
        let attributes: Vec<_> = attributes.iter().map(|(id, value)| (*id, value.as_slice())).collect();
        let mut body = object.to_vec();
        put32(&mut body, relative);
        put16(&mut body, CREATED);
        put_counted(&mut body, &[&object, list(&attributes).as_slice()].concat());
        remote(1, 1, EVENT, &body)
    }

    /// The answer to a poll of the monitor itself.
    pub(crate) fn itself(&self, place: Place, clock: [u8; 8]) -> Vec<u8> {
        let info = info(&[listed(0, &self.attributes(clock, place.relative))]);
        answer(place, MDS, &[info]).concat()
    }

    /// The answer to a poll of the patient's demographics.
    pub(crate) fn admitted(&self, place: Place) -> Vec<u8> {
        let nobody = || info(&[]);
        answer(place, DEMOGRAPHICS, &[self.patient.clone().unwrap_or_else(nobody)]).concat()
    }
}

/// The units of an answer: with one part, that alone; with several, linked parts and an empty end.
pub(crate) fn answer(place: Place, class: u16, parts: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let whole = |info: &[u8]| {
        let mut reply = place.poll.to_be_bytes().to_vec();
        reply.extend(place.sequence.map(u16::to_be_bytes).into_iter().flatten());
        put32(&mut reply, place.relative);
        reply.extend([0xFF; 8]);
        for word in [1, class, place.group] {
            put16(&mut reply, word);
        }
        reply.extend(info);
        let mut body = vec![0, 0x21, 0, 0, 0, 0];
        put16(&mut body, if place.sequence.is_some() { POLL_EXTENDED } else { POLL });
        put_counted(&mut body, &reply);
        body
    };
    let ([] | [_]) = parts else {
        let last = parts.len();
        let linked = parts.iter().enumerate().map(|(before, info)| {
            let count = before.saturating_add(1);
            let state = if count == last { 3 } else { u8::from(count > 1).saturating_add(1) };
            let mut inside = vec![state, u8::try_from(count).unwrap_or(u8::MAX)];
            put16(&mut inside, place.invoke);
            put16(&mut inside, ACTION);
            put_counted(&mut inside, &whole(info));
            unit(5, &inside)
        });
        return linked.chain([remote(2, place.invoke, ACTION, &whole(&info(&[])))]).collect();
    };
    let only = parts.first().cloned().unwrap_or_else(|| info(&[]));
    vec![remote(2, place.invoke, ACTION, &whole(&only))]
}

/// The bytes on the line that a script stands for: the association's event, the monitor, the patient, each answer a second after
/// the one before.
pub(crate) fn bytes(settings: Settings, input: &str) -> Vec<u8> {
    let monitor = Monitor::read(input.as_bytes());
    let clock = civil::bcd(monitor.clock);
    let began = monitor.on.saturating_mul(SECOND);
    let mut place =
        Place { invoke: 2, poll: 1, group: 0, sequence: None, relative: began.saturating_add(SECOND) };
    let mut units = vec![monitor.created(clock, began), monitor.itself(place, clock)];
    if monitor.patient.is_some() {
        units.push(monitor.admitted(place));
    }
    if monitor.alarms.iter().any(|(count, _)| *count > 0) {
        units.push(monitor.alerted(place));
    }
    for (sequence, parts) in monitor.answers.iter().enumerate() {
        place.sequence = u16::try_from(sequence).ok();
        units.extend(answer(place, NUMERIC, parts));
        place.relative = place.relative.saturating_add(SECOND);
    }
    if settings.datagrams { units.concat() } else { units.iter().flat_map(|unit| wrap(unit)).collect() }
}

fn pairs(words: &str) -> impl Iterator<Item = (&str, &str)> {
    words.split_whitespace().filter_map(|word| word.split_once('='))
}

fn has(words: &str, key: &str) -> bool {
    words.split_whitespace().any(|word| word.starts_with(key))
}

fn hex(text: &str) -> u16 {
    u16::from_str_radix(text, 16).unwrap_or(0)
}

fn specify(production: &mut Vec<u8>, kind: u16, text: &str) {
    put16(production, kind);
    put16(production, 8);
    put_counted(production, text.as_bytes());
}

/// A counted UTF-16 text of so many characters, filled up with zeros.
fn wide(text: &str, characters: usize) -> Vec<u8> {
    let mut inside: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    inside.resize(characters.saturating_mul(2), 0);
    let mut bytes = Vec::new();
    put_counted(&mut bytes, &inside);
    bytes
}

/// An object of a poll's list.
fn listed(handle: u16, attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let attributes: Vec<_> = attributes.iter().map(|(id, value)| (*id, value.as_slice())).collect();
    let mut bytes = handle.to_be_bytes().to_vec();
    bytes.extend(list(&attributes));
    bytes
}

/// What a poll lists: these objects, of the monitor itself.
fn info(objects: &[Vec<u8>]) -> Vec<u8> {
    if objects.is_empty() {
        return vec![0; 4];
    }
    let mut context = vec![0, 0];
    put16(&mut context, u16::try_from(objects.len()).unwrap_or(u16::MAX));
    put_counted(&mut context, &objects.concat());
    let mut bytes = vec![0, 1];
    put_counted(&mut bytes, &context);
    bytes
}

/// Objects in as many parts as they need.
fn parts(objects: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut groups: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut room = 0usize;
    for object in objects {
        match groups.last_mut() {
            Some(group) if object.len() <= room => {
                room = room.saturating_sub(object.len());
                group.push(object);
            }
            _ => {
                room = PART.saturating_sub(object.len());
                groups.push(vec![object]);
            }
        }
    }
    groups.iter().map(|group| info(group)).collect()
}

/// `HR label=00024182 unit=0AA0 4182=72`.
fn object(handle: u16, words: &str) -> Vec<u8> {
    let mut attributes: Vec<(u16, Vec<u8>)> = Vec::new();
    let (mut state, mut unit, mut values) = (0u16, 0u16, Vec::new());
    for (key, value) in pairs(words) {
        match key {
            "label" => {
                let label = u32::from_str_radix(value, 16).unwrap_or(0);
                attributes.push((id::LABEL, label.to_be_bytes().to_vec()));
            }
            "unit" => unit = hex(value),
            "state" => state = hex(value),
            "access" => attributes.push((id::METRIC, metric(1, hex(value)))),
            "category" => attributes.push((id::METRIC, metric(hex(value), 0x4000))),
            "at" => attributes.push((
                id::TIME_STAMP,
                civil::read(value).map_or([0xFF; 8], |time| civil::bcd(civil::seconds(time))).to_vec(),
            )),
            physio => values.push((hex(physio), float(value))),
        }
    }
    if let Some(label) = words.split_whitespace().next().filter(|word| !word.contains('=')) {
        attributes.push((id::LABEL_TEXT, wide(label, 7.max(label.chars().count().saturating_add(1)))));
    }
    if unit != 0 && !attributes.iter().all(|(id, _)| *id == id::TIME_STAMP) {
        attributes.push((id::UNIT, unit.to_be_bytes().to_vec()));
    }
    let all: Vec<Vec<u8>> = values
        .iter()
        .map(|(physio, float)| {
            let mut bytes = Vec::new();
            for word in [*physio, state, unit] {
                put16(&mut bytes, word);
            }
            put32(&mut bytes, *float);
            bytes
        })
        .collect();
    match all.as_slice() {
        [] => {}
        [one] => attributes.push((id::NUMERIC, one.clone())),
        several => {
            let mut compound = u16::try_from(several.len()).unwrap_or(0).to_be_bytes().to_vec();
            put_counted(&mut compound, &several.concat());
            attributes.push((id::COMPOUND, compound));
        }
    }
    listed(handle, &attributes)
}

fn metric(category: u16, access: u16) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0x20, 0];
    for word in [category, access, 0, 0] {
        put16(&mut bytes, word);
    }
    bytes
}

fn float(text: &str) -> u32 {
    match text {
        "nan" => 0x007F_FFFF,
        "nres" => 0x0080_0000,
        "+inf" => 0x007F_FFFE,
        "-inf" => 0x0080_0002,
        number => {
            let places = number.split_once('.').map_or(0, |(_, places)| places.len());
            let mantissa: i32 = number.replace('.', "").parse().unwrap_or(0x7F_FFFF);
            let [_, high, middle, low] = mantissa.to_be_bytes();
            let exponent = 0u8.wrapping_sub(u8::try_from(places).unwrap_or(0));
            u32::from_be_bytes([exponent, high, middle, low])
        }
    }
}
