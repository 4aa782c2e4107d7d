//! What the tests share: a client and a monitor on one wire and one fake clock, a stage that makes snapshots, and items as text.

#![allow(dead_code, unreachable_pub)]

use orugate_driver::report::{At, Item, Marks, Measurement, Note, Reading, ReportSink};
use orugate_driver::snapshot::Writer;
use orugate_driver::time::{ClockQuality, Tick, Utc};
use orugate_driver::{
    Channel, Driver, Input, Instrument, Interpreter, Output, Peer, Profile, Scratch, Session, SimulatedFault,
    Slot, State, StoredMessage,
};
use orugate_intellivue::INTELLIVUE;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::time::Duration;

pub const UDP: &str = include_str!("../../../profiles/philips-intellivue.toml");
pub const MIB: &str = include_str!("../../../profiles/philips-intellivue-mib.toml");

pub const SCRIPT: &str = "
monitor model=M8007A serial=DE00000001 version=J.10.26 mac=00:09:FB:01:02:03 bed=ICU-7 time=20260301100000
patient id=4711 family=Doe given=Jane inside=a
answer
8501 HR label=00024182 unit=0AA0 access=4228 4182=72
8502 SpO₂ label=00024BB8 unit=0220 access=4228 4BB8=97.5
8503 ABP label=00024A14 unit=0F20 access=4228 4A15=120 4A16=80 4A17=93
8504 NBP label=00024A04 unit=0F20 access=F000 at=20260301095500 4A05=118 4A06=76 4A07=90
8505 Pulse label=80035402 unit=0AA0 access=4228 480A=71
8506 T1 label=0002F0C7 unit=17A0 access=4228 F0C7=36.80
8507 CPP label=00025804 unit=0F20 access=4228
8508 etCO₂ label=000250B0 unit=0F20 access=4228 state=8000 50B0=38
repeat
";

pub fn profile(toml: &str) -> Box<dyn Profile> {
    INTELLIVUE.profile(toml).unwrap_or_else(|e| panic!("{e}"))
}

/// What a session said that the stage keeps.
#[derive(Default)]
pub struct Stage {
    pub current: BTreeMap<Slot, (Tick, Vec<u8>)>,
    pub taken: Vec<(Tick, Vec<u8>)>,
    /// One for each time that all was forgotten: what stood then.
    pub forgotten: usize,
    pub states: Vec<State>,
    pub notes: Vec<String>,
    pub lost: usize,
    /// Snapshots that were made before something was replaced, of a capture.
    pub snapshots: Vec<Vec<u8>>,
}

impl Stage {
    pub fn snapshot(&self, now: Tick) -> Vec<u8> {
        let mut raw = Vec::new();
        let ended = Utc(i64::try_from(now.micros()).unwrap());
        let mut writer = Writer::new(&mut raw, Utc(0), ended);
        for (came, bytes) in &self.taken {
            writer.taken(now.since(*came), bytes);
        }
        for (slot, (came, bytes)) in &self.current {
            writer.current(*slot, now.since(*came), bytes);
        }
        raw
    }

    fn take(&mut self, now: Tick, output: &Output<'_>) -> bool {
        match output {
            Output::Current(_, slot, bytes) => {
                assert!(bytes.len() <= Slot::MOST && slot.0 < Slot::COUNT);
                self.current.insert(*slot, (now, bytes.to_vec()));
            }
            Output::Taken(_, bytes) => self.taken.push((now, bytes.to_vec())),
            Output::Forget(_, slot) => {
                self.current.remove(slot);
            }
            Output::ForgetAll(_) => {
                self.forgotten += 1;
                self.current.clear();
                self.taken.clear();
            }
            Output::State(state) => self.states.push(*state),
            Output::Note(note) => {
                self.notes.push(note.to_string());
                let orugate_driver::NoteKind::Link { lost, .. } = note.kind else { panic!() };
                self.lost += usize::from(lost);
            }
            _ => return false,
        }
        true
    }
}

/// A client, a monitor, and the wire between them.
pub struct Rig {
    pub client: Box<dyn Session>,
    pub monitor: Option<Box<dyn Session>>,
    pub now: Tick,
    pub stage: Stage,
    peer: Peer,
    pub done: bool,
    pub monitor_done: bool,
    due: [Option<Tick>; 2],
    waiting: VecDeque<(bool, Vec<u8>)>,
    /// What the client said, with its time.
    pub said: Vec<(Tick, Vec<u8>)>,
    pub closed: bool,
    /// Datagrams from the client that are lost on the way, by their number.
    pub deaf: Box<dyn Fn(usize) -> bool>,
}

