//! The instrument sends: every fault at every step of its message.

use crate::cells::{self, Table, check};
use crate::net::{Act, Fault, Pulled, Way};
use crate::rig::{By, COLLEAGUE, Rig, STRANGER, Setup, run};
use orugate_protocol::astm::link::{FrameEnd, encode_frame};
use orugate_tests::oracle::{Invented, Layout};
use std::time::Duration;

/// The parts of a frame, in order.
const PARTS: [&str; 7] = ["STX", "number", "text", "ETX", "checksum", "CR", "LF"];

/// A step of the dialogue: what stands in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Enq,
    /// Part of a frame.
    Part(usize, usize),
    Eot,
}

/// The frames that a table looks at: the first, one in the middle that has results before and after it, the last.
fn frames(layout: Layout) -> Vec<(usize, &'static str)> {
    match layout {
        Layout::Records => vec![(0, "first"), (5, "middle"), (8, "last")],
        Layout::Split => vec![(0, "first"), (4, "middle"), (7, "last")],
        Layout::Whole => vec![(0, "only")],
    }
}

fn steps(layout: Layout) -> Vec<(Step, String)> {
    let mut steps = vec![(Step::Enq, "ENQ".to_owned())];
    for (frame, name) in frames(layout) {
        for (part, part_name) in PARTS.iter().enumerate() {
            steps.push((Step::Part(frame, part), format!("{name} {part_name}")));
        }
    }
    steps.push((Step::Eot, "EOT".to_owned()));
    steps
}

/// Where a step's byte is, from the ENQ, and how many frames are whole before it.
fn place(message: &Invented, step: Step) -> (usize, usize) {
    let begins = |frame: usize| 1 + message.frames[..frame].iter().map(Vec::len).sum::<usize>();
    let all = message.frames.len();
    match step {
        Step::Enq => (0, 0),
        Step::Eot => (begins(all), all),
        Step::Part(frame, part) => {
            let length = message.frames[frame].len();
            let byte = [0, 1, 2 + (length - 7) / 2, length - 5, length - 4, length - 2, length - 1][part];
            (begins(frame) + byte, frame)
        }
    }
}

