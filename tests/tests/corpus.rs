//! Recorded analyzers through `replay`: every R record is a disposition, every cut gives the same, every ORU is HL7.

#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use orugate::replay::{hear, replay};
use orugate_protocol::ascii::{CR, ETB, ETX, LF, STX};
use orugate_protocol::time::Utc;
use orugate_tests::corpus::lab_astm;
use orugate_tests::oru::{comparable, control_id, observations};
use std::path::{Path, PathBuf};
use std::process::Command;

const NOW: Utc = Utc(1_795_000_000_000_000);

fn profiles_for(file: &Path) -> Vec<&'static str> {
    let name = file.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let own = [("sysmex-xn", "sysmex-xn-l"), ("yumizen", "horiba-yumizen"), ("cobas-c", "roche-cobas-c")];
    let own = own.iter().find(|(start, _)| name.starts_with(start)).map(|(_, profile)| *profile);
    own.into_iter().chain(["generic-astm"]).collect()
}

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
            let totals = replay(&*profile, &heard, NOW, &mut text, &mut |oru| {
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
        replay(&*profile, &whole, NOW, &mut String::new(), &mut |oru| orus.push(comparable(oru)));
        orus
    };
    assert_eq!(orus(), orus());
}
