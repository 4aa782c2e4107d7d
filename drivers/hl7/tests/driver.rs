//! The session against a clock and a store that the test holds, and the simulator at its other end.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use orugate_driver::time::Tick;
use orugate_driver::{
    Channel, Deadline, Input, Instrument, Output, Peer, Session, SimulatedFault, State, Stored, Ticket,
};
use std::time::Duration;

mod shown;

use shown::profile;

const PCD: &str = include_str!("../../profiles/hl7-pcd01.toml");
const OUL: &str = include_str!("../../profiles/hl7-oul-r22.toml");

/// One end of a line.
struct Rig {
    session: Box<dyn Session>,
    now: Tick,
    sent: Vec<u8>,
    open: Vec<Ticket>,
    stored: Vec<Vec<u8>>,
    notes: Vec<String>,
    states: Vec<State>,
    deadline: Option<Deadline>,
    closed: bool,
    done: bool,
    /// Whether each message is on flash at once.
    prompt: bool,
}

impl Rig {
    fn new(session: Box<dyn Session>, peer: Peer) -> Self {
        let mut rig = Self {
            session,
            now: Tick::ZERO,
            sent: Vec::new(),
            open: Vec::new(),
            stored: Vec::new(),
            notes: Vec::new(),
            states: Vec::new(),
            deadline: None,
            closed: false,
            done: false,
            prompt: true,
        };
        rig.give(Input::Opened(Channel(0), peer));
        rig
    }

    fn live() -> Self {
        Self::new(profile(PCD).session(&Instrument::default()), Peer::Tcp)
    }

    fn give(&mut self, input: Input<'_>) {
        self.session.handle(self.now, input);
        self.drain();
        while self.prompt && !self.open.is_empty() {
            let ticket = self.open.remove(0);
            self.session.handle(self.now, Input::Stored(Stored::after_sync(ticket)));
            self.drain();
        }
    }

