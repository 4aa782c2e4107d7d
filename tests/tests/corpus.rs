//! Recorded analyzers through `replay`: every R record is a disposition, every cut gives the same, every ORU is HL7.

#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use orugate::replay::{How, hear, replay};
use orugate_protocol::ascii::{CR, ETB, ETX, LF, STX};
use orugate_protocol::time::Utc;
use orugate_tests::corpus::{lab_astm, profiles_for};
use orugate_tests::oru::{comparable, control_id, field, observations, segments};
use std::path::PathBuf;
use std::process::Command;

const NOW: Utc = Utc(1_795_000_000_000_000);

/// R records, counted from the bytes alone: frames off, then what follows a CR (or starts the text) and is `R|`.
fn r_records(capture: &[u8]) -> usize {
    let mut text = Vec::new();
    let mut rest = capture;
    while let Some(start) = rest.iter().position(|b| *b == STX) {
        rest = &rest[start + 2..];
        let end = rest.iter().position(|b| matches!(*b, ETX | ETB)).unwrap_or(rest.len());
        text.extend_from_slice(&rest[..end]);
        rest = &rest[end..];
    }
    let records = text.split(|b| matches!(*b, CR | LF));
    records.filter(|r| r.len() > 1 && matches!(r[0], b'R' | b'r') && !r[1].is_ascii_alphanumeric()).count()
}