impl Rig {
    pub fn new(toml: &str, script: &str, faults: &[SimulatedFault]) -> Self {
        let profile = profile(toml);
        let monitor = profile.simulator(vec![script.as_bytes().to_vec()], faults);
        let peer = if toml.contains("\"udp\"") { Peer::Datagrams } else { Peer::Serial { baud: 115_200 } };
        let mut rig = Self {
            client: profile.session(&Instrument::default()),
            monitor: Some(monitor),
            now: Tick::ZERO,
            stage: Stage::default(),
            peer,
            done: false,
            monitor_done: false,
            due: [None, None],
            waiting: VecDeque::new(),
            said: Vec::new(),
            closed: false,
            deaf: Box::new(|_| false),
        };
        rig.open();
        rig
    }

    pub fn open(&mut self) {
        self.closed = false;
        self.open_monitor();
        self.open_client();
    }

    pub fn open_monitor(&mut self) {
        if let Some(monitor) = &mut self.monitor {
            monitor.handle(self.now, Input::Opened(Channel(1), self.peer));
        }
        self.drain();
    }

    pub fn open_client(&mut self) {
        self.client.handle(self.now, Input::Opened(Channel(0), self.peer));
        self.drain();
    }

    /// What was said first is not heard: the association is asked for anew, and of that these are lost.
    pub fn lose(&mut self, numbers: &[usize]) {
        let numbers = numbers.to_vec();
        self.client =
            profile(if self.peer == Peer::Datagrams { UDP } else { MIB }).session(&Instrument::default());
        self.monitor = Some(
            profile(if self.peer == Peer::Datagrams { UDP } else { MIB }).simulator(vec![SCRIPT.into()], &[]),
        );
        self.stage = Stage::default();
        self.said.clear();
        self.deaf = Box::new(move |n| numbers.contains(&n));
        self.open();
    }

    pub fn give(&mut self, input: Input<'_>) {
        self.client.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        for round in 0.. {
            assert!(round < 10_000, "outputs without end");
            self.drain_client();
            self.drain_monitor();
            let Some((to_client, bytes)) = self.waiting.pop_front() else { return };
            if to_client {
                self.client.handle(self.now, Input::Bytes(Channel(0), &bytes));
            } else if let Some(monitor) = &mut self.monitor {
                monitor.handle(self.now, Input::Bytes(Channel(1), &bytes));
            }
        }
    }

    fn drain_client(&mut self) {
        loop {
            let output = self.client.poll();
            match &output {
                Output::Send(channel, bytes) => {
                    assert_eq!(*channel, Channel(0));
                    let bytes = bytes.to_vec();
                    self.said.push((self.now, bytes.clone()));
                    if !(self.deaf)(self.said.len() - 1) {
                        self.waiting.push_back((false, bytes));
                    }
                }
                Output::Wait(deadline) => {
                    self.due[0] = deadline.map(|deadline| deadline.at);
                    return;
                }
                Output::Done => {
                    self.done = true;
                    self.due[0] = None;
                    return;
                }
                other => assert!(self.stage.take(self.now, other), "{other:?}"),
            }
        }
    }

