//! Bare records: an instrument that sends lines without frames, waits for no answer and sends nothing again.
//!
//! Promises that a fault costs no more than what it hit: the message after it is whole, each of its results once. Such
//! a line has no checksum and no count, so noise in a value and a lost record are seen by nobody; the cells say where.
//! Leaves out the driver's own tests of one session (`drivers/astm/tests/session.rs`).

use crate::cells::{Mode, Table, check, notes, rows};
use crate::net::{Fault, Way};
use crate::rig::{By, COLLEAGUE, INSTRUMENT, Rig, STRANGER, Setup, run};
use crate::sending::{BYTES, CABLE, Kind, LINES};
use orugate::wire::{Wire, Wires as _};
use orugate_tests::oracle::{Invented, Layout};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

mod tables;

/// What comes of the first of two messages; the second is there whole in each cell.
pub(crate) const OUTCOMES: [(char, &str); 9] = [
    ('.', "Each result once, in a message that ended in order."),
    (
        'h',
        "Each result once, or held for a person when noise stands in it, or in what says whose it is. The message ended in \
         order.",
    ),
    (
        'i',
        "The message is incomplete, which is kept with it. What was whole of it is there or held; what was not was lost on \
         the line.",
    ),
    ('m', "A result is missing, and nothing says that it was there."),
    ('v', "A value, a code or a sample arrives altered, and nothing says so."),
    ('d', "A result comes twice."),
    ('j', "The message and the next one are one in the journal. Each result once, or held for a person."),
    ('k', "As j or h, and the noise stands before the next message: its results are held."),
    ('n', "Nothing of the message is there."),
];

/// How the lines of a message stand on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lines {
    /// Nothing but records, each ended by CR.
    Plain,
    /// The same between STX and ETX.
    Enclosed,
}

/// When the second message comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    AfterAMinute,
    AtOnce,
}

/// A step: a record and a byte of it, or what stands around all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Stx,
    In(usize, Byte),
    Etx,
}

/// A byte of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Byte {
    Letter,
    Delimiter,
    /// The first one of this.
    Of(&'static str),
    Cr,
}

fn steps(lines: Lines) -> Vec<(Step, &'static str)> {
    use Byte::{Cr, Delimiter, Letter, Of};
    let inside = [
        (0, Letter, "H"),
        (0, Delimiter, "its delimiter"),
        (0, Of("RIG"), "its text"),
        (0, Cr, "its CR"),
        (2, Letter, "first O"),
        (2, Of("SA|"), "its sample"),
        (2, Cr, "its CR"),
        (5, Letter, "middle R"),
        (5, Delimiter, "its delimiter"),
        (5, Of("CF|"), "its code"),
        (5, Of("41|"), "its value"),
        (5, Cr, "its CR"),
        (8, Letter, "L"),
        (8, Delimiter, "its delimiter"),
        (8, Of("N\r"), "its text"),
        (8, Cr, "its CR"),
    ];
    let inside = inside.map(|(record, byte, name)| (Step::In(record, byte), name));
    match lines {
        Lines::Plain => inside.to_vec(),
        Lines::Enclosed => [&[(Step::Stx, "STX")][..], &inside, &[(Step::Etx, "ETX")]].concat(),
    }
}

/// The records of a message.
fn records(sample: &str) -> Vec<String> {
    Invented::new(sample, Layout::Records).texts
}

fn wire(records: &[String], lines: Lines) -> Vec<u8> {
    let all = records.concat();
    match lines {
        Lines::Plain => all.into_bytes(),
        Lines::Enclosed => format!("\x02{all}\x03").into_bytes(),
    }
}

/// Where a step's byte is.
fn place(records: &[String], lines: Lines, step: Step) -> usize {
    let begin = usize::from(lines == Lines::Enclosed);
    match step {
        Step::Stx => 0,
        Step::Etx => begin + records.concat().len(),
        Step::In(record, byte) => {
            let text = &records[record];
            let at = match byte {
                Byte::Letter => 0,
                Byte::Delimiter => 1,
                Byte::Of(what) => text.find(what).unwrap(),
                Byte::Cr => text.len() - 1,
            };
            begin + records[..record].concat().len() + at
        }
    }
}

