//! A second reader, written from the protocol in another language, finds the same values in the same bytes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod common;

use common::{LEAST, Pair, profile};
use orugate_driver::report::{Item, Kind, Note, Priority, Reading, ReportSink};
use orugate_driver::time::{ClockQuality, Utc};
use orugate_driver::{Scratch, SimulatedFault as Fault, StoredMessage};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const SCENE: &str = "52 8240'Evita 4'04.20:03.00\n24 78 5.0\n24 7D 24\n24 73 -  9\n24 71 - .5\n24 B9 12.\n24 D6 .5\n24 EB\n24 F0 45\n\
    24 A9 0015\n25 78 0\n26 78 12.5\n26 7D 40\n2B 21 602\n2B 06 22\n29 01 45\n29 0B 5.0\n29 17 15\n27 31 98 APNOEA !!!\n27 20 19 MV LOW\n\
    27 3 BB SIGH\n2E 25 8D DISCONNECT\n2A 0E BIPAP\n2A 20 ADULT\n28  9:33 7-OKT-14\n";

/// What the other reader prints.
fn outside(name: &str, line: &[u8]) -> Option<Vec<String>> {
    let Some(python) = std::env::var_os("ORUGATE_PYTHON") else {
        eprintln!("skipped: ORUGATE_PYTHON is not set: no second reader");
        return None;
    };
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&file, line).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/medibus_reader.py");
    let ran = Command::new(python).arg(script).arg(&file).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    Some(String::from_utf8(ran.stdout).unwrap().lines().map(str::to_owned).collect())
}

/// Items in the other reader's words.
#[derive(Default)]
struct Words(BTreeSet<String>);

impl<'m> ReportSink<'m> for Words {
    fn item(&mut self, item: Item<'m>) {
        match item {
            Item::Device(device) => {
                let shown = device.clock.expect("it has a clock");
                self.0.insert(format!("28 {}", shown.device));
            }
            Item::Measurement(m) => {
                let value = match m.value {
                    Reading::Absent => "-".to_owned(),
                    Reading::Number(text) | Reading::Words(text) => text.to_string(),
                    other => panic!("{other:?}"),
                };
                let band = match m.alarm.map(|alarm| alarm.priority) {
                    None => "",
                    Some(Priority::Low) => " Low",
                    Some(Priority::Medium) => " Medium",
                    Some(Priority::High) => " High",
                    Some(other) => panic!("{other:?}"),
                };
                assert_eq!(m.kind == Kind::Alarm, !band.is_empty());
                let id = m.code.id.to_string();
                for (limit, command) in [(m.low, ["25", "2C"]), (m.high, ["26", "2D"])] {
                    if !limit.is_empty() {
                        let command = command[usize::from(id.starts_with("2B"))];
                        self.0.insert(format!("{command}:{} {limit}", &id[3..]));
                    }
                }
                self.0.insert(format!("{id} {value}{band}"));
            }
            _ => {}
        }
    }

    fn note(&mut self, note: Note<'m>) {
        panic!("{note:?}");
    }
}

#[test]
fn a_second_reader_finds_the_same() {
    let scenes = [SCENE; 8];
    let faults = [Fault::Stream { frame: 1 }, Fault::WrongChecksum { frame: 3 }, Fault::Stream { frame: 6 }];
    let mut pair = Pair::new(LEAST, &scenes, &faults);
    pair.run(Duration::from_secs(20));
    let Some(mut lines) = outside("medibus.raw", &pair.answered) else { return };
    let count = lines.pop().unwrap();
    assert!(
        count.ends_with("good, 1 bad") && pair.gateway.notes.len() == 1,
        "{count} {:?}",
        pair.gateway.notes
    );
    let raw = pair.gateway.snapshot();
    let ends = [u32::try_from(raw.len()).unwrap()];
    let message = StoredMessage {
        raw: &raw,
        chunk_ends: &ends,
        complete: true,
        received: Utc(0),
        clock: ClockQuality::Synchronised,
    };
    let mut space = vec![0; raw.len() + 1024];
    let mut words = Words::default();
    profile(LEAST).interpreter().interpret(&message, &mut Scratch::new(&mut space), &mut words).unwrap();
    assert_eq!(words.0, lines.into_iter().collect());
    assert!(words.0.len() > 22);
}

#[test]
fn a_second_reader_finds_the_same_in_the_recorded_frames() {
    let Some(folder) = std::env::var_os("ORUGATE_CORPUS") else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder).join("bedside/medibus");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let line: Vec<u8> = files.iter().flat_map(|file| std::fs::read(file).unwrap()).collect();
    let Some(lines) = outside("corpus.raw", &line) else { return };
    assert_eq!(lines, ["24:EB 98", "24:E1 70", "28 19931111111119", "15 good, 0 bad"]);
}
