//! Recorded bytes, decoded here and by a second decoder that knows nothing of this code, compared line by line.

use crate::frame::{Found, Frames};
use crate::pdu::{ACTION, Association, EVENT, Event, Object, Pdu, Reply, parse};
use crate::read::Reader;
use crate::value::{Float, id, observed, wide};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const LOGS: [(&str, &str, usize); 3] = [
    ("serial", "mp70-serial-short.log", 26),
    ("serial", "mp70-serial-module-removed.log", 205),
    ("udp", "mp70-udp-demo.log", 74),
];

pub(crate) fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("ORUGATE_CORPUS")?;
    // A relative path counts from the workspace, where cargo was called, not from this crate.
    let bedside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder).join("bedside");
    assert!(bedside.is_dir(), "ORUGATE_CORPUS is set, but has no folder bedside");
    Some(bedside)
}

/// Bytes by their hexadecimal digits, whatever stands between them.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The recorder's time stamps stand between frames and datagrams: the pieces between them.
pub(crate) fn pieces(log: &[u8]) -> Vec<Vec<u8>> {
    const SHAPE: &[u8] = b"9999/99/99T99:99:99,999";
    let is_stamp = |bytes: &[u8]| {
        bytes.len() >= SHAPE.len()
            && SHAPE.iter().zip(bytes).all(
                |(shape, byte)| {
                    if *shape == b'9' { byte.is_ascii_digit() } else { shape == byte }
                },
            )
    };
    let (mut all, mut at) = (Vec::<Vec<u8>>::new(), 0);
    while at < log.len() {
        if is_stamp(&log[at..]) {
            all.push(Vec::new());
            at += SHAPE.len();
        } else {
            all.last_mut().unwrap().push(log[at]);
            at += 1;
        }
    }
    all
}

fn number(value: Float) -> String {
    match value {
        Float::Nothing => "nan".into(),
        Float::Resolution => "nres".into(),
        Float::Over => "+inf".into(),
        Float::Under => "-inf".into(),
        Float::Reserved => "reserved".into(),
        Float::Number { mantissa, exponent } => {
            let mut space = [0; 64];
            let mut scratch = orugate_driver::Scratch::new(&mut space);
            orugate_driver::snapshot::decimal(&mut scratch, mantissa.into(), exponent).unwrap().to_string()
        }
    }
}

fn object(object: &Object<'_>) -> String {
    let mut words = vec![format!("{:04x}:{:04x}", object.context, object.handle)];
    for (kind, value) in object.attributes {
        let mut reader = Reader::new(value);
        match kind {
            id::NUMERIC | id::COMPOUND => {
                for value in observed(object.attributes) {
                    let (physio, state, unit) = (value.physio, value.state, value.unit);
                    words.push(format!("nu {physio:04x}/{state:04x}/{unit:04x}={}", number(value.value)));
                }
            }
            id::LABEL => words.push(format!("label {:08x}", reader.u32().unwrap())),
            id::LABEL_TEXT => words.push(format!("text {}", wide(value).collect::<String>())),
            id::TIME_STAMP => {
                let digits: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
                words.push(format!("at {}", if value == [0xFF; 8] { "-" } else { &digits }));
            }
            id::METRIC => {
                words.push(format!("access {:04x}", reader.take(6).and_then(|_| reader.u16()).unwrap()))
            }
            id::UNIT => words.push(format!("unit {:04x}", reader.u16().unwrap())),
            other => words.push(format!("+{other:04x}")),
        }
    }
    words.join("; ")
}

