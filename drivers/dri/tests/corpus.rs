//! Recorded lines: each good record counted, each bad one told with its place, each value equal to another decoder's.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod common;

use common::{Rig, corpus, interpret, profile};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// File, records with values, other good records, and where the damaged one begins; counted by the other decoder.
const FILES: [(&str, usize, &str); 2] = [
    ("dri-short.raw", 11, "byte 17288: the line ended in the middle of a record"),
    ("dri-session.raw", 107, "byte 172117: the line ended in the middle of a record"),
];

#[test]
fn every_record_is_kept_and_every_damage_told() {
    let Some(folder) = corpus() else { return };
    for (name, shown, damage) in FILES {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        for size in [1, 97, 4096] {
            let mut rig = Rig::new(profile().capture_session());
            for piece in bytes.chunks(size) {
                rig.bytes(piece);
            }
            rig.close();
            // The cuff's pressure was taken before the recording and is not older than a minute at its begin.
            assert_eq!((rig.kept, rig.taken.len()), (shown, 1), "{name}");
            assert_eq!((rig.notes.as_slice(), rig.lost), ([damage.to_owned()].as_slice(), 1), "{name}");
        }
    }
}

#[test]
fn every_value_is_the_other_decoders() {
    let Some(folder) = corpus() else { return };
    let Some(python) = std::env::var_os("ORUGATE_PYTHON") else {
        eprintln!("skipped: ORUGATE_PYTHON is not set");
        return;
    };
    for (name, shown, _) in FILES {
        let path = folder.join(name);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/dri_values.py");
        let output = Command::new(&python).arg(script).arg(&path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let theirs = String::from_utf8(output.stdout).unwrap();
        let (good, bad) = (shown * 2 - 1, 1);
        assert!(theirs.ends_with(&format!("good {good} shown {shown} bad {bad}\n")), "{name}: {theirs}");

        let interpreter = profile().interpreter();
        let mut rig = Rig::new(profile().capture_session());
        let (mut ours, mut seen, mut compared) = (Vec::new(), 0, 0);
        for byte in std::fs::read(&path).unwrap() {
            rig.bytes(&[byte]);
            if rig.kept > seen {
                seen = rig.kept;
                let raw = rig.snapshot();
                ours.push(interpret(&*interpreter, &raw).values.into_iter().collect::<BTreeMap<_, _>>());
            }
        }
        let records = theirs.split("record ").skip(1);
        assert_eq!(records.clone().count(), ours.len());
        for (n, (record, ours)) in records.zip(&ours).enumerate() {
            let theirs: BTreeMap<String, String> = record
                .lines()
                .skip(1)
                .filter(|line| !line.starts_with("good"))
                .map(|line| line.split_once(' ').map(|(k, v)| (k.to_owned(), v.to_owned())).unwrap())
                .collect();
            for (code, value) in &theirs {
                // What the cuff has is told once, by the first record.
                let told_before = code.starts_with("nibp.") && n > 0;
                let expected = (!told_before).then_some(value.as_str());
                assert_eq!(ours.get(code).map(String::as_str), expected, "{name}, record {n}: {code}");
                compared += 1;
            }
            assert_eq!(ours.len(), theirs.len() - if n > 0 { 4 } else { 0 }, "{name}, record {n}");
        }
        assert!(compared > 50 * shown, "{compared}");
    }
}

#[test]
fn the_lead_of_channel_1_is_the_one_whose_12_lead_value_is_the_same() {
    let Some(folder) = corpus() else { return };
    let mut rig = Rig::new(profile().capture_session());
    rig.bytes(&std::fs::read(folder.join("dri-session.raw")).unwrap());
    let dump = interpret(&*profile().interpreter(), &rig.snapshot());
    let value = |code: &str| dump.values.iter().find(|(id, _)| id == code).map(|(_, value)| value.clone());
    assert_eq!(value("ecg.st1"), value("ecg12.st_ii"));
    assert!(dump.text.contains("ecg.st1 0 = 0.30 mm(263442) [II]"), "{}", dump.text);
}