#[test]
fn every_r_record_is_a_disposition_and_every_oru_is_hl7() {
    let folder = tempfile::tempdir().unwrap();
    let (mut framed, mut messages) = (Vec::new(), 0);
    for file in lab_astm() {
        let capture = std::fs::read(&file).unwrap();
        let expected = r_records(&capture);
        for name in profiles_for(&file) {
            let profile = orugate::profiles::find(&orugate_drivers::SHIPPED, name).unwrap();
            let heard = hear(&*profile, &capture, &[]);
            let (mut text, mut sent) = (String::new(), 0);
            let totals = replay(&*profile, &heard, &How::at(NOW), &mut text, &mut |oru| {
                sent += observations(oru);
                // Each replay counts from 1; a file of many needs ids of its own.
                messages += 1;
                let id = format!("RPLY{messages:016}");
                let oru = String::from_utf8(oru.to_vec()).unwrap().replacen(&control_id(oru), &id, 1);
                framed.push(0x0B);
                framed.extend_from_slice(oru.as_bytes());
                framed.extend_from_slice(b"\x1C\r");
            });
            let at = format!("{} through {name}:\n{text}", file.display());
            assert_eq!(totals.observations, expected, "{at}");
            assert_eq!(totals.sent + totals.held + totals.qc + totals.not_reportable, expected, "{at}");
            assert_eq!(sent, totals.sent, "{at}");
            // Whoever is in no ORU has a line that says why.
            let told = text
                .lines()
                .filter(|l| l.starts_with("hold ") || l.starts_with("qc ") || l.contains(": not reportable"));
            assert_eq!(told.count(), expected - sent, "{at}");
            // A capture of a patient's sample is worth something only if it goes through.
            if !text.contains("qc ") && expected > 0 {
                assert!(sent > 0, "{at}");
            }
        }
    }
    if framed.is_empty() {
        return;
    }
    let Some(python) = std::env::var_os("ORUGATE_PYTHON") else {
        orugate_tests::skipped("ORUGATE_PYTHON is not set: hl7apy did not see the corpus ORUs");
        return;
    };
    let path = folder.path().join("orus.mllp");
    std::fs::write(&path, framed).unwrap();
    let checker = orugate_tests::root().join("tests/python/check_oru.py");
    let output = Command::new(python).arg(checker).arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_cut_anywhere_changes_nothing() {
    let mut work: Vec<(PathBuf, &str, bool)> = Vec::new();
    for file in lab_astm() {
        for (n, name) in profiles_for(&file).into_iter().enumerate() {
            work.push((file.clone(), name, n == 0));
        }
    }
    // Two cores.
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for (n, item) in work.into_iter().enumerate() {
        if n % 2 == 0 { left.push(item) } else { right.push(item) }
    }
    std::thread::scope(|scope| {
        scope.spawn(|| left.iter().for_each(cut_anywhere));
        scope.spawn(|| right.iter().for_each(cut_anywhere));
    });
}

/// Every offset with the instrument's own profile; with a second profile on a long file, whose link is the same
/// machine, every seventh.
fn cut_anywhere((file, name, own): &(PathBuf, &str, bool)) {
    let capture = std::fs::read(file).unwrap();
    let profile = orugate::profiles::find(&orugate_drivers::SHIPPED, name).unwrap();
    let whole = hear(&*profile, &capture, &[]);
    let step = if *own || capture.len() < 6000 { 1 } else { 7 };
    for cut in (0..=capture.len()).step_by(step) {
        let cut_heard = hear(&*profile, &capture, &[cut]);
        assert!(cut_heard == whole, "{} through {name}, cut at {cut}", file.display());
    }
    let all: Vec<usize> = (0..capture.len()).collect();
    assert!(hear(&*profile, &capture, &all) == whole, "{} through {name}, bytewise", file.display());
    let orus = || {
        let mut orus = Vec::new();
        replay(&*profile, &whole, &How::at(NOW), &mut String::new(), &mut |oru| orus.push(comparable(oru)));
        orus
    };
    assert_eq!(orus(), orus());
}

/// What the recordings of models with a profile of their own say: sample; then code, value, unit and flags of each
/// result, and remarks. Typed from the bytes, not from the program.
const EXACT: &[(&str, &[&str])] = &[
    (
        "afinion2",
        &[
            "3643",
            "remark Specimen source (C capillary, V venous, O other): O",
            "remark Reagent lot: 10228413",
            "HbA1c 5.9 %  by 3643 at 20241206140615",
        ],
    ),
    (
        "sysmex-xp100",
        &[
            "113",
            "remark The instrument gave this sample its number; nobody read or typed one.",
            "WBC 5.5 10*3/uL N by  at 20240723172452",
            "RBC 2.87 10*6/uL N by  at 20240723172452",
            "HGB 10.1 g/dL N by  at 20240723172452",
            "HCT 24.2 % L by  at 20240723172452",
            "MCV 84.3 fL L by  at 20240723172452",
            "MCH 35.2 pg N by  at 20240723172452",
            "MCHC 41.7 g/dL H by  at 20240723172452",
            "PLT 170 10*3/uL N by  at 20240723172452",
            "LYM% 26.4 % N by  at 20240723172452",
            "MXD% 10.2 % N by  at 20240723172452",
            "NEUT% 63.4 % N by  at 20240723172452",
            "LYM# 1.5 10*3/uL N by  at 20240723172452",
            "MXD# 0.6 10*3/uL N by  at 20240723172452",
            "NEUT# 3.4 10*3/uL N by  at 20240723172452",
            "RDW-SD 38.5 fL N by  at 20240723172452",
            "RDW-CV 11.8 % N by  at 20240723172452",
            "PDW 12.8 fL N by  at 20240723172452",
            "MPV 10.2 fL N by  at 20240723172452",
            "P-LCR 26.9 % N by  at 20240723172452",
            "PCT 0.17 % N by  at 20240723172452",
        ],
    ),
    (
        "vitros3600-result",
        &[
            "44444411",
            "950 51   by  at 20201111214628",
            "remark Instrument flag: \\S\\0\\S\\NQ",
            "951 5   by  at 20201111214628",
            "remark Instrument flag: \\S\\0\\S\\NQ",
            "952 56   by  at 20201111214628",
            "remark Instrument flag: \\S\\0\\S\\NQ",
        ],
    ),
    ("vitros3600-query", &[]),
    (
        "erba-xl-1",
        &[
            "1044041",
            "DBILL 0.3 mg/dl  by  at 20200928132312",
            "remark flagged by the instrument",
            "remark Instrument Flag A",
        ],
    ),
    (
        "erba-xl-2",
        &[
            "1044025",
            "TBILL 0.2 mg/dl  by  at 20200928131900",
            "remark flagged by the instrument",
            "remark Instrument Flag A",
        ],
    ),
];

#[test]
fn the_models_own_profile_gives_exactly_what_was_recorded() {
    for file in lab_astm() {
        let stem = file.file_stem().and_then(|n| n.to_str()).unwrap_or_default();
        let Some((_, expected)) = EXACT.iter().find(|(name, _)| *name == stem) else { continue };
        let name = profiles_for(&file)[0];
        assert_ne!(name, "generic-astm", "{stem}");
        let profile = orugate::profiles::find(&orugate_drivers::SHIPPED, name).unwrap();
        let heard = hear(&*profile, &std::fs::read(&file).unwrap(), &[]);
        let mut seen = Vec::new();
        replay(&*profile, &heard, &How::at(NOW), &mut String::new(), &mut |oru| {
            let segments = segments(oru);
            let sample = segments.iter().find(|s| s.starts_with("SPM|")).unwrap();
            seen.push(field(sample, 2).to_owned());
            for segment in segments {
                let part = |n| field(&segment, n).split('^').next().unwrap_or_default();
                if segment.starts_with("NTE|") {
                    seen.push(format!("remark {}", field(&segment, 3)));
                } else if segment.starts_with("OBX|") {
                    let time = part(19).split('+').next().unwrap_or_default();
                    let [code, value, unit, flags, operator] = [part(3), part(5), part(6), part(8), part(16)];
                    seen.push(format!("{code} {value} {unit} {flags} by {operator} at {time}"));
                }
            }
        });
        assert_eq!(seen, *expected, "{stem}");
    }
}
