//! The instrument sends: every fault at every step of its message.

use crate::cells::{self, Mode, Table, check, rows};
use crate::net::{Act, Fault, Pulled, Way};
use crate::rig::{By, COLLEAGUE, Rig, STRANGER, Setup, run};
use orugate_tests::oracle::{Invented, Layout};
use std::time::Duration;

mod tables;

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
pub(crate) type Kind = (&'static str, fn(u8) -> (usize, Vec<u8>, Act));

/// What noise makes of one byte.
pub(crate) const BYTES: [Kind; 9] = [
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
pub(crate) const LINES: [Kind; 10] = [
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
pub(crate) const CABLE: [Kind; 2] = [
    ("cable out for 3 s, EIO", |_| (0, vec![], Act::Unplug(Pulled::Error, seconds(3)))),
    ("cable out for 3 s, Ok(0)", |_| (0, vec![], Act::Unplug(Pulled::Nothing, seconds(3)))),
];

/// What becomes of a reply of the gateway: its name, how often, and what.
type Answered = (&'static str, usize, usize, &'static [u8], Act);

const REPLIES: [Answered; 11] = [
    ("lost", 1, 1, b"", Act::Nothing),
    ("lost seven times", 7, 1, b"", Act::Nothing),
    ("NAK in its place", 1, 1, b"\x15", Act::Nothing),
    ("comes twice", 1, 0, b"\x06", Act::Nothing),
    ("NUL before it", 1, 0, b"\0", Act::Nothing),
    ("FF before it", 1, 0, b"\xff", Act::Nothing),
    ("EOT in its place", 1, 1, b"\x04", Act::Nothing),
    ("ENQ in its place", 1, 1, b"\x05", Act::Nothing),
    ("late, after 14 s", 1, 0, b"", Act::Stall(seconds(14))),
    ("late, after 16 s", 1, 0, b"", Act::Stall(seconds(16))),
    ("closed before it", 1, 0, b"", Act::Close),
];

/// What becomes of a whole frame.
type Framed = (&'static str, fn(&[u8]) -> (usize, Vec<u8>));

const FRAMES: [Framed; 8] = [
    ("lost", |frame| (frame.len(), vec![])),
    ("sent twice at once", |frame| (0, frame.to_vec())),
    ("next number", |frame| (frame.len(), renumbered(frame, 1))),
    ("number before", |frame| (frame.len(), renumbered(frame, 7))),
    ("number 9", |frame| {
        let mut frame = renumbered(frame, 1);
        let by = b'9' - frame[1];
        frame[1] = b'9';
        (frame.len(), rechecked(frame, by))
    }),
    ("checksum wrong", |frame| {
        let mut wrong = frame.to_vec();
        let at = wrong.len() - 3;
        wrong[at] = if wrong[at] == b'0' { b'1' } else { b'0' };
        (frame.len(), wrong)
    }),
    ("CR LF lost", |frame| (frame.len(), frame[..frame.len() - 2].to_vec())),
    ("without its STX and number", |frame| (frame.len(), frame[2..].to_vec())),
];

/// A frame with another number and the checksum that goes with it.
fn renumbered(frame: &[u8], by: u8) -> Vec<u8> {
    let mut frame = frame.to_vec();
    let number = frame[1] - b'0';
    let other = (number + by) % 8;
    frame[1] = b'0' + other;
    rechecked(frame, other.wrapping_sub(number))
}

/// A frame of which a byte was raised by so much, with its checksum raised too.
fn rechecked(mut frame: Vec<u8>, by: u8) -> Vec<u8> {
    let at = frame.len() - 4;
    let text = std::str::from_utf8(&frame[at..at + 2]).unwrap();
    let sum = u8::from_str_radix(text, 16).unwrap().wrapping_add(by);
    frame[at..at + 2].copy_from_slice(format!("{sum:02X}").as_bytes());
    frame
}

/// The generic profile, counting frames as the standard has it.
const STRICT: (&str, &str) = ("frame_numbers = \"any\"", "frame_numbers = \"strict\"");

/// Plays a message with these faults; the cell. So many tries fail.
fn play(setup: &Setup, message: &Invented, before: usize, faults: Vec<Fault>) -> String {
    run(setup, async |rig| {
        let place = rig.place("one");
        let times = faults.len();
        rig.net.spoil(&place, faults);
        rig.instrument("one", &message.wire(), &[], None).await.unwrap();
        rig.pass(120).await;
        assert!(rig.is_drained(), "something waits at the end");
        cell(rig, message, before, times)
    })
}

fn cell(rig: &Rig, message: &Invented, before: usize, times: usize) -> String {
    let came = rig.came("one");
    let asked = rig.lines("one").iter().map(|line| line.asked()).sum();
    for other in [STRANGER, COLLEAGUE] {
        let lines = rig.net.host(other).lines(&rig.place("one"));
        assert!(
            lines.iter().all(|line| line.cable() || line.log(Way::Back).is_empty()),
            "{other} was answered"
        );
    }
    match cells::outcome(&came, message, before, times, asked, &rig.heard("one")) {
        Ok(letter) => format!("{letter}{}", cells::notes(&came)),
        Err(what) => format!("?({what})"),
    }
}

/// A table of faults at each byte of [`steps`].
fn bytes(mode: Mode, title: String, kinds: &[Kind], by: By, layout: Layout, text: &str) -> Table {
    let steps = steps(layout);
    let names: Vec<&str> = kinds.iter().map(|(name, _)| *name).collect();
    let columns = steps.iter().map(|(_, name)| name.clone()).collect();
    let table = Table { title, columns, rows: rows(&names, text) };
    let setup = Setup { by, ..Setup::default() };
    check(mode, &table, |row, column| {
        let message = Invented::new("S", layout);
        let (at, before) = place(&message, steps[column].0);
        let (remove, insert, then) = kinds[row].1(message.wire()[at]);
        play(&setup, &message, before, vec![Fault { way: Way::There, at, remove, insert, then }])
    });
    table
}

/// A table of faults in the gateway's replies.
fn replies(mode: Mode, title: String, layout: Layout, text: &str) -> Table {
    let frames = frames(layout);
    let names = REPLIES.map(|(name, ..)| name);
    let columns = std::iter::once("to ENQ".to_owned());
    let columns = columns.chain(frames.iter().map(|(_, name)| format!("to the {name} frame"))).collect();
    let table = Table { title, columns, rows: rows(&names, text) };
    check(mode, &table, |row, column| {
        let message = Invented::new("S", layout);
        let (_, times, remove, insert, then) = REPLIES[row];
        let before = column.checked_sub(1).map_or(0, |at| frames[at].0);
        let reply = if column == 0 { 0 } else { before + 1 };
        let faults = (0..times).map(|time| {
            let at = time * (reply + 1) + reply;
            Fault { way: Way::Back, at, remove, insert: insert.to_vec(), then }
        });
        play(&Setup::default(), &message, before, faults.collect())
    });
    table
}

/// A table of faults of whole frames.
fn units(
    mode: Mode,
    title: String,
    otherwise: (&'static str, &'static str),
    layout: Layout,
    text: &str,
) -> Table {
    let frames = frames(layout);
    let names = FRAMES.map(|(name, _)| name);
    let columns = frames.iter().map(|(_, name)| (*name).to_owned()).collect();
    let table = Table { title, columns, rows: rows(&names, text) };
    let setup = Setup { otherwise, ..Setup::default() };
    check(mode, &table, |row, column| {
        let message = Invented::new("TEST-4", layout);
        let (frame, _) = frames[column];
        let (at, before) = place(&message, Step::Part(frame, 0));
        let (remove, insert) = FRAMES[row].1(&message.frames[frame]);
        play(
            &setup,
            &message,
            before,
            vec![Fault { way: Way::There, at, remove, insert, then: Act::Nothing }],
        )
    });
    table
}

/// All tables of this side, played.
pub(crate) fn tables(mode: Mode) -> Vec<Table> {
    let layouts = [
        (
            "records, each in a frame",
            Layout::Records,
            [
                tables::BYTES_RECORDS,
                tables::UNITS_ANY_RECORDS,
                tables::UNITS_STRICT_RECORDS,
                tables::REPLIES_RECORDS,
                tables::LINES_RECORDS,
                tables::CABLE_RECORDS,
            ],
        ),
        (
            "records cut by frames",
            Layout::Split,
            [
                tables::BYTES_SPLIT,
                tables::UNITS_ANY_SPLIT,
                tables::UNITS_STRICT_SPLIT,
                tables::REPLIES_SPLIT,
                tables::LINES_SPLIT,
                tables::CABLE_SPLIT,
            ],
        ),
        (
            "the whole message in one frame",
            Layout::Whole,
            [
                tables::BYTES_WHOLE,
                tables::UNITS_ANY_WHOLE,
                tables::UNITS_STRICT_WHOLE,
                tables::REPLIES_WHOLE,
                tables::LINES_WHOLE,
                tables::CABLE_WHOLE,
            ],
        ),
    ];
    let mut all = Vec::new();
    for (name, layout, [noise, any, strict, answers, lines, cable]) in layouts {
        let title = |what: &str| format!("{what}: {name}");
        all.push(bytes(mode, title("Noise on one byte"), &BYTES, By::Tcp, layout, noise));
        all.push(units(mode, title("A whole frame, any number taken"), ("", ""), layout, any));
        all.push(units(mode, title("A whole frame, strict numbers"), STRICT, layout, strict));
        all.push(replies(mode, title("The gateway's reply"), layout, answers));
        all.push(bytes(mode, title("The network before a byte"), &LINES, By::Tcp, layout, lines));
        all.push(bytes(mode, title("The serial cable before a byte"), &CABLE, By::Cable, layout, cable));
    }
    all
}
