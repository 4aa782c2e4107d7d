//! What the tests share: a gateway's end of a session on a fake clock, and items as text.

#![allow(dead_code, unreachable_pub, clippy::disallowed_methods)]

use orugate_astm::ASTM;
use orugate_driver::report::{Item, Note, ReportSink};
use orugate_driver::time::{ClockQuality, Tick, Utc};
use orugate_driver::{
    Channel, Deadline, Driver, Input, Interpreter, MessageEnd, Output, Peer, Profile, Scratch, Session,
    Stored, StoredMessage, Ticket,
};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub const GENERIC: &str = include_str!("../../../profiles/generic-astm.toml");
pub const XN: &str = include_str!("../../../profiles/sysmex-xn-l.toml");
pub const YUMIZEN: &str = include_str!("../../../profiles/horiba-yumizen.toml");
pub const COBAS: &str = include_str!("../../../profiles/roche-cobas-c.toml");

pub fn profile(toml: &str) -> Box<dyn Profile> {
    ASTM.profile(toml).unwrap_or_else(|e| panic!("{e}"))
}

/// The generic profile with other lines before its tables and more after.
pub fn variant(top: &str, link: &str) -> Box<dyn Profile> {
    let toml = GENERIC.replacen("charset =", &format!("{top}\ncharset ="), 1);
    let toml = toml.replacen("frame_numbers = \"any\"", link, 1);
    profile(&toml)
}

/// A stored message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub chunks: Vec<Vec<u8>>,
    pub end: Option<MessageEnd>,
}

impl Message {
    pub fn raw(&self) -> Vec<u8> {
        self.chunks.concat()
    }

    pub fn with<R>(&self, run: impl FnOnce(&StoredMessage<'_>) -> R) -> R {
        let raw = self.raw();
        let mut end = 0;
        let ends: Vec<u32> = self
            .chunks
            .iter()
            .map(|chunk| {
                end += u32::try_from(chunk.len()).unwrap();
                end
            })
            .collect();
        run(&StoredMessage {
            raw: &raw,
            chunk_ends: &ends,
            complete: self.end == Some(MessageEnd::Complete),
            received: Utc(0),
            clock: ClockQuality::Synchronised,
        })
    }
}

/// One session with a clock, a wire and a store that a test holds in its hands.
pub struct Rig {
    pub session: Box<dyn Session>,
    pub now: Tick,
    pub channel: Channel,
    /// What was sent since it was last taken.
    pub sent: Vec<u8>,
    /// Tickets that wait.
    pub open: Vec<Ticket>,
    /// All that was stored or is to be.
    pub messages: Vec<Message>,
    pub notes: Vec<String>,
    pub deadline: Option<Deadline>,
    pub closed: Vec<Channel>,
    pub done: bool,
    /// Every chunk is on flash at once.
    pub prompt: bool,
}

impl Rig {
    pub fn new(session: Box<dyn Session>) -> Self {
        let mut rig = Self {
            session,
            now: Tick::ZERO,
            channel: Channel(0),
            sent: Vec::new(),
            open: Vec::new(),
            messages: Vec::new(),
            notes: Vec::new(),
            deadline: None,
            closed: Vec::new(),
            done: false,
            prompt: true,
        };
        rig.give(Input::Opened(Channel(0), Peer::Tcp));
        rig
    }

    pub fn manual(session: Box<dyn Session>) -> Self {
        Self { prompt: false, ..Self::new(session) }
    }

    pub fn give(&mut self, input: Input<'_>) {
        self.session.handle(self.now, input);
        self.drain();
        while self.prompt
            && let Some(ticket) = self.open.pop()
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
                    assert!(self.open.is_empty(), "two tickets are open");
                    self.open.push(ticket);
                    if chunk.first {
                        self.messages.push(Message::default());
                    }
                    let message = self.messages.last_mut().expect("a first chunk");
                    assert_eq!(message.end, None, "a chunk after the end of its message");
                    message.chunks.push(chunk.bytes.to_vec());
                    message.end = chunk.last;
                }
                Output::Note(note) => self.notes.push(note.to_string()),
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

    /// What was sent since the last call.
    pub fn sent(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.sent)
    }

    pub fn stored(&mut self) {
        let ticket = self.open.pop().expect("a ticket is open");
        self.give(Input::Stored(Stored::after_sync(ticket)));
    }

    pub fn refused(&mut self) {
        let ticket = self.open.pop().expect("a ticket is open");
        self.give(Input::Refused(ticket));
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
    }

    pub fn open_another(&mut self) {
        self.channel = Channel(self.channel.0 + 1);
        self.give(Input::Opened(self.channel, Peer::Tcp));
    }

