//! What the tests share: a gateway's end of a session on a fake clock with slots, and items as text.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use orugate_dri::DRI;
use orugate_driver::report::{Item, Note, Reading, ReportSink, Term};
use orugate_driver::snapshot::Writer;
use orugate_driver::time::{ClockQuality, Tick, Utc};
use orugate_driver::{
    Channel, Deadline, Driver, Input, Interpreter, Lasts, Output, Peer, Profile, Scratch, Session, Slot,
    StoredMessage,
};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub const TOML: &str = r#"name = "test"
driver = "dri"
title = "A monitor"
evidence = "captured-bytes"
manufacturer = "GE"
coding_system = "99GEDRI"
alarms = true
"#;

pub fn profile() -> Box<dyn Profile> {
    DRI.profile(TOML).unwrap_or_else(|e| panic!("{e}"))
}

/// One session with a clock, a wire and slots that a test holds in its hands.
pub struct Rig {
    pub session: Box<dyn Session>,
    pub now: Tick,
    pub channel: Channel,
    /// What was sent since it was last taken.
    pub sent: Vec<u8>,
    /// What stands.
    pub standing: BTreeMap<Slot, (Tick, Vec<u8>)>,
    /// What counts by itself, since the last snapshot.
    pub single: Vec<(Slot, Tick, Vec<u8>)>,
    /// Keeps in all.
    pub kept: usize,
    pub notes: Vec<String>,
    pub lost: usize,
    pub deadline: Option<Deadline>,
    pub closed: Vec<Channel>,
    pub done: bool,
}

impl Rig {
    pub fn new(session: Box<dyn Session>) -> Self {
        let mut rig = Self {
            session,
            now: Tick::ZERO,
            channel: Channel(0),
            sent: Vec::new(),
            standing: BTreeMap::new(),
            single: Vec::new(),
            kept: 0,
            notes: Vec::new(),
            lost: 0,
            deadline: None,
            closed: Vec::new(),
            done: false,
        };
        rig.give(Input::Opened(Channel(0), Peer::Serial { baud: 19200 }));
        rig
    }

    pub fn give(&mut self, input: Input<'_>) {
        self.session.handle(self.now, input);
        for _ in 0..100_000 {
            match self.session.poll() {
                Output::Send(channel, bytes) => {
                    assert_eq!(channel, self.channel, "sent on a channel that is gone");
                    self.sent.extend_from_slice(bytes);
                    self.session.handle(self.now, Input::Sent(channel));
                }
                Output::Keep(slot, lasts, bytes) => {
                    self.kept += 1;
                    assert!(slot.0 < Slot::COUNT && bytes.len() <= Slot::MOST);
                    match lasts {
                        Lasts::UntilReplaced => drop(self.standing.insert(slot, (self.now, bytes.to_vec()))),
                        Lasts::OneSnapshot => self.single.push((slot, self.now, bytes.to_vec())),
                    }
                }
                Output::Forget(slot) => drop(self.standing.remove(&slot)),
                Output::ForgetAll => self.standing.clear(),
                Output::Note(note) => {
                    let orugate_driver::NoteKind::Link { lost, .. } = note.kind else { continue };
                    self.lost += usize::from(lost);
                    self.notes.push(note.to_string());
                }
                Output::Close(channel, _) => self.closed.push(channel),
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    return;
                }
                Output::Done => {
                    self.done = true;
                    return;
                }
                other => panic!("{other:?}"),
            }
        }
        panic!("outputs without end");
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.give(Input::Bytes(self.channel, bytes));
    }

    pub fn sent(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.sent)
    }

    /// Time goes by; deadlines are told when they are due.
    pub fn pass(&mut self, wait: Duration) {
        let until = self.now.after(wait);
        while let Some(deadline) = self.deadline.filter(|deadline| deadline.at <= until) {
            self.now = self.now.max(deadline.at);
            self.give(Input::Deadline);
        }
        self.now = until;
    }

    pub fn close(&mut self) {
        self.give(Input::Closed(self.channel));
        self.standing.clear();
    }

    pub fn open_another(&mut self) {
        self.channel = Channel(self.channel.0 + 1);
        self.give(Input::Opened(self.channel, Peer::Serial { baud: 19200 }));
    }

    /// The message that the gateway makes now.
    pub fn snapshot(&mut self) -> Vec<u8> {
        let utc = |tick: Tick| Utc(i64::try_from(tick.micros()).unwrap());
        let mut pieces: Vec<(Slot, Lasts, Tick, Vec<u8>)> =
            self.single.drain(..).map(|(slot, at, bytes)| (slot, Lasts::OneSnapshot, at, bytes)).collect();
        pieces.extend(self.standing.iter().map(|(s, (at, b))| (*s, Lasts::UntilReplaced, *at, b.clone())));
        pieces.sort_by_key(|(slot, lasts, ..)| (*slot, *lasts));
        let mut raw = Vec::new();
        let mut writer = Writer::new(&mut raw, Utc(0), utc(self.now), pieces.is_empty());
        for (slot, lasts, at, bytes) in pieces {
            writer.piece(slot, lasts, utc(at), &bytes);
        }
        raw
    }
}

