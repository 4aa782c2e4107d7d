//! The session against a clock and a store that the test holds, the simulator at its other end, and both kinds of messages as
//! items; the recorded messages against a second, separate reading of their text.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use orugate_driver::report::{Item, Note, Reading, ReportSink};
use orugate_driver::time::{ClockQuality, Tick, Utc};
use orugate_driver::{
    Channel, Deadline, Driver, Feed, Input, Instrument, Output, Peer, Profile, Scratch, Session,
    SimulatedFault, State, Stored, StoredMessage, Ticket,
};
use orugate_hl7::HL7;
use std::fmt::Write as _;
use std::time::Duration;

const PCD: &str = include_str!("../../profiles/hl7-pcd01.toml");
const MINDRAY: &str = include_str!("../../profiles/mindray-benevision.toml");
const OUL: &str = include_str!("../../profiles/hl7-oul-r22.toml");

fn profile(toml: &str) -> Box<dyn Profile> {
    HL7.profile(toml).unwrap_or_else(|e| panic!("{e}"))
}

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

/// The items of a message as lines.
fn items(profile: &dyn Profile, message: &[u8]) -> String {
    struct Lines(String);
    impl<'m> ReportSink<'m> for Lines {
        fn item(&mut self, item: Item<'m>) {
            let out = &mut self.0;
            let _ = match item {
                Item::Device(d) => writeln!(
                    out,
                    "device {} {} {} bed={} patient={} eui={:X?}",
                    d.mds, d.manufacturer, d.model, d.location, d.patient, d.eui64
                ),
                Item::Group(g) => {
                    writeln!(out, "group {}.{} {} {}", g.vmd_place, g.channel_place, g.vmd, g.channel)
                }
                Item::Measurement(m) => {
                    let value = match m.value {
                        Reading::Absent => "-".to_owned(),
                        Reading::Number(text) => text.to_string(),
                        Reading::Words(text) => format!("'{text}'"),
                        Reading::Coded(code, text) => format!("{code}:{text}"),
                        #[allow(unreachable_patterns)]
                        _ => "?".to_owned(),
                    };
                    let (marks, at) = (m.marks, m.at);
                    let once = if m.once { " once" } else { "" };
                    writeln!(
                        out,
                        "{} {} {}^{} = {value} {}({}) {}..{} {:?} {at:?}{once}",
                        m.place,
                        m.term,
                        m.code.id,
                        m.code.system,
                        m.unit.mdc,
                        m.unit.text,
                        m.low,
                        m.high,
                        marks
                    )
                }
                Item::Sender(s) => writeln!(out, "sender {} qc={:?}", s.name, s.qc),
                Item::Patient(p) => writeln!(out, "patient {} {}", p.practice_id, p.family),
                Item::Specimen(s) => writeln!(out, "specimen {} from {} qc={:?}", s.id, s.id_place, s.qc),
                Item::Order(o) => writeln!(out, "order {}", o.code.id),
                Item::Observation(o) => writeln!(
                    out,
                    "{} loinc={} run={} = {} {} [{}] {} {:?} {}{}",
                    o.code.id,
                    o.code.loinc,
                    o.run,
                    o.value,
                    o.unit,
                    o.range,
                    o.flags.text,
                    o.status,
                    o.completed.map(|t| t.to_string()).unwrap_or_default(),
                    o.not_reportable.map(|w| format!(" ({w})")).unwrap_or_default()
                ),
                Item::Comment(c) => writeln!(out, "comment {:?} {}", c.level, c.text),
                Item::End(end) => writeln!(out, "end {}", end.complete),
                other => writeln!(out, "{other:?}"),
            };
        }

        fn note(&mut self, note: Note<'m>) {
            let _ = writeln!(self.0, "note {}: {}", note.subject, note.kind);
        }
    }
    let mut space = vec![0; 4096];
    let mut lines = Lines(String::new());
    let stored = StoredMessage {
        raw: message,
        chunk_ends: &[u32::try_from(message.len()).unwrap()],
        complete: true,
        received: Utc(0),
        clock: ClockQuality::Synchronised,
    };
    if let Err(fault) = profile.interpreter().interpret(&stored, &mut Scratch::new(&mut space), &mut lines) {
        let _ = writeln!(lines.0, "fault: {fault}");
    }
    lines.0
}

fn example(toml: &str, n: usize) -> (Box<dyn Profile>, Vec<u8>) {
    let profile = profile(toml);
    let bytes = profile.example_bytes(&profile.common().examples[n].input);
    (profile, bytes)
}