/// What becomes of a whole record.
type Lined = (&'static str, fn(&str) -> String);

const RECORDS: [Lined; 6] = [
    ("lost", |_| String::new()),
    ("comes twice", |record| record.repeat(2)),
    ("its second half lost", |record| record[..record.len() / 2].to_owned()),
    ("its CR lost", |record| record[..record.len() - 1].to_owned()),
    ("LF in place of its CR", |record| record.replace('\r', "\n")),
    ("CR LF in place of its CR", |record| record.replace('\r', "\r\n")),
];

const COLUMNS: [(usize, &str); 7] =
    [(0, "H"), (1, "P"), (2, "first O"), (3, "first R"), (5, "second R"), (6, "second O"), (8, "L")];

fn setup(by: By) -> Setup {
    let otherwise = ("charset = ", "framing = \"records\"\ncharset = ");
    Setup { by, otherwise, ..Setup::default() }
}

/// The instrument's end of its line. It writes and does not listen; only a line that has ended is noticed.
struct Speaker<'r> {
    rig: &'r Rig,
    by: By,
    wire: Box<dyn Wire>,
}

impl<'r> Speaker<'r> {
    async fn plug(rig: &'r Rig, by: By) -> Self {
        let wire = match by {
            By::Datagrams => unreachable!("records come over lines"),
            By::Cable => rig.near(),
            By::Tcp => Self::connect(rig).await,
        };
        Self { rig, by, wire }
    }

    async fn connect(rig: &Rig) -> Box<dyn Wire> {
        rig.net.host(INSTRUMENT).connect(&rig.place("one"), Duration::from_secs(10)).await.unwrap()
    }

    /// At the pace of a line, so that what is read before a fault is what came before it. A line that breaks meanwhile
    /// takes the rest with it.
    async fn say(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(16) {
            if self.wire.write_all(piece).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(16)).await;
        }
    }

    /// Lets time pass, and plugs in again when the line has ended.
    async fn rest(&mut self, seconds: u64) {
        let mut byte = [0];
        let over = self.rig.clock.tick().after(Duration::from_secs(seconds));
        let until = self.rig.clock.instant(over);
        while let Ok(read) = tokio::time::timeout_at(until, self.wire.read(&mut byte)).await {
            assert!(!matches!(read, Ok(1..)), "a line of bare records was answered");
            assert_eq!(self.by, By::Tcp, "the near end of a cable does not end");
            self.wire = Self::connect(self.rig).await;
        }
    }
}

/// Plays two messages, the first as it comes through the faults of the line; the cell.
fn play(by: By, first: &[u8], lines: Lines, next: Next, faults: Vec<Fault>) -> String {
    run(&setup(by), async |rig| {
        rig.pass(1).await;
        rig.net.spoil(&rig.place("one"), faults);
        let mut instrument = Speaker::plug(rig, by).await;
        let second = wire(&records("T"), lines);
        match next {
            Next::AfterAMinute => {
                instrument.say(first).await;
                instrument.rest(70).await;
                instrument.say(&second).await;
            }
            Next::AtOnce => instrument.say(&[first, &second].concat()).await,
        }
        instrument.rest(120).await;
        assert!(rig.is_drained(), "something waits at the end");
        for other in [STRANGER, COLLEAGUE] {
            let lines = rig.net.host(other).lines(&rig.place("one"));
            assert!(lines.iter().all(|line| line.cable() || line.log(Way::Back).is_empty()));
        }
        cell(rig)
    })
}