/// A line's fault: its name, and what it does to a byte.
type Kind = (&'static str, fn(u8) -> (usize, Vec<u8>, Act));

/// What noise makes of one byte.
const BYTES: [Kind; 9] = [
    ("lowest bit flipped", |byte| (1, vec![byte ^ 1], Act::Nothing)),
    ("highest bit flipped", |byte| (1, vec![byte ^ 0x80], Act::Nothing)),
    ("byte lost", |_| (1, vec![], Act::Nothing)),
    ("byte doubled", |byte| (0, vec![byte], Act::Nothing)),
    ("FF before it", |_| (0, vec![0xff], Act::Nothing)),
    ("NUL before it", |_| (0, vec![0], Act::Nothing)),
    ("ACK before it", |_| (0, vec![6], Act::Nothing)),
    ("ENQ before it", |_| (0, vec![5], Act::Nothing)),
    ("EOT before it", |_| (0, vec![4], Act::Nothing)),
];

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What becomes of the line before a byte.
const LINES: [Kind; 10] = [
    ("connection closed", |_| (0, vec![], Act::Close)),
    ("connection reset", |_| (0, vec![], Act::Reset)),
    ("half-open, back after 60 s", |_| (0, vec![], Act::Vanish(seconds(60)))),
    ("second session, first open", |_| (0, vec![], Act::Vanish(seconds(0)))),
    ("network stalls for 10 s", |_| (0, vec![], Act::Stall(seconds(10)))),
    ("network stalls for 20 s", |_| (0, vec![], Act::Stall(seconds(20)))),
    ("network stalls for 50 s", |_| (0, vec![], Act::Stall(seconds(50)))),
    ("a stranger connects", |_| (0, vec![], Act::Stranger(STRANGER))),
    ("another instrument connects", |_| (0, vec![], Act::Stranger(COLLEAGUE))),
    ("LF and the rest late, 1 s", |_| (0, vec![], Act::Stall(seconds(1)))),
];

/// A serial port whose cable is pulled before a byte.
const CABLE: [Kind; 2] = [
    ("cable out for 3 s, EIO", |_| (0, vec![], Act::Unplug(Pulled::Error, seconds(3)))),
    ("cable out for 3 s, Ok(0)", |_| (0, vec![], Act::Unplug(Pulled::Nothing, seconds(3)))),
];

/// Plays a message with these faults; the cell.
fn play(setup: &Setup, message: &Invented, before: usize, faults: Vec<Fault>) -> String {
    run(setup, async |rig| {
        let place = rig.place("one");
        rig.net.spoil(&place, faults);
        rig.instrument("one", &message.wire(), &[], None).await.unwrap();
        rig.pass(120).await;
        assert!(rig.is_drained(), "something waits at the end");
        cell(rig, message, before)
    })
}

fn cell(rig: &Rig, message: &Invented, before: usize) -> String {
    let came = rig.came("one");
    let asked = rig.net.lines(&rig.place("one")).iter().map(|line| line.asked()).sum();
    match cells::outcome(&came, message, before, asked, &rig.heard("one")) {
        Ok(letter) => format!("{letter}{}", cells::notes(&came)),
        Err(what) => format!("?({what})"),
    }
}

fn check_bytes(title: &'static str, kinds: &[Kind], by: By, layout: Layout, rows: &[&str]) {
    let steps = steps(layout);
    let columns = steps.iter().map(|(_, name)| name.clone()).collect();
    let rows = kinds.iter().zip(rows.iter().chain(std::iter::repeat(&"")));
    let rows = rows.map(|((name, _), cells)| ((*name).to_owned(), (*cells).to_owned())).collect();
    let setup = Setup { by, ..Setup::default() };
    check(&Table { title, columns, rows }, |row, column| {
        let message = Invented::new("S", layout);
        let (at, before) = place(&message, steps[column].0);
        let (remove, insert, then) = kinds[row].1(message.wire()[at]);
        Some(play(&setup, &message, before, vec![Fault { way: Way::There, at, remove, insert, then }]))
    });
}

#[test]
fn bytes_records() {
    check_bytes("noise, a record in each frame", &BYTES, By::Tcp, Layout::Records, &[]);
}
#[test]
fn bytes_split() {
    check_bytes("noise, split", &BYTES, By::Tcp, Layout::Split, &[]);
}
#[test]
fn bytes_whole() {
    check_bytes("noise, whole", &BYTES, By::Tcp, Layout::Whole, &[]);
}
#[test]
fn lines_records() {
    check_bytes("line, a record in each frame", &LINES, By::Tcp, Layout::Records, &[]);
}
#[test]
fn lines_split() {
    check_bytes("line, split", &LINES, By::Tcp, Layout::Split, &[]);
}
#[test]
fn lines_whole() {
    check_bytes("line, whole", &LINES, By::Tcp, Layout::Whole, &[]);
}
#[test]
fn cable_records() {
    check_bytes("cable, a record in each frame", &CABLE, By::Cable, Layout::Records, &[]);
}
#[test]
fn cable_split() {
    check_bytes("cable, split", &CABLE, By::Cable, Layout::Split, &[]);
}
#[test]
fn cable_whole() {
    check_bytes("cable, whole", &CABLE, By::Cable, Layout::Whole, &[]);
}

#[allow(dead_code)]
fn renumbered(frame: &[u8], number: u8) -> Vec<u8> {
    let text = &frame[2..frame.len() - 5];
    let mut out = vec![0; frame.len()];
    let end = if frame[frame.len() - 5] == 3 { FrameEnd::Etx } else { FrameEnd::Etb };
    encode_frame(number, text, end, &mut out).unwrap();
    out
}