    fn drain(&mut self) {
        for _ in 0..10_000 {
            match self.session.poll() {
                Output::Send(_, bytes) => self.sent.extend_from_slice(bytes),
                Output::Store(ticket, chunk) => {
                    assert!(chunk.first && chunk.last.is_some());
                    self.open.push(ticket);
                    self.stored.push(chunk.bytes.to_vec());
                }
                Output::Note(note) => self.notes.push(note.to_string()),
                Output::Close(..) => self.closed = true,
                Output::State(state) => self.states.push(state),
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

    fn bytes(&mut self, bytes: &[u8]) {
        self.give(Input::Bytes(Channel(0), bytes));
    }

    fn pass(&mut self, wait: Duration) {
        self.now = self.now.after(wait);
        if self.deadline.is_some_and(|deadline| deadline.at <= self.now) {
            self.give(Input::Deadline);
        }
    }

    /// MSA-1 and MSA-2 of each answer so far.
    fn answers(&mut self) -> Vec<String> {
        let text = String::from_utf8(std::mem::take(&mut self.sent)).unwrap();
        let msa = text.split('\r').filter_map(|line| line.strip_prefix("MSA|"));
        msa.map(|line| line.splitn(3, '|').take(2).collect::<Vec<_>>().join(" ")).collect()
    }
}

fn framed(message: &str) -> Vec<u8> {
    [b"\x0b", message.replace('\n', "\r").as_bytes(), b"\x1c\r"].concat()
}

fn oru(id: &str, wish: &str) -> String {
    format!("MSH|^~\\&|MON|WARD|GW|LAB|20261126093000||ORU^R01^ORU_R01|{id}|P|2.6|||{wish}\nOBR|1\n")
}

#[test]
fn nothing_is_accepted_before_it_is_on_flash() {
    let mut rig = Rig::live();
    rig.prompt = false;
    rig.bytes(&[framed(&oru(" 7 ", "AL|NE")), framed(&oru("8", "|"))].concat());
    assert_eq!((rig.stored.len(), rig.answers().len()), (1, 0), "one after the other");
    let ticket = rig.open.remove(0);
    rig.give(Input::Stored(Stored::after_sync(ticket)));
    let text = String::from_utf8(rig.sent.clone()).unwrap();
    assert!(text.starts_with("\u{b}MSH|^~\\&|GW|LAB|MON|WARD|20261126093000||ACK^R01^ACK|A"), "{text}");
    assert_eq!(rig.answers(), ["CA  7 "], "MSH-10 byte for byte");
    let ticket = rig.open.remove(0);
    rig.give(Input::Refused(ticket));
    assert!(String::from_utf8(rig.sent.clone()).unwrap().contains("ERR||"));
    assert_eq!(rig.answers(), ["AE 8"]);
    rig.give(Input::Busy(true));
    rig.bytes(&framed(&oru("9", "AL|NE")));
    assert_eq!((rig.answers(), rig.stored.len()), (vec!["CE 9".to_owned()], 2));
}

#[test]
fn each_sender_gets_the_acknowledgments_that_it_wants() {
    for (wish, expected) in [
        ("|", vec!["AA 1"]),
        ("AL|NE", vec!["CA 1"]),
        ("NE|AL", vec!["AA 1"]),
        ("AL|AL", vec!["CA 1", "AA 1"]),
        ("NE|NE", vec![]),
        ("ER|", vec![]),
        // No value of table 0155: Mindray's analyzers say there whether it is a control.
        ("|2", vec!["AA 1"]),
        ("|0", vec!["AA 1"]),
    ] {
        let mut rig = Rig::live();
        rig.bytes(&framed(&oru("1", wish)));
        assert_eq!(
            (rig.answers(), rig.stored.len()),
            (expected.iter().map(ToString::to_string).collect(), 1),
            "{wish}"
        );
    }
    let mut ids = Vec::new();
    let mut rig = Rig::live();
    for _ in 0..2 {
        rig.bytes(&framed(&oru("1", "|")));
        ids.push(
            String::from_utf8(std::mem::take(&mut rig.sent)).unwrap().split('|').nth(9).unwrap().to_owned(),
        );
    }
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn what_is_not_taken_is_answered_too() {
    let mut rig = Rig::live();
    rig.bytes(&framed("nonsense\n"));
    assert_eq!(rig.answers(), ["AR "]);
    rig.bytes(&framed("MSH|^~\\&|MON||||20261126||QRY^A19|5|P|2.3\n"));
    assert_eq!(rig.answers(), ["AR 5"]);
    rig.bytes(&framed("MSH|^~\\&|MON||||20261126||ACK|6|P|2.3\nMSA|AA|3\n"));
    assert!(rig.answers().is_empty(), "an acknowledgment is never answered");
    assert!(rig.stored.is_empty() && !rig.closed);
}

#[test]
fn a_missing_cr_is_forgiven_and_a_silent_sender_is_not() {
    let mut rig = Rig::live();
    let whole = framed(&oru("1", "|"));
    rig.bytes(&whole[..whole.len() - 1]);
    assert!(rig.stored.is_empty());
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.answers(), ["AA 1"]);
    rig.bytes(&whole[..20]);
    rig.pass(Duration::from_secs(31));
    assert!(rig.closed && rig.stored.len() == 1);
    let mut rig = Rig::live();
    rig.bytes(&whole[..whole.len() - 1]);
    rig.give(Input::Closed(Channel(0)));
    assert_eq!(rig.stored.len(), 1);
    rig.give(Input::Stop);
    assert!(rig.done);
}

#[test]
fn every_cut_into_reads_gives_the_same() {
    let whole = [framed(&oru("1", "|")), framed(&oru("2", "AL|NE"))].concat();
    for size in [1, 2, 7, 50, whole.len()] {
        let mut rig = Rig::live();
        whole.chunks(size).for_each(|piece| rig.bytes(piece));
        assert_eq!(rig.answers(), ["AA 1", "CA 2"], "{size}");
    }
}

#[test]
fn the_simulator_loses_nothing_whatever_goes_wrong() {
    for fault in [
        "lose-ack:1",
        "repeat:2",
        "twice:1",
        "lose-tail:2",
        "lose-frame:1",
        "disconnect:1",
        "cut:60",
        "cut:150",
        "lose-start:2",
    ] {
        let fault: SimulatedFault = fault.parse().unwrap();
        let profile = profile(PCD);
        let messages = vec![oru("1", "|").into_bytes(), oru("2", "AL|NE").into_bytes()];
        let mut device = Rig::new(profile.simulator(messages, &[fault]), Peer::Tcp);
        let mut gateway = Rig::live();
        for _ in 0..200 {
            if device.done {
                break;
            }
            let sent = std::mem::take(&mut device.sent);
            if !sent.is_empty() {
                gateway.bytes(&sent);
            }
            let answers = std::mem::take(&mut gateway.sent);
            if !answers.is_empty() {
                device.bytes(&answers);
            } else if device.closed {
                gateway.give(Input::Closed(Channel(0)));
                device.closed = false;
                gateway.give(Input::Opened(Channel(0), Peer::Tcp));
                device.give(Input::Opened(Channel(0), Peer::Tcp));
            } else {
                device.pass(Duration::from_secs(1));
                gateway.pass(Duration::from_secs(1));
            }
        }
        let has = |id: &str| {
            gateway.stored.iter().any(|m| String::from_utf8_lossy(m).contains(&format!("|{id}|P|")))
        };
        assert!(device.done && has("1") && has("2"), "{fault:?}: {:?}", gateway.notes);
    }
}

#[test]
fn a_bedside_device_that_sends_nothing_is_silent_and_an_analyzer_has_no_results() {
    let mut rig = Rig::live();
    assert_eq!(rig.states, [State::Connecting]);
    rig.bytes(&framed(&oru("1", "|")));
    for _ in 0..3 {
        rig.pass(Duration::from_secs(100));
        rig.bytes(&framed(&oru("1", "|")));
    }
    assert!(rig.states[1..].iter().all(|state| *state == State::Talking), "{:?}", rig.states);
    rig.pass(Duration::from_secs(181));
    assert_eq!(rig.states.last(), Some(&State::Silent));
    // One message for each connection is no silence.
    rig.give(Input::Closed(Channel(0)));
    rig.give(Input::Opened(Channel(1), Peer::Tcp));
    rig.give(Input::Bytes(Channel(1), &framed(&oru("2", "|"))));
    assert_eq!(rig.states.last(), Some(&State::Talking));
    let mut rig = Rig::new(profile(OUL).session(&Instrument::default()), Peer::Tcp);
    rig.bytes(&framed(&oru("1", "|")));
    assert!(rig.states.is_empty() && rig.deadline.is_none());
}

#[test]
fn recorded_messages_are_acknowledged_as_they_ask() {
    let Some(corpus) = std::env::var_os("ORUGATE_CORPUS") else {
        println!("skipped: ORUGATE_CORPUS is not set");
        return;
    };
    for (name, answer) in [
        ("bedside/mindray-vs900-pcd01", "CA 1914"),
        ("bedside/mindray-vs900-r40-alarm", "CA 38"),
        ("bedside/comen-nc-pcd", "AA 202506100151270003"),
        ("lab/cobas6800-oul", "AA ade4147e-3687-4f1b-b825-f31c9188222c"),
        ("lab/genexpert-oru-r32", "AA URM-sj+xSBVA-03"),
        ("lab/genexpert-qbp-z03", "AR 662f165ebb1b4354b100cba090f1e7e5"),
        ("hl7/adt-a01-full", "CR CTRL0042"),
        ("hl7/edge-crlf-line-endings", "AR MSG006"),
        ("hl7/edge-custom-delimiters", "AR MSG007"),
        ("hl7/edge-escaped-delimiters", "AR MSG001"),
        ("hl7/edge-field-repetitions", "AR MSG004"),
        ("hl7/edge-non-ascii", "AR MSG002"),
        ("hl7/edge-z-segments", "AR MSG003"),
        ("hl7/invalid-missing-msh", "AR "),
        ("hl7/invalid-segment-header-length", "AR MSG001"),
        ("hl7/nist-elr-1", "AA NIST-100929110701660"),
        ("hl7/orm-o01-order", "AR ORD20001"),
        ("hl7/oru-r01-lab", "AA MSG00003"),
    ] {
        let bytes = std::fs::read(std::path::Path::new(&corpus).join(format!("{name}.hl7"))).unwrap();
        let mut rig = Rig::new(profile(OUL).session(&Instrument::default()), Peer::Tcp);
        // In a hundred pieces, and then twice in one.
        let frame = [b"\x0b", &bytes[..], b"\x1c\r"].concat();
        for piece in frame.chunks(frame.len().div_ceil(100)) {
            rig.bytes(piece);
        }
        rig.bytes(&[&frame[..], &frame].concat());
        let text = String::from_utf8_lossy(&rig.sent).into_owned();
        let refused = answer.starts_with("AR") || answer.starts_with("CR");
        assert_eq!(text.contains("ERR"), refused, "{name}: {text}");
        let delimiter = if name.contains("custom") { '#' } else { '|' };
        let msa = text.split('\r').filter_map(|line| line.strip_prefix("MSA")?.strip_prefix(delimiter));
        let codes: Vec<String> =
            msa.map(|line| line.splitn(3, delimiter).take(2).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(codes, vec![answer; 3], "{name}: {text}");
        assert_eq!(rig.stored.len(), if refused { 0 } else { 3 }, "{name}");
        assert!(rig.stored.iter().all(|stored| *stored == bytes), "{name}: byte for byte");
    }
}