/// A unit as the second decoder prints it.
fn unit(data: &[u8]) -> String {
    let (pdu, used) = parse(data).unwrap();
    assert_eq!(used, data.len());
    let reply = |head: String, body| {
        let reply = Reply::read(body).unwrap();
        assert!(reply.is_sound());
        let Reply { poll, sequence, relative, class, .. } = reply;
        let action = Reader::new(&body[6..]).u16().unwrap();
        let mut out =
            format!("{head} action {action:04x} poll {poll} seq {sequence} rel {relative} class {class:04x}");
        for listed in reply.objects() {
            write!(out, "\n  {}", object(&listed)).unwrap();
        }
        out
    };
    match pdu {
        Pdu::Association(kind, _) => {
            let word = match kind {
                Association::Request => "request",
                Association::Accept => "accept",
                Association::Refuse => "refuse",
                Association::Release => "release",
                Association::Released => "released",
                Association::Abort => "abort",
            };
            format!("association {word}")
        }
        Pdu::Invoke { command: EVENT, body, .. } => {
            let attributes = Event::read(body).unwrap().attributes().unwrap();
            let ids: Vec<_> = attributes.map(|(id, _)| format!("{id:04x}")).collect();
            format!("invoke command 1 create {}", ids.join(" "))
        }
        Pdu::Result { command: ACTION, body } => reply("result command 7".into(), body),
        Pdu::Linked { part, command: ACTION, body } => {
            let state = data[8];
            assert_eq!(part.last, state == 3);
            reply(format!("linked {state}/{} command 7", part.count), body)
        }
        Pdu::Error { invoke, code } => format!("error id {invoke} code {code}"),
        Pdu::Invoke { command, .. } => format!("invoke command {command}"),
        Pdu::Result { command, .. } | Pdu::Linked { command, .. } => format!("result command {command}"),
    }
}

/// All units of a log, a line or more for each, and the counts.
fn decoded(kind: &str, log: &[u8]) -> String {
    let pieces = pieces(log);
    let mut lines = Vec::new();
    let (mut good, mut bad, mut outside) = (0, 0, 0);
    if kind == "udp" {
        for piece in &pieces {
            lines.push(unit(piece));
            good += 1;
        }
    } else {
        let mut frames = Frames::default();
        let mut found = |found: Found<'_>| match found {
            Found::Frame { data, .. } => {
                lines.push(unit(data));
                good += 1;
            }
            Found::Broken { .. } => bad += 1,
            Found::Between { .. } => outside += 1,
        };
        pieces.iter().for_each(|piece| frames.feed(piece, &mut found));
        frames.cut(&mut found);
    }
    lines.push(format!("units {good} bad {bad} between {outside}\n"));
    lines.join("\n")
}

#[test]
fn every_unit_of_the_corpus_reads_as_the_second_decoder_reads_it() {
    let Some(corpus) = corpus() else { return };
    let python = std::env::var_os("ORUGATE_PYTHON").unwrap_or_else(|| "python3".into());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/intellivue_decode.py");
    for (kind, name, units) in LOGS {
        let log = std::fs::read(corpus.join(name)).unwrap();
        let ours = decoded(kind, &log);
        let said = Command::new(&python).arg(&script).arg(kind).arg(corpus.join(name)).output().unwrap();
        assert!(said.status.success(), "{name}: {}", String::from_utf8_lossy(&said.stderr));
        let theirs = String::from_utf8(said.stdout).unwrap();
        for (ours, theirs) in ours.lines().zip(theirs.lines()) {
            assert_eq!(ours, theirs, "{name}");
        }
        assert_eq!(ours, theirs, "{name}");
        assert!(ours.contains(&format!("units {units} ")), "{name}: {}", ours.lines().last().unwrap());
    }
}

#[test]
fn a_recorded_broadcast_names_the_monitor() {
    let Some(corpus) = corpus() else { return };
    let dump = std::fs::read_to_string(corpus.join("philips-connect-indication.hexdump")).unwrap();
    let bytes: Vec<u8> = dump
        .lines()
        .flat_map(|line| line.split_whitespace().skip(1).map(|byte| u8::from_str_radix(byte, 16).unwrap()))
        .collect();
    // Behind the headers of Ethernet, IP and UDP.
    let datagram = &bytes[42..];
    let said = crate::announced(datagram).unwrap();
    assert_eq!(said.mac, [0x00, 0x09, 0xFB, 0x88, 0xC1, 0xBD]);
    assert_eq!(said.address, [192, 168, 247, 101]);
    // It fills its own address up to 64 bits in the older way.
    assert_eq!(said.eui64(), Some(0x0009_FBFF_FF88_C1BD));
    assert_eq!(said.serial, "DE351A4061");
    assert_eq!((said.port, said.bed.as_str(), said.model.as_str()), (24105, "", "866062"));
    for end in 0..datagram.len() {
        let cut = crate::announced(&datagram[..end]);
        assert!(cut.is_none() || cut.as_ref() == Some(&said), "{end}");
    }
    for byte in 0..datagram.len() {
        let mut other = datagram.to_vec();
        other[byte] ^= 0xFF;
        let _ = crate::announced(&other);
    }
    assert_eq!(crate::announced(b"hello"), None);
}
