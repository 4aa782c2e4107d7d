//! What the tests share: a gateway's end of a session on a fake clock with slots and a store, and items as text.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use orugate_driver::report::{At, Item, Marks, Note, Reading, ReportSink};
use orugate_driver::snapshot::Writer;
use orugate_driver::time::{ClockQuality, Tick, Utc};
use orugate_driver::{
    Channel, Deadline, Driver, Input, Interpreter, MessageEnd, Output, Peer, Profile, Scratch, Session, Slot,
    State, Stored, StoredMessage, Ticket,
};
use orugate_lines::LINES;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub fn profile(toml: &str) -> Box<dyn Profile> {
    LINES.profile(toml).unwrap_or_else(|e| panic!("{e}"))
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
    /// What was taken, since the last snapshot.
    pub taken: Vec<(Tick, Vec<u8>)>,
    /// How often something was said to stand, in all.
    pub kept: usize,
    pub states: Vec<State>,
    /// How often all was forgotten.
    pub forgotten: usize,
    pub notes: Vec<String>,
    pub lost: usize,
    pub deadline: Option<Deadline>,
    pub closed: Vec<Channel>,
    pub done: bool,
    /// Results that were stored, and whether they were whole.
    pub stored: Vec<(Vec<u8>, bool)>,
    pub ticket: Option<Ticket>,
    /// Every result is on flash at once.
    pub prompt: bool,
}

impl Rig {
    pub fn new(session: Box<dyn Session>) -> Self {
        let mut rig = Self {
            session,
            now: Tick::ZERO,
            channel: Channel(0),
            sent: Vec::new(),
            standing: BTreeMap::new(),
            taken: Vec::new(),
            kept: 0,
            states: Vec::new(),
            forgotten: 0,
            notes: Vec::new(),
            lost: 0,
            deadline: None,
            closed: Vec::new(),
            done: false,
            stored: Vec::new(),
            ticket: None,
            prompt: true,
        };
        rig.give(Input::Opened(Channel(0), Peer::Serial { baud: 19200 }));
        rig
    }

    pub fn give(&mut self, input: Input<'_>) {
        self.session.handle(self.now, input);
        self.drain();
        while self.prompt
            && let Some(ticket) = self.ticket.take()
        {
            self.session.handle(self.now, Input::Stored(Stored::after_sync(ticket)));
            self.drain();
        }
    }

