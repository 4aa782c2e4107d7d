//! What the tests share: one end of a line on a fake clock, both ends with a wire between them, and items as text.

#![allow(dead_code, unreachable_pub)]

use orugate_driver::report::{Item, Kind as Sort, Marks, Measurement, Note, Reading, ReportSink};
use orugate_driver::snapshot::Writer;
use orugate_driver::time::{ClockQuality, Tick, Utc};
use orugate_driver::{
    Channel, Deadline, Driver, Input, Instrument, Output, Peer, Profile, Scratch, Session, SimulatedFault,
    Slot, State, StoredMessage,
};
use orugate_medibus::MEDIBUS;
use orugate_medibus::wire::{Event, Frame, Kind, Splitter, open};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

pub const GENERIC: &str = include_str!("../../../profiles/draeger-medibus.toml");
pub const EVITA: &str = include_str!("../../../profiles/draeger-evita.toml");
pub const V500: &str = include_str!("../../../profiles/draeger-infinity-v500.toml");

/// The least that a profile needs.
pub const LEAST: &str =
    "name = \"x\"\ndriver = \"medibus\"\ntitle = \"X\"\nevidence = \"described\"\nstale_after = \"45 s\"\n";

pub fn profile(toml: &str) -> Box<dyn Profile> {
    MEDIBUS.profile(toml).unwrap_or_else(|e| panic!("{e}"))
}

/// A session with a clock and a wire that a test holds in its hands, and what it keeps.
pub struct Rig {
    pub session: Box<dyn Session>,
    pub now: Tick,
    pub channel: Channel,
    /// What was sent since it was last taken.
    pub sent: Vec<u8>,
    pub kept: BTreeMap<u16, (Tick, Vec<u8>)>,
    /// What was taken, and when.
    pub taken: Vec<(Tick, Vec<u8>)>,
    /// How it stood, one after the other.
    pub states: Vec<State>,
    /// Times that all was forgotten.
    pub forgotten: usize,
    pub notes: Vec<String>,
    pub deadline: Option<Deadline>,
    pub closed: Vec<Channel>,
    pub done: bool,
}

impl Rig {
    pub fn new(session: Box<dyn Session>) -> Self {
        Self::with(session, Peer::Serial { baud: 19_200 })
    }

    pub fn with(session: Box<dyn Session>, peer: Peer) -> Self {
        let mut rig = Self {
            session,
            now: Tick::ZERO,
            channel: Channel(0),
            sent: Vec::new(),
            kept: BTreeMap::new(),
            taken: Vec::new(),
            states: Vec::new(),
            forgotten: 0,
            notes: Vec::new(),
            deadline: None,
            closed: Vec::new(),
            done: false,
        };
        rig.give(Input::Opened(Channel(0), peer));
        rig
    }

    pub fn live(toml: &str) -> Self {
        Self::new(profile(toml).session(&Instrument::default()))
    }

    pub fn give(&mut self, input: Input<'_>) {
        if self.done {
            return;
        }
        self.session.handle(self.now, input);
        for _ in 0..100_000 {
            match self.session.poll() {
                Output::Send(channel, bytes) => {
                    assert_eq!(channel, self.channel, "sent on a channel that is gone");
                    self.sent.extend_from_slice(bytes);
                    self.session.handle(self.now, Input::Sent(channel));
                }
                Output::Current(channel, slot, bytes) => {
                    assert!(slot.0 < Slot::COUNT && bytes.len() <= Slot::MOST);
                    assert_eq!(channel, self.channel);
                    self.kept.insert(slot.0, (self.now, bytes.to_vec()));
                }
                Output::Taken(_, bytes) => {
                    assert!(bytes.len() <= Slot::MOST);
                    self.taken.push((self.now, bytes.to_vec()));
                }
                Output::Forget(_, slot) => drop(self.kept.remove(&slot.0)),
                Output::ForgetAll(_) => {
                    self.kept.clear();
                    self.forgotten += 1;
                }
                Output::State(state) => self.states.push(state),
                Output::Note(note) => self.notes.push(note.to_string()),
                Output::Close(channel, _) => self.closed.push(channel),
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    return;
                }
                Output::Done => {
                    self.deadline = None;
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

    pub fn stop(&mut self) {
        self.give(Input::Stop);
    }

    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.sent)
    }

    /// The good frames that were sent since they were last taken, as `> 52` and `< 52 data`.
    pub fn said(&mut self) -> Vec<String> {
        frames(&self.take())
    }

    /// Lets time pass; deadlines come when they are due.
    pub fn pass(&mut self, wait: Duration) {
        let end = self.now.after(wait);
        while let Some(deadline) = self.deadline.filter(|deadline| deadline.at <= end) {
            self.now = self.now.max(deadline.at);
            self.give(Input::Deadline);
        }
        self.now = end;
    }

    /// What would be in a snapshot now.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut raw = Vec::new();
        let mut writer = Writer::new(&mut raw, Utc(0), Utc(i64::try_from(self.now.micros()).unwrap()));
        for (received, bytes) in &self.taken {
            writer.taken(self.now.since(*received), bytes);
        }
        for (slot, (received, bytes)) in &self.kept {
            writer.current(Slot(*slot), self.now.since(*received), bytes);
        }
        raw
    }

    pub fn kept_of(&self, command: u8) -> Option<String> {
        let bytes = &self.kept.get(&command.into())?.1;
        Some(String::from_utf8_lossy(open(bytes).expect("only good frames are kept").data).into_owned())
    }
}