    pub fn ends(&self) -> Vec<Option<MessageEnd>> {
        self.messages.iter().map(|message| message.end).collect()
    }
}

/// Items and notes, a line each.
#[derive(Default)]
pub struct Dump {
    pub text: String,
    pub observations: usize,
    pub doubts: usize,
}

impl<'m> ReportSink<'m> for Dump {
    fn item(&mut self, item: Item<'m>) {
        let text = &mut self.text;
        let _ = match item {
            Item::Sender(s) => {
                writeln!(text, "sender {}|{}|{}|{:?} {}", s.name, s.serial, s.version, s.qc, time(s.time))
            }
            Item::Patient(p) => writeln!(
                text,
                "patient {}|{}|{} {}^{}^{} {} {}",
                p.practice_id,
                p.laboratory_id,
                p.third_id,
                p.family,
                p.given,
                p.middle,
                time(p.birth),
                p.sex
            ),
            Item::Specimen(s) => writeln!(text, "specimen [{}] {} {} {:?}", s.id, s.id_place, s.kind, s.qc),
            Item::Order(o) => {
                writeln!(
                    text,
                    " order {}|{}|{} cancelled {}",
                    o.code.id, o.code.name, o.code.system, o.cancelled
                )
            }
            Item::Observation(o) => {
                self.observations += 1;
                self.doubts += usize::from(o.doubt.is_some());
                let flags: Vec<_> = o
                    .flags
                    .iter()
                    .map(|(flag, known)| format!("{flag}={}", known.and_then(|k| k.hl7).unwrap_or("?")))
                    .collect();
                let _ = write!(
                    text,
                    "  {}|{} = [{}] {} ({}) {} {:?}",
                    o.code.id,
                    o.code.loinc,
                    o.value,
                    o.unit,
                    o.range,
                    flags.join(","),
                    o.status,
                );
                let _ = write!(text, " {}..{}", time(o.started), time(o.completed));
                for (name, value) in [
                    ("by", o.operator),
                    ("ok", o.verifier),
                    ("at", o.device),
                    ("run", o.run),
                    ("rep", o.replicate),
                ] {
                    if !value.is_empty() {
                        let _ = write!(text, " {name}:{value}");
                    }
                }
                if let Some(rule) = o.not_reportable {
                    let _ = write!(text, " NOT REPORTABLE {rule}");
                }
                if let Some(doubt) = o.doubt {
                    let _ = write!(text, " DOUBT {}", doubt.split(',').next().unwrap_or_default());
                }
                if o.suspect {
                    text.push_str(" SUSPECT");
                }
                writeln!(text)
            }
            Item::Comment(c) => writeln!(text, "   {:?}: {}", c.level, c.text),
            Item::Query(q) => writeln!(text, "query [{}]", q.specimen),
            Item::End(e) => writeln!(text, "end complete {}", e.complete),
            _ => writeln!(text, "?"),
        };
    }

    fn note(&mut self, note: Note<'m>) {
        let _ = writeln!(self.text, "! {:?} {} {}", note.kind, note.span, note.subject);
    }
}

fn time(time: Option<orugate_driver::time::DeviceTime>) -> String {
    time.map_or_else(|| "-".into(), |time| time.to_string())
}

pub fn interpret(interpreter: &dyn Interpreter, message: &Message) -> Dump {
    message.with(|message| {
        let mut space = vec![0; message.raw.len() + 1024];
        let mut dump = Dump::default();
        let mut scratch = Scratch::new(&mut space);
        interpreter.interpret(message, &mut scratch, &mut dump).unwrap_or_else(|e| panic!("{e}"));
        dump
    })
}

/// A whole message of bare records, line by line.
pub fn records(text: &str, end: MessageEnd) -> Message {
    Message { chunks: vec![text.replace('\n', "\r").into_bytes()], end: Some(end) }
}

/// Reads bytes as a capture file.
pub fn capture(profile: &dyn Profile, pieces: &[&[u8]]) -> Rig {
    let mut rig = Rig::new(profile.capture_session());
    for piece in pieces {
        rig.bytes(piece);
    }
    rig.close();
    rig
}

/// The laboratory captures that `ORUGATE_CORPUS` names; `None`, said, when it is unset.
pub fn corpus() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("ORUGATE_CORPUS") else {
        eprintln!("skipped: ORUGATE_CORPUS is not set");
        return None;
    };
    // A relative path counts from the workspace, where cargo was called, not from this crate.
    let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder).join("lab");
    assert!(lab.is_dir(), "ORUGATE_CORPUS is set, but has no folder lab");
    Some(lab)
}
