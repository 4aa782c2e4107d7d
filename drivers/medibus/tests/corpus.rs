//! The recorded frames: each reads as what it is, and what the driver makes of the same content is the same bytes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use orugate_medibus::wire::{self, Event, Frame, Kind, Splitter};
use std::path::Path;

/// File, kind, code, data.
const FRAMES: [(&str, Kind, u8, &[u8]); 15] = [
    ("configure_spo2_only", Kind::Command, 0x4A, b"$EB"),
    ("datetime_rsp", Kind::Response, 0x28, b"11:11:1911-NOV-93"),
    ("devid_cmd", Kind::Command, 0x52, b""),
    ("devid_rsp_full", Kind::Response, 0x52, b"0161'My PC'01.00:03.00"),
    ("icc_cmd", Kind::Command, 0x51, b""),
    ("icc_rsp", Kind::Response, 0x51, b""),
    ("measured_cp1_cmd", Kind::Command, 0x24, b""),
    ("measured_cp1_empty", Kind::Response, 0x24, b""),
    ("measured_cp1_spo2_98_pulse_70", Kind::Response, 0x24, b"EB 98 E1 70 "),
    ("nak_rsp", Kind::Response, 0x15, b""),
    ("nop_cmd", Kind::Command, 0x30, b""),
    ("rt_config_rsp", Kind::Response, 0x53, b"00   16000-  10  10037006   16000-  20  100460"),
    ("rt_request", Kind::Command, 0x53, b""),
    ("rt_transmit_cmd", Kind::Command, 0x54, b"00020603"),
    ("time_changed_cmd", Kind::Command, 0x49, b""),
];

fn corpus() -> Option<std::path::PathBuf> {
    let Some(folder) = std::env::var_os("ORUGATE_CORPUS") else {
        eprintln!("skipped: ORUGATE_CORPUS is not set");
        return None;
    };
    // A relative path counts from the workspace, where cargo was called, not from this crate.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder).join("bedside/medibus");
    assert!(folder.is_dir(), "ORUGATE_CORPUS is set, but has no folder bedside/medibus");
    Some(folder)
}

/// Kind, code and data.
type Found = (Kind, u8, Vec<u8>);

/// The good frames of a line; how many were bad or broken; bytes in no frame.
fn split(line: &[u8]) -> (Vec<Found>, usize, u32, Splitter) {
    let mut splitter = Splitter::default();
    let (mut good, mut bad, mut stray) = (Vec::new(), 0, 0);
    for byte in line {
        match splitter.byte(*byte) {
            Some(Event::Frame { bytes, .. }) => match wire::open(bytes) {
                Ok(Frame { kind, code, data }) => good.push((kind, code, data.to_vec())),
                Err(_) => bad += 1,
            },
            Some(Event::Broken { .. }) => bad += 1,
            Some(Event::Stray { count, .. }) => stray += count,
            _ => {}
        }
    }
    (good, bad, stray, splitter)
}

#[test]
fn every_recorded_frame_reads_and_is_made_again() {
    let Some(corpus) = corpus() else { return };
    let mut line = Vec::new();
    for (name, kind, code, data) in FRAMES {
        let bytes = std::fs::read(corpus.join(format!("{name}.bin"))).unwrap();
        let (good, bad, stray, _) = split(&bytes);
        assert_eq!((good, bad, stray), (vec![(kind, code, data.to_vec())], 0, 0), "{name}");
        let made = match kind {
            Kind::Command => wire::command(code, data),
            Kind::Response => wire::response(code, data),
        };
        assert_eq!(made, bytes, "{name}");
        line.extend(bytes);
    }
    // All of them one after the other, with the realtime stream between any two bytes.
    let stream = std::fs::read(corpus.join("rt_stream.bin")).unwrap();
    let mut noise = stream.iter().cycle();
    let mixed: Vec<u8> = line.iter().flat_map(|byte| [*byte, *noise.next().unwrap()]).collect();
    let (good, bad, stray, splitter) = split(&mixed);
    assert_eq!((good.len(), bad, stray, splitter.realtime()), (FRAMES.len(), 0, 0, line.len() as u64));
    assert!(
        good.iter().zip(FRAMES).all(|(found, (_, kind, code, data))| *found == (kind, code, data.to_vec()))
    );
    // The folder holds nothing else.
    let files = std::fs::read_dir(&corpus).unwrap().count();
    assert_eq!(files, FRAMES.len() + 1);
}

#[test]
fn the_realtime_stream_is_in_no_frame() {
    let Some(corpus) = corpus() else { return };
    let bytes = std::fs::read(corpus.join("rt_stream.bin")).unwrap();
    let (good, bad, stray, splitter) = split(&bytes);
    assert_eq!((good.len(), bad, stray, splitter.realtime()), (0, 0, 0, bytes.len() as u64));
}