    fn drain(&mut self) {
        for _ in 0..100_000 {
            match self.session.poll() {
                Output::Send(channel, bytes) => {
                    assert_eq!(channel, self.channel, "sent on a channel that is gone");
                    self.sent.extend_from_slice(bytes);
                    self.session.handle(self.now, Input::Sent(channel));
                }
                Output::Store(ticket, chunk) => {
                    assert!(self.ticket.is_none() && chunk.first, "two tickets are open");
                    self.ticket = Some(ticket);
                    self.stored.push((chunk.bytes.to_vec(), chunk.last == Some(MessageEnd::Complete)));
                }
                Output::Current(channel, slot, bytes) => {
                    assert_eq!(channel, self.channel);
                    self.kept += 1;
                    assert!(slot.0 < Slot::COUNT && bytes.len() <= Slot::MOST);
                    self.standing.insert(slot, (self.now, bytes.to_vec()));
                }
                Output::Taken(_, bytes) => self.taken.push((self.now, bytes.to_vec())),
                Output::Forget(_, slot) => drop(self.standing.remove(&slot)),
                Output::ForgetAll(_) => {
                    self.forgotten += 1;
                    self.standing.clear();
                }
                Output::State(state) => self.states.push(state),
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
                    self.deadline = None;
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
        let mut raw = Vec::new();
        let mut writer = Writer::new(&mut raw, Utc(0), Utc(i64::try_from(self.now.micros()).unwrap()));
        for (at, bytes) in self.taken.drain(..) {
            writer.taken(self.now.since(at), &bytes);
        }
        for (slot, (at, bytes)) in &self.standing {
            writer.current(*slot, self.now.since(*at), bytes);
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

/// The marks that tests ask about.
fn marks(marks: Marks) -> String {
    const ALL: [(Marks, &str); 9] = [
        (Marks::ALINH, "ALINH"),
        (Marks::INV, "INV"),
        (Marks::QUES, "QUES"),
        (Marks::NAV, "NAV"),
        (Marks::CAL, "CAL"),
        (Marks::EARLY, "EARLY"),
        (Marks::OFF, "OFF"),
        (Marks::OVER, "OVER"),
        (Marks::UNDER, "UNDER"),
    ];
    ALL.iter().filter(|(mark, _)| marks.has(*mark)).map(|(_, name)| *name).collect::<Vec<_>>().join("+")
}

impl<'m> ReportSink<'m> for Dump {
    fn item(&mut self, item: Item<'m>) {
        let text = &mut self.text;
        let _ = match item {
            Item::Device(d) => {
                let clock =
                    d.clock.map_or_else(|| "-".into(), |c| format!("{} at {}", c.device, c.received.0));
                writeln!(text, "device {} {}|{}|{} clock {clock}", d.mds, d.manufacturer, d.model, d.serial)
            }
            Item::Group(g) => {
                writeln!(text, " {} {}.{} {} {}", g.name, g.vmd_place, g.channel_place, g.vmd, g.channel)
            }
            Item::Measurement(m) => {
                let value = match m.value {
                    Reading::Absent => "-".to_owned(),
                    Reading::Number(text) => text.to_string(),
                    Reading::Words(text) => format!("\"{text}\""),
                    Reading::Coded(of, text) => format!("{of}={text}"),
                };
                self.values.push((m.code.id.to_string(), value.clone()));
                self.spans.push((m.code.id.to_string(), m.span));
                let _ = write!(text, "  {} {} {} = {value} {}", m.place, m.code.id, m.term, m.unit.text);
                if m.unit.mdc != 0 {
                    let _ = write!(text, "({})", m.unit.mdc);
                }
                if !m.label.is_empty() {
                    let _ = write!(text, " [{}]", m.label);
                }
                if m.once {
                    text.push_str(" once");
                }
                if let At::Device(at) = m.at {
                    let _ = write!(text, " {at}");
                }
                if m.marks != Marks::NONE {
                    let _ = write!(text, " {}: {}", marks(m.marks), m.why);
                }
                if let Some(alarm) = m.alarm {
                    let _ = write!(text, " alarm {:?} {:?}", alarm.side, alarm.priority);
                }
                writeln!(text)
            }
            Item::Sender(s) => writeln!(text, "sender {}|{}|{}", s.name, s.serial, s.version),
            Item::Specimen(s) => writeln!(text, "specimen [{}] {} {:?}", s.id, s.kind, s.qc),
            Item::Order(o) => writeln!(text, " order {}|{}", o.code.id, o.code.name),
            Item::Comment(c) => writeln!(text, "   {:?}: {}{}", c.level, c.label, c.text),
            Item::Observation(o) => {
                self.values.push((o.code.id.to_string(), o.value.to_string()));
                self.spans.push((o.code.id.to_string(), o.span));
                let _ = write!(text, "  {} = [{}] {}", o.code.id, o.value, o.unit);
                for (flag, known) in o.flags.iter() {
                    let _ = write!(text, " {flag}={}", known.and_then(|k| k.hl7).unwrap_or("?"));
                }
                for word in [o.not_reportable, o.doubt].into_iter().flatten() {
                    let _ = write!(text, " ({word})");
                }
                if let Some(time) = o.completed {
                    let _ = write!(text, " {time}");
                }
                if !o.run.is_empty() {
                    let _ = write!(text, " run:{}", o.run);
                }
                writeln!(text)
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
    interpreter
        .interpret(&message, &mut Scratch::new(&mut space), &mut dump)
        .unwrap_or_else(|e| panic!("{e}"));
    dump
}

/// The captures that `ORUGATE_CORPUS` names; `None`, said, when it is unset.
#[allow(clippy::print_stderr)]
pub fn corpus() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("ORUGATE_CORPUS") else {
        eprintln!("skipped: ORUGATE_CORPUS is not set");
        return None;
    };
    // A relative path counts from the workspace, where cargo was called, not from this crate.
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    assert!(corpus.join("bedside").is_dir(), "ORUGATE_CORPUS is set, but has no folder bedside");
    Some(corpus)
}