#[test]
fn measurements_of_a_bedside_device() {
    let (profile, bytes) = example(PCD, 0);
    assert!(matches!(profile.feed(), Feed::Bedside { .. }));
    let text = items(&*profile, &bytes);
    for line in [
        "device 69965  NC_Monitor bed=10 patient= eui=None",
        "group 3.1 0 0\n0 150456 150456^MDC = 96 262688(MDC_DIM_PERCENT)",
        "151562^MDC = - ",
        "= 'COMEN_POS_SITTING'",
        "2453^99HL7DEV",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let (profile, bytes) = example(MINDRAY, 0);
    let text = items(&*profile, &bytes);
    assert!(text.contains("Mindray MINDRAY_VS900 bed=Bed 4 patient= eui=Some(A0370011223344)"), "{text}");
    assert!(text.contains("90..100"), "{text}");
    assert_eq!(text.matches(" once\n").count(), 2, "{text}");
    assert!(text.contains("offset: Some(60)"), "{text}");
    let (profile, bytes) = example(MINDRAY, 1);
    assert_eq!(items(&*profile, &bytes), "note R40: an alarm; kept, never forwarded\nend true\n");
}

#[test]
fn escapes_demonstrations_settings_and_waves() {
    let message = "MSH|^~\\&|M||||20261126||ORU^R01|1|P|2.6\rPID|1||7\\T\\8^^^H||Doe^J\rOBR|1||||||20261126093000\r\
                   OBX|1|ST|9^A\\S\\B^99X|1.1.1.70000|a\\F\\b||||||R\r\
                   OBX|2|NM|147842^MDC_ECG_HEART_RATE^MDC|1.7.1.2|80|264864^MDC_DIM_BEAT_PER_MIN^MDC||DEMO~H~PH|||R\r\
                   OBX|3|NA|131330^MDC_ECG_LEAD_II^MDC|1.7.1.3|1^2^3\r\
                   OBX|4|NM|149522^MDC_PULS_RATE^MDC|1.7.1.4|---||||||X\r";
    let text = items(&*profile(PCD), message.as_bytes());
    for line in
        ["patient=7&8", "= 'a|b'", "0 0 9^99HL7DEV", "samples of a waveform", "4 0 149522^99HL7DEV = -"]
    {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("Doe"), "{text}");
    assert!(items(&*profile(PCD), b"MSH|^~\\&|M\rnonsense\r").starts_with("fault: a line is no segment"));
}

#[test]
fn results_of_an_analyzer() {
    let (profile, bytes) = example(OUL, 0);
    assert!(matches!(profile.feed(), Feed::Results));
    let text = items(&*profile, &bytes);
    assert!(text.contains("specimen S-4711 from SPM-2 qc=None\norder GLU\nGLU loinc=2345-7 run= = 182 mg/dL [70-105] H^^HL70078 Final"), "{text}");
    let (profile, bytes) = example(OUL, 1);
    assert!(items(&*profile, &bytes).contains("specimen LEVEL-1 from SPM-2 qc=Some(SpecimenRole)"));
}

/// Value, code, unit and time of each row, read with nothing but `split`.
fn rows(text: &str) -> Vec<[String; 4]> {
    let obx = text.split(['\r', '\n']).filter(|line| line.starts_with("OBX|"));
    obx.map(|line| {
        let f: Vec<&str> = line.split('|').collect();
        let first = |n: usize| f.get(n).unwrap_or(&"").split('^').next().unwrap_or("").to_owned();
        [first(3), first(5), first(6), first(14)]
    })
    .collect()
}

#[test]
fn recorded_messages_are_read_to_the_end() {
    let Some(corpus) = std::env::var_os("ORUGATE_CORPUS") else {
        println!("skipped: ORUGATE_CORPUS is not set");
        return;
    };
    let file = |name: &str| std::fs::read(std::path::Path::new(&corpus).join(name)).unwrap();
    for (toml, name, count) in
        [(MINDRAY, "bedside/mindray-vs900-pcd01.hl7", 7), (PCD, "bedside/comen-nc-pcd.hl7", 13)]
    {
        let profile = profile(toml);
        let bytes = file(name);
        let mut rig = Rig::new(profile.capture_session(), Peer::Capture);
        bytes.chunks(100).for_each(|piece| rig.bytes(piece));
        rig.give(Input::Closed(Channel(0)));
        assert_eq!((rig.stored.len(), rig.notes.len(), rig.sent.len()), (1, 0, 0), "{name}");
        let text = items(&*profile, &rig.stored[0]);
        let rows = rows(&String::from_utf8(bytes).unwrap());
        let read: Vec<&str> =
            text.lines().filter(|line| line.contains("^") && line.contains(" = ")).collect();
        assert_eq!((rows.len(), read.len()), (count, count), "{text}");
        for ([code, value, unit, _], line) in rows.iter().zip(&read) {
            let value = match value.as_str() {
                "" => "-",
                "2821" => "'COMEN_POS_SITTING'",
                value => value,
            };
            let unit = if unit.is_empty() { "0" } else { unit };
            assert!(
                line.contains(&format!(" {code}^")) && line.contains(&format!(" = {value} {unit}(")),
                "{line}"
            );
        }
    }
    let alarm = file("bedside/mindray-vs900-r40-alarm.hl7");
    assert!(items(&*profile(MINDRAY), &alarm).starts_with("note R40: an alarm"));
    for (name, id, count) in
        [("lab/cobas6800-oul.hl7", "TBY 7363", 4), ("lab/genexpert-oru-r32.hl7", "sidOBM", 23)]
    {
        let bytes = file(name);
        let text = items(&*profile(OUL), &bytes);
        assert!(text.contains(&format!("specimen {id} from SPM-2")), "{text}");
        assert_eq!(text.lines().filter(|line| line.contains(" loinc=")).count(), count, "{text}");
        assert!(text.ends_with("end true\n"), "{text}");
    }
}
