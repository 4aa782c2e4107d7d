//! One ORU, twelve OBX-5 read as text: our index beside parsers of the field.

use crate::Anything;
use crate::timing::{Contestant, Figure, compare};
use orugate_protocol::hl7::reader::{Entry, Message};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// The message, and what its OBX-5 are.
pub fn message() -> (String, Vec<String>) {
    let mut text = String::from(
        "MSH|^~\\&|ORUGATE|LAB|ENGINE|HOSP|20261122093410+0000||ORU^R01^ORU_R01|GW010000000000000001|P|2.5.1|||AL|NE||\
         UNICODE UTF-8\rPID|1||T-PAT-1^^^HOSP^MR||TEST^PATIENT||19610615|F\rORC|RE|T-0001|T-0001-1||CM\r\
         OBR|1|T-0001|T-0001-1|XN-L^Blood count^99SYSMEX|||20261122093000+0000|||||||||||||||20261122093410+0000|||F\r",
    );
    let mut values = Vec::new();
    let tests = ["WBC", "RBC", "HGB", "HCT", "MCV", "MCH", "MCHC", "PLT", "RDW-SD", "RDW-CV", "MPV", "PDW"];
    for (n, test) in (1..).zip(tests) {
        let value = format!("{n}.{}", 40 + n);
        let _ = write!(
            text,
            "OBX|{n}|NM|{test}^{test} count^99SYSMEX||{value}|10*3/uL^^99SYSMEX|4.0-11.0|N|||F|||20261122093000+0000\
             |||XN-550~TT000001|20261122093407+0000\r"
        );
        values.push(value);
    }
    text.push_str("SPM|1|T-0001||BLD^Whole blood^HL70487|||||||P^Patient^HL70369\r");
    (text, values)
}

/// Calls `value` with each OBX-5.
type Read = fn(&str, &mut [Entry], &mut dyn FnMut(&str)) -> Option<()>;

/// Every contestant, ours first.
pub const ALL: [(&str, Read); 6] = [
    ("Orugate", ours),
    ("er7 0.1.4", er7),
    ("hl7-2 0.2.7", hl7_2),
    ("hl7kit 0.2.0", hl7kit),
    ("hl7-parser 0.3.0", hl7_parser),
    ("rust-hl7 0.5.0", rust_hl7),
];

/// Where our index goes: made once, as the gateway does.
pub fn room(text: &str) -> Vec<Entry> {
    vec![Entry::default(); Message::entries_for(text.as_bytes())]
}

pub fn ours(text: &str, index: &mut [Entry], value: &mut dyn FnMut(&str)) -> Option<()> {
    let message = Message::index(text.as_bytes(), index).ok()?;
    for obx in message.segments().filter(|segment| segment.is("OBX")) {
        // The peers take text that was checked before; ours takes bytes, and the check is a part of its work.
        value(std::str::from_utf8(obx.field(5).bytes()).ok()?);
    }
    Some(())
}

fn er7(text: &str, _: &mut [Entry], value: &mut dyn FnMut(&str)) -> Option<()> {
    let message = ::er7::parse(text).ok()?;
    for obx in message.segments_named("OBX") {
        value(&obx.component(5, 1)?.subcomponent(1)?.value(&message.separators));
    }
    Some(())
}

fn hl7_2(text: &str, _: &mut [Entry], value: &mut dyn FnMut(&str)) -> Option<()> {
    let message = ::hl7_2::parse(text).ok()?;
    for obx in message.raw().segments_named("OBX") {
        value(&obx.component(5, 1)?.subcomponent(1)?.value(message.separators()));
    }
    Some(())
}

fn hl7kit(text: &str, _: &mut [Entry], value: &mut dyn FnMut(&str)) -> Option<()> {
    let message = ::hl7kit::Message::parse(text).ok()?;
    for obx in message.segments_named("OBX") {
        value(obx.field(5)?.value());
    }
    Some(())
}

fn hl7_parser(text: &str, _: &mut [Entry], value: &mut dyn FnMut(&str)) -> Option<()> {
    let message = ::hl7_parser::Message::parse(text).ok()?;
    for obx in message.segments().filter(|segment| segment.name == "OBX") {
        value(obx.field(5)?.raw_value());
    }
    Some(())
}

fn rust_hl7(text: &str, _: &mut [Entry], value: &mut dyn FnMut(&str)) -> Option<()> {
    let message = rusthl7::message::Message::new(text);
    for obx in message.segments_by_name("OBX").ok()? {
        value(obx.fields.get(5)?.value());
    }
    Some(())
}

/// Each contestant's figures, ours first; python-hl7 last, if there is one.
pub fn measure(rounds: usize, python: Option<&Path>) -> Anything<Vec<Figure>> {
    let (text, expected) = message();
    let text = &text;
    let mut contestants = Vec::new();
    for (name, read) in ALL {
        let mut index = room(text);
        let mut values = Vec::new();
        read(text, &mut index, &mut |value| values.push(value.to_owned()))
            .ok_or(format!("{name} read nothing"))?;
        if values != expected {
            return Err(format!("{name} read {values:?}").into());
        }
        contestants.push(Contestant::new(name, move || {
            let mut bytes = 0;
            let _ = read(std::hint::black_box(text), &mut index, &mut |value| bytes += value.len() as u64);
            bytes
        }));
    }
    let mut figures = compare(&mut contestants, rounds);
    if let Some(python) = python {
        figures.push(python_hl7(python, text, &expected)?);
    }
    Ok(figures)
}

/// The same work in Python, which takes the time itself and says what it read.
fn python_hl7(python: &Path, text: &str, expected: &[String]) -> Anything<Figure> {
    const SCRIPT: &str = include_str!("python_hl7.py");
    let run = Command::new(python).args(["-c", SCRIPT, text]).output()?;
    let out = String::from_utf8(run.stdout)?;
    let mut lines = out.lines();
    let version = lines.next().unwrap_or_default().to_owned();
    let times: Vec<f64> = lines.next().unwrap_or_default().split(' ').flat_map(str::parse).collect();
    if !run.status.success() || !lines.eq(expected.iter().map(String::as_str)) {
        return Err(format!("python-hl7: {}", String::from_utf8_lossy(&run.stderr)).into());
    }
    let [median, tenth, ninetieth] = times[..] else { return Err("python-hl7 gave no times".into()) };
    Ok(Figure { name: format!("python-hl7 {version}"), median, tenth, ninetieth, allocations: None })
}