/// Frames of a line, which must all be good.
pub fn frames(line: &[u8]) -> Vec<String> {
    let mut splitter = Splitter::default();
    let mut said = Vec::new();
    for byte in line {
        match splitter.byte(*byte) {
            None => {}
            Some(Event::Frame { bytes, .. }) => {
                let Frame { kind, code, data } =
                    open(bytes).unwrap_or_else(|bad| panic!("{bad:?} in {bytes:?}"));
                let sign = if kind == Kind::Command { '>' } else { '<' };
                let text = format!("{sign} {code:02X} {}", String::from_utf8_lossy(data));
                said.push(text.trim_end().to_owned());
            }
            Some(other) => panic!("{other:?}"),
        }
    }
    assert!(!splitter.is_open(), "a frame is not whole");
    said
}

/// A gateway and a device with a wire between them.
pub struct Pair {
    pub gateway: Rig,
    pub device: Rig,
    /// All that was on the wire from the gateway.
    pub asked: Vec<u8>,
    /// And from the device.
    pub answered: Vec<u8>,
}

impl Pair {
    pub fn new(toml: &str, scenes: &[&str], faults: &[SimulatedFault]) -> Self {
        let profile = profile(toml);
        let scenes = scenes.iter().map(|scene| scene.as_bytes().to_vec()).collect();
        Self {
            gateway: Rig::new(profile.session(&Instrument::default())),
            device: Rig::new(profile.simulator(scenes, faults)),
            asked: Vec::new(),
            answered: Vec::new(),
        }
    }

    fn carry(&mut self) {
        for _ in 0..10_000 {
            let (there, back) = (self.gateway.take(), self.device.take());
            if there.is_empty() && back.is_empty() {
                return;
            }
            self.asked.extend_from_slice(&there);
            self.answered.extend_from_slice(&back);
            if !back.is_empty() {
                self.gateway.bytes(&back);
            }
            if !there.is_empty() {
                self.device.bytes(&there);
            }
            // A wire has a speed: without it a cycle would take no time.
            let took = Duration::from_micros(520) * u32::try_from(there.len() + back.len()).unwrap();
            self.gateway.pass(took);
            self.device.pass(took);
        }
        panic!("no end");
    }

    pub fn run(&mut self, wait: Duration) {
        let end = self.gateway.now.after(wait);
        self.carry();
        while self.gateway.now < end {
            self.gateway.pass(Duration::from_millis(50));
            self.device.pass(Duration::from_millis(50));
            self.carry();
        }
    }
}

/// Items and notes, a line each.
#[derive(Default)]
pub struct Dump {
    pub text: String,
    pub measurements: usize,
}

impl<'m> ReportSink<'m> for Dump {
    fn item(&mut self, item: Item<'m>) {
        let text = &mut self.text;
        let _ = match item {
            Item::Device(d) => {
                let clock = d.clock.map_or_else(|| "-".to_owned(), |shown| shown.device.to_string());
                writeln!(text, "device {} {}|{}|{} {clock}", d.mds, d.manufacturer, d.model, d.version)
            }
            Item::Group(g) => {
                writeln!(text, " group {} {} at {}.{}", g.vmd, g.channel, g.vmd_place, g.channel_place)
            }
            Item::Measurement(m) => {
                self.measurements += 1;
                writeln!(text, "  {}", measurement(&m))
            }
            Item::End(_) => writeln!(text, "end"),
            other => writeln!(text, "? {other:?}"),
        };
    }

    fn note(&mut self, note: Note<'m>) {
        let _ = writeln!(self.text, "! {:?} {}", note.kind, note.span);
    }
}

const MARKS: [(Marks, &str); 3] = [(Marks::INV, "INV"), (Marks::NAV, "NAV"), (Marks::DEMO, "DEMO")];

fn measurement(m: &Measurement<'_>) -> String {
    let value = match &m.value {
        Reading::Absent => "ABSENT".to_owned(),
        Reading::Number(text) => text.to_string(),
        Reading::Coded(code, text) => format!("{code}^{text}"),
        Reading::Words(text) => format!("\"{text}\""),
    };
    let mut text =
        format!("{} {} {}|{}|{} = {value}", m.place, m.term, m.code.id, m.code.name, m.code.system);
    if m.unit.mdc > 0 || !m.unit.text.is_empty() {
        let _ = write!(text, " {} ({})", m.unit.text, m.unit.mdc);
    }
    if !m.low.is_empty() || !m.high.is_empty() {
        let _ = write!(text, " [{}..{}]", m.low, m.high);
    }
    for (mark, name) in MARKS {
        if m.marks.has(mark) {
            let _ = write!(text, " {name} {:?}", m.why);
        }
    }
    if let Some(alarm) = m.alarm {
        let _ = write!(text, " {:?}", alarm.priority);
    }
    if m.kind != Sort::Measured {
        let _ = write!(text, " {:?}", m.kind);
    }
    if m.once {
        text.push_str(" once");
    }
    text
}

/// Runs an interpreter over a message.
pub fn interpret(profile: &dyn Profile, raw: &[u8]) -> Dump {
    let ends = [u32::try_from(raw.len()).unwrap()];
    let message = StoredMessage {
        raw,
        chunk_ends: &ends,
        complete: true,
        received: Utc(0),
        clock: ClockQuality::Synchronised,
    };
    let mut space = vec![0; raw.len() + 1024];
    let mut dump = Dump::default();
    let result = profile.interpreter().interpret(&message, &mut Scratch::new(&mut space), &mut dump);
    result.unwrap_or_else(|e| panic!("{e}"));
    dump
}

/// What comes of a script's answers, all received at second 60 of a snapshot that ends then.
pub fn of_script(toml: &str, script: &str) -> String {
    let profile = profile(toml);
    let mut rig = Rig::with(profile.capture_session(), Peer::Capture);
    rig.bytes(&profile.example_bytes(script));
    interpret(&*profile, &rig.snapshot()).text
}
