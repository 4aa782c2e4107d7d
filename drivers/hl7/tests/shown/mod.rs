//! What a message's items are, as lines of text.
#![allow(dead_code)] // Not each test has use for all of it.

use orugate_driver::report::{Item, Note, Reading, ReportSink};
use orugate_driver::time::{ClockQuality, Utc};
use orugate_driver::{Driver, Profile, Scratch, StoredMessage};
use orugate_hl7::HL7;
use std::fmt::Write as _;

pub(crate) fn profile(toml: &str) -> Box<dyn Profile> {
    HL7.profile(toml).unwrap_or_else(|e| panic!("{e}"))
}

/// One of those that the project ships.
pub(crate) fn shipped(name: &str) -> Box<dyn Profile> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../profiles/{name}.toml"));
    profile(&std::fs::read_to_string(path).unwrap())
}

/// The items of a message as lines.
pub(crate) fn items(profile: &dyn Profile, message: &[u8]) -> String {
    struct Lines(String);
    impl<'m> ReportSink<'m> for Lines {
        fn item(&mut self, item: Item<'m>) {
            let out = &mut self.0;
            let _ = match item {
                Item::Device(d) => {
                    let inside = !d.unit.is_empty() || !d.room.is_empty();
                    let of = if inside { format!(" of={}/{}", d.unit, d.room) } else { String::new() };
                    writeln!(
                        out,
                        "device {} {} {} bed={} patient={} eui={:X?}{of}",
                        d.mds, d.manufacturer, d.model, d.location, d.patient, d.eui64
                    )
                }
                Item::Group(g) => {
                    writeln!(out, "group {}.{} {} {}", g.vmd_place, g.channel_place, g.vmd, g.channel)
                }
                Item::Measurement(m) => {
                    let value = match m.value {
                        Reading::Absent => "-".to_owned(),
                        Reading::Number(text) => text.to_string(),
                        Reading::Words(text) => format!("'{text}'"),
                        Reading::Coded(code, text) => format!("{code}:{text}"),
                        #[allow(unreachable_patterns)]
                        _ => "?".to_owned(),
                    };
                    let (marks, at) = (m.marks, m.at);
                    let once = if m.once { " once" } else { "" };
                    writeln!(
                        out,
                        "{} {} {}^{} = {value} {}({}) {}..{} {:?} {at:?}{once}",
                        m.place,
                        m.term,
                        m.code.id,
                        m.code.system,
                        m.unit.mdc,
                        m.unit.text,
                        m.low,
                        m.high,
                        marks
                    )
                }
                Item::Sender(s) => writeln!(out, "sender {} serial={} qc={:?}", s.name, s.serial, s.qc),
                Item::Patient(p) => writeln!(out, "patient {} {}", p.practice_id, p.family),
                Item::Specimen(s) => writeln!(
                    out,
                    "specimen {} from {} kind={} at={} qc={:?}",
                    s.id,
                    s.id_place,
                    s.kind,
                    s.collected.map(|t| t.to_string()).unwrap_or_default(),
                    s.qc
                ),
                Item::Order(o) => writeln!(out, "order {}", o.code.id),
                Item::Observation(o) => writeln!(
                    out,
                    "{} ({}) loinc={} run={} rep={} = {} {}~{} [{}] {} {:?} {}{}{}",
                    o.code.id,
                    o.code.name,
                    o.code.loinc,
                    o.run,
                    o.replicate,
                    o.value,
                    o.unit,
                    o.unit_as_sent,
                    o.range,
                    o.flags
                        .iter()
                        .map(|(text, known)| match known.and_then(|known| known.hl7) {
                            Some(hl7) => format!("<{hl7}>"),
                            None => format!("'{text}'"),
                        })
                        .collect::<Vec<_>>()
                        .join(""),
                    o.status,
                    o.completed.map(|t| t.to_string()).unwrap_or_default(),
                    o.not_reportable.map(|w| format!(" ({w})")).unwrap_or_default(),
                    if o.doubt.is_some() { " doubt" } else { "" }
                ),
                Item::Comment(c) => writeln!(out, "comment {:?} {}{}", c.level, c.label, c.text),
                Item::End(end) => writeln!(out, "end {}", end.complete),
                other => writeln!(out, "{other:?}"),
            };
        }

        fn note(&mut self, note: Note<'m>) {
            let _ = writeln!(self.0, "note {}: {}", note.subject, note.kind);
        }
    }
    let mut space = vec![0; 4096];
    let mut lines = Lines(String::new());
    let stored = StoredMessage {
        raw: message,
        chunk_ends: &[u32::try_from(message.len()).unwrap()],
        complete: true,
        received: Utc(0),
        clock: ClockQuality::Synchronised,
    };
    if let Err(fault) = profile.interpreter().interpret(&stored, &mut Scratch::new(&mut space), &mut lines) {
        let _ = writeln!(lines.0, "fault: {fault}");
    }
    lines.0
}

pub(crate) fn example(toml: &str, n: usize) -> (Box<dyn Profile>, Vec<u8>) {
    let profile = profile(toml);
    let bytes = profile.example_bytes(&profile.common().examples[n].input);
    (profile, bytes)
}

/// Of an OUL with one SPM and one OBR, what an OBX comes to.
pub(crate) fn result(obx: &str) -> String {
    let message = format!(
        "MSH|^~\\&|A||||20261126101500||OUL^R22^OUL_R22|1|P|2.5.1\rSPM|1|S1||SER\rOBR|1|||P^Panel^99X\rOBX|1|{obx}\r"
    );
    let text = items(&*shipped("hl7-oul-r22"), message.as_bytes());
    let lines: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("order")).skip(1).collect();
    lines[..lines.len() - 1].join("\n")
}
