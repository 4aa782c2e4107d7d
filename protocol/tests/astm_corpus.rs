//! LIS02 records of real captures: those that `ORUGATE_CORPUS` names, else the tests say that they skip.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr)]

use orugate_protocol::astm::record::{DelimiterSource, Header, RecordType, Records, ResultRecord, Walker};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Records and results in each file, counted from the bytes by hand: lines, and lines that begin with R.
const COUNTS: [(&str, usize, usize); 15] = [
    ("afinion2.astm", 5, 1),
    ("cobas-c111.astm", 7, 1),
    ("cobas-c311.astm", 18, 7),
    ("erba-xl-1.astm", 6, 1),
    ("erba-xl-2.astm", 6, 1),
    ("esr-records.txt", 5, 1),
    ("galileo-order-records.txt", 5, 0),
    ("galileo-result-records.txt", 19, 14),
    ("sysmex-xn550.astm", 48, 41),
    ("sysmex-xp100.astm", 24, 20),
    ("vitros3600-query.astm", 3, 0),
    ("vitros3600-result.astm", 7, 3),
    ("yumizen-h500-qc.astm", 31, 21),
    ("yumizen-h500-session.astm", 36, 27),
    ("yumizen-h550-records.txt", 27, 20),
];

fn corpus() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("ORUGATE_CORPUS") else {
        eprintln!("skipped: ORUGATE_CORPUS is not set");
        return None;
    };
    // A relative path counts from the workspace, where cargo was called, not from this crate.
    let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder).join("lab");
    assert!(lab.is_dir(), "ORUGATE_CORPUS is set, but has no folder lab");
    Some(lab)
}

/// The text of all frames, taken out as simply as it can be: after STX and a digit, up to ETX or ETB.
fn unframed(capture: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for frame in capture.split(|b| *b == 0x02).skip(1) {
        let end = frame.iter().position(|b| matches!(b, 0x03 | 0x17)).unwrap_or(frame.len());
        text.extend_from_slice(&frame[1..end]);
    }
    text
}

fn messages() -> BTreeMap<String, Vec<u8>> {
    let Some(lab) = corpus() else { return BTreeMap::new() };
    let mut messages = BTreeMap::new();
    for entry in std::fs::read_dir(lab).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = || std::fs::read(&path).unwrap();
        if name.ends_with(".astm") {
            messages.insert(name, unframed(&bytes()));
        } else if name.ends_with("-records.txt") {
            messages.insert(name, bytes());
        }
    }
    messages
}

#[test]
fn every_capture_has_the_records_counted_by_hand() {
    let messages = messages();
    if messages.is_empty() && std::env::var_os("ORUGATE_CORPUS").is_none() {
        return;
    }
    for (name, records, results) in COUNTS {
        let message = messages.get(name).unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(Records::new(message).count(), records, "records in {name}");
        assert_eq!(Records::new(message).filter_map(ResultRecord::of).count(), results, "results in {name}");
    }
}

#[test]
fn every_capture_is_read_whole() {
    for (name, message) in messages() {
        let kinds: Vec<_> = Records::new(&message).map(|r| r.kind()).collect();
        assert_eq!(kinds.first(), Some(&RecordType::Header), "{name}");
        assert_eq!(kinds.last(), Some(&RecordType::Terminator), "{name}");
        assert!(!kinds.iter().any(|k| matches!(k, RecordType::Other(_))), "{name}");
        let mut walker = Walker::new();
        for record in Records::new(&message) {
            let bad = matches!(record.delimiter_source(), DelimiterSource::BadHeader(_));
            assert_eq!(bad, name.starts_with("yumizen-h550"), "{name}: only its header is doubled");
            let place = walker.place(&record);
            assert!(!place.orphan, "{name}: {record:?}");
        }
        for result in Records::new(&message).filter_map(ResultRecord::of) {
            assert!(!result.universal_test_id().is_empty(), "{name}");
            for time in [result.started_time(), result.completed_time()] {
                assert!(time.time().is_none_or(|t| t.is_ok()), "{name}: {time:?}");
            }
        }
    }
}

#[test]
fn senders_are_named_even_by_a_bad_header() {
    let messages = messages();
    let sender = |name: &str| {
        let header = Records::new(messages.get(name)?).find_map(Header::of)?;
        Some(header.sender().component(1).trimmed().text().to_string())
    };
    for (file, name) in [
        ("sysmex-xn550.astm", "XN-550"),
        ("yumizen-h550-records.txt", "H550"),
        ("vitros3600-query.astm", "3600796"),
    ] {
        if !messages.is_empty() {
            assert_eq!(sender(file).as_deref(), Some(name), "{file}");
        }
    }
}
