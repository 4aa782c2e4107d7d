//! Capture files, as they are and cut anywhere, through the capture session and the interpreter.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod common;

use common::{COBAS, GENERIC, XN, YUMIZEN, capture, corpus, interpret, profile};
use orugate_driver::MessageEnd;

/// Files, their profile, messages and R records, the last counted by hand.
const FILES: [(&str, &str, usize, usize); 15] = [
    ("afinion2.astm", GENERIC, 1, 1),
    ("cobas-c111.astm", COBAS, 1, 1),
    ("cobas-c311.astm", COBAS, 1, 7),
    ("erba-xl-1.astm", GENERIC, 1, 1),
    ("erba-xl-2.astm", GENERIC, 1, 1),
    ("esr-records.txt", GENERIC, 1, 1),
    ("galileo-order-records.txt", GENERIC, 1, 0),
    ("galileo-result-records.txt", GENERIC, 1, 14),
    ("sysmex-xn550.astm", XN, 1, 41),
    ("sysmex-xp100.astm", XN, 1, 20),
    ("vitros3600-query.astm", GENERIC, 1, 0),
    ("vitros3600-result.astm", GENERIC, 1, 3),
    ("yumizen-h500-qc.astm", YUMIZEN, 1, 21),
    ("yumizen-h500-session.astm", YUMIZEN, 1, 27),
    ("yumizen-h550-records.txt", YUMIZEN, 1, 20),
];

#[test]
fn every_capture_gives_all_its_results() {
    let Some(lab) = corpus() else { return };
    let mut seen = 0;
    for entry in std::fs::read_dir(&lab).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.ends_with(".astm") && !name.ends_with("-records.txt") {
            continue;
        }
        let (_, toml, messages, results) = FILES.iter().find(|(known, ..)| *known == name).expect(&name);
        let bytes = std::fs::read(lab.join(&name)).unwrap();
        for profile in [profile(toml), profile(GENERIC)] {
            let rig = capture(&*profile, &[&bytes]);
            assert_eq!(rig.messages.len(), *messages, "{name}: {:?}", rig.notes);
            let mut found = 0;
            for message in &rig.messages {
                assert_eq!(message.end, Some(MessageEnd::Complete), "{name}: {:?}", rig.notes);
                let dump = interpret(&*profile.interpreter(), message);
                found += dump.observations;
                // A file with a doubled backslash in its header is the only one that cannot be read.
                let doubtful = if name == "yumizen-h550-records.txt" { dump.observations } else { 0 };
                assert_eq!(dump.doubts, doubtful, "{name}\n{}", dump.text);
                // Every message but an order and a query says whose results they are.
                assert!(
                    dump.observations == 0 || !dump.text.contains("specimen []"),
                    "{name}\n{}",
                    dump.text
                );
            }
            assert_eq!(found, *results, "{name}");
        }
        seen += 1;
    }
    assert_eq!(seen, FILES.len());
}

#[test]
fn a_capture_cut_anywhere_gives_the_same_chunks() {
    let Some(lab) = corpus() else { return };
    for (name, toml, ..) in FILES {
        let bytes = std::fs::read(lab.join(name)).unwrap();
        let profile = profile(toml);
        let whole = capture(&*profile, &[&bytes]).messages;
        // Every offset of a small file; of a large one, a stride that shares no factor with its frames.
        let stride = if bytes.len() < 3000 { 1 } else { 149 };
        for cut in (0..=bytes.len()).step_by(stride) {
            let (before, after) = bytes.split_at(cut);
            assert_eq!(capture(&*profile, &[before, after]).messages, whole, "{name} cut at {cut}");
        }
        let single: Vec<_> = bytes.chunks(1).collect();
        assert_eq!(capture(&*profile, &single).messages, whole, "{name} byte by byte");
    }
}

#[test]
fn examples_of_profiles_can_be_read() {
    for toml in [GENERIC, XN, YUMIZEN, COBAS] {
        let profile = profile(toml);
        for example in &profile.common().examples {
            let bytes = orugate_astm::script::input(example.input.as_bytes());
            let rig = capture(&*profile, &[&bytes]);
            let results = example.input.lines().filter(|l| l.starts_with("R|") || l.contains("R|1|")).count();
            let found: usize =
                rig.messages.iter().map(|m| interpret(&*profile.interpreter(), m).observations).sum();
            assert_eq!(found, results, "{}: {:?}", example.shows, rig.notes);
            assert!(rig.notes.is_empty(), "{}: {:?}", example.shows, rig.notes);
        }
    }
}

/// (what, bytes, how each message ends, chunks of each, part of a note)
type Case<'a> = (&'a str, &'a [u8], &'a [MessageEnd], &'a [usize], &'a str);

#[test]
fn a_capture_is_read_as_far_as_it_goes() {
    use MessageEnd::{Complete, Incomplete};
    let cases: [Case<'_>; 12] = [
        ("records without an end", b"H|\\^&\rP|1\r", &[Incomplete], &[1], ""),
        ("two messages of records", b"H|\\^&\rL|1\r\nH|\\^&\rL|1", &[Complete, Complete], &[1, 1], ""),
        ("a frame without ENQ and tail", b"\x021H|\\^&\rL|1\r\x0399", &[Complete], &[1], "checksum"),
        ("no L, ETX", b"\x021H|\\^&\rP|1\r\x03B1\r\n", &[Complete], &[2], ""),
        ("no L, ETB", b"\x021H|\\^&\rP|1\r\x17C5\r\n", &[Incomplete], &[2], ""),
        ("no L, EOT", b"\x05\x021H|\\^&\rP|1\r\x03B1\r\n\x04", &[Complete], &[2], ""),
        (
            "both sides recorded",
            b"\x05\x06\x021H|\\^&\r\x0372\r\n\x06\x022L|1\r\x0327\r\n\x06\x04",
            &[Complete],
            &[2],
            "",
        ),
        ("frame number 8", b"\x028H|\\^&\rL|1\r\x03A0\r\n", &[Complete], &[1], "out of order"),
        ("the last frame is cut", b"\x021H|\\^&\r\x0372\r\n\x022L|", &[Complete], &[2], ""),
        ("nothing", b"", &[], &[], ""),
        ("only a keep-alive", b"\x05\x04\x05\x04", &[], &[], ""),
        ("text of a terminal before", b"log\x05\x021H|\\^&\rL|1\r\x0399\r\n\x04", &[Complete], &[1], "stray"),
    ];
    let generic = profile(GENERIC);
    for (what, bytes, ends, chunks, note) in cases {
        let rig = capture(&*generic, &[bytes]);
        assert_eq!(
            rig.ends(),
            ends.iter().map(|end| Some(*end)).collect::<Vec<_>>(),
            "{what}: {:?}",
            rig.notes
        );
        assert_eq!(rig.messages.iter().map(|m| m.chunks.len()).collect::<Vec<_>>(), chunks, "{what}");
        assert!(note.is_empty() || rig.notes.iter().any(|n| n.contains(note)), "{what}: {:?}", rig.notes);
        assert_eq!(rig.sent, b"", "{what}");
    }
}