/// Items, a line each.
#[derive(Default)]
pub struct Dump {
    pub text: String,
    /// Code and value, `-` for none.
    pub values: Vec<(String, String)>,
    /// Where each value stands in the message.
    pub spans: Vec<(String, orugate_driver::span::Span)>,
}

fn term(term: Term<'_>) -> String {
    match term {
        Term::None => "-".into(),
        Term::Mdc(code) => code.to_string(),
        Term::Private(text) => format!("[{text}]"),
    }
}

impl<'m> ReportSink<'m> for Dump {
    fn item(&mut self, item: Item<'m>) {
        let text = &mut self.text;
        let _ = match item {
            Item::Device(d) => {
                let clock = d.clock.map_or_else(|| "-".into(), |c| format!("{} at {}", c.device, c.received.0));
                writeln!(text, "device {} {}|{}|{} silent {} clock {clock}", d.mds, d.manufacturer, d.model, d.version, d.silent)
            }
            Item::Group(g) => writeln!(text, " group {} {}", term(g.vmd), term(g.channel)),
            Item::Measurement(m) => {
                let value = match m.value {
                    Reading::Absent => "-".to_owned(),
                    Reading::Number(text) => text.to_string(),
                    Reading::Words(text) => format!("\"{text}\""),
                    Reading::Coded(of, text) => format!("{}={text}", term(of)),
                };
                self.values.push((m.code.id.to_string(), value.clone()));
                self.spans.push((m.code.id.to_string(), m.span));
                let _ = write!(text, "  {} {} = {value} {}", m.code.id, term(m.term), m.unit.sent);
                if m.unit.mdc != 0 {
                    let _ = write!(text, "({})", m.unit.mdc);
                }
                if !m.site.is_none() {
                    let _ = write!(text, " at {}", term(m.site));
                }
                if m.once {
                    text.push_str(" once");
                }
                if let Some(at) = m.at {
                    let _ = write!(text, " {at}");
                }
                writeln!(text, " {:?} {:?}", m.validity, m.alarm)
            }
            Item::End(e) => writeln!(text, "end complete {}", e.complete),
            other => panic!("{other:?}"),
        };
    }

    fn note(&mut self, note: Note<'m>) {
        let _ = writeln!(self.text, "! {:?} {}", note.kind, note.span);
    }
}

pub fn interpret(interpreter: &dyn Interpreter, raw: &[u8]) -> Dump {
    let message = StoredMessage {
        raw,
        chunk_ends: &[u32::try_from(raw.len()).unwrap()],
        complete: true,
        received: Utc(0),
        clock: ClockQuality::Synchronised,
    };
    let mut space = vec![0; raw.len() * 2 + 1024];
    let mut dump = Dump::default();
    interpreter.interpret(&message, &mut Scratch::new(&mut space), &mut dump).unwrap_or_else(|e| panic!("{e}"));
    dump
}

/// The bedside captures that `ORUGATE_CORPUS` names; `None`, said, when it is unset.
#[allow(clippy::print_stderr)]
pub fn corpus() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("ORUGATE_CORPUS") else {
        eprintln!("skipped: ORUGATE_CORPUS is not set");
        return None;
    };
    // A relative path counts from the workspace, where cargo was called, not from this crate.
    let bedside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder).join("bedside");
    assert!(bedside.is_dir(), "ORUGATE_CORPUS is set, but has no folder bedside");
    Some(bedside)
}