fn cell(rig: &Rig) -> String {
    let came = rig.came("one");
    let all = |sample: &str| Invented::new(sample, Layout::Records).of(9).sent;
    let (second, mut first): (Vec<_>, Vec<_>) =
        came.sent.iter().cloned().partition(|seen| seen.sample.starts_with('T'));
    if second != all("T")
        && second.len() as u64 + came.held >= 3
        && second.iter().all(|seen| all("T").contains(seen))
    {
        return format!("k{}", notes(&came));
    }
    if second != all("T") {
        return format!("?({:?} {:?} held {})", came.messages, came.sent, came.held);
    }
    let mut missing = all("S");
    let before = first.len();
    first.retain(|seen| match missing.iter().position(|wanted| wanted == seen) {
        Some(at) => {
            missing.remove(at);
            false
        }
        None => true,
    });
    let twice = first.iter().all(|seen| all("S").contains(seen));
    let lost = (missing.len() as u64).saturating_sub(came.held);
    let incomplete = came.messages.contains(&Some(false));
    assert!(came.messages.iter().all(Option::is_some), "a message is open at the end");
    let letter = match came.messages.len() {
        _ if !first.is_empty() && !twice => 'v',
        _ if !first.is_empty() => 'd',
        1 if before == 0 && came.held == 0 => 'n',
        _ if incomplete => 'i',
        _ if lost > 0 => 'm',
        1 => 'j',
        _ if came.held > 0 => 'h',
        _ => '.',
    };
    format!("{letter}{}", notes(&came))
}

/// A table of faults at each byte of [`steps`].
fn bytes(mode: Mode, title: String, kinds: &[Kind], by: By, lines: Lines, next: Next, text: &str) -> Table {
    let steps = steps(lines);
    let names: Vec<&str> = kinds.iter().map(|(name, _)| *name).collect();
    let columns = steps.iter().map(|(_, name)| (*name).to_owned()).collect();
    let table = Table { title, columns, rows: rows(&names, text) };
    check(mode, &table, |row, column| {
        let records = records("S");
        let at = place(&records, lines, steps[column].0);
        let first = wire(&records, lines);
        let (remove, insert, then) = kinds[row].1(first[at]);
        play(by, &first, lines, next, vec![Fault { way: Way::There, at, remove, insert, then }])
    });
    table
}

/// A table of faults of whole records.
fn units(mode: Mode, title: &str, lines: Lines, next: Next, text: &str) -> Table {
    let names = RECORDS.map(|(name, _)| name);
    let columns = COLUMNS.iter().map(|(_, name)| (*name).to_owned()).collect();
    let table = Table { title: title.to_owned(), columns, rows: rows(&names, text) };
    check(mode, &table, |row, column| {
        let mut records = records("S");
        let record = &mut records[COLUMNS[column].0];
        *record = RECORDS[row].1(record);
        play(By::Tcp, &wire(&records, lines), lines, next, Vec::new())
    });
    table
}

/// All tables of bare records, played.
pub(crate) fn tables(mode: Mode) -> Vec<Table> {
    use Next::{AfterAMinute, AtOnce};
    let (plain, enclosed) = (Lines::Plain, Lines::Enclosed);
    let noise = |mode, title: &str, lines, next, text| {
        bytes(mode, title.to_owned(), &BYTES, By::Tcp, lines, next, text)
    };
    let line = |mode, title: &str, kinds, by, lines, text| {
        bytes(mode, title.to_owned(), kinds, by, lines, AfterAMinute, text)
    };
    vec![
        noise(mode, "Noise on one byte: bare records", plain, AfterAMinute, tables::NOISE),
        noise(mode, "The same, and the next message follows at once", plain, AtOnce, tables::NOISE_AT_ONCE),
        units(mode, "A whole record: bare records", plain, AfterAMinute, tables::RECORDS),
        units(mode, "The same, and the next message follows at once", plain, AtOnce, tables::RECORDS_AT_ONCE),
        line(mode, "The network before a byte: bare records", &LINES, By::Tcp, plain, tables::NETWORK),
        line(mode, "The serial cable before a byte: bare records", &CABLE, By::Cable, plain, tables::CABLE),
        noise(
            mode,
            "Noise on one byte: bare records between STX and ETX",
            enclosed,
            AfterAMinute,
            tables::ENCLOSED,
        ),
        noise(
            mode,
            "Bare records between STX and ETX, and the next message follows at once",
            enclosed,
            AtOnce,
            tables::ENCLOSED_AT_ONCE,
        ),
        units(
            mode,
            "A whole record: bare records between STX and ETX, and the next message follows at once",
            enclosed,
            AtOnce,
            tables::ENCLOSED_RECORDS,
        ),
        line(
            mode,
            "The network before a byte: bare records between STX and ETX",
            &LINES,
            By::Tcp,
            enclosed,
            tables::ENCLOSED_NETWORK,
        ),
    ]
}