    fn drain_monitor(&mut self) {
        let Some(monitor) = &mut self.monitor else { return };
        loop {
            match monitor.poll() {
                Output::Send(_, bytes) => self.waiting.push_back((true, bytes.to_vec())),
                Output::Close(..) => {
                    self.closed = true;
                }
                Output::Wait(deadline) => {
                    self.due[1] = deadline.map(|deadline| deadline.at);
                    return;
                }
                Output::Done => {
                    self.monitor_done = true;
                    self.due[1] = None;
                    return;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Lets so much time pass, from deadline to deadline.
    pub fn run(&mut self, seconds: f64) {
        let end = self.now.after(Duration::from_secs_f64(seconds));
        loop {
            if self.closed {
                self.closed = false;
                self.give(Input::Closed(Channel(0)));
            }
            let next = self.due.iter().flatten().min().copied().filter(|next| *next <= end);
            let Some(next) = next else { break };
            self.now = self.now.max(next);
            for side in 0..2 {
                if self.due[side].is_some_and(|due| due <= self.now) {
                    self.due[side] = None;
                    match (side, &mut self.monitor) {
                        (0, _) => self.client.handle(self.now, Input::Deadline),
                        (_, Some(monitor)) => monitor.handle(self.now, Input::Deadline),
                        _ => {}
                    }
                    self.drain();
                }
            }
        }
        self.now = end;
    }

    /// The snapshot of now, as text.
    pub fn items(&mut self, toml: &str) -> String {
        let raw = self.stage.snapshot(self.now);
        interpret(&*profile(toml).interpreter(), &raw)
    }
}

/// A capture through the capture session: what stands each time that something is replaced, and at the end.
pub fn capture(profile: &dyn Profile, pieces: &[&[u8]]) -> Stage {
    let mut session = profile.capture_session();
    let mut stage = Stage::default();
    let mut now = Tick::ZERO;
    let mut feed = |stage: &mut Stage, now: Tick, input: Input<'_>| {
        session.handle(now, input);
        loop {
            let output = session.poll();
            match &output {
                Output::Wait(_) => return,
                Output::Send(..) => panic!("a capture session speaks"),
                Output::Current(_, slot, _) if stage.current.contains_key(slot) => {
                    let snapshot = stage.snapshot(now);
                    stage.snapshots.push(snapshot);
                    stage.taken.clear();
                }
                _ => {}
            }
            assert!(stage.take(now, &output), "{output:?}");
        }
    };
    feed(&mut stage, now, Input::Opened(Channel(0), Peer::Capture));
    for piece in pieces {
        now = now.after(Duration::from_millis(1));
        feed(&mut stage, now, Input::Bytes(Channel(0), piece));
    }
    let last = stage.snapshot(now);
    stage.snapshots.push(last);
    feed(&mut stage, now, Input::Closed(Channel(0)));
    stage
}

/// A snapshot's items, a line each.
pub fn interpret(interpreter: &dyn Interpreter, raw: &[u8]) -> String {
    let mut space = vec![0; 256 << 10];
    let ends = [u32::try_from(raw.len()).unwrap()];
    let message = StoredMessage {
        raw,
        chunk_ends: &ends,
        complete: true,
        received: Utc(0),
        clock: ClockQuality::Synchronised,
    };
    let mut dump = Dump::default();
    interpreter.interpret(&message, &mut Scratch::new(&mut space), &mut dump).unwrap();
    dump.0
}

#[derive(Default)]
struct Dump(String);

impl<'m> ReportSink<'m> for Dump {
    fn item(&mut self, item: Item<'m>) {
        match item {
            Item::Device(device) => {
                assert_eq!(device.undecodable(), None);
                let eui64 = device.eui64.map_or(String::new(), |id| format!("{id:016X}"));
                writeln!(
                    self.0,
                    "device {} [{}] [{}] [{}] [{}] {eui64} bed [{}] patient [{}] clock {}",
                    device.mds,
                    device.manufacturer,
                    device.model,
                    device.serial,
                    device.version,
                    device.location,
                    device.patient,
                    device.clock.map_or("-".into(), |clock| when(clock.device)),
                )
                .unwrap();
            }
            Item::Measurement(measurement) => self.0.push_str(&line(&measurement)),
            Item::End(_) => {}
            other => panic!("{other:?}"),
        }
    }

    fn note(&mut self, note: Note<'m>) {
        writeln!(self.0, "note {:?}", note.kind).unwrap();
    }
}

fn when(time: orugate_driver::time::DeviceTime) -> String {
    let orugate_driver::time::DeviceTime { year, month, day, hour, minute, second, .. } = time;
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")
}

fn line(measurement: &Measurement<'_>) -> String {
    assert_eq!(measurement.undecodable(), None);
    let value = match measurement.value {
        Reading::Absent => "-".to_owned(),
        Reading::Number(text) => text.to_string(),
        Reading::Words(text) => format!("\"{text}\""),
        other => panic!("{other:?}"),
    };
    let mut out = format!(
        "{} {} [{}] {value} {} [{}]",
        measurement.code.id,
        measurement.term,
        measurement.code.name,
        measurement.unit.mdc,
        measurement.unit.text
    );
    for (mark, name) in [
        (Marks::INV, "INV"),
        (Marks::QUES, "QUES"),
        (Marks::NAV, "NAV"),
        (Marks::CAL, "CAL"),
        (Marks::TEST, "TEST"),
        (Marks::DEMO, "DEMO"),
        (Marks::VALIDATED, "VALIDATED"),
        (Marks::EARLY, "EARLY"),
        (Marks::BUSY, "BUSY"),
        (Marks::OVER, "OVER"),
        (Marks::UNDER, "UNDER"),
        (Marks::ALINH, "ALINH"),
    ] {
        if measurement.marks.has(mark) {
            write!(out, " {name}").unwrap();
        }
    }
    if !measurement.why.is_empty() {
        write!(out, " ({})", measurement.why).unwrap();
    }
    if let At::Device(at) = measurement.at {
        write!(out, " at {}", when(at)).unwrap();
    }
    if measurement.once {
        out.push_str(" once");
    }
    if measurement.alarm.is_some() {
        out.push_str(" alarm");
    }
    if !measurement.label.is_empty() {
        write!(out, " label [{}]", measurement.label).unwrap();
    }
    out.push('\n');
    out
}
